// The pcapng format (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces with
// their own clocks, packets in Enhanced, Simple and the obsolete Packet Block, TLS keys in
// Decryption Secrets Blocks, names in Name Resolution Blocks. Other blocks are passed over.
#pragma once

#include <vector>

#include "capture/byte_source.hpp"
#include "capture/container.hpp"

namespace cw::capture {

// How an interface counts time: if_tsresol and if_tsoffset.
struct Clock {
    std::uint8_t resolution = 6; // 10^-n seconds, or 2^-n with the highest bit set
    std::int64_t offset_seconds = 0;

    // Times before 1970 and after 2262 come out as the nearest that Instant holds.
    [[nodiscard]] Instant at(std::uint64_t ticks) const;
};

class alignas(cache_line) PcapngReader final : public Container {
  public:
    static bool recognises(Bytes start); // wants 4 bytes
    // Both must outlive the reader.
    PcapngReader(ByteSource& source, FileNotes& notes) : source_(source), notes_(notes) {}
    bool next(Packet& packet) override;

  private:
    struct Interface {
        std::uint32_t link_type = 0;
        std::uint32_t snap_length = 0;
        Clock clock;
        bool plain_micro = true; // the common clock, taken the short way
    };
    enum class Outcome : std::uint8_t { Packet, Nothing, Damaged };

    [[nodiscard]] std::uint16_t u16(const std::uint8_t* p) const;
    [[nodiscard]] std::uint32_t u32(const std::uint8_t* p) const;
    Outcome block(std::uint32_t type, Bytes body, Packet& packet);
    Outcome enhanced(Bytes body, Packet& packet);
    Outcome obsolete(Bytes body, Packet& packet);
    Outcome simple(Bytes body, Packet& packet);
    Outcome timed(std::uint32_t interface, Bytes numbers, Bytes data, Packet& packet);
    void interface_description(Bytes body);
    void names(Bytes body);
    bool secrets(std::uint64_t total);
    bool long_block(std::uint32_t type, std::uint64_t total);
    bool section_header(Bytes head);
    bool resynchronise();

    ByteSource& source_;
    FileNotes& notes_;
    bool big_endian_ = false;
    bool in_section_ = false;
    std::vector<Interface> interfaces_;
    std::uint32_t packets_ = 0;
    std::uint64_t secret_bytes_ = 0;
};

} // namespace cw::capture
