// The SRTP of one stream, opened with the keys that the capture tells. A packet that no key opens
// waits for a while: media may come before the answer that brings its key, or before the answer
// was seen. What never opens is counted, with what it points to. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "flow/call.hpp"
#include "flow/event.hpp"
#include "flow/srtp_keys.hpp"
#include "rtp/srtp_reader.hpp"

namespace cw::flow {

class SrtpOpening {
  public:
    // Packets that wait for their key: about five seconds of a call.
    static constexpr std::size_t most_waiting = 256;
    // Where packets go that were opened: without protection, in their order.
    struct Sink {
        virtual ~Sink() = default;
        virtual void on_opened(Instant time, Bytes rtp) = 0;
    };

    void add_keys(std::span<const SrtpKey* const> keys);

    // An RTP packet as it was seen, whole; `header` is the length of its header with extension.
    void add(const MediaEvent& packet, std::size_t header, rtp::SrtpReader::Budget& budget,
             Sink& sink);
    void add_cut() { ++facts_.cut; }
    enum class Rtcp : std::uint8_t { Opened, Failed, Clear };
    void count_rtcp(Rtcp what) {
        ++(what == Rtcp::Opened   ? facts_.rtcp_opened
           : what == Rtcp::Failed ? facts_.rtcp_failed
                                  : facts_.rtcp_clear);
    }
    // Nothing more comes: what waits is tried once more, and given up.
    void finish(rtp::SrtpReader::Budget& budget, Sink& sink);
    // The packets that wait, as they came: it is no SRTP after all.
    void give_back(Sink& sink);

    [[nodiscard]] const Opening& facts() const { return facts_; }
    // The suite that opened the latest packet; empty: none was opened.
    [[nodiscard]] std::string_view suite() const { return suite_; }
    // SRTP was agreed on, and no packet is any: all are as long as this codec's in clear.
    [[nodiscard]] bool is_in_clear(std::string_view codec) const;
    // After finish(): why not all was opened, and what that points to; empty when all was.
    // `destination` is where the stream goes, `codec` what it is said to carry.
    [[nodiscard]] std::string problem(const Endpoint& source, const Endpoint& destination,
                                      std::string_view codec) const;

  private:
    struct Waiting {
        Instant time;
        std::uint32_t frame = 0;
        std::size_t header = 0; // octets
        std::vector<std::uint8_t> bytes;
    };
    struct Origin { // of a key
        Endpoint owner;
        Instant time;
        std::uint32_t frame = 0;
        KeyExchange by = KeyExchange::None;
        rtp::SrtpSuite suite{};
    };

    void note_opened(std::uint32_t label);
    void settle_waiting(rtp::SrtpReader::Budget& budget, Sink& sink);
    void fail(const Waiting& packet);
    [[nodiscard]] std::string words_of_failures() const;

    rtp::SrtpReader reader_;
    std::vector<Origin> origins_; // by the label of their keys
    std::deque<Waiting> waiting_;
    Opening facts_;
    std::string_view suite_;
    std::uint32_t label_ = none;      // of the key in use, in origins_
    std::uint64_t failed_before_ = 0; // the first that was opened
    std::uint64_t failed_behind_ = 0; // the last that was opened, without a gap
    std::uint64_t as_plain_ = 0;      // failed packets as long as G.711 or G.722 is in clear
};

} // namespace cw::flow
