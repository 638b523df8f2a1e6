// The RTP that one party sends: audio of its source or the keys that it presses, a packet each
// packet time, numbered and stamped through holds and new codecs. Plain RTP; protection and
// addresses are added above. No clock; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "rtp/audio_pipe.hpp"
#include "rtp/audio_source.hpp"
#include "rtp/dtmf_sender.hpp"
#include "rtp/media_settings.hpp"

namespace cw::rtp {

class MediaSender {
  public:
    explicit MediaSender(const MediaIdentity& identity);

    void configure(const MediaSettings& settings, Instant now);
    void play(AudioSource source) { source_ = std::move(source); }
    // What is said is mixed with what comes out of `pipe`.
    void mix(std::shared_ptr<AudioPipe> pipe) { mixed_.push_back(std::move(pipe)); }
    // False when a character is no key, too many wait, or the peer takes no events.
    [[nodiscard]] bool press(std::string_view keys);

    // When the next packet is due; not known() while nothing is to be sent.
    [[nodiscard]] Instant due() const { return sending_ ? due_ : Instant{}; }
    // The packet that is due, appended to `out`. Call while due() <= now.
    void next(std::vector<std::uint8_t>& out);
    // Packets that were due long before `now` are left out: after a pause of the whole process
    // nobody wants a flood.
    void skip_to(Instant now);

    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    [[nodiscard]] std::uint64_t octets() const { return octets_; } // of payload
    [[nodiscard]] bool source_finished() const { return source_.finished(); }
    [[nodiscard]] bool keys_pressed() const { return dtmf_.idle(); }
    // What a timestamp would be at `now` [RFC 3550 §6.4.1].
    [[nodiscard]] std::uint32_t timestamp_at(Instant now) const;

  private:
    void write_header(std::vector<std::uint8_t>& out, std::uint8_t type, bool marker,
                      std::uint32_t timestamp);

    AudioSource source_;
    std::vector<std::shared_ptr<AudioPipe>> mixed_;
    DtmfSender dtmf_;
    PayloadLaw codec_;
    std::optional<std::uint8_t> event_type_;
    std::uint32_t event_clock_ = 8000;
    Duration ptime_ = milliseconds(20);
    Instant due_;
    std::uint64_t packets_ = 0;
    std::uint64_t octets_ = 0;
    std::uint32_t ssrc_;
    std::uint32_t timestamp_; // of the packet that is due
    std::uint16_t sequence_;
    bool sending_ = false;
    bool talkspurt_ = true; // the next packet of audio begins one
};

} // namespace cw::rtp
