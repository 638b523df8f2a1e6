#include "host/watch/packet_ring.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/pcapng_writer.hpp"

namespace cw::host {
namespace {

constexpr std::size_t gathered = std::size_t{256} << 10;
constexpr std::size_t most_secrets = std::size_t{4} << 20;

} // namespace

std::expected<PacketRing, std::string> PacketRing::open(Settings settings,
                                                        std::vector<Interface> interfaces) {
    if (settings.file_bytes != 0) {
        settings.file_bytes = std::max(settings.file_bytes, least_file);
    }
    PacketRing ring{std::move(settings), std::move(interfaces)};
    if (auto problem = ring.next_file(); !problem.empty()) {
        return std::unexpected{std::move(problem)};
    }
    return ring;
}

std::string PacketRing::name_of(std::uint32_t number) const {
    if (settings_.file_bytes == 0) {
        return settings_.path;
    }
    const auto slash = settings_.path.rfind('/');
    const auto dot = settings_.path.rfind('.');
    const bool has_end = dot != std::string::npos && (slash == std::string::npos || dot > slash);
    const auto end = has_end ? dot : settings_.path.size();
    return fmt::format("{}-{:05}{}", settings_.path.substr(0, end), number,
                       has_end ? settings_.path.substr(end) : ".pcapng");
}

std::string PacketRing::next_file() {
    auto name = name_of(++number_);
    fd_ = net::Descriptor{
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR)};
    // What was there before may have been readable by others.
    if (!fd_.open() || ::fchmod(fd_.get(), S_IRUSR | S_IWUSR) != 0) {
        return name + ": " + std::strerror(errno);
    }
    names_.push_back(std::move(name));
    if (names_.size() > settings_.files && settings_.file_bytes != 0) {
        ::unlink(names_.front().c_str());
        names_.pop_front();
    }
    written_ = 0;
    capture::put_section(buffer_);
    for (const auto& interface : interfaces_) {
        capture::put_interface(buffer_, interface.link_type, interface.name);
    }
    if (!secrets_.empty()) {
        capture::put_secrets(buffer_, secrets_);
    }
    return flush();
}

void PacketRing::add(std::uint32_t interface, Instant time, Bytes packet,
                     std::size_t original_length) {
    if (!problem_.empty()) {
        return;
    }
    capture::put_packet(buffer_, interface, time, packet, original_length);
    if (buffer_.size() >= gathered) {
        flush();
    }
}

void PacketRing::add_secrets(std::string_view lines) {
    capture::put_secrets(buffer_, lines);
    secrets_ += lines;
    if (secrets_.size() > most_secrets) { // the older half goes, in whole lines
        secrets_.erase(0, secrets_.find('\n', secrets_.size() / 2) + 1);
    }
}

std::string PacketRing::flush() {
    std::string_view rest = buffer_;
    while (problem_.empty() && !rest.empty()) {
        const auto wrote = ::write(fd_.get(), rest.data(), rest.size());
        if (wrote > 0) {
            rest.remove_prefix(static_cast<std::size_t>(wrote));
        } else if (errno != EINTR) {
            problem_ = names_.back() + ": " + std::strerror(errno);
        }
    }
    written_ += buffer_.size();
    buffer_.clear();
    if (problem_.empty() && settings_.file_bytes != 0 && written_ >= settings_.file_bytes) {
        problem_ = next_file();
    }
    return problem_;
}

} // namespace cw::host
