// DTLS handshakes that agree on SRTP, read for their keys: which secrets of the key log belong to
// them, and which profile was chosen [RFC 5764, RFC 5705]; and for how far they come: who began,
// who answered, whose certificate was shown, who refused. What else they carry is not opened. Not
// thread-safe; memory is bounded by the handshakes of the last hours, at most most_handshakes.
//
// ICE tries several pairs of addresses at once, and each end sends on the one that it likes: two
// hellos that went over different pairs are one handshake where the STUN before them named the same
// two agents [RFC 8445 §7.2.2].
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/hash.hpp"
#include "capture/packet.hpp"
#include "capture/tls/key_schedule.hpp"
#include "crypto/key_log.hpp"
#include "flow/dtls_exchange.hpp"
#include "flow/event.hpp"

namespace cw::capture {

class DtlsHandshakes {
  public:
    static constexpr std::size_t most_handshakes = 65536;

    explicit DtlsHandshakes(const crypto::KeyRing& keys) : ring_(keys) {}

    // A datagram that is DTLS. The listener is told when both hellos were seen, and again when the
    // secrets come later. True when it belongs to a handshake that was seen from its start.
    bool on_datagram(const Datagram& datagram, flow::Listener& listener);
    // One that is STUN. The listener is told the keys of a handshake again for another pair of
    // addresses that its ends check, since media may go there.
    void on_stun(const Datagram& datagram, flow::Listener& listener);

  private:
    // What one end has begun with the other.
    struct Progress {
        flow::DtlsExchange exchange;
        std::array<std::uint8_t, 32> random{};
        bool told = true; // nothing new since the listener heard of it
    };
    // A handshake message that comes in fragments.
    struct Partial {
        std::vector<std::uint8_t> body;
        std::uint32_t size = 0;
        std::uint16_t sequence = 0;
        std::uint8_t type = 0;
    };
    struct Handshake {
        flow::Sighting at; // of the ClientHello: from client to server
        std::array<std::uint8_t, 32> client_random{};
        std::array<std::uint8_t, 32> server_random{};
        std::vector<std::uint16_t> offered; // profiles
        std::uint16_t version = 0;
        std::uint16_t suite = 0;
        std::uint16_t profile = 0;          // chosen; 0: not told in clear (DTLS 1.3)
        std::uint32_t looked = 0xffff'ffff; // generation of the key ring
        bool answered = false;              // ServerHello seen
        bool known = false;                 // the keys
        std::array<Partial, 2> partial;     // of client, of server
    };
    struct Known {
        Handshake handshake;
        std::array<Progress, 2> progress; // begun by the lesser end, by the other
    };
    struct Ends {
        Endpoint low;
        Endpoint high;
        bool operator==(const Ends&) const = default;
        friend std::size_t hash_value(const Ends& e) {
            return mix_hash(hash_value(e.low), hash_value(e.high));
        }
    };

    // Of two agents, by the order of their names. `first` and `second`: where the ClientHello of
    // their handshake went, or came from.
    struct Way {
        Endpoint first;
        Endpoint second;
        bool operator==(const Way&) const = default;
    };
    struct Agents {
        Way begun;
        bool any = false;      // a ClientHello was seen
        std::vector<Way> ways; // that they have checked
    };
    struct Checked { // a pair of addresses
        std::uint64_t agents = 0;
        bool low_is_first = false;
    };
    static constexpr std::size_t most_ways = 16;

    static Ends ends_of(const Endpoint& a, const Endpoint& b) {
        return {std::min(a, b), std::max(a, b)};
    }
    Datagram as_begun(const Datagram& datagram, bool begins);
    [[nodiscard]] const Agents* agents_of(const Handshake& handshake) const;
    static std::vector<std::uint16_t> profiles_of(const Handshake& handshake);
    bool tell_keys(const Handshake& handshake, const Endpoint& client, const Endpoint& server,
                   flow::Listener& listener);
    void tell_way(const Handshake& handshake, const Agents& agents, const Way& way,
                  flow::Listener& listener);
    void on_records(Known& known, const Datagram& datagram);
    void on_fragment(Known& known, Bytes fragment, const Datagram& datagram);
    void on_message(Known& known, std::uint8_t type, Bytes body, const Datagram& datagram);
    static void on_client_hello(Known& known, Bytes body, const Datagram& datagram);
    static void on_server_hello(Known& known, Bytes body, const Datagram& datagram);
    // What this end has begun, or, `answers`, what the other end has.
    static Progress& progress_of(Known& known, const Datagram& datagram, bool answers);
    static void note_protected(Known& known, const Datagram& datagram);
    static void note_confirmed(Known& known);
    static void note_alert(Known& known, Bytes record, const Datagram& datagram);
    static void note_certificate(Known& known, Bytes body, const Datagram& datagram);
    void tell(Handshake& handshake, flow::Listener& listener);
    bool export_keys(const Handshake& handshake, std::uint16_t profile, flow::DtlsSrtp& out);
    void sweep(Instant now);

    const crypto::KeyRing& ring_;
    tls::Hasher hasher_;
    boost::unordered_flat_map<Ends, Known> handshakes_;
    boost::unordered_flat_map<Ends, Checked> checked_;
    boost::unordered_flat_map<std::uint64_t, Agents> agents_; // by the hash of both names
};

} // namespace cw::capture
