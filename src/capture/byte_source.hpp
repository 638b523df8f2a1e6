// The bytes of a capture file, one after the other: from a path, standard input or memory; plain,
// gzip (RFC 1952, several members too) or zstd (RFC 8878), told by their magic numbers.
// Memory stays at one block (128 KiB) or what the largest peek() needs, however long the file is.
// Not thread-safe; one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cw::capture {

class alignas(64) ByteSource { // a line of a cache: see packet.hpp
  public:
    // "-" is standard input. NotFound, CannotRead (also a directory), NotACapture when empty.
    static Result<std::unique_ptr<ByteSource>> open(const std::string& path);
    // `whole` must outlive the source.
    static Result<std::unique_ptr<ByteSource>> from_memory(Bytes whole);

    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;
    ~ByteSource();

    // The next bytes without taking them: at least n when the input holds them, else all that is
    // left. Valid until the next peek() or skip(). Allocates n bytes when n is larger than a block.
    Bytes peek(std::size_t n) {
        if (static_cast<std::size_t>(end_ - at_) < n) {
            fill(n);
        }
        return {at_, static_cast<std::size_t>(end_ - at_)};
    }
    // Takes n bytes that peek() has shown.
    void consume(std::size_t n) {
        at_ += n;
        offset_ += n;
    }
    // Takes n bytes, seen or not; false when the input ended before.
    bool skip(std::uint64_t n);

    // Bytes taken so far, after decompression.
    [[nodiscard]] std::uint64_t offset() const { return offset_; }
    // Bytes of the file that were read so far, and its size (0: not known, as of a pipe).
    [[nodiscard]] std::uint64_t file_bytes_read() const;
    [[nodiscard]] std::uint64_t file_size() const { return file_size_; }
    // Why the bytes ended before their time: a cut or damaged gzip file, a read error; else empty.
    [[nodiscard]] const std::string& problem() const { return problem_; }

    class BlockSource; // where blocks come from

  private:
    ByteSource() = default;
    Result<void> start(std::unique_ptr<BlockSource> raw);
    void fill(std::size_t n);

    const std::uint8_t* at_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    std::uint64_t offset_ = 0;
    std::unique_ptr<std::uint8_t[]> buffer_;
    std::size_t capacity_ = 0;
    bool ended_ = false;
    std::unique_ptr<BlockSource> decoder_;
    std::uint64_t file_size_ = 0;
    std::string problem_;
};

} // namespace cw::capture
