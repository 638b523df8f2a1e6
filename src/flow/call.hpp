// THE MODEL, as it is read: what happened, as calls. flow::Book makes these; views, rules and tests
// read them. A Call owns everything that it shows; texts are kept once, in its pool.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "sip/method.hpp"
#include "sip/transport.hpp"

namespace cw::flow {

using sip::is_secure;
using sip::to_string;
using sip::Transport;

// A text in the pool of the Call that holds it.
struct Text {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
};
class TextPool {
  public:
    // Texts from here on are the same for all pools and stored in none: the names of methods.
    static constexpr std::uint32_t first_common = 0xffff'ff00;
    static Text of(sip::Method method) {
        return {first_common + static_cast<std::uint32_t>(method),
                static_cast<std::uint32_t>(to_string(method).size())};
    }

    // Adds `s`, or finds it among the last few added. At most 4 GiB in all.
    Text add(std::string_view s);
    // Adds bytes as they are. A Text that counts from their beginning is valid here with rebase()
    // and the offset that this returns.
    std::uint32_t append(std::string_view bytes);
    static void rebase(Text& text, std::uint32_t base) {
        if (text.length > 0 && text.offset < first_common) {
            text.offset += base;
        }
    }
    // Valid until the next add().
    [[nodiscard]] std::string_view view(Text t) const { return view(bytes_, t); }
    static std::string_view view(std::string_view bytes, Text t) {
        return t.offset < first_common
                   ? bytes.substr(t.offset, t.length)
                   : to_string(static_cast<sip::Method>(t.offset - first_common));
    }
    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    void clear();

  private:
    std::string bytes_;
    std::array<Text, 8> recent_{};
    std::uint32_t next_recent_ = 0;
};

inline constexpr std::uint32_t none = 0xffff'ffff; // "no such index"

// What a session description in a message said, as far as a ladder needs it.
struct MediaLine {
    Endpoint receive;              // where its sender wants the media; port 0 = refused
    Text type;                     // "audio", "video", "image"…
    Text profile;                  // "RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF"…
    Text codecs;                   // "PCMU PCMA telephone-event"
    Text crypto_suite;             // of the first a=crypto, never its key
    Text cryptos;                  // of each its tag and suite: "1 AES_CM_128_HMAC_SHA1_80,2 …"
    std::uint32_t key = 0;         // a hash of the first one's key, to see two alike; 0: none
    bool key_invalid = false;      // its length does not fit its suite
    bool dtls = false;             // a=fingerprint is there
    bool secure_profile = false;   // SAVP, SAVPF
    bool ice = false;              // a=candidate or a=ice-ufrag: media may go elsewhere
    char direction = 'b';          // s(endonly) r(ecvonly) b(oth) i(nactive)
    char setup = 0;                // a(ctive) p(assive) x: actpass, h(oldconn); 0: none
    std::uint8_t event_type = 255; // payload type of telephone-event [RFC 4733]; 255: none
};

// What is worth a bit of a message.
enum class Trait : std::uint16_t {
    Rport = 1,         // its top Via asks for symmetric response routing [RFC 3581]
    NoLength = 2,      // has no Content-Length
    Credentials = 4,   // Authorization or Proxy-Authorization
    RecordRoute = 8,   // has one
    Route = 16,        // has one
    Reliable = 32,     // a provisional response with Require: 100rel and RSeq
    ContactField = 64, // has a Contact, be it "*"
};

// One message on the ladder. Its fields stand so that no byte is unused, and those that differ from
// message to message stand together: see archive.cpp.
struct Message {
    Instant time;
    std::uint32_t frame = 0;      // packet in which its last byte came, from 1
    std::uint32_t size = 0;       // bytes, headers and body
    std::uint16_t status = 0;     // 0 in a request
    std::uint8_t media_count = 0; // its MediaLines: [media_begin, media_begin + media_count)
    sip::Method method = sip::Method::None;      // None in a response
    sip::Method cseq_method = sip::Method::None; // the method in CSeq
    std::uint8_t vias = 0; // Via values, 255 at most: 1 in a request that its maker sends
    bool to_tag = false;   // has a tag in To: within a dialog, or an answer
    std::uint8_t leg = 0;  // index in Call::legs, 255 at most
    Endpoint source;
    Endpoint destination;
    Endpoint sent_by; // in a request, the address in its top Via (port 0 when it is a name)
    std::uint16_t input = 0;
    Transport transport = Transport::Udp;
    bool malformed = false;       // see problem
    bool truncated = false;       // the capture cut it
    bool sips = false;            // Request-URI is a sips URI
    std::uint32_t connection = 0; // Connection::id, 0 for UDP
    std::uint32_t cseq = 0;
    std::uint32_t media_begin = 0;
    std::uint32_t retransmission_of = none; // index in Call::messages
    std::uint32_t duplicate_of = none;      // the same message seen at another capture point
    std::uint64_t branch = 0;               // hash of the top Via branch, 0 when there is none
    std::uint32_t from_tag = 0;             // of a BYE, hash of the tag in From; 0: it has none
    std::uint32_t answer_tag = 0;           // of INVITE, ACK, BYE and their answers, that in To
    std::uint32_t expires = none;           // Expires, or of a lone Contact its parameter
    std::uint16_t traits = 0;               // see Trait
    std::uint8_t max_forwards = 255;        // 255: none, or not a number below
    std::uint8_t unused = 0;
    Text method_text; // as written; for a response as written in CSeq
    Text request_uri; // empty in a response
    Text reason;      // the reason phrase, empty in a request
    Text body_type;   // Content-Type without parameters
    Text note;        // what else a reader wants to see: Reason, Warning, Replaces, DTMF in INFO
    Text problem;     // why it is malformed, in words
    Text contact;     // the URI in Contact
    Text facts;       // header fields that diagnose/ reads: see facts.hpp
    // A body that is signed or encrypted, see SecuredBody; all empty: it is not.
    std::uint32_t is_signed = 0; // SecuredBody::Signed
    std::uint32_t sealed = 0;    // SecuredBody::Sealed
    Text badge;                  // signed by whom, for whom encrypted, or why it cannot be read
    Text words;                  // the text inside

