#include "capture/byte_source.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace cw::capture {

// Note: 128 KiB stay in the second-level cache between the kernel's copy and our reading.
constexpr std::size_t block_size = 128 * 1024;

class ByteSource::BlockSource {
  public:
    BlockSource() = default;
    BlockSource(const BlockSource&) = delete;
    BlockSource& operator=(const BlockSource&) = delete;
    virtual ~BlockSource() = default;
    // Up to `room` bytes; 0 at the end. What went wrong, if anything, is added to `problem`.
    virtual std::size_t read(std::uint8_t* into, std::size_t room, std::string& problem) = 0;
    [[nodiscard]] virtual std::uint64_t consumed() const = 0;
};

namespace {

using BlockSource = ByteSource::BlockSource;

class FileInput final : public BlockSource {
  public:
    FileInput(int fd, bool close_it) : fd_(fd), close_it_(close_it) {}
    FileInput(const FileInput&) = delete;
    FileInput& operator=(const FileInput&) = delete;
    ~FileInput() override {
        if (close_it_) {
            ::close(fd_);
        }
    }
    std::size_t read(std::uint8_t* into, std::size_t room, std::string& problem) override {
        ssize_t n = 0;
        do {
            n = ::read(fd_, into, room);
        } while (n < 0 && errno == EINTR);
        if (n < 0) {
            problem =
                fmt::format("reading failed after {} bytes: {}", consumed_, strerrordesc_np(errno));
            return 0;
        }
        consumed_ += static_cast<std::uint64_t>(n);
        return static_cast<std::size_t>(n);
    }
    [[nodiscard]] std::uint64_t consumed() const override { return consumed_; }

  private:
    int fd_;
    bool close_it_;
    std::uint64_t consumed_ = 0;
};

class MemoryInput final : public BlockSource {
  public:
    explicit MemoryInput(Bytes whole) : left_(whole) {}
    std::size_t read(std::uint8_t* into, std::size_t room, std::string& /*problem*/) override {
        const auto n = std::min(room, left_.size());
        std::copy_n(left_.begin(), n, into);
        left_ = left_.subspan(n);
        consumed_ += n;
        return n;
    }
    [[nodiscard]] std::uint64_t consumed() const override { return consumed_; }

  private:
    Bytes left_;
    std::uint64_t consumed_ = 0;
};

// The input of a decompressor: what was read to recognise the file, then the rest, by blocks.
class Compressed {
  public:
    Compressed(std::unique_ptr<BlockSource> raw, Bytes seen) : raw_(std::move(raw)) {
        block_ = std::make_unique_for_overwrite<std::uint8_t[]>(block_size);
        std::copy(seen.begin(), seen.end(), block_.get());
        view_ = {block_.get(), seen.size()};
    }
    Bytes& view(std::string& problem) {
        if (view_.empty()) {
            view_ = {block_.get(), raw_->read(block_.get(), block_size, problem)};
        }
        return view_;
    }
    [[nodiscard]] std::uint64_t consumed() const { return raw_->consumed() - view_.size(); }

  private:
    std::unique_ptr<BlockSource> raw_;
    std::unique_ptr<std::uint8_t[]> block_;
    Bytes view_;
};

class GzipDecoder final : public BlockSource {
  public:
    GzipDecoder(std::unique_ptr<BlockSource> raw, Bytes seen) : input_(std::move(raw), seen) {
        good_ = inflateInit2(&stream_, 15 + 16) == Z_OK; // 15: the largest window; 16: gzip only
    }
    GzipDecoder(const GzipDecoder&) = delete;
    GzipDecoder& operator=(const GzipDecoder&) = delete;
    ~GzipDecoder() override { inflateEnd(&stream_); }

    std::size_t read(std::uint8_t* into, std::size_t room, std::string& problem) override {
        room = std::min<std::size_t>(room, UINT_MAX);
        stream_.next_out = into;
        stream_.avail_out = static_cast<uInt>(room);
        while (good_ && stream_.avail_out == room) {
            auto& in = input_.view(problem);
            if (in.empty()) {
                if (!between_members_ && problem.empty()) {
                    problem = "the gzip data is cut";
                }
                good_ = false;
                break;
            }
            if (between_members_ && !next_member(in)) {
                good_ = false;
                break;
            }
            between_members_ = false;
            // zlib does not write to its input; its interface lacks the const.
            stream_.next_in = const_cast<std::uint8_t*>(in.data());
            stream_.avail_in = static_cast<uInt>(in.size());
            const int status = inflate(&stream_, Z_NO_FLUSH);
            in = in.subspan(in.size() - stream_.avail_in);
            if (status == Z_STREAM_END) {
                between_members_ = true;
            } else if (status != Z_OK && status != Z_BUF_ERROR) {
                problem = fmt::format("the gzip data is damaged near byte {}", input_.consumed());
                good_ = false;
            }
        }
        return room - stream_.avail_out;
    }
    [[nodiscard]] std::uint64_t consumed() const override { return input_.consumed(); }

  private:
    // [RFC 1952 §2.2] "The members simply appear one after another in the file". Anything else
    // after a member is padding.
    bool next_member(Bytes in) { return in[0] == 0x1f && inflateReset(&stream_) == Z_OK; }

    Compressed input_;
    z_stream stream_{};
    bool good_ = false;
    bool between_members_ = false;
};

class ZstdDecoder final : public BlockSource {
  public:
    ZstdDecoder(std::unique_ptr<BlockSource> raw, Bytes seen)
        : input_(std::move(raw), seen), stream_(ZSTD_createDStream()) {}
    ZstdDecoder(const ZstdDecoder&) = delete;
    ZstdDecoder& operator=(const ZstdDecoder&) = delete;
    ~ZstdDecoder() override { ZSTD_freeDStream(stream_); }

