#include "capture/tls/connection.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include "capture/tls/handshake_state.hpp"

namespace cw::capture::tls {

namespace {

constexpr std::size_t most_waiting = std::size_t{256} * 1024;
constexpr std::size_t most_alerts = 16;
// A wrong key fails at once; a key that fitted is given up after so many failures in a row.
constexpr std::uint16_t patience_before = 8;
constexpr std::uint16_t patience_after = 64;
// An alert is 2 bytes; what protects it adds at most 64. A longer one holds a Finished or data.
constexpr std::size_t longest_protected_alert = 34;

Datagram without_payload(const Datagram& by) {
    auto copy = by;
    copy.payload = {};
    return copy;
}

} // namespace

Connection::Handshake::~Handshake() {
    OPENSSL_cleanse(master.data(), master.size());
}

Connection::Connection(const crypto::KeyRing& keys, SessionCache& shared)
    : ring_(keys), shared_(shared) {}

Connection::~Connection() = default;

// --- bytes

void Connection::on_bytes(Side from, Bytes bytes, const Datagram& by, Sink& sink) {
    shared_.earn(bytes.size());
    last_time_ = by.time;
    last_frame_ = by.frame;
    last_input_ = by.input;
    const Now now{by, sink};
    auto& h = half(from);
    h.stream.feed(bytes);
    while (true) {
        const auto record = h.stream.next();
        if (h.stream.take_lost()) {
            h.search = true;
            h.message = {};
        }
        if (!record) {
            break;
        }
        if (h.stream.scanning() && !on_candidate(from, *record, now)) {
            continue;
        }
        constexpr std::uint8_t client_hello = 1;
        if (!summary_.hello_seen && half(other(from)).waiting && record->type != sslv2_hello &&
            (record->type != content::handshake || record->body.empty() ||
             record->body[0] != client_hello)) {
            read_waiting(sink, true); // the ClientHello that the ServerHello waits for is missing
        }
        if (record->type != sslv2_hello && (h.waiting || must_wait(from, *record))) {
            wait(from, *record, now);
        } else {
            on_record(from, *record, now);
        }
    }
    if (halves_[0].waiting || halves_[1].waiting) {
        read_waiting(sink, false);
    }
}

void Connection::finish(Sink& sink) {
    read_waiting(sink, true);
    Datagram by;
    by.time = last_time_;
    by.frame = last_frame_;
    by.input = last_input_;
    if (summary_.opened != 0) {
        return;
    }
    auto reason = summary_.reason;
    if (summary_.hello_seen && summary_.unopened == 0 && !summary_.handshake_done &&
        reason < Reason::Unsupported) {
        reason = Reason::Incomplete;
    } else if (reason == Reason::None && summary_.unopened != 0) {
        reason = Reason::HandshakeNotCaptured;
    }
    trouble(Side::Client, reason, {by, sink});
}

// --- waiting for the other direction

// Note: captures put the two directions in the wrong order when several queues of a network card or
// several files feed them, and early data always comes before the ServerHello that settles it.
bool Connection::must_wait(Side from, const Record& record) {
    if (!summary_.hello_seen) {
        constexpr std::uint8_t server_hello = 2;
        return record.type == content::handshake && !record.body.empty() &&
               record.body[0] == server_hello && half(other(from)).stream.empty();
    }
    if (!handshake_ || role_of(from) != Side::Client) {
        return false;
    }
    if (!summary_.server_hello_seen) {
        return record.type != content::handshake &&
               !(record.type == content::alert && record.body.size() == 2) &&
               !(record.type == content::change_cipher_spec && modern());
    }
    return modern() && record.type == content::application_data && handshake_->early_offered &&
           !handshake_->retry && !handshake_->extensions_seen && !half(other(from)).dead &&
           !traffic_secret(other(from), Epoch::Handshake).empty();
}

void Connection::wait(Side from, const Record& record, const Now& now) {
    auto& h = half(from);
    if (!h.waiting) {
        h.waiting = std::make_unique<Waiting>();
    }
    auto& bytes = h.waiting->bytes;
    bytes.insert(bytes.end(), record.header.begin(), record.header.end());
    bytes.insert(bytes.end(), record.body.begin(), record.body.end());
    h.waiting->parts.push_back(
        {.by = without_payload(now.by), .size = record.header.size() + record.body.size()});
    if (bytes.size() > most_waiting || h.waiting->parts.size() > most_waiting / 64) {
        read_waiting(now.sink, true);
    }
}

void Connection::read_waiting(Sink& sink, bool at_end) {
    for (bool progress = true; progress;) {
        progress = false;
        for (const auto side : {Side::Client, Side::Server}) {
            auto& h = half(side);
            while (h.waiting) {
                auto& waiting = *h.waiting;
                if (waiting.done == waiting.parts.size()) {
                    h.waiting.reset();
                    break;
                }
                const auto& part = waiting.parts[waiting.done];
                const auto bytes = Bytes{waiting.bytes}.subspan(waiting.at, part.size);
                const Record record{.type = bytes[0],
                                    .version = load_be16(bytes.data() + 1),
                                    .header = bytes.first(record_header_size),
                                    .body = bytes.subspan(record_header_size)};
                if (!at_end && must_wait(side, record)) {
                    break;
                }
                ++waiting.done;
                waiting.at += part.size;
                on_record(side, record, {part.by, sink});
                progress = true;
            }
        }
    }
}

// --- records

void Connection::on_record(Side from, const Record& record, const Now& now) {
    ++summary_.records;
    if (record.type == sslv2_hello) {
        on_sslv2_hello(from, record, now);
    } else if (modern() ? record.type == content::application_data : half(from).protects) {
        on_protected_record(from, record, now);
    } else {
        on_clear_record(from, record, now);
    }
}

namespace {

// [RFC 8446 §4, RFC 5246 §7.4 and the IANA registry] Encrypted bytes seldom look like this.
bool looks_like_handshake(Bytes body) {
    if (body.size() < 4 || body[0] > 25) {
        return false;
    }
    constexpr std::uint32_t known = 1U << 0 | 1U << 1 | 1U << 2 | 1U << 4 | 1U << 11 | 1U << 12 |
                                    1U << 13 | 1U << 14 | 1U << 15 | 1U << 16 | 1U << 20 |
                                    1U << 21 | 1U << 22 | 1U << 23;
    return (known >> body[0] & 1U) != 0 && body[1] == 0;
}

} // namespace

void Connection::on_clear_record(Side from, const Record& record, const Now& now) {
    auto& h = half(from);
    switch (record.type) {
    case content::change_cipher_spec:
        if (!modern()) { // in TLS 1.3 it means nothing [RFC 8446 §D.4]
            on_change_cipher_spec(from);
        }
        return;
    case content::alert:
        on_alert(from, record.body, record.body.size() != 2, now);
        return;
    case content::handshake:
        if (!h.message.empty() || (!h.holes && summary_.hello_seen) ||
            looks_like_handshake(record.body)) {
            on_handshake_bytes(from, record.body, false, now);
            return;
        }
        break;
    case content::application_data:
        if (auto opened = open_without_start(from, record)) {
            on_content(from, *opened, now);
            return;
        }
        break;
    default:
        return; // heartbeats
    }
    // A protected record where none was due: its ChangeCipherSpec, or the whole start, is missing.
    if (h.holes && summary_.hello_seen && !modern()) {
        on_change_cipher_spec(from);
        h.search = true;
        on_protected_record(from, record, now);
        return;
    }
    ++summary_.unopened;
    note_undecrypted(from, record, now);
    if (summary_.server_hello_seen && summary_.hello_seen) {
        trouble(from, Reason::LostBytes, now);
    } else if (!may_find_keys(from)) {
        trouble(from, Reason::HandshakeNotCaptured, now);
    }
}

void Connection::on_protected_record(Side from, const Record& record, const Now& now) {
    auto& h = half(from);
    auto opened = h.dead ? std::nullopt : open(from, record);
    if (!opened && record.type == content::application_data) {
        opened = open_without_start(from, record);
    }
    if (!opened) {
        on_unopened(from, record, now);
        return;
    }
    on_content(from, *opened, now);
}

void Connection::on_content(Side from, const Opened& opened, const Now& now) {
    auto& h = half(from);
    const auto data = opened.plaintext;
    h.failures = 0;
    ++h.opened;
    ++summary_.opened;
    summary_.decrypted = true;
    if (opened.headless) {
        now.sink.on_plaintext_gap(from, 0, now.by);
        return;
    }
    switch (opened.type) {
    case content::application_data:
        h.sent_data = true;
        if (h.epoch == Epoch::Early && handshake_ &&
            (handshake_->retry || (handshake_->extensions_seen && !handshake_->early_accepted))) {
            return; // the server did not take it; the client sends it again [RFC 8446 §4.2.10]
        }
        if (half(other(from)).sent_data) {
            summary_.handshake_done = true;
        }
        if (!data.empty()) {
            now.sink.on_plaintext(from, data, now.by);
        }
        return;
    case content::handshake:
        on_handshake_bytes(from, data, true, now);
        return;
    case content::alert:
        on_alert(from, data, false, now);
        return;
    case content::change_cipher_spec:
        if (!modern()) { // renegotiation
            on_change_cipher_spec(from);
        }
        return;
    default:
        return;
    }
}

void Connection::on_alert(Side from, Bytes data, bool encrypted, const Now& now) {
    if (!encrypted && data.size() != 2) {
        return;
    }
    AlertSeen seen{.from = from, .encrypted = encrypted};
    if (!encrypted) {
        seen.fatal = data[0] == 2;
        seen.number = data[1];
        seen.name = alert_name(data[1]);
        if (seen.number == 0) {
            half(from).closed = true;
            (role_of(from) == Side::Client ? summary_.close_notify_client
                                           : summary_.close_notify_server) = true;
            now.sink.on_event(CloseNotify{.from = from}, now.by);
            return;
        }
        if (summary_.alerts.size() < most_alerts) {
            summary_.alerts.push_back({.time = now.by.time,
                                       .from_client = role_of(from) == Side::Client,
                                       .fatal = seen.fatal,
                                       .number = seen.number,
                                       .name = seen.name});
        }
    }
    now.sink.on_event(seen, now.by);
}

void Connection::on_change_cipher_spec(Side from) {
    auto& h = half(from);
    h.protects = true;
    h.sequence = 0;
    h.search = false;
    h.dead = false;
    h.message = {};
    h.keys.reset();
    if (!handshake_ || !handshake_->server_hello) {
        return;
    }
    if (role_of(from) == Side::Server && !handshake_->server_certificate &&
        !handshake_->ticket.empty() && !half(other(from)).protects) {
        summary_.resumed = true; // the server ends the short handshake first [RFC 5077 §3.1]
    }
    take_legacy_keys(from);
}

// --- records that stay closed

void Connection::on_unopened(Side from, const Record& record, const Now& now) {
    auto& h = half(from);
    ++summary_.unopened;
    note_undecrypted(from, record, now);
    if (h.dead) {
        return;
    }
    if (modern() && h.epoch == Epoch::Clear && handshake_ && handshake_->early_offered &&
        role_of(from) == Side::Client && entry_ != crypto::KeyRing::none) {
        return; // early data without its key, or that the server skips
    }
    if (may_find_keys(from)) {
        h.sequence += !modern() && h.protects ? 1 : 0;
        return;
    }
    if (!h.keys) {
        const auto* suite = find_suite(summary_.suite);
        auto reason = Reason::NoKey;
        if (!is_readable_tls13(summary_.version) &&
            (modern() || summary_.version < version::tls10)) {
            reason =
                summary_.version == 0 ? Reason::HandshakeNotCaptured : Reason::UnsupportedVersion;
        } else if (suite == nullptr || !shared_.ciphers().supports(*suite)) {
            reason = Reason::Unsupported;
        } else if (!summary_.hello_seen) {
            reason = Reason::HandshakeNotCaptured;
        } else if (!modern()) {
            reason = why_no_master();
        } else if (entry_ != crypto::KeyRing::none &&
                   !traffic_secret(from, Epoch::Application).empty()) {
            reason = Reason::WrongKey;
        } else if (ring_.private_keys() != 0 && ring_.entries() == 0) {
            reason = Reason::Ephemeral;
        }
        if (!modern()) {
            ++h.sequence;
        } else {
            h.search = true; // should the key turn up later
        }
        if (reason == Reason::WrongKey && ++h.failures >= patience_before) {
            h.dead = true;
        }
        trouble(from, reason, now);
        return;
    }
    if (h.opened != 0) {
        now.sink.on_plaintext_gap(from, record.body.size(), now.by);
    }
    const bool stream = bulk_of(*h.keys->suite).mode == Mode::Stream;
    if (++h.failures >= (h.opened == 0 ? patience_before : patience_after) || stream) {
        h.dead = true;
    }
    const auto block = bulk_of(*h.keys->suite).block_size;
    if (summary_.version == version::tls10 && block != 0 && record.body.size() >= block) {
        // The next record begins with this one's last block, even if this one cannot be opened.
        std::ranges::copy(record.body.last(block), h.keys->iv.begin());
        h.keys->iv_lost = h.keys->encrypt_then_mac;
    }
    if (h.opened != 0 || h.holes) {
        h.search = true; // its number may have been used or not
    }
    if (h.dead || h.opened == 0) {
        trouble(from,
                h.opened == 0 && !h.holes  ? Reason::WrongKey
                : summary_.lost_frame != 0 ? Reason::LostBytes
                                           : Reason::Malformed,
                now);
    }
}

// What can be told of a record that nobody opens.
void Connection::note_undecrypted(Side from, const Record& record, const Now& now) {
    auto& h = half(from);
    if (!modern() && record.type == content::alert) {
        on_alert(from, record.body, true, now);
    } else if (!modern() && record.type == content::handshake && h.protects) {
        h.finished = true;
    } else if (record.type == content::application_data) {
        h.sent_data |= !modern() || record.body.size() > longest_protected_alert;
    }
    const auto& o = half(other(from));
    const bool done = modern() ? halves_[index_of(swapped_ ? Side::Server : Side::Client)].sent_data
                               : (h.finished && o.finished) || (h.sent_data && o.sent_data);
    if (done && !summary_.handshake_done) {
        summary_.handshake_done = true;
        summary_.established = now.by.time;
    }
}

// --- words

void Connection::trouble(Side from, Reason reason, const Now& now) {
    if (reason > summary_.reason) {
        summary_.reason = reason;
        if (reason == Reason::LostBytes && summary_.lost_frame == 0) {
            summary_.lost_frame = now.by.frame;
        }
    }
    if (!told_ && summary_.reason != Reason::None) {
        told_ = true;
        const auto text = reason_text();
        now.sink.on_event(Trouble{.from = from, .reason = text}, now.by);
    }
}

std::string Connection::reason() const {
    return summary_.decrypted ? std::string{} : reason_text();
}

std::string Connection::reason_text() const {
    const auto random = fmt::format("{:02x}{:02x}{:02x}{:02x}…", summary_.random[0],
                                    summary_.random[1], summary_.random[2], summary_.random[3]);
    switch (summary_.reason) {
    case Reason::None:
        return {};
    case Reason::HandshakeNotCaptured:
        if (summary_.hello_seen) {
            return fmt::format("handshake not captured: the ServerHello is missing{}",
                               entry_ != crypto::KeyRing::none
                                   ? ", and versions before TLS 1.3 need the random in it"
                                   : "");
        }
        if (summary_.server_hello_seen) {
            return fmt::format("handshake not captured: the ClientHello is missing{}",
                               ring_.entries() != 0 ? ", and no key given fits by trial" : "");
        }
        if (ring_.entries() == 0) {
            return "handshake not captured";
        }
        return "handshake not captured: no TLS 1.3 key given fits by trial, and earlier versions "
               "need the handshake";
    case Reason::NoKey:
        return "no key for client random " + random;
    case Reason::Ephemeral:
        return fmt::format("RSA key given, but the cipher is ephemeral ({})",
                           suite_name(summary_.suite));
    case Reason::OtherRsaKey:
        return "RSA key given, but it does not belong to the server's certificate";
    case Reason::ResumedUnknown:
        return "RSA key given, but the session was resumed and its start is not in the capture";
    case Reason::Unsupported:
        return "unsupported cipher " + suite_name(summary_.suite);
    case Reason::UnsupportedVersion:
        return "unsupported version " + version_name(summary_.version);
    case Reason::LostBytes:
        return fmt::format("lost bytes at packet {}", summary_.lost_frame);
    case Reason::WrongKey:
        return "the key for client random " + random +
               " does not fit (record authentication failed)";
    case Reason::Incomplete:
        if (!summary_.alerts.empty()) {
            const auto& alert = summary_.alerts.front();
            return fmt::format("the handshake was not completed ({} sent alert {})",
                               alert.from_client ? "the client" : "the server", alert.name);
        }
        return "the handshake was not completed";
    case Reason::Malformed:
        return "malformed records";
    }
    return {};
}

std::string Connection::key_hint() const {
    if (!summary_.decrypted) {
        return {};
    }
    if (summary_.by_ends) {
        return "start not captured; the key log names the two ends";
    }
    if (summary_.by_trial) {
        return summary_.server_hello_seen && !summary_.hello_seen
                   ? "ClientHello not captured; keys found by trial"
                   : "start not captured; keys found by trial";
    }
    if (entry_ != crypto::KeyRing::none) {
        return fmt::format("key log line for client random {:02x}{:02x}{:02x}{:02x}…",
                           summary_.random[0], summary_.random[1], summary_.random[2],
                           summary_.random[3]);
    }
    return summary_.rsa_key ? "RSA key" : "session seen earlier in the capture";
}

void Connection::describe(flow::Connection& out) const {
    out.start_seen |= summary_.hello_seen;
    out.decrypted = summary_.decrypted;
    out.resumed = summary_.resumed;
    out.hello_retry = summary_.hello_retry;
    out.mutual = summary_.mutual;
    out.handshake_done = summary_.handshake_done;
    out.close_notify_client = summary_.close_notify_client;
    out.close_notify_server = summary_.close_notify_server;
    out.hello = summary_.hello;
    out.established = summary_.established;
    out.records = summary_.records;
    out.version = summary_.version != 0 ? version_name(summary_.version) : std::string{};
    out.cipher = summary_.server_hello_seen || summary_.by_trial || summary_.by_ends
                     ? suite_name(summary_.suite)
                     : std::string{};
    out.group = summary_.group != 0 ? group_name(summary_.group) : std::string{};
    out.offered = summary_.offered;
    out.sni = summary_.sni;
    out.alpn = summary_.alpn;
    out.reason = reason();
    out.key_hint = key_hint();
    out.server_chain =
        summary_.server_chain ? *summary_.server_chain : std::vector<flow::Certificate>{};
    out.client_chain =
        summary_.client_chain ? *summary_.client_chain : std::vector<flow::Certificate>{};
    out.alerts = summary_.alerts;
}

} // namespace cw::capture::tls
