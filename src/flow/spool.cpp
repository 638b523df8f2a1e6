#include "flow/spool.hpp"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cw::flow {
namespace {

// Once there is a file, so much is gathered before each write.
constexpr std::size_t write_size = std::size_t{256} << 10;

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

Spool::~Spool() {
    if (file_ >= 0) {
        ::close(file_);
    }
}

BlobRef Spool::put(std::string_view blob) {
    const BlobRef ref{written_ + tail_.size(), static_cast<std::uint32_t>(blob.size())};
    tail_.append(blob);
    if (tail_.size() > limit_ && !file_failed_) {
        write_out();
    }
    return ref;
}

void Spool::write_out() {
    if (file_ < 0) {
        file_ = open_unnamed_file();
    }
    std::size_t done = 0;
    while (file_ >= 0 && done < tail_.size()) {
        const auto n = ::pwrite(file_, tail_.data() + done, tail_.size() - done,
                                static_cast<off_t>(written_ + done));
        if (n <= 0) {
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    if (done <
        tail_.size()) { // disk full: what was written is forgotten, the tail still has it all
        file_failed_ = true;
        return;
    }
    written_ += done;
    tail_.clear();
    for (auto& block : blocks_) { // the last one may have been shorter
        block.number = UINT64_MAX;
    }
    // From the first write on, a small buffer is enough.
    limit_ = std::min(limit_, write_size);
    tail_.shrink_to_fit();
    tail_.reserve(limit_ * 2);
}

// Shorter than block_size at the end of the file, or when it could not be read.
std::string_view Spool::block(std::uint64_t number) {
    auto& block = blocks_[number % kept_blocks];
    if (block.number != number) {
        const auto begin = number * block_size;
        block.number = number;
        block.bytes.resize(std::min<std::uint64_t>(block_size, written_ - begin));
        std::size_t have = 0;
        while (have < block.bytes.size()) {
            const auto n = ::pread(file_, block.bytes.data() + have, block.bytes.size() - have,
                                   static_cast<off_t>(begin + have));
            if (n <= 0) {
                break;
            }
            have += static_cast<std::size_t>(n);
        }
        block.bytes.resize(have);
    }
    return block.bytes;
}

std::string_view Spool::get(BlobRef ref) {
    if (ref.offset >= written_) {
        return std::string_view{tail_}.substr(ref.offset - written_, ref.length);
    }
    auto number = ref.offset / block_size;
    auto at = static_cast<std::size_t>(ref.offset % block_size);
    if (at + ref.length <= block_size) {
        const auto bytes = block(number);
        return at + ref.length <= bytes.size() ? bytes.substr(at, ref.length) : std::string_view{};
    }
    scratch_.clear();
    while (scratch_.size() < ref.length) {
        const auto bytes = block(number++);
        const auto part =
            at < bytes.size() ? bytes.substr(at, ref.length - scratch_.size()) : std::string_view{};
        if (part.empty()) {
            return {};
        }
        scratch_.append(part);
        at = 0;
    }
    return scratch_;
}

} // namespace cw::flow
