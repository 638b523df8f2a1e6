// What a byte stream carries above TCP, or above TLS once it is opened: SIP, SIP over WebSocket,
// HEP, or something that is not for us. Recognised by its bytes, on any port.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "capture/hep_stream.hpp"
#include "capture/packet.hpp"
#include "capture/side.hpp"
#include "capture/sip_stream.hpp"
#include "capture/websocket.hpp"
#include "flow/call.hpp"

namespace cw::capture {

class Application {
  public:
    struct Sink {
        // A SIP message; valid during the call.
        virtual void on_sip(Side from, std::string_view message, bool truncated,
                            const Datagram& by) = 0;
        // A HEP packet, for parse_hep().
        virtual void on_hep(Bytes packet, const Datagram& by) = 0;

      protected:
        ~Sink() = default;
    };
    enum class Content : std::uint8_t { Undecided, Sip, WebSocket, Hep, Other };

    // With `from_start`, the first bytes given are the first of the stream, and what they are not,
    // the stream is not. Otherwise a message may begin at any later segment.
    explicit Application(bool from_start) : from_start_(from_start) {}

    void on_bytes(Side from, Bytes bytes, const Datagram& by, Sink& sink);
    // Bytes are missing here; 0 when their number is not known.
    void on_gap(Side from, std::uint64_t missing, Sink& sink);
    void flush(Sink& sink);

    [[nodiscard]] Content content() const { return content_; }
    [[nodiscard]] const flow::StrayBytes& stray() const { return stray_; }
    // Nothing more will come out of this stream: it can be ignored.
    [[nodiscard]] bool is_hopeless() const { return content_ == Content::Other; }

  private:
    // As much as is kept while the kind is not clear, and how often a stream without a beginning is
    // asked again. A SIP start line is recognised by its first 128 characters at the latest.
    static constexpr std::size_t enough = 256;
    static constexpr std::uint32_t patience = 64;

    void decide(Side from, Bytes bytes);
    void deliver(Side from, Bytes bytes, const Datagram& by, Sink& sink);

    Content content_ = Content::Undecided;
    bool from_start_;
    std::uint32_t tried_ = 0;
    std::array<std::string, 2> prefix_; // while undecided
    std::array<SipStream, 2> sip_;
    std::array<std::uint32_t, 2> ended_in_{}; // frame of the latest message; 0: none, or cut
    flow::StrayBytes stray_;
    std::unique_ptr<WebSocket> websocket_;
    std::unique_ptr<std::array<HepStream, 2>> hep_;
};

// Whether a stream whose beginning was not captured shows something for us here: the start or a
// part of a SIP message, a WebSocket frame with one, HEP.
bool is_for_us_in_the_middle(Bytes bytes);

} // namespace cw::capture
