// What a literal party plays: RTP made of a file, a pattern, digits, or of the packets of a
// capture; and sending back what comes. Bounded; no sockets: packets go to Wants.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "play/cast.hpp"
#include "play/literal/player.hpp"
#include "play/wants.hpp"

namespace cw::play::literal {

class Sounds {
  public:
    Sounds(const Given& given, std::optional<MediaPlace> own, std::uint64_t seed)
        : given_(given), own_(own), ssrc_(static_cast<std::uint32_t>(seed | 1)) {}

    // Where the other side wants its audio: from a session description that came.
    void learn(std::string_view message);
    void begin(const SoundAsked& asked, Instant now);
    void advance(Instant now, Wants& wants);
    void on_packet(const Endpoint& from, Bytes packet, Wants& wants) const;
    [[nodiscard]] Instant next_deadline() const;
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

  private:
    struct Packet {
        Duration at; // since the beginning
        std::string bytes;
    };
    void begin_stream(std::string_view what, Instant now);
    void begin_digits(std::string_view digits, Instant now);
    void begin_replay(std::string_view file, Instant now);
    std::string header(std::uint8_t type, bool mark);

    const Given& given_;
    std::optional<MediaPlace> own_;
    std::optional<Endpoint> to_;
    std::uint32_t ssrc_;
    std::uint16_t sequence_ = 0;
    std::uint32_t timestamp_ = 0;
    std::uint64_t sent_ = 0;
    bool echoes_ = false;
    // A stream: a payload that is cut in pieces of 20 ms.
    std::shared_ptr<const std::string> payload_;
    std::size_t at_ = 0;
    std::uint8_t type_ = 0;
    std::uint8_t events_ = 101; // payload type of digits
    std::int32_t loops_ = 0;    // that are left; below 0: for ever
    bool paused_ = false;
    Instant due_; // known(): it streams
    // A replay, or digits: packets with their times.
    std::vector<Packet> packets_;
    std::size_t next_ = 0;
    Instant began_;
};

} // namespace cw::play::literal
