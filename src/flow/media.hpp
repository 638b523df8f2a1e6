// RTP streams: found by the session descriptions that announce them, or, without any, by their own
// regularity; counted packet by packet; handed over when they have ended. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"
#include "flow/event.hpp"
#include "flow/media_tap.hpp"
#include "flow/srtp_keys.hpp"
#include "flow/srtp_opening.hpp"
#include "rtp/dtmf.hpp"
#include "rtp/heuristic.hpp"
#include "rtp/packet.hpp"
#include "rtp/stream.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

class MediaTable {
  public:
    // A stream that was silent for so long has ended.
    static constexpr Duration idle = seconds(60);
    // An address that was announced, but whose call is over or was never seen to end.
    static constexpr Duration released_for = seconds(60);
    static constexpr Duration announced_for = seconds(6 * 3600);
    // Streams that end go here: the leg or none, the stream, and the pool that its texts are in.
    using Ended =
        std::function<void(std::uint32_t slot, const MediaStream& stream, const TextPool& texts)>;

    explicit MediaTable(Ended ended) : ended_(std::move(ended)) {}

    // Who wants what is in the packets; must outlive the table.
    void tap(MediaTap& tap) { tap_ = &tap; }

    // `session` was sent on leg `slot`.
    void announce(std::uint32_t slot, const sdp::Session& session, const Sighting& at);
    // The call of this leg is over: its addresses may soon serve another one.
    void release(std::uint32_t slot, Instant now);
    // Legs of which something is kept, their keys or that they are over.
    [[nodiscard]] std::size_t kept_legs() const { return released_.size() + srtp_.legs(); }
    // How many packets turned out to be RTP or RTCP: 1 for this one, more when it made those before
    // it certain, for which 0 was returned.
    std::size_t on_packet(const MediaEvent& event);
    void on_dtls(const Sighting& at);
    void on_dtls_srtp(const DtlsSrtp& handshake);
    // Hands over the streams of the legs that `ended` names.
    void end(const std::function<bool(std::uint32_t slot)>& ended);
    // Hands over all that is left.
    void flush();
    // Shows the streams that go on on the legs that `wanted` names, as they are now. Costs a look
    // at every stream.
    void look(const std::function<bool(std::uint32_t slot)>& wanted, const Ended& visit);

  private:
    struct Format { // what a payload type means
        std::uint8_t payload_type = 0;
        bool event = false; // telephone-event
        std::uint32_t clock = 0;
        std::string encoding; // "PCMU"; short enough to need no memory of its own
    };
    // What a session description says about its media. Most calls say the same, so those who do
    // share one.
    struct Description {
        std::vector<Format> formats;
        std::string srtp; // crypto suite, "DTLS-SRTP" or empty

        [[nodiscard]] bool says(std::span<const sdp::Rtpmap> maps, std::string_view suite) const;
    };
    // An address that was announced.
    struct Announcement {
        std::array<std::uint32_t, 4> slots{none, none, none, none}; // legs, the latest first
        Instant time;
        std::shared_ptr<const Description> description; // the latest

        [[nodiscard]] bool has(std::uint32_t slot) const;
    };
    struct Stream {
        rtp::StreamStats stats;
        rtp::DtmfCollector dtmf;
        std::vector<Dtmf> digits;
        std::vector<Format> formats; // those of the description, and others as they are met
        std::uint32_t slot = none;
        std::uint32_t ssrc = 0;
        bool announced = false;
        std::string srtp;
        std::unique_ptr<SrtpOpening> opening; // while there are keys that may open it
        std::uint64_t keys_looked = 0;        // SrtpKeys::changes() when they were looked for
        std::uint32_t rtcp_reports = 0;
        double rtcp_loss = -1;
        std::uint32_t stray_events = 0;
        std::uint8_t stray_type = 0;
    };
    using FlowKey = MediaFlow;
    struct Control { // SRTCP of one source
        std::uint32_t ssrc = 0;
        std::uint64_t keys_looked = 0;
        Instant last;
        rtp::SrtpReader reader;
    };
    struct Flow {
        std::vector<Stream> streams;                 // one an SSRC, few
        std::unique_ptr<rtp::Recogniser> recogniser; // while nothing announced the flow
        std::uint32_t tried = 0;                     // datagrams that the recogniser has seen
        std::uint64_t checked = 0; // announcements that there were when this was last looked up
        Instant last;
        bool announced = false;
    };

