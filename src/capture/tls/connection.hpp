// One TLS connection, read from outside: records of both sides go in, application data comes out
// where the keys are known, and the handshake as events [RFC 8446, RFC 5246, RFC 4346, RFC 2246].
//
// The two directions may come in any order that the capture has them: what one side sends before
// the other's hello has been seen waits for it, within bounds. A connection is small when idle
// (about 700 bytes and 200 for the keys of each direction); buffers exist only while a record is
// incomplete. Nothing is handed out that did not authenticate.
//
//   connection.cpp   records: which are protected, with which keys, what they hold
//   handshake.cpp    handshake messages, and the keys that follow from them
//   joining.cpp      starts that were not captured, where a key log names the ends
//   resync.cpp       lost bytes, records that do not open, starts that were not captured
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "capture/packet.hpp"
#include "capture/side.hpp"
#include "capture/tls/event.hpp"
#include "capture/tls/record_cipher.hpp"
#include "capture/tls/record_stream.hpp"
#include "capture/tls/session_cache.hpp"
#include "crypto/key_log.hpp"
#include "flow/call.hpp"

namespace cw::capture::tls {

// Why it was not decrypted. Later ones tell more and win over earlier ones.
enum class Reason : std::uint8_t {
    None,
    HandshakeNotCaptured,
    NoKey,          // for this client random
    Ephemeral,      // an RSA key was given, and does not help
    OtherRsaKey,    // an RSA key was given, but it is not this server's
    ResumedUnknown, // an RSA key was given, but the session began elsewhere
    Unsupported,    // cipher
    UnsupportedVersion,
    LostBytes,
    WrongKey,
    Incomplete, // the handshake came to no end
    Malformed,
};

struct Summary {
    std::uint16_t version = 0; // 0 until the ServerHello
    std::uint16_t suite = 0;
    std::uint16_t group = 0;
    Reason reason = Reason::None;
    bool hello_seen = false;        // the ClientHello
    bool server_hello_seen = false; //
    bool decrypted = false;         // at least one protected record was opened
    bool resumed = false;
    bool hello_retry = false;
    bool mutual = false;
    bool handshake_done = false;
    bool close_notify_client = false;
    bool close_notify_server = false;
    bool early_data = false;      // accepted by the server
    bool by_trial = false;        // the start was not captured, and the keys were found by trial
    bool by_ends = false;         // as by_trial, but the key log names the two ends
    bool rsa_key = false;         // an RSA private key opened it
    std::uint32_t lost_frame = 0; // Reason::LostBytes: where
    Instant hello;
    Instant established;
    std::uint64_t records = 0;
    std::uint64_t opened = 0;             // protected records
    std::uint64_t unopened = 0;           // protected records that stay closed
    std::array<std::uint8_t, 4> random{}; // the client's, its first bytes
    std::string offered;
    std::string sni;
    std::string alpn; // the one chosen; until that is known those offered
    Chain server_chain;
    Chain client_chain;
    std::vector<flow::Alert> alerts; // at most 16
};

class Connection {
  public:
    // Both must outlive the connection.
    Connection(const crypto::KeyRing& keys, SessionCache& shared);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Its two ends, where they are known: key logs may name them (crypto::ConnectionNote).
    void set_ends(const Endpoint& client, const Endpoint& server) {
        client_ = client;
        server_ = server;
    }

    // The next bytes that `from` sent, in order.
    void on_bytes(Side from, Bytes bytes, const Datagram& by, Sink& sink);
    // The capture lacks the next `missing` bytes of `from`; 0 when their number is not known.
    void on_gap(Side from, std::uint64_t missing, const Datagram& by, Sink& sink);
    // No more comes. What waited is read as far as it can be.
    void finish(Sink& sink);

    [[nodiscard]] const Summary& summary() const { return summary_; }
    // True when the side that the caller names Client turned out to be the server.
    [[nodiscard]] bool roles_swapped() const { return swapped_; }
    // Why it was not decrypted, as product.md words it; empty when it was.
    [[nodiscard]] std::string reason() const;
    // "key log line for client random 3f9a1c02…", "RSA key", "keys found by trial…"; empty when not
    // decrypted.
    [[nodiscard]] std::string key_hint() const;
    // Sets all that TLS knows: version to alerts, the flags and times. `out`'s ends, transport, id,
    // bytes, TCP flags and counts of messages are the caller's.
    void describe(flow::Connection& out) const;

  private:
    enum class Epoch : std::uint8_t { Clear, Early, Handshake, Application };

    // What waits for the other direction.
    struct Waiting {
        std::vector<std::uint8_t> bytes; // whole records
        struct Part {
            Datagram by; // without payload
            std::size_t size = 0;
        };
        std::vector<Part> parts;
        std::size_t done = 0; // parts read
        std::size_t at = 0;   // bytes read
    };

