// The packets of capture files: one file, or several merged by time.
//
// Not thread-safe. A Packet handed out, with its bytes, is valid until the next call of next() on
// the same source.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "capture/byte_source.hpp"
#include "capture/container.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

class alignas(cache_line) PacketSource {
  public:
    // "-" is standard input. NotFound, CannotRead or NotACapture; see describe_open_error().
    // `input_number` becomes Packet::input.
    static Result<std::unique_ptr<PacketSource>> open(const std::string& path,
                                                      std::uint16_t input_number);
    // `file` must outlive the source.
    static Result<std::unique_ptr<PacketSource>> open_memory(Bytes file,
                                                             std::uint16_t input_number = 0);

    // The next packet, in the order of the file, or nullptr at its end.
    const Packet* next();

    // What was wrong with the file, a line each kind ("cut in the middle of packet 412 (23 of 90
    // bytes)"). May grow with next(). At most 32 lines and one of the decompressor.
    [[nodiscard]] const std::vector<std::string>& problems() const;
    // TLS key log texts out of Decryption Secrets Blocks that next() has passed since the last
    // call.
    [[nodiscard]] std::vector<std::string> take_secrets();
    // Out of Name Resolution Blocks; at most 10,000.
    [[nodiscard]] const std::vector<std::pair<IpAddress, std::string>>& names() const {
        return notes_.names;
    }
    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_->file_bytes_read(); }
    [[nodiscard]] std::uint64_t total_bytes() const { return bytes_->file_size(); } // 0: not known
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::uint64_t packets() const { return packets_; } // handed out so far
    [[nodiscard]] Instant first() const { return first_; } // earliest time so far, or not known
    [[nodiscard]] Instant last() const { return last_; }   // latest time so far, or not known

  private:
    PacketSource() = default;
    static Result<std::unique_ptr<PacketSource>> start(std::unique_ptr<ByteSource> bytes,
                                                       std::string path, std::uint16_t input);

    std::string path_;
    FileNotes notes_;
    std::unique_ptr<ByteSource> bytes_;
    std::unique_ptr<Container> container_; // refers to the two above
    Packet packet_;
    std::uint64_t packets_ = 0;
    Instant first_;
    Instant last_;
    bool is_back_ = false; // the latest packet: far before one that stands in front of it
};

// "call.txt: not a capture file; pcap and pcapng, also in gzip or zstd, … can be read"
std::string describe_open_error(const std::string& path, const Error& error);

// Several files in the order of their times. Packets of one file keep their order even where its
// times go back; at equal times the file given first comes first.
class alignas(cache_line) MergedSource {
  public:
    explicit MergedSource(std::vector<std::unique_ptr<PacketSource>> sources);

    const Packet* next();
    [[nodiscard]] const std::vector<std::unique_ptr<PacketSource>>& sources() const {
        return sources_;
    }
    // Of all the files. Note: a file is read one packet ahead, so keys may come a packet early.
    [[nodiscard]] std::vector<std::string> take_secrets();
    [[nodiscard]] std::uint64_t bytes_read() const;
    [[nodiscard]] std::uint64_t total_bytes() const; // 0 when any is not known

  private:
    struct Head {
        Instant time;
        std::size_t source;
        const Packet* packet;
    };
    void advance(std::size_t source, Instant not_before);

    std::vector<std::unique_ptr<PacketSource>> sources_;
    PacketSource* only_;      // nullptr: there are several
    std::vector<Head> heads_; // a heap, earliest on top
    bool started_ = false;
    bool pending_ = false; // the packet handed out last is still to be replaced by its successor
    Head out_{};
};

} // namespace cw::capture
