// Where finished things wait until they are shown: blobs in memory first, then in a temporary file
// that has no name and vanishes with the process. So memory is bounded by what is open, not by the
// size of the capture.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cw::flow {

struct BlobRef {
    std::uint64_t offset = 0;
    std::uint32_t length = 0; // 0: no blob

    [[nodiscard]] bool empty() const { return length == 0; }
};

class Spool {
  public:
    // Bytes kept in memory before they go to the file. A capture of some thousand calls never
    // touches the disk.
    static constexpr std::size_t default_memory = std::size_t{8} << 20;

    explicit Spool(std::size_t memory = default_memory) : limit_(memory) {}
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // When the file can't be made or is full, blobs stay in memory: nothing is lost.
    BlobRef put(std::string_view blob);
    // Valid until the next get() or put(). Empty if the file could not be read back.
    std::string_view get(BlobRef ref);

  private:
    // Reading goes mostly forward, but calls end in another order than they began: so some blocks
    // are kept.
    static constexpr std::size_t block_size = std::size_t{64} << 10;
    static constexpr std::size_t kept_blocks = 32;
    struct Block {
        std::uint64_t number = UINT64_MAX;
        std::string bytes;
    };

    void write_out();
    std::string_view block(std::uint64_t number);

    std::string tail_; // blobs from offset written_ on
    std::uint64_t written_ = 0;
    std::size_t limit_;
    int file_ = -1;
    bool file_failed_ = false;
    std::array<Block, kept_blocks> blocks_; // that were read back, each in its place
    std::string scratch_;                   // a blob that lies in several blocks
};

} // namespace cw::flow
