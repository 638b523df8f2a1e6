// SRTP and SRTCP of one direction between two ends [RFC 3711; RFC 6188; RFC 7714]: sources and
// their indexes; the cryptography is in srtp_transform.hpp. All SSRCs of the direction share the
// keys; each has its own index, made of its sequence numbers and a rollover counter that both ends
// count for themselves. New keys leave the index as it is [RFC 3711 §8.1]. One thread; keys are
// wiped with the session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "rtp/srtp_suite.hpp"

namespace cw::rtp {

struct SrtpCounts {
    std::uint64_t packets = 0; // protected, or opened
    std::uint64_t authentication_failures = 0;
    std::uint64_t unknown_keys = 0; // with an MKI that belongs to none of the keys
    std::uint64_t replays = 0;      // seen before, or too old to tell
    std::uint64_t other = 0;        // malformed, from too many sources, key used up
};

class SrtpSession {
  public:
    static constexpr std::size_t most_sources = 16; // SSRCs

    enum class Way : std::uint8_t { Send, Receive };
    // Fails (Usage) when a key is not as long as the suite wants it, or MKIs do not fit each other;
    // (Unsupported) for AEAD without authentication.
    static Result<SrtpSession> make(Way way, const SrtpParameters& parameters);
    ~SrtpSession();
    SrtpSession(SrtpSession&&) noexcept;
    SrtpSession& operator=(SrtpSession&&) noexcept;

    // In place; the packet grows. Fails and leaves a packet of no use when the key is used up, the
    // sequence number was sent already, or it is no RTP (RTCP) packet.
    Result<void> protect(std::vector<std::uint8_t>& rtp);
    Result<void> protect_rtcp(std::vector<std::uint8_t>& rtcp);
    // In place; the packet shrinks. After a failure (CryptoFailed: authentication, key; Malformed:
    // a replay, or no RTP; Unsupported: what SRTP cannot look like) it is of no use.
    Result<void> unprotect(std::vector<std::uint8_t>& rtp);
    Result<void> unprotect_rtcp(std::vector<std::uint8_t>& rtcp);

    // Other keys, even another suite, from the next packet on; counters, indexes and rollover
    // counters stay. After a failure the old ones are still in use.
    Result<void> rekey(const SrtpParameters& parameters);

    // The rollover counter of a source; nothing when none of its packets has been here.
    [[nodiscard]] std::optional<std::uint32_t> roc(std::uint32_t ssrc) const;
    // For one who joins late: the next packet of the source has this counter. False when there is
    // no room for another source.
    bool set_roc(std::uint32_t ssrc, std::uint32_t roc);

    [[nodiscard]] const SrtpParameters& parameters() const;
    [[nodiscard]] const SrtpCounts& counts() const;

  private:
    struct Impl;
    explicit SrtpSession(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace cw::rtp
