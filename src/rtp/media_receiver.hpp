// The RTP that one party hears: each source measured, the one that speaks put in order and decoded
// for the listener, keys collected. Plain RTP; what it was protected with is said with each packet.
// Memory is bounded, whatever comes. No clock; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "rtp/audio_pipe.hpp"
#include "rtp/audio_source.hpp"
#include "rtp/dtmf.hpp"
#include "rtp/jitter_buffer.hpp"
#include "rtp/media_settings.hpp"
#include "rtp/packet.hpp"
#include "rtp/stream.hpp"
#include "rtp/tone.hpp"

namespace cw::rtp {

// What came of one SSRC.
struct ReceivedStream {
    std::uint32_t ssrc = 0;
    Endpoint source;                // of its last packet
    std::string_view codec;         // "PCMU", of its last packet of audio; empty: none came
    std::optional<SrtpSuite> suite; // that opened its last packet; absent: it came in clear
    StreamStats stats;              // packets, missing, jitter…
    std::uint64_t octets = 0;       // of payload
    std::uint64_t late = 0;         // packets that came too late to be heard
    std::uint64_t unheard = 0;      // packets that came while another source spoke
    std::string cname;              // by RTCP
    bool said_bye = false;

    [[nodiscard]] double loss() const; // 0 to 1
    [[nodiscard]] double mos() const;  // 1 to 4.5; 0 without audio
};

class MediaReceiver {
  public:
    static constexpr std::size_t most_streams = 8;
    static constexpr std::size_t most_digits = 256;

    // `now`: when playing out begins. Later calls change only what is accepted.
    void configure(const MediaSettings& settings, Instant now);
    // Keeps what is heard from now on, up to `longest`.
    void record(Duration longest);
    // …and hands it on.
    void tell(std::shared_ptr<AudioPipe> pipe) { told_.push_back(std::move(pipe)); }

    enum class Taken : std::uint8_t {
        Heard,
        OnHold, // we receive none now: measured, not heard
        UnknownPayload,
        TooManySources,
    };
    Taken take(const Packet& packet, const Endpoint& from, std::optional<SrtpSuite> suite,
               Instant now);
    // Plays out what is due: each 20 ms go to the listener. Call at due() at the latest.
    void advance(Instant now);
    [[nodiscard]] Instant due() const { return due_; }
    // The call is over: a key that is still held counts.
    void finish();

    [[nodiscard]] const ToneListener& listener() const { return listener_; }
    // Keys in the order in which they were let go; those beyond most_digits are forgotten.
    [[nodiscard]] std::span<const Digit> digits() const { return digits_; }
    [[nodiscard]] const Samples& recording() const { return recording_; }
    [[nodiscard]] std::span<const ReceivedStream> streams() const { return streams_; }
    [[nodiscard]] ReceivedStream* stream(std::uint32_t ssrc);

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    [[nodiscard]] std::optional<Law> law_of(std::uint8_t payload_type) const;
    ReceivedStream* find_or_add(std::uint32_t ssrc);
    bool speaks(std::size_t stream, Instant now);
    void hear(ReceivedStream& stream, const Packet& packet, Law law);
    void collect(std::optional<Digit> digit);

    std::vector<PayloadLaw> accepted_;
    std::optional<std::uint8_t> event_type_;
    std::uint32_t event_clock_ = 8000;
    std::vector<ReceivedStream> streams_;
    std::vector<DtmfCollector> collectors_; // of each stream
    std::size_t speaker_ = none;            // the stream that is heard
    Instant spoke_;                         // its last packet
    JitterBuffer buffer_;
    ToneListener listener_;
    std::vector<Digit> digits_;
    Samples recording_;
    std::size_t most_recorded_ = 0;
    std::vector<std::shared_ptr<AudioPipe>> told_;
    Instant due_;
    bool receives_ = true;
};

} // namespace cw::rtp
