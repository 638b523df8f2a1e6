// The SRTP keys that a capture tells: those of a=crypto in signalling that could be read, by leg
// [RFC 4568], and those of DTLS handshakes, by the two ends of the media [RFC 5764]. Which of them
// is in use only the packets tell. Media whose own ends have shaken no hands may go by the keys of
// others: a host has several addresses, and ICE moves media from one pair of addresses to another
// without a new handshake. Not thread-safe; keys are wiped when they are forgotten.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/hash.hpp"
#include "flow/event.hpp"
#include "rtp/srtp_suite.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

// From whom to whom media flows.
struct MediaFlow {
    Endpoint source;
    Endpoint destination;
    bool operator==(const MediaFlow&) const = default;
    friend std::size_t hash_value(const MediaFlow& f) {
        return mix_hash(hash_value(f.source), hash_value(f.destination));
    }
    [[nodiscard]] MediaFlow back() const { return {destination, source}; }
};

struct SrtpKey {
    rtp::SrtpParameters parameters;
    // Where its owner receives; it sends with this key [RFC 4568 §6.1]. Of DTLS: the sender's end.
    Endpoint owner;
    Instant time;
    std::uint32_t frame = 0; // the packet that told it
    KeyExchange by = KeyExchange::Sdes;
};

class SrtpKeys {
  public:
    static constexpr std::size_t most_of_leg = 32;

    // The a=crypto lines of a media line that was sent on leg `slot`, to receive at `owner`.
    void announce(std::uint32_t slot, const sdp::Session& session, const sdp::Media& media,
                  const Endpoint& owner, const Sighting& at);
    void on_dtls(const DtlsSrtp& handshake);
    // Lines with keys were sent on this leg.
    [[nodiscard]] bool has(std::uint32_t slot) const { return legs_.contains(slot); }
    [[nodiscard]] std::size_t legs() const { return legs_.size(); }
    void forget(std::uint32_t slot);
    void forget_before(Instant time);

    // Grows whenever there is something new; 0: there never was anything.
    [[nodiscard]] std::uint64_t changes() const { return changes_; }
    // Something else has changed that streams should look at.
    void note_change() { ++changes_; }

    // Adds the keys that may open what flows there: those of the legs, then those of its DTLS
    // handshakes; the likeliest last. Valid until the next change.
    void collect(std::span<const std::uint32_t> slots, const MediaFlow& flow,
                 std::vector<const SrtpKey*>& out) const;
    // Why a=crypto of these legs gave no key, in words; empty when nothing was wrong.
    [[nodiscard]] std::string problem_of(std::span<const std::uint32_t> slots) const;
    // A handshake between the two ends, either way round; null: none was seen.
    struct Handshake {
        Instant time;
        std::string version;
        std::string cipher;
        std::string reason;         // why its keys are not known
        std::vector<SrtpKey> there; // what the client sends with, the latest last
        std::vector<SrtpKey> back;  // what the server sends with
    };
    [[nodiscard]] const Handshake* handshake(const MediaFlow& flow) const;

  private:
    struct Leg {
        std::vector<SrtpKey> keys;
        const char* problem = nullptr; // of the latest line that could not be used
        std::uint32_t problem_frame = 0;
    };

    // Handshakes that have something in common, from client to server, the latest last.
    using Alike = std::vector<MediaFlow>;

    void add(Leg& leg, const sdp::Crypto& line, const Endpoint& owner, const Sighting& at);
    void collect_alike(const MediaFlow& flow, std::vector<const SrtpKey*>& out) const;

    boost::unordered_flat_map<std::uint32_t, Leg> legs_;
    boost::unordered_flat_map<MediaFlow, Handshake> handshakes_; // from client to server
    boost::unordered_flat_map<Endpoint, Alike> by_end_;          // at one of both ends
    boost::unordered_flat_map<std::uint32_t, Alike> by_ports_;   // between the same two ports
    std::uint64_t changes_ = 0;
};

} // namespace cw::flow