    // One direction.
    struct Half {
        RecordStream stream;
        std::vector<std::uint8_t> message; // a handshake message that is not complete
        std::unique_ptr<DirectionKeys> keys;
        std::unique_ptr<Waiting> waiting;
        std::uint64_t sequence = 0; // of the next protected record
        std::uint64_t skip = 0;     // of a handshake message that is too large to keep
        std::uint64_t opened = 0;
        std::uint32_t looked = 0xffff'ffff; // generation of the key ring at the last failure
        std::uint16_t failures = 0;         // in a row
        std::uint8_t trials = 0;            // for keys of a connection whose start is missing
        Epoch epoch = Epoch::Clear;
        bool protects = false; // up to TLS 1.2: its ChangeCipherSpec was seen
        bool search = false;   // `sequence` is only the least possible
        bool holes = false;    // bytes were lost before it protected
        bool dead = false;     // nothing more can be opened
        bool closed = false;   // close_notify
        bool finished = false; // its Finished was seen
        bool sent_data = false;
    };

    // While a handshake goes on, and as long as its keys are missing.
    struct Handshake;

    struct Now {
        const Datagram& by;
        Sink& sink;
    };

    [[nodiscard]] Half& half(Side side) { return halves_[index_of(side)]; }
    [[nodiscard]] Side role_of(Side side) const { return swapped_ ? other(side) : side; }
    [[nodiscard]] bool modern() const { return is_tls13(summary_.version); }

    // connection.cpp
    void on_record(Side from, const Record& record, const Now& now);
    void on_clear_record(Side from, const Record& record, const Now& now);
    void on_protected_record(Side from, const Record& record, const Now& now);
    void on_content(Side from, const Opened& opened, const Now& now);
    void on_alert(Side from, Bytes data, bool encrypted, const Now& now);
    void on_change_cipher_spec(Side from);
    void on_unopened(Side from, const Record& record, const Now& now);
    void note_undecrypted(Side from, const Record& record, const Now& now);
    [[nodiscard]] bool must_wait(Side from, const Record& record);
    void wait(Side from, const Record& record, const Now& now);
    void read_waiting(Sink& sink, bool at_end);
    void trouble(Side from, Reason reason, const Now& now);
    [[nodiscard]] std::string reason_text() const;

    // handshake.cpp
    void on_handshake_bytes(Side from, Bytes data, bool was_protected, const Now& now);
    void on_handshake_message(Side from, Bytes message, bool was_protected, const Now& now);
    void on_client_hello(Side from, Bytes body, const Now& now);
    void on_sslv2_hello(Side from, const Record& record, const Now& now);
    void begin(Side from, Bytes random, Bytes session_id);
    void on_server_hello(Side from, Bytes body, const Now& now);
    void on_certificate(Side from, Bytes body, const Now& now);
    void on_client_key_exchange(Bytes body);
    void on_finished(Side from, const Now& now);
    void on_key_update(Side from, const Now& now);
    std::unique_ptr<DirectionKeys> traffic_keys(Side from, Epoch epoch);
    std::unique_ptr<DirectionKeys> keys_from_secret(const Suite& suite, std::uint16_t version,
                                                    Bytes secret);
    [[nodiscard]] Bytes traffic_secret(Side from, Epoch epoch);
    bool find_master();
    bool master_from(Bytes premaster);
    [[nodiscard]] Reason why_no_master() const;
    bool make_legacy_keys();
    void take_legacy_keys(Side from);
    void find_entry();

    // resync.cpp
    std::optional<Opened> open(Side from, const Record& record);
    std::optional<Opened> open_legacy(Side from, const Record& record);
    std::optional<Opened> open_modern(Side from, const Record& record);
    std::optional<Opened> open_searching(DirectionKeys& keys, std::uint64_t& sequence,
                                         const Record& record);
    std::optional<Opened> open_without_start(Side from, const Record& record);
    std::optional<Opened> open_without_hello(Side from, const Record& record);
    [[nodiscard]] bool may_find_keys(Side from); // without the start
    std::optional<Opened> try_entry(Side from, std::uint32_t entry, const Record& record);
    bool on_candidate(Side from, const Record& record, const Now& now);

    // joining.cpp
    std::optional<Opened> open_noted(Side from, const Record& record);
    std::optional<Opened> try_legacy(Side from, const crypto::ConnectionNote& note,
                                     const Record& record);

    const crypto::KeyRing& ring_;
    SessionCache& shared_;
    Endpoint client_; // as the caller has them
    Endpoint server_;
    std::array<Half, 2> halves_; // by the caller's side
    std::unique_ptr<Handshake> handshake_;
    std::uint32_t entry_ = crypto::KeyRing::none; // of the key ring
    bool swapped_ = false;
    bool told_ = false; // the reason, as an event
    std::uint32_t last_frame_ = 0;
    std::uint16_t last_input_ = 0;
    Instant last_time_;
    Summary summary_;
};

} // namespace cw::capture::tls