    std::shared_ptr<const Description> describe(const sdp::Session& session,
                                                const sdp::Media& media);
    std::size_t on_rtp(const MediaEvent& event, const FlowKey& key);
    bool on_rtcp(const MediaEvent& event, const FlowKey& key);
    std::size_t recognise(Flow& flow, const FlowKey& key, const MediaEvent& event,
                          const rtp::Packet& packet);
    void count(Stream& stream, const FlowKey& key, const MediaEvent& event,
               const rtp::Packet& packet);
    void announce(std::uint32_t slot, const sdp::Session& session, const sdp::Media& media,
                  const Endpoint& place, const Sighting& sighting);
    static bool is_stray_event(const Format& format, const rtp::Packet& packet);
    void take_payload(Stream& stream, const FlowKey& key, Instant time, const rtp::Packet& packet);
    // SRTP, in media_srtp.cpp.
    struct FromOpening;
    void open(Stream& stream, const FlowKey& key, const MediaEvent& event,
              const rtp::Packet& packet);
    // `going_on`: a packet of it came just now, so what its addresses announce is about it.
    void look_for_keys(Stream& stream, const FlowKey& key, bool going_on);
    [[nodiscard]] std::vector<std::uint32_t> slots_of(std::uint32_t slot, const FlowKey& key) const;
    std::optional<Bytes> open_rtcp(const MediaEvent& event, const FlowKey& key);
    void add_keys(Control& control, const FlowKey& key);
    [[nodiscard]] bool dtls_seen(const FlowKey& key) const {
        return dtls_.contains(key) || dtls_.contains(key.back());
    }
    void conclude(Stream& stream, const FlowKey& key, MediaStream& out, TextPool& texts);
    [[nodiscard]] std::string why_closed(const Stream& stream, const FlowKey& key) const;
    Stream* stream_of(Flow& flow, const FlowKey& key, std::uint32_t ssrc);
    void attach(Stream& stream, const FlowKey& key) const;
    [[nodiscard]] const Announcement* find(const Endpoint& at) const;
    [[nodiscard]] std::string_view agreed_protection(const FlowKey& key) const;
    static const Format& format_of(Stream& stream, std::uint8_t payload_type);
    void hand_over(const FlowKey& key, Flow& flow);
    void hand_over(const FlowKey& key, Stream& stream);
    static void picture(Stream& stream, const FlowKey& key, MediaStream& out, TextPool& texts);
    void sweep(Instant now);
    void forget_released(Instant now);

    Ended ended_;
    MediaTap* tap_ = nullptr;
    SrtpKeys srtp_;
    rtp::SrtpReader::Budget budget_;
    std::vector<const SrtpKey*> found_; // scratch
    boost::unordered_flat_map<FlowKey, std::vector<Control>> controls_;
    boost::unordered_flat_map<Endpoint, Announcement> announcements_;
    boost::unordered_flat_map<FlowKey, std::unique_ptr<Flow>> flows_;
    boost::unordered_flat_map<std::uint32_t, FlowKey> by_ssrc_; // for RTCP
    boost::unordered_flat_map<FlowKey, Instant> dtls_;
    boost::unordered_flat_map<std::uint32_t, Instant> released_; // legs whose call is over
    std::array<std::shared_ptr<const Description>, 64> recent_;  // each in the place of its hash
    std::uint64_t announced_ = 0;                                // how many announce() there were
    static constexpr std::size_t least_to_forget = 1024;
    std::size_t sweep_at_ = 1024;             // entries
    std::size_t forget_at_ = least_to_forget; // of released_
};

} // namespace cw::flow
