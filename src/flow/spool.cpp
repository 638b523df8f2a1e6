#include "flow/spool.hpp"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cw::flow {
namespace {

// Reads go mostly forward: one larger read serves many blobs.
constexpr std::size_t read_ahead = std::size_t{256} << 10;

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
    // From the first write on, a small buffer is enough.
    limit_ = std::min(limit_, read_ahead);
    tail_.shrink_to_fit();
    tail_.reserve(limit_ * 2);
}

std::string_view Spool::get(BlobRef ref) {
    if (ref.offset >= written_) {
        return std::string_view{tail_}.substr(ref.offset - written_, ref.length);
    }
    const auto in_window =
        ref.offset >= window_offset_ && ref.offset + ref.length <= window_offset_ + window_.size();
    if (!in_window) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(
            std::max<std::size_t>(ref.length, read_ahead), written_ - ref.offset));
        window_.resize(want);
        window_offset_ = ref.offset;
        std::size_t have = 0;
        while (have < want) {
            const auto n = ::pread(file_, window_.data() + have, want - have,
                                   static_cast<off_t>(ref.offset + have));
            if (n <= 0) {
                break;
            }
            have += static_cast<std::size_t>(n);
        }
        window_.resize(have);
        if (have < ref.length) {
            return {};
        }
    }
    return std::string_view{window_}.substr(ref.offset - window_offset_, ref.length);
}

} // namespace cw::flow
