// Where finished things wait until they are shown: blobs in memory first, then in a temporary file
// that has no name and vanishes with the process. So memory is bounded by what is open, not by the
// size of the capture.
//
// The blobs stand one behind the other in blocks. All blocks are in memory until they are too many;
// then the full ones go to the file, and from there on each as soon as some are full.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace cw::flow {

struct BlobRef {
    std::uint64_t offset = 0;
    std::uint32_t length = 0; // 0: no blob

    [[nodiscard]] bool empty() const { return length == 0; }
};

class Spool {
  public:
    // Bytes kept in memory before they go to the file. A capture of a thousand calls never touches
    // the disk.
    static constexpr std::size_t default_memory = std::size_t{1} << 20;

    explicit Spool(std::size_t memory = default_memory);
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // When the file can't be made or is full, blobs stay in memory: nothing is lost.
    BlobRef put(std::string_view blob);
    class Reader;
    // Valid until the next get() with this reader, or put(). Empty if the file could not be read
    // back. Several threads may get at a time, each with its own reader, while nobody puts or
    // drops.
    std::string_view get(BlobRef ref, Reader& reader) const;
    std::string_view get(BlobRef ref) { return get(ref, reader_); }
    // Nobody wants the blob any more, and it is dropped once at most. The file gives back the space
    // of each block in which nothing is wanted.
    void drop(BlobRef ref);
    // What all blobs that were not dropped need, in bytes.
    [[nodiscard]] std::uint64_t kept() const { return kept_; }

  private:
    static constexpr std::size_t block_size = std::size_t{64} << 10;
    // Once there is a file, so many are gathered before they are written.
    static constexpr std::size_t gathered = 4;
    // Reading goes mostly forward, but calls end in another order than they began: so some blocks
    // are kept.
    static constexpr std::size_t kept_blocks = 32;
    using Block = std::unique_ptr<char[]>;
    struct ReadBlock {
        std::uint64_t number = 0;
        std::size_t size = 0; // shorter when it could not be read
        Block bytes;
    };
    // Of the blocks that came back out of the file; all who read share them, at most 2 MiB.
    struct Place {
        std::mutex mutex;
        std::shared_ptr<const ReadBlock> block;
    };

  public:
    // What one who reads has in hand.
    class Reader {
        friend class Spool;
        std::shared_ptr<const ReadBlock> block_;
        std::string scratch_; // a blob that lies in several blocks
    };

  private:
    static Block new_block() { return std::make_unique_for_overwrite<char[]>(block_size); }
    void add_block();
    void write_out();
    void give_back(std::uint64_t block) const;
    [[nodiscard]] std::string_view block(std::uint64_t number, Reader& reader) const;
    [[nodiscard]] std::shared_ptr<const ReadBlock> read_block(std::uint64_t number) const;

    std::uint64_t size_ = 0; // of all blobs
    std::uint64_t kept_ = 0; // of those that were not dropped
    // Wanted bytes of each block from the first one on that has any.
    std::deque<std::uint32_t> wanted_;
    std::uint64_t first_wanted_ = 0;
    std::uint64_t written_ = 0; // blocks in the file; the others are held
    std::vector<Block> held_;   // the last one is being filled
    std::vector<Block> spare_;  // written, to be filled again
    std::size_t most_held_;
    int file_ = -1;
    bool file_failed_ = false;
    mutable std::array<Place, kept_blocks> window_; // each block in its place
    Reader reader_;
};

} // namespace cw::flow
