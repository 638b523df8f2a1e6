// Handshake messages, and the keys that follow from them.
#include <algorithm>

#include <openssl/crypto.h>

#include "capture/tls/handshake_state.hpp"
#include "capture/tls/hello.hpp"

namespace cw::capture::tls {

namespace {

constexpr std::size_t handshake_header = 4;
// A chain of ten large certificates is 20 kB; with post-quantum signatures it is 150 kB.
constexpr std::size_t largest_message = std::size_t{256} * 1024;

namespace message {
constexpr std::uint8_t client_hello = 1;
constexpr std::uint8_t server_hello = 2;
constexpr std::uint8_t new_session_ticket = 4;
constexpr std::uint8_t end_of_early_data = 5;
constexpr std::uint8_t hello_retry_request = 6; // drafts of TLS 1.3
constexpr std::uint8_t encrypted_extensions = 8;
constexpr std::uint8_t certificate = 11;
constexpr std::uint8_t server_key_exchange = 12;
constexpr std::uint8_t client_key_exchange = 16;
constexpr std::uint8_t finished = 20;
constexpr std::uint8_t key_update = 24;
} // namespace message

std::uint32_t length_of(const std::uint8_t* header) {
    return load_be32(header) & 0xff'ffff;
}

void append(std::vector<std::uint8_t>& to, Bytes bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

} // namespace

// --- messages from bytes

void Connection::on_handshake_bytes(Side from, Bytes data, bool was_protected, const Now& now) {
    auto& h = half(from);
    while (!data.empty()) {
        if (h.skip != 0) {
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(h.skip, data.size()));
            h.skip -= n;
            data = data.subspan(n);
            continue;
        }
        if (h.message.empty() && data.size() >= handshake_header) {
            const auto size = handshake_header + length_of(data.data());
            if (size <= data.size()) {
                on_handshake_message(from, data.first(size), was_protected, now);
                data = data.subspan(size);
                continue;
            }
        }
        const auto wanted = h.message.size() < handshake_header
                                ? handshake_header
                                : handshake_header + length_of(h.message.data());
        const auto n = std::min(wanted - h.message.size(), data.size());
        append(h.message, data.first(n));
        data = data.subspan(n);
        if (h.message.size() < handshake_header) {
            continue;
        }
        const auto size = handshake_header + length_of(h.message.data());
        if (size > largest_message + handshake_header) {
            h.skip = size - h.message.size();
            h.message = {};
        } else if (h.message.size() == size) {
            const auto whole = std::move(h.message);
            h.message = {};
            on_handshake_message(from, whole, was_protected, now);
        }
    }
}

void Connection::on_handshake_message(Side from, Bytes whole, bool was_protected, const Now& now) {
    const auto body = whole.subspan(handshake_header);
    const auto type = whole[0];
    if (type == message::client_hello) {
        on_client_hello(from, body, now);
    }
    // The session hash covers all messages up to ClientKeyExchange [RFC 7627 §3]. It is needed only
    // where a master secret has to be computed.
    if (handshake_ && !handshake_->transcript_lost && type != 0 &&
        (ring_.private_keys() != 0 || ring_.has_rsa_lines() || ring_.has_premasters())) {
        append(handshake_->transcript, whole);
        if (handshake_->transcript.size() > 2 * largest_message) {
            handshake_->transcript = {};
            handshake_->transcript_lost = true;
        }
    }
    switch (type) {
    case message::server_hello:
    case message::hello_retry_request:
        on_server_hello(from, body, now);
        break;
    case message::certificate:
        on_certificate(from, body, now);
        break;
    case message::encrypted_extensions:
        if (const auto fields = parse_encrypted_extensions(body);
            fields && handshake_ && modern() && was_protected) {
            handshake_->extensions_seen = true;
            handshake_->early_accepted = fields->early_data;
            summary_.early_data = fields->early_data;
            summary_.alpn = fields->alpn;
            if (handshake_->early_offered) {
                now.sink.on_event(EarlyData{.accepted = fields->early_data}, now.by);
            }
        }
        break;
    case message::server_key_exchange:
        // curve_type named_curve, then the curve [RFC 8422 §5.4]
        if (!modern() && body.size() >= 3 && body[0] == 3 &&
            suite_name(summary_.suite).starts_with("TLS_ECDH")) {
            summary_.group = load_be16(body.data() + 1);
        }
        break;
    case message::client_key_exchange:
        if (!modern()) {
            on_client_key_exchange(body);
        }
        break;
    case message::new_session_ticket:
        if (!modern() && handshake_) {
            Reader reader{body};
            (void)reader.be32(); // lifetime
            const auto ticket = reader.vec16();
            handshake_->issued.assign(ticket.begin(), ticket.end());
            if (handshake_->master_known) {
                shared_.remember(ticket, handshake_->master);
            }
        }
        break;
    case message::end_of_early_data:
        if (auto& h = half(from); h.epoch == Epoch::Early) {
            h.keys = traffic_keys(from, Epoch::Handshake);
            h.epoch = Epoch::Handshake;
            h.sequence = 0;
        }
        break;
    case message::finished:
        on_finished(from, now);
        break;
    case message::key_update:
        if (modern() && was_protected) {
            on_key_update(from, now);
        }
        break;
    default:
        break;
    }
}

// --- hellos

void Connection::begin(Side from, Bytes random, Bytes session_id) {
    if (!summary_.server_hello_seen || !summary_.hello_seen) {
        swapped_ = from == Side::Server;
    }
    handshake_ = std::make_unique<Handshake>();
    std::ranges::copy(random, handshake_->client_random.begin());
    std::ranges::copy(session_id, handshake_->client_session.begin());
    handshake_->client_session_size = static_cast<std::uint8_t>(session_id.size());
    entry_ = crypto::KeyRing::none;
    for (auto& h : halves_) {
        h.looked = 0xffff'ffff;
        h.finished = false;
    }
    find_entry();
}

void Connection::on_client_hello(Side from, Bytes body, const Now& now) {
    const auto parsed = parse_client_hello(body);
    if (!parsed) {
        trouble(from, Reason::Malformed, now);
        return;
    }
    const auto& hello = *parsed;
    const bool again = handshake_ && handshake_->retry &&
                       std::ranges::equal(hello.random, handshake_->client_random);
    if (!again) {
        begin(from, hello.random, hello.session_id);
        handshake_->ticket.assign(hello.ticket.begin(), hello.ticket.end());
        handshake_->early_offered = hello.early_data;
    }
    if (!summary_.hello_seen) {
        summary_.hello_seen = true;
        summary_.hello = now.by.time;
        std::ranges::copy(hello.random.first(summary_.random.size()), summary_.random.begin());
        summary_.offered = hello.offered;
        summary_.sni = hello.sni;
        summary_.alpn = hello.alpn;
    }
    now.sink.on_event(ClientHello{.from = from,
                                  .offered = hello.offered,
                                  .sni = hello.sni,
                                  .alpn = hello.alpn,
                                  .ciphers = hello.ciphers,
                                  .session_id = !hello.session_id.empty(),
                                  .ticket = !hello.ticket.empty(),
                                  .psk = hello.psk,
                                  .early_data = hello.early_data,
                                  .again = again,
                                  .random = hello.random},
                      now.by);
}

void Connection::on_sslv2_hello(Side from, const Record& record, const Now& now) {
    std::array<std::uint8_t, 32> random{};
    const auto hello = parse_sslv2_hello(record.body, random);
    if (!hello || summary_.hello_seen) {
        return;
    }
    begin(from, random, {});
    append(handshake_->transcript, record.body); // [RFC 5246 §E.2]: hashed without its length
    summary_.hello_seen = true;
    summary_.hello = now.by.time;
    std::copy_n(random.begin(), summary_.random.size(), summary_.random.begin());
    summary_.offered = hello->offered;
    now.sink.on_event(
        ClientHello{
            .from = from, .offered = hello->offered, .ciphers = hello->ciphers, .random = random},
        now.by);
}

void Connection::on_server_hello(Side from, Bytes body, const Now& now) {
    const auto parsed = parse_server_hello(body);
    if (!parsed) {
        trouble(from, Reason::Malformed, now);
        return;
    }
    const auto& hello = *parsed;
    if (!summary_.hello_seen) {
        swapped_ = from == Side::Client;
    } else if (role_of(from) != Side::Server) {
        return; // no server says this
    }
    if (hello.retry) {
        if (handshake_) {
            handshake_->retry = true;
        }
        summary_.hello_retry = true;
        summary_.version = hello.version;
        summary_.suite = hello.suite;
        now.sink.on_event(HelloRetry{.from = from, .suite = hello.suite, .group = hello.group},
                          now.by);
        return;
    }
    const bool known_id = handshake_ && !hello.session_id.empty() &&
                          std::ranges::equal(hello.session_id, handshake_->client_id());
    if (summary_.version != 0 && is_tls13(summary_.version) != is_tls13(hello.version)) {
        return; // a renegotiation cannot get there
    }
    summary_.server_hello_seen = true;
    summary_.version = hello.version;
    summary_.suite = hello.suite;
    summary_.group = hello.group;
    summary_.resumed = modern() ? hello.psk : known_id;
    if (!modern()) {
        summary_.alpn = hello.alpn;
    }
    for (auto& h : halves_) {
        h.stream.expect_version(hello.version == version::tls13 ? version::tls12
                                : modern()                      ? std::uint16_t{0}
                                                                : hello.version);
    }
    if (!handshake_ && !summary_.hello_seen && !modern()) { // see open_without_hello()
        handshake_ = std::make_unique<Handshake>();
        handshake_->client_random_known = false;
        handshake_->transcript_lost = true;
    }
    if (handshake_) {
        handshake_->server_hello = true;
        std::ranges::copy(hello.random, handshake_->server_random.begin());
        std::ranges::copy(hello.session_id, handshake_->server_session.begin());
        handshake_->server_session_size = static_cast<std::uint8_t>(hello.session_id.size());
        handshake_->extended_master = hello.extended_master_secret;
        handshake_->encrypt_then_mac = hello.encrypt_then_mac;
    }
    now.sink.on_event(ServerHello{.from = from,
                                  .version = hello.version,
                                  .suite = hello.suite,
                                  .group = hello.group,
                                  .resumed = summary_.resumed},
                      now.by);
}

void Connection::on_certificate(Side from, Bytes body, const Now& now) {
    const auto chain = shared_.certificates().get(body, modern(), shared_.hasher());
    if (role_of(from) == Side::Server) {
        if (handshake_) {
            handshake_->server_certificate = true;
            handshake_->server_key = chain.leaf_key;
        }
        summary_.server_chain = chain.certificates;
    } else {
        summary_.mutual |= !chain.certificates->empty();
        summary_.client_chain = chain.certificates;
    }
    now.sink.on_event(CertificateChain{.from = from, .certificates = chain.certificates}, now.by);
}

// --- the end of a handshake

void Connection::on_finished(Side from, const Now& now) {
    auto& h = half(from);
    h.finished = true;
    if (modern() && h.epoch != Epoch::Handshake) {
        return; // authentication after the handshake [RFC 8446 §4.6.2]
    }
    if (modern()) {
        h.keys = traffic_keys(from, Epoch::Application);
        h.epoch = Epoch::Application;
        h.sequence = 0;
    }
    const auto& o = half(other(from));
    summary_.handshake_done |= o.finished;
    summary_.established = now.by.time;
    now.sink.on_event(Finished{.from = from}, now.by);
    if (h.finished && o.finished && h.keys && o.keys) { // the rest are keys alone
        handshake_.reset();
    }
}

void Connection::on_key_update(Side from, const Now& now) {
    auto& h = half(from);
    if (!h.keys || h.epoch != Epoch::Application) {
        return;
    }
    const auto& suite = *h.keys->suite;
    const auto size = size_of(suite.prf);
    std::array<std::uint8_t, 48> next{};
    // [RFC 8446 §7.2]
    if (shared_.hasher().expand_label(suite.prf, Bytes{h.keys->secret}.first(size), "traffic upd",
                                      std::span{next}.first(size))) {
        h.keys = keys_from_secret(suite, summary_.version, Bytes{next}.first(size));
        h.sequence = 0;
    }
    OPENSSL_cleanse(next.data(), next.size());
    now.sink.on_event(KeyUpdate{.from = from}, now.by);
}

// --- keys of TLS 1.3

void Connection::find_entry() {
    if (entry_ == crypto::KeyRing::none && handshake_) {
        entry_ = ring_.find(handshake_->client_random);
        if (entry_ != crypto::KeyRing::none) {
            shared_.mark_used(entry_);
        }
    }
}

Bytes Connection::traffic_secret(Side from, Epoch epoch) {
    using crypto::Secret;
    find_entry();
    const bool client = role_of(from) == Side::Client;
    switch (epoch) {
    case Epoch::Clear:
        return {};
    case Epoch::Early:
        return client ? ring_.secret(entry_, Secret::ClientEarly) : Bytes{};
    case Epoch::Handshake:
        return ring_.secret(entry_, client ? Secret::ClientHandshake : Secret::ServerHandshake);
    case Epoch::Application:
        return ring_.secret(entry_, client ? Secret::ClientTraffic : Secret::ServerTraffic);
    }
    return {};
}

std::unique_ptr<DirectionKeys> Connection::traffic_keys(Side from, Epoch epoch) {
    const auto* suite = find_suite(summary_.suite);
    return suite != nullptr
               ? keys_from_secret(*suite, summary_.version, traffic_secret(from, epoch))
               : nullptr;
}

// Null when the secret is not one for this suite.
std::unique_ptr<DirectionKeys> Connection::keys_from_secret(const Suite& suite,
                                                            std::uint16_t version, Bytes secret) {
    if (suite.exchange != Exchange::Tls13 || secret.size() != size_of(suite.prf) ||
        !shared_.ciphers().supports(suite)) {
        return nullptr;
    }
    auto keys = std::make_unique<DirectionKeys>();
    keys->suite = &suite;
    keys->version = version;
    std::ranges::copy(secret, keys->secret.begin());
    auto& hasher = shared_.hasher();
    constexpr std::size_t iv_size = 12;
    const bool ok = hasher.expand_label(suite.prf, secret, "key",
                                        std::span{keys->key}.first(bulk_of(suite).key_size)) &&
                    hasher.expand_label(suite.prf, secret, "iv",
                                        std::span{keys->iv}.first(iv_size)); // [RFC 8446 §7.3]
    return ok ? std::move(keys) : nullptr;
}

// --- keys of TLS 1.0 to 1.2

void Connection::on_client_key_exchange(Bytes body) {
    if (!handshake_) {
        return;
    }
    auto& hs = *handshake_;
    const auto* suite = find_suite(summary_.suite);
    if (suite != nullptr && suite->exchange == Exchange::Rsa) {
        // "EncryptedPreMasterSecret" with its length, which some leave out as SSL 3.0 did
        // [RFC 5246 §7.4.7.1].
        const bool has_length =
            body.size() >= 2 && load_be16(body.data()) + std::size_t{2} == body.size();
        const auto encrypted = has_length ? body.subspan(2) : body;
        hs.encrypted.assign(encrypted.begin(), encrypted.end());
    }
    find_master(); // while the transcript ends here
    hs.transcript = {};
    hs.transcript_lost = true;
}

// [RFC 5246 §8.1, RFC 7627 §4]
bool Connection::master_from(Bytes premaster) {
    auto& hs = *handshake_;
    auto& hasher = shared_.hasher();
    const auto* suite = find_suite(summary_.suite);
    if (suite == nullptr) {
        return false;
    }
    if (!hs.extended_master) {
        return hasher.prf(summary_.version, suite->prf, premaster, "master secret",
                          hs.client_random, hs.server_random, hs.master);
    }
    if (hs.transcript_lost) {
        return false;
    }
    std::array<std::uint8_t, 48> hash{};
    std::size_t size = size_of(suite->prf);
    bool ok = false;
    if (summary_.version >= version::tls12) {
        ok = hasher.digest(suite->prf, {hs.transcript}, hash.data());
    } else {
        size = size_of(Hash::Md5) + size_of(Hash::Sha1);
        ok = hasher.digest(Hash::Md5, {hs.transcript}, hash.data()) &&
             hasher.digest(Hash::Sha1, {hs.transcript}, hash.data() + size_of(Hash::Md5));
    }
    return ok && hasher.prf(summary_.version, suite->prf, premaster, "extended master secret",
                            Bytes{hash}.first(size), {}, hs.master);
}

bool Connection::find_master() {
    auto& hs = *handshake_;
    if (!hs.client_random_known) {
        return false;
    }
    if (hs.master_known || hs.looked == ring_.generation()) {
        return hs.master_known;
    }
    hs.looked = ring_.generation();
    find_entry();
    std::array<std::uint8_t, 48> premaster{};
    if (const auto known = ring_.secret(entry_, crypto::Secret::Master); !known.empty()) {
        std::ranges::copy(known, hs.master.begin());
        hs.master_known = true;
    } else if (const auto pre = ring_.secret(entry_, crypto::Secret::PreMaster); !pre.empty()) {
        hs.master_known = master_from(pre);
    } else if (const auto line = ring_.premaster_of(hs.encrypted); !line.empty()) {
        hs.master_known = master_from(line);
    } else if (!hs.encrypted.empty() &&
               ring_.open_premaster(hs.encrypted,
                                    ring_.has_key_for(hs.server_key.get()) ? hs.server_key.get()
                                                                           : nullptr,
                                    premaster)) {
        hs.master_known = summary_.rsa_key = master_from(premaster);
    } else if (!hs.server_certificate) { // resumption
        const auto line_of_session = ring_.master_of_session(hs.server_id());
        const auto* known_session = shared_.find(hs.ticket);
        if (known_session == nullptr && std::ranges::equal(hs.client_id(), hs.server_id())) {
            known_session = shared_.find(hs.server_id());
        }
        if (!line_of_session.empty()) {
            std::ranges::copy(line_of_session, hs.master.begin());
            hs.master_known = true;
        } else if (known_session != nullptr) {
            hs.master = *known_session;
            hs.master_known = true;
        }
    } else if (const auto line_of_session = ring_.master_of_session(hs.server_id());
               !line_of_session.empty()) {
        std::ranges::copy(line_of_session, hs.master.begin());
        hs.master_known = true;
    }
    OPENSSL_cleanse(premaster.data(), premaster.size());
    if (hs.master_known) {
        shared_.remember(hs.server_id(), hs.master);
        shared_.remember(hs.issued, hs.master);
    }
    return hs.master_known;
}

Reason Connection::why_no_master() const {
    const auto* suite = find_suite(summary_.suite);
    if (ring_.private_keys() == 0 || suite == nullptr) {
        return Reason::NoKey;
    }
    if (suite->exchange != Exchange::Rsa) {
        return ring_.entries() == 0 ? Reason::Ephemeral : Reason::NoKey;
    }
    if (handshake_->server_certificate) {
        return ring_.has_key_for(handshake_->server_key.get()) ? Reason::NoKey
                                                               : Reason::OtherRsaKey;
    }
    return summary_.resumed ? Reason::ResumedUnknown : Reason::NoKey;
}

// [RFC 5246 §6.3, RFC 2246 §6.3]
bool Connection::make_legacy_keys() {
    auto& hs = *handshake_;
    const auto* suite = find_suite(summary_.suite);
    if (!hs.server_hello || suite == nullptr || suite->exchange == Exchange::Tls13 ||
        summary_.version < version::tls10 || summary_.version > version::tls12 ||
        !shared_.ciphers().supports(*suite) || !find_master()) {
        return false;
    }
    const auto& bulk = bulk_of(*suite);
    const auto mac_size = size_of(suite->mac);
    const std::size_t key_size = bulk.key_size;
    std::size_t iv_size = 0;
    if (bulk.mode == Mode::Gcm || bulk.mode == Mode::Ccm) {
        iv_size = 4; // the salt [RFC 5288 §3]
    } else if (bulk.mode == Mode::ChaCha) {
        iv_size = 12; // [RFC 7905 §2]
    } else if (bulk.mode == Mode::Cbc && summary_.version == version::tls10) {
        iv_size = bulk.block_size;
    }
    std::array<std::uint8_t, std::size_t{2} * (48 + 32 + 16)> block{};
    const auto used = std::span{block}.first(2 * (mac_size + key_size + iv_size));
    if (!shared_.hasher().prf(summary_.version, suite->prf, hs.master, "key expansion",
                              hs.server_random, hs.client_random, used)) {
        return false;
    }
    Reader reader{used};
    for (auto& keys : hs.pending) {
        keys = std::make_unique<DirectionKeys>();
        keys->suite = suite;
        keys->version = summary_.version;
        keys->encrypt_then_mac = hs.encrypt_then_mac && bulk.mode == Mode::Cbc;
        std::ranges::copy(reader.take(mac_size), keys->secret.begin());
    }
    for (auto& keys : hs.pending) {
        std::ranges::copy(reader.take(key_size), keys->key.begin());
    }
    for (auto& keys : hs.pending) {
        std::ranges::copy(reader.take(iv_size), keys->iv.begin());
    }
    OPENSSL_cleanse(block.data(), block.size());
    return true;
}

void Connection::take_legacy_keys(Side from) {
    auto& pending = handshake_->pending[index_of(role_of(from))];
    if (pending || make_legacy_keys()) {
        half(from).keys = std::move(pending);
    }
}

} // namespace cw::capture::tls
