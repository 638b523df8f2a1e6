#include "flow/spool.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cw::flow {
namespace {

int open_unnamed_file() {
    const char* directory = std::getenv("TMPDIR");
    if (directory == nullptr || *directory == '\0') {
        directory = "/tmp";
    }
    const int file = ::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file >= 0) {
        return file;
    }
    // Not every file system has O_TMPFILE; a name that is removed at once does the same.
    std::string name = std::string{directory} + "/callwright-XXXXXX";
    const int named = ::mkostemp(name.data(), O_CLOEXEC);
    if (named >= 0) {
        ::unlink(name.c_str());
    }
    return named;
}

} // namespace

Spool::Spool(std::size_t memory) : most_held_(std::max<std::size_t>(memory / block_size, 1)) {}

Spool::~Spool() {
    if (file_ >= 0) {
        ::close(file_);
    }
}

BlobRef Spool::put(std::string_view blob) {
    const BlobRef ref{size_, static_cast<std::uint32_t>(blob.size())};
    kept_ += blob.size();
    while (!blob.empty()) {
        const auto at = static_cast<std::size_t>(size_ % block_size);
        if (at == 0) {
            add_block();
        }
        const auto part = std::min(blob.size(), block_size - at);
        std::memcpy(held_.back().get() + at, blob.data(), part);
        wanted_.back() += static_cast<std::uint32_t>(part);
        blob.remove_prefix(part);
        size_ += part;
    }
    return ref;
}

// All that are held are full.
void Spool::add_block() {
    wanted_.push_back(0);
    if (held_.size() >= most_held_ && !file_failed_) {
        write_out();
    }
    if (spare_.empty()) {
        held_.push_back(new_block());
    } else {
        held_.push_back(std::move(spare_.back()));
        spare_.pop_back();
    }
}

void Spool::write_out() {
    if (file_ < 0) {
        file_ = open_unnamed_file();
    }
    std::size_t done = 0;
    while (file_ >= 0 && done < held_.size() * block_size) {
        const auto at = done % block_size;
        const auto n = ::pwrite(file_, held_[done / block_size].get() + at, block_size - at,
                                static_cast<off_t>(written_ * block_size + done));
        if (n <= 0) {
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    if (done < held_.size() * block_size) { // disk full: all of it is still held
        file_failed_ = true;
        return;
    }
    const auto before = written_;
    written_ += held_.size();
    for (auto number = std::max(before, first_wanted_); number < written_; ++number) {
        if (wanted_[static_cast<std::size_t>(number - first_wanted_)] == 0) {
            give_back(number);
        }
    }
    most_held_ = std::min(most_held_, gathered);
    held_.resize(std::min(held_.size(), gathered));
    spare_ = std::exchange(held_, {});
}

void Spool::drop(BlobRef ref) {
    kept_ -= ref.length;
    auto offset = ref.offset;
    for (std::size_t left = ref.length; left > 0;) {
        const auto number = offset / block_size;
        const auto part = std::min<std::size_t>(left, block_size - offset % block_size);
        auto& wanted = wanted_[static_cast<std::size_t>(number - first_wanted_)];
        wanted -= static_cast<std::uint32_t>(part);
        if (wanted == 0 && number < written_) {
            give_back(number);
        }
        offset += part;
        left -= part;
    }
    while (wanted_.size() > 1 && wanted_.front() == 0 && first_wanted_ < written_) {
        wanted_.pop_front();
        ++first_wanted_;
    }
}

void Spool::give_back(std::uint64_t block) const {
    // Where the file system cannot, the file stays as large as it is.
    ::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(block * block_size), static_cast<off_t>(block_size));
}

std::string_view Spool::block(std::uint64_t number, Reader& reader) const {
    if (number >= written_) {
        return {held_[static_cast<std::size_t>(number - written_)].get(), block_size};
    }
    auto& in_hand = reader.block_;
    if (in_hand == nullptr || in_hand->number != number) {
        auto& place = window_[number % kept_blocks];
        const std::lock_guard lock{place.mutex};
        if (place.block == nullptr || place.block->number != number) {
            place.block = read_block(number);
        }
        in_hand = place.block;
    }
    return {in_hand->bytes.get(), in_hand->size};
}

std::shared_ptr<const Spool::ReadBlock> Spool::read_block(std::uint64_t number) const {
    auto block = std::make_shared<ReadBlock>(ReadBlock{number, 0, new_block()});
    while (block->size < block_size) {
        const auto n = ::pread(file_, block->bytes.get() + block->size, block_size - block->size,
                               static_cast<off_t>(number * block_size + block->size));
        if (n <= 0) {
            break;
        }
        block->size += static_cast<std::size_t>(n);
    }
    return block;
}

std::string_view Spool::get(BlobRef ref, Reader& reader) const {
    if (ref.empty()) {
        return {};
    }
    auto number = ref.offset / block_size;
    auto at = static_cast<std::size_t>(ref.offset % block_size);
    if (at + ref.length <= block_size) {
        const auto bytes = block(number, reader);
        return at + ref.length <= bytes.size() ? bytes.substr(at, ref.length) : std::string_view{};
    }
    auto& scratch = reader.scratch_;
    scratch.clear();
    while (scratch.size() < ref.length) {
        const auto bytes = block(number++, reader);
        const auto part =
            at < bytes.size() ? bytes.substr(at, ref.length - scratch.size()) : std::string_view{};
        if (part.empty()) {
            return {};
        }
        scratch.append(part);
        at = 0;
    }
    return scratch;
}

} // namespace cw::flow
