// The pcap format (draft-ietf-opsawg-pcap): both byte orders, microseconds and nanoseconds, and the
// variant of Kuznetzov's patch with a longer packet header. A damaged record is left out: the
// reader looks for the next place where two packet headers in a row make sense.
#pragma once

#include "capture/byte_source.hpp"
#include "capture/container.hpp"

namespace cw::capture {

class alignas(cache_line) PcapReader final : public Container {
  public:
    static bool recognises(Bytes start); // wants 4 bytes
    // Both must outlive the reader.
    PcapReader(ByteSource& source, FileNotes& notes);
    bool next(Packet& packet) override;

  private:
    struct Record {
        std::uint32_t seconds = 0;
        std::uint32_t fraction = 0;
        std::uint32_t captured = 0;
        std::uint32_t original = 0;
    };
    [[nodiscard]] std::uint32_t u32(const std::uint8_t* p) const;
    [[nodiscard]] Record record_at(const std::uint8_t* p) const;
    [[nodiscard]] bool plausible(const Record& r) const;
    bool resynchronise();

    ByteSource& source_;
    FileNotes& notes_;
    bool big_endian_ = false;
    bool swapped_lengths_ = false; // versions before 2.3
    std::uint32_t record_header_ = 16;
    std::uint32_t fraction_ns_ = 1000; // nanoseconds in a unit of the fraction
    std::uint32_t link_type_ = 0;
    std::uint32_t packets_ = 0;
    std::uint32_t last_seconds_ = 0;
    bool usable_ = false;
};

} // namespace cw::capture