    [[nodiscard]] bool has(Trait t) const { return (traits & static_cast<std::uint16_t>(t)) != 0; }
    // Not a copy of one that was seen before.
    [[nodiscard]] bool is_first() const {
        return retransmission_of == none && duplicate_of == none;
    }
};

// Why two legs were taken for one call [field knowledge: exact, strong, weak evidence].
struct Join {
    std::uint8_t leg_a = 0;
    std::uint8_t leg_b = 0;
    std::uint8_t score = 0; // 100 exact, 60–90 strong, below weak
    Text evidence;          // "same Session-ID", "same media address 192.0.2.1:4000"
};

// One Call-ID.
struct Leg {
    Text call_id;
    Text from; // the AoR: "sip:alice@example.com"
    Text to;
    Text from_name; // display name, may be empty
    Text to_name;
    Instant start;
    Instant end;
};

struct Dtmf {
    Instant time;
    char digit = 0;
    std::uint16_t duration_ms = 0;
    bool ended = true; // a packet with the end bit was seen
};

// How the key came that opened an SRTP stream: in signalling [RFC 4568], or by DTLS [RFC 5764].
enum class KeyExchange : std::uint8_t { None, Sdes, Dtls };

// How far the SRTP of a stream could be opened.
struct Opening {
    std::uint64_t opened = 0; // packets that a key opened
    std::uint64_t failed = 0; // packets that are not authentic with any key that was found
    std::uint64_t cut = 0;    // packets that the capture holds in part: they cannot be proved
    std::uint32_t rtcp_opened = 0;
    std::uint32_t rtcp_failed = 0;
    std::uint32_t rtcp_clear = 0; // RTCP packets that are not protected at all
    Instant failed_since;         // the first that failed
    std::uint32_t failed_frame = 0;
    std::uint32_t key_frame = 0;   // the packet that brought the key; 0: no key fits
    std::uint32_t rollovers = 0;   // the rollover counter at the end [RFC 3711 §3.3.1]
    std::uint32_t key_changes = 0; // to another key while it went on
    std::uint16_t failed_sequence = 0;
    KeyExchange by = KeyExchange::None;
    bool encrypted = true; // false: authenticated alone (UNENCRYPTED_SRTP, NULL ciphers)
    bool proved = true;    // false: without authentication (UNAUTHENTICATED_SRTP)
};

// One RTP stream: an SSRC between two endpoints.
struct MediaStream {
    Instant first;
    Instant last;
    Endpoint source;
    Endpoint destination;
    std::uint32_t ssrc = 0;
    std::uint8_t payload_type = 0;
    bool announced = false; // an SDP of the call named this source or destination
    Text codec;             // "PCMU/8000", or "RTPType-107" when nothing tells
    Text srtp;              // crypto suite, "DTLS-SRTP", or empty
    Text suite;             // the crypto suite that opened it; empty: not opened
    Text srtp_problem;      // why it, or some of it, was not opened, and what that points to
    Opening opening;
    std::uint64_t packets = 0;
    std::uint64_t expected = 0; // by sequence numbers [RFC 3550 §A.3]
    std::uint64_t duplicates = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t missing = 0; // sequence numbers never seen; duplicates do not hide them
    std::int64_t lost = 0;     // expected − received, as RFC 3550 counts
    double jitter_ms = 0;      // maximum of the RFC 3550 §6.4.1 estimate, in ms
    double mean_jitter_ms = 0;
    double max_gap_ms = 0; // longest time between two packets
    double mos = 0;        // 0 when the codec has no published model
    std::uint32_t rtcp_reports = 0;
    double rtcp_loss = -1; // fraction lost that the receiver reported last; −1: none seen
    std::vector<Dtmf> dtmf;
    // Packets that look like a telephone-event, of a payload type that its receiver has not named.
    std::uint32_t stray_events = 0;
    std::uint8_t stray_type = 0;
};

struct Certificate {
    std::string subject;
    std::string issuer;
    std::vector<std::string> names; // "DNS:example.com", "URI:sip:example.com"
    Instant not_before;
    Instant not_after;
    std::string key; // "RSA", "EC", "ED25519"…; empty: not read
    std::uint16_t key_bits = 0;
    std::string signature; // by its issuer: "sha256WithRSAEncryption"
};

struct Alert {
    Instant time;
    bool from_client = false;
    bool fatal = false;
    std::uint8_t number = 0;
    std::string_view name; // "unknown_ca": static text
};

// A message of a TLS handshake, where whoever saw the connection tells them one by one.
struct HandshakeStep {
    Instant time;
    bool from_client = false;
    std::string name;   // "ClientHello"
    std::string detail; // "TLS 1.3 1.2 for example.com"; may be empty
};

// A place in a stream whose bytes are not in the capture.
struct LostBytes {
    Instant time; // of the packet behind the place
    std::uint64_t bytes = 0;
    bool from_client = false;
};

// Bytes of a stream of SIP that belong to no message, right behind one.
struct StrayBytes {
    std::uint64_t bytes = 0;
    std::uint32_t frame = 0; // in which that message ended; 0: there are none
    bool from_client = false;
};

// One TLS, TCP, WebSocket or SCTP connection.
struct Connection {
    std::uint32_t id = 0; // from 1, in order of appearance
    Endpoint client;
    Endpoint server;
    Transport transport = Transport::Tcp;
    bool start_seen = false; // its SYN, or for TLS its ClientHello, was captured
    bool accepted = false;   // the server's SYN was captured
    bool to_client = false;  // its server is where a client of an earlier connection with SIP was
    bool heard_after_ping = false; // see unanswered_ping
    bool decrypted = false;
    bool resumed = false;
    bool hello_retry = false;
    bool mutual = false;         // the client presented a certificate
    bool handshake_done = false; // both Finished seen (or application data in both directions)
    bool close_notify_client = false;
    bool close_notify_server = false;
    bool fin = false;
    bool rst = false;
    std::uint32_t frame = 0; // first packet
    Instant opened;
    Instant hello;       // ClientHello
    Instant established; // last Finished
    Instant closed;
    Instant unanswered_ping; // the first keep-alive that had no answer for 10 s [RFC 5626 §4.4.1]
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;         // TCP payload, both directions
    std::uint64_t missing_bytes = 0; // lost from the capture, both directions
    std::vector<LostBytes> lost;     // where; of very many places only the first
    std::uint32_t sip_messages = 0;
    StrayBytes stray;
    // Nobody was seen to speak SIP at its server: worth keeping only if a message names that place.
    bool unnamed = false;
    std::string version; // "TLSv1.3"; empty when it is not TLS
    std::string offered; // versions the client offered: "TLSv1.2 TLSv1.3"
    std::string cipher;  // "TLS_AES_256_GCM_SHA384"
    std::string group;   // "x25519"
    std::string sni;
    std::string alpn;
    std::string reason; // why it was not decrypted; empty when it was
    std::string
        key_hint; // "key log line for client random 3f9a…", "RSA key", "secrets in the capture"
    std::vector<Certificate> server_chain;
    std::vector<Certificate> client_chain;
    std::vector<Alert> alerts;
    std::vector<HandshakeStep> handshake; // its messages; empty: nobody told them
    std::string verdict;                  // on the server's certificate; empty: nobody judged it
    bool verdict_good = false;

