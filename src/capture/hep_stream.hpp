// HEP packets in a TCP stream. Version 3 begins with "HEP3" and its whole length in 16 bits, so
// that a stream of them needs no other framing. (Version 2 has no length, and travels in UDP.)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

class HepStream {
  public:
    struct Sink {
        virtual ~Sink() = default;
        // A whole packet from "HEP3" on, for parse_hep. Valid during the call.
        virtual void on_hep(Bytes packet, const Datagram& by) = 0;
        virtual void on_junk(std::uint64_t bytes) = 0;
    };

    void on_bytes(Bytes bytes, const Datagram& by, Sink& sink);
    // Bytes are missing here; the next "HEP3" is looked for.
    void on_gap(Sink& sink);
    void flush(Sink& sink) { on_gap(sink); }

    [[nodiscard]] std::size_t held_bytes() const { return held_.size(); } // below 64 KiB

  private:
    std::size_t process(Bytes data, const Datagram& by, Sink& sink);

    std::string held_; // an incomplete packet
};

bool looks_like_hep3(Bytes first_bytes);

} // namespace cw::capture
