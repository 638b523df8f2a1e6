// One party's side of one audio stream of a call: RTP and RTCP out and in, protected where keys
// were agreed on, through holds, re-INVITEs and new keys. No sockets and no clock: datagrams and
// the time come in, datagrams and the next deadline go out.
//
//     session.configure(settings, now);            // after each offer and answer
//     session.receive(datagram, from, now);        // RTP or RTCP, as it came
//     session.advance(now, packets);               // at next_deadline(), or sooner
//
// RFC 3550, RFC 3551, RFC 3711, RFC 4733, RFC 4961 (symmetric RTP), RFC 5761. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "rtp/media_receiver.hpp"
#include "rtp/media_sender.hpp"
#include "rtp/media_settings.hpp"
#include "rtp/rtcp.hpp"
#include "rtp/srtp.hpp"

namespace cw::rtp {

struct MediaPacket {
    std::vector<std::uint8_t> bytes;
    Endpoint to;
    bool rtcp = false;             // what it is
    bool from_rtcp_socket = false; // which of the two sockets it leaves from
};

// How the peer receives us, by its last report.
struct PeerReport {
    Instant time;
    double fraction_lost = 0;
    std::int32_t lost = 0;
    double jitter_ms = 0;
    std::optional<Duration> round_trip;
};

// Everything that came and was not simply heard, and what was sent.
struct MediaCounts {
    std::uint64_t sent_packets = 0; // RTP
    std::uint64_t sent_octets = 0;
    std::uint64_t sent_rtcp = 0;
    std::uint64_t received_packets = 0; // RTP that was accepted
    std::uint64_t received_rtcp = 0;

    std::uint64_t authentication_failures = 0; // SRTP that our key does not open
    std::uint64_t rtcp_authentication_failures = 0;
    std::uint64_t replays = 0;
    std::uint64_t clear_instead_of_srtp = 0; // refused
    std::uint64_t srtp_instead_of_clear = 0; // refused
    std::uint64_t opened_with_old_key = 0;   // on their way when the keys changed
    std::uint64_t on_hold = 0;               // RTP while we said that we receive none
    std::uint64_t unknown_payload = 0;
    std::uint64_t too_many_sources = 0;
    std::uint64_t looped = 0;         // our own SSRC [RFC 3550 §8.2]
    std::uint64_t malformed = 0;      // no RTP and no RTCP
    std::uint64_t not_protected = 0;  // packets that could not be sent for want of a key
    std::uint32_t source_changes = 0; // the peer's packets began to come from elsewhere
};

class MediaSession {
  public:
    explicit MediaSession(const MediaIdentity& identity);

    // The first time it begins; later the differences take effect: a hold, another address, new
    // keys, whose rollover counters go on. Fails as SrtpSession::make() does, and nothing has
    // changed then.
    Result<void> configure(const MediaSettings& settings, Instant now);

    // What this party says from now on; at first it is silence.
    void play(AudioSource source) { sender_.play(std::move(source)); }
    [[nodiscard]] bool press(std::string_view keys) { return sender_.press(keys); }
    void record(Duration longest) { receiver_.record(longest); }
    // What is heard here is said there as well, beside what that one says itself.
    void mix_into(MediaSession& other) {
        const auto pipe = std::make_shared<AudioPipe>();
        receiver_.tell(pipe);
        other.sender_.mix(pipe);
    }

    // A datagram that begins as RTP or RTCP does (rtp::demultiplex); others count as malformed.
    void receive(Bytes datagram, const Endpoint& from, Instant now);
    // Appends what is to be sent now.
    void advance(Instant now, std::vector<MediaPacket>& out);
    [[nodiscard]] Instant next_deadline() const;
    // The end: RTCP says BYE, and nothing more is sent or expected.
    void stop(Instant now, std::vector<MediaPacket>& out);

    // What was heard, 60 ms after it came; silence too, as long as the session lasts. Take a copy
    // (or its numbers) before and compare after, to hear for a while.
    [[nodiscard]] const ToneListener& listener() const { return receiver_.listener(); }
    [[nodiscard]] std::span<const Digit> digits() const { return receiver_.digits(); }
    [[nodiscard]] const Samples& recording() const { return receiver_.recording(); }
    [[nodiscard]] std::span<const ReceivedStream> streams() const { return receiver_.streams(); }
    [[nodiscard]] const MediaCounts& counts() const { return counts_; }
    [[nodiscard]] const std::optional<PeerReport>& peer_report() const { return peer_report_; }
    [[nodiscard]] const MediaSettings& settings() const { return settings_; }
    [[nodiscard]] const Endpoint& target() const { return target_; } // where RTP goes now
    // The file that was to be said is over; all keys have been pressed.
    [[nodiscard]] bool source_finished() const { return sender_.source_finished(); }
    [[nodiscard]] bool keys_pressed() const { return sender_.keys_pressed(); }

  private:
    struct HeardReport { // the last SR of one of the peer's sources
        std::uint32_t ssrc = 0;
        std::uint32_t middle = 0; // of its NTP time
        Instant time;
    };
    struct Counted { // of one stream, at our last report
        std::uint32_t ssrc = 0;
        std::uint64_t expected = 0;
        std::int64_t lost = 0;
    };

    Result<void> set_keys(const MediaSettings& settings, Instant now);
    void keep_old_key(Instant now);
    void receive_rtp(Bytes datagram, const Endpoint& from, Instant now);
    void receive_rtcp(Bytes datagram, const Endpoint& from, Instant now);
    bool open(Instant now);
    void refused(const Error& why);
    void follow(const Endpoint& from, Instant now);
    void read_rtcp(const RtcpPacket& packet, Instant now);
    void read_blocks(const RtcpPacket& packet, Instant now);
    void send_rtp(std::vector<MediaPacket>& out);
    void send_rtcp(Instant now, bool bye, std::vector<MediaPacket>& out);
    void write_reports(Instant now, std::vector<std::uint8_t>& out);
    [[nodiscard]] ReportBlock block_of(const ReceivedStream& stream, Instant now);
    [[nodiscard]] Duration rtcp_interval(Duration least);

    MediaIdentity identity_;
    MediaSettings settings_;
    MediaSender sender_;
    MediaReceiver receiver_;
    std::optional<SrtpSession> protect_;
    std::optional<SrtpSession> unprotect_;
    std::optional<SrtpSession> before_; // what came in was protected with, until lately
    Instant before_ends_;
    Endpoint target_;
    Endpoint rtcp_target_;
    Instant target_heard_; // the last packet from there
    Instant rtcp_due_;
    std::uint64_t reported_packets_ = 0; // sent, at our last report
    bool sent_before_ = false;           // between our last report and the one before
    std::uint64_t chance_;
    std::vector<HeardReport> heard_reports_;
    std::vector<Counted> counted_;
    std::optional<PeerReport> peer_report_;
    MediaCounts counts_;
    std::vector<std::uint8_t> scratch_;
    bool running_ = false;
};

} // namespace cw::rtp