    std::size_t read(std::uint8_t* into, std::size_t room, std::string& problem) override {
        ZSTD_outBuffer out{into, room, 0};
        while (good_ && out.pos == 0) {
            auto& view = input_.view(problem);
            if (view.empty() && (frame_done_ || !flushing_)) {
                if (!frame_done_ && problem.empty()) {
                    problem = "the zstd data is cut";
                }
                good_ = false;
                break;
            }
            ZSTD_inBuffer in{view.data(), view.size(), 0};
            const auto status = ZSTD_decompressStream(stream_, &out, &in);
            view = view.subspan(in.pos);
            if (ZSTD_isError(status) != 0U) {
                problem = fmt::format("the zstd data is damaged near byte {} ({})",
                                      input_.consumed(), ZSTD_getErrorName(status));
                good_ = false;
            }
            frame_done_ = status == 0;
            flushing_ = out.pos == out.size; // the decoder may hold more than there was room for
        }
        return out.pos;
    }
    [[nodiscard]] std::uint64_t consumed() const override { return input_.consumed(); }

  private:
    Compressed input_;
    ZSTD_DStream* stream_;
    bool good_ = true;
    bool frame_done_ = false;
    bool flushing_ = false;
};

bool is_gzip(Bytes start) {
    return start.size() >= 3 && start[0] == 0x1f && start[1] == 0x8b && start[2] == 8;
}
bool is_zstd(Bytes start) {
    if (start.size() < 4) {
        return false;
    }
    const auto magic = Reader{start}.le32();
    return magic == 0xfd2fb528 || (magic & 0xfffffff0) == 0x184d2a50; // a frame, a skippable one
}

Error open_error(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return {Code::NotFound, 0, "no such file"};
    case EACCES:
    case EPERM:
        return {Code::CannotRead, 0, "permission denied"};
    default:
        return {Code::CannotRead, 0, strerrordesc_np(error)};
    }
}

} // namespace

ByteSource::~ByteSource() = default;

Result<std::unique_ptr<ByteSource>> ByteSource::open(const std::string& path) {
    const bool standard_input = path == "-";
    const int fd = standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return std::unexpected(open_error(errno));
    }
    auto input = std::make_unique<FileInput>(fd, !standard_input);
    struct stat facts{};
    std::unique_ptr<ByteSource> source{new ByteSource};
    if (fstat(fd, &facts) == 0) {
        if (S_ISDIR(facts.st_mode)) {
            return fail(Code::CannotRead, 0, "is a directory, not a capture file");
        }
        if (S_ISREG(facts.st_mode)) {
            source->file_size_ = static_cast<std::uint64_t>(facts.st_size);
            posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        }
    }
    if (auto started = source->start(std::move(input)); !started) {
        return std::unexpected(started.error());
    }
    return source;
}

Result<std::unique_ptr<ByteSource>> ByteSource::from_memory(Bytes whole) {
    std::unique_ptr<ByteSource> source{new ByteSource};
    source->file_size_ = whole.size();
    if (auto started = source->start(std::make_unique<MemoryInput>(whole)); !started) {
        return std::unexpected(started.error());
    }
    return source;
}

Result<void> ByteSource::start(std::unique_ptr<BlockSource> raw) {
    decoder_ = std::move(raw);
    const auto head = peek(4);
    if (head.empty()) {
        return problem_.empty() ? fail(Code::NotACapture, 0, "is empty")
                                : fail(Code::CannotRead, 0, "cannot be read");
    }
    if (is_gzip(head)) {
        decoder_ = std::make_unique<GzipDecoder>(std::move(decoder_), head);
    } else if (is_zstd(head)) {
        decoder_ = std::make_unique<ZstdDecoder>(std::move(decoder_), head);
    } else {
        return {};
    }
    at_ = end_ = buffer_.get();
    ended_ = false;
    if (peek(1).empty()) {
        return fail(Code::NotACapture, 0, "is compressed, but holds nothing that can be read");
    }
    return {};
}

std::uint64_t ByteSource::file_bytes_read() const {
    return decoder_->consumed();
}

void ByteSource::fill(std::size_t n) {
    if (ended_) {
        return;
    }
    const auto left = static_cast<std::size_t>(end_ - at_);
    if (n > capacity_ || capacity_ == 0) {
        const auto larger = capacity_ == 0 && n <= block_size ? block_size : n + block_size;
        auto fresh = std::make_unique_for_overwrite<std::uint8_t[]>(larger);
        std::copy_n(at_, left, fresh.get());
        buffer_ = std::move(fresh);
        capacity_ = larger;
    } else {
        std::memmove(buffer_.get(), at_, left);
    }
    auto* end = buffer_.get() + left;
    while (static_cast<std::size_t>(end - buffer_.get()) < n && !ended_) {
        const auto room = capacity_ - static_cast<std::size_t>(end - buffer_.get());
        const auto got = decoder_->read(end, room, problem_);
        ended_ = got == 0;
        end += got;
    }
    at_ = buffer_.get();
    end_ = end;
}

bool ByteSource::skip(std::uint64_t n) {
    while (n > 0) {
        const auto there = peek(1).size();
        if (there == 0) {
            return false;
        }
        const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(n, there));
        consume(step);
        n -= step;
    }
    return true;
}

} // namespace cw::capture