    [[nodiscard]] bool is_tls() const { return !version.empty() || is_secure(transport); }
};

enum class Kind : std::uint8_t { Call, Registration, Message, Subscription, Options, Other };
enum class State : std::uint8_t {
    Trying,
    Ringing,
    Answered,
    Completed,
    Cancelled,
    Busy,
    Rejected,
    Redirected,
    Timeout,
    Failed,
};
enum class Protection : std::uint8_t { None, Clear, Mixed, Secure };

std::string_view to_string(Kind kind);   // "call", "registration"…
std::string_view to_string(State state); // "trying"…

// A way that signalling of a call took between two ends: a connection, or datagrams.
struct Hop {
    Endpoint client; // who opened the connection, or sent the first message
    Endpoint server;
    Transport transport = Transport::Udp;
    std::uint32_t connection = 0; // Connection::id, 0: none
    std::uint32_t messages = 0;
    std::uint32_t first = none; // index in Call::messages of the first of them
    bool secure = false;
    bool weak = false;       // TLS that should not be used any more: see notes
    bool mutual = false;     // the client showed a certificate as well
    bool keys_shown = false; // SDES keys went here
    std::string version{};   // "TLSv1.3"; empty: no TLS, or not known
    std::string cipher{};
    std::string verified{};     // who was verified against which name, and how; what is not known
    bool verified_good = false; // the certificate names who was asked for
    std::vector<std::string> notes{}; // what is weak about it, with the RFC that says so
};

struct Security {
    Protection signalling = Protection::Clear;
    Protection media = Protection::None;
    std::string weakest{}; // one sentence
    std::vector<Hop> hops{};
    std::string sips{}; // the promise of a sips URI, kept or broken [RFC 5630]; empty: none made
    bool sips_broken = false;
    std::string keys_exposed{}; // SDES keys: who could read them; empty: there were none
    std::string media_by{};     // how the media was protected, in words; empty: no media
    std::string smime{};        // bodies signed or encrypted end to end; empty: there were none
};

// What is wrong, filled by diagnose/. Those of a call stand with a cause before its consequences,
// and the gravest cause first.
struct Finding {
    // Texts without an owner are static: they are the rule's.
    std::string_view rule;               // "D01": `callwright explain D01`
    std::string_view severity;           // "error", "warning", "note"
    std::string_view title;              // what happened, in one line
    std::vector<std::uint32_t> messages; // evidence, indices in Call::messages; the first is where
                                         // the badge belongs. Empty: see connections, or the call
    std::string_view rfc;                // "RFC 3261 §13.3.1.4"
    std::string_view advice;             // what to change, and where
    std::string evidence{};              // what was seen: times, addresses, values
    std::string_view confidence{};       // "certain", "likely", "possible"
    std::uint32_t cause = none;          // index in Call::findings of what brought this about
    std::vector<std::uint32_t> connections{}; // evidence, Connection::id
};

// A call, a registration, a message… with all its legs, in the order of time.
struct Call {
    std::uint32_t id = 0; // from 1, by start
    Kind kind = Kind::Other;
    State state = State::Trying;
    Text from; // of the first leg
    Text to;
    Text from_name;
    Text to_name;
    Instant start;
    Instant end;
    Instant answered;      // first 2xx to INVITE, unknown if none
    double duration_s = 0; // answered to the end (BYE or last packet); 0 when never answered
    std::uint16_t final_status = 0;
    bool cut_off = false; // the capture ended while the call went on
    std::vector<Leg> legs;
    std::vector<Join> joins;
    std::vector<Message> messages;      // by time
    std::vector<MediaLine> media_lines; // by message
    std::vector<MediaStream> streams;
    std::vector<Connection> connections; // those that carried its messages, and undecrypted ones
                                         // between its hosts at its time
    Security security;
    std::vector<Finding> findings;
    TextPool pool;

    [[nodiscard]] std::string_view text(Text t) const { return pool.view(t); }
    // Empties it and keeps its memory, for a reader that goes through many.
    void clear();
};

} // namespace cw::flow
