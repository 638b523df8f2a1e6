#include "host/trace_queue.hpp"

#include <cerrno>
#include <cstring>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "capture/pcapng_writer.hpp"
#include "host/trace_file.hpp"

namespace cw::host {
namespace {

// Blocks say their length behind their type, little-endian as we wrote them.
std::uint64_t count_blocks(std::string_view blocks) {
    std::uint64_t count = 0;
    while (blocks.size() >= 8) {
        std::uint32_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            length |= std::uint32_t{static_cast<std::uint8_t>(blocks[4 + i])} << (8 * i);
        }
        if (length < 12 || length > blocks.size()) {
            break;
        }
        blocks.remove_prefix(length);
        ++count;
    }
    return count;
}

} // namespace

std::expected<std::shared_ptr<TraceQueue>, std::string> TraceQueue::create(std::size_t most) {
    net::Descriptor wake{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (!wake.open()) {
        return std::unexpected{std::string{"eventfd: "} + std::strerror(errno)};
    }
    return std::shared_ptr<TraceQueue>{new TraceQueue{std::move(wake), most}};
}

void TraceQueue::put(std::string_view blocks) {
    const bool first = waiting_.empty();
    if (first) {
        waiting_ = trace_head();
    }
    waiting_ += blocks;
    if (first) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    }
}

void TraceQueue::append(std::string_view blocks) {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() + blocks.size() > most_) {
        lost_.fetch_add(count_blocks(blocks), std::memory_order_relaxed);
    } else {
        put(blocks);
    }
}

void TraceQueue::add_secret(std::string_view line) {
    std::string block;
    capture::put_secrets(block, std::string{line} + '\n');
    const std::lock_guard lock{mutex_};
    if (waiting_.size() + block.size() <= most_ + most_ / 4) {
        put(block);
    }
}

void TraceQueue::take(std::string& into) {
    into.clear();
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(wake_.get(), &count, sizeof count);
    const std::lock_guard lock{mutex_};
    std::swap(into, waiting_);
}

} // namespace cw::host
