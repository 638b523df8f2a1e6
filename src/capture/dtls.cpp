#include "capture/dtls.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "capture/tls/hello.hpp"
#include "rtp/srtp_suite.hpp"

namespace cw::capture {
namespace {

constexpr std::size_t record_header = 13;
constexpr std::size_t message_header = 12;
constexpr std::uint8_t first_record = 20; // ChangeCipherSpec
constexpr std::uint8_t alert_record = 21;
constexpr std::uint8_t handshake_record = 22;
constexpr std::uint8_t last_record = 26; // ACK of DTLS 1.3
constexpr std::uint8_t client_hello = 1;
constexpr std::uint8_t server_hello = 2;
constexpr std::uint8_t hello_verify_request = 3;
constexpr std::uint8_t certificate = 11;
constexpr std::size_t random_at = record_header + message_header + 2; // of a ClientHello
constexpr std::size_t random_size = 32;
constexpr std::size_t largest_message = 16384;
constexpr std::uint32_t most_told = 32; // ClientHellos of one handshake; more say nothing new
constexpr std::size_t most_offered = 16;
constexpr Duration kept = seconds(3600);
// [RFC 5764 §4.2] "EXTRACTOR-dtls_srtp"
constexpr std::string_view label = "EXTRACTOR-dtls_srtp";

std::uint32_t load_be24(const std::uint8_t* at) {
    return std::uint32_t{at[0]} << 16U | std::uint32_t{at[1]} << 8U | at[2];
}

// The sizes of master key and salt of a profile; 0: not one that we have.
struct Sizes {
    std::size_t key = 0;
    std::size_t salt = 0;
};
Sizes sizes_of(std::uint16_t profile) {
    for (const auto& facts : rtp::all_srtp_suites()) {
        const bool null_cipher = facts.dtls_profile != 0 && facts.dtls_profile + 4 == profile &&
                                 !facts.aead; // see rtp::srtp_parameters_of_dtls()
        if (profile != 0 && (facts.dtls_profile == profile || null_cipher)) {
            return {facts.key, facts.salt};
        }
    }
    return {};
}

// As session descriptions write them [RFC 8122 §5]: "sha-1 4A:AD:B9… sha-256 …".
std::string digests_of(Bytes certificate_der) {
    struct Hash {
        const char* name;
        const EVP_MD* (*method)();
    };
    constexpr std::array<Hash, 5> hashes{{{"sha-1", EVP_sha1},
                                          {"sha-224", EVP_sha224},
                                          {"sha-256", EVP_sha256},
                                          {"sha-384", EVP_sha384},
                                          {"sha-512", EVP_sha512}}};
    std::string out;
    for (const auto& hash : hashes) {
        std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
        unsigned length = 0;
        if (EVP_Digest(certificate_der.data(), certificate_der.size(), digest.data(), &length,
                       hash.method(), nullptr) == 1) {
            out += out.empty() ? "" : " ";
            out += hash.name;
            out += ' ';
            for (unsigned i = 0; i < length; ++i) {
                out += fmt::format("{}{:02X}", i == 0 ? "" : ":", digest[i]);
            }
        }
    }
    return out;
}

// USERNAME of a Binding request [RFC 8489 §5, §14.3], "theirs:mine" [RFC 8445 §7.2.2]; empty: it is
// something else.
std::string_view agents_in(Bytes stun) {
    constexpr std::size_t header = 20;
    constexpr std::uint16_t binding_request = 1;
    constexpr std::uint32_t cookie = 0x2112'a442;
    constexpr std::uint16_t username = 6;
    if (stun.size() < header || load_be16(stun.data()) != binding_request ||
        load_be32(stun.data() + 4) != cookie) {
        return {};
    }
    for (auto rest = stun.subspan(header); rest.size() >= 4;) {
        const std::size_t size = load_be16(rest.data() + 2);
        if (rest.size() - 4 < size) {
            return {};
        }
        if (load_be16(rest.data()) == username) {
            return as_text(rest.subspan(4, size));
        }
        rest = rest.subspan(std::min(4 + (size + 3) / 4 * 4, rest.size()));
    }
    return {};
}

} // namespace

void DtlsHandshakes::on_stun(const Datagram& datagram, flow::Listener& listener) {
    const auto names = agents_in(datagram.payload);
    const auto colon = std::min(names.find(':'), names.size());
    const auto theirs = names.substr(0, colon);
    const auto mine = names.substr(std::min(colon + 1, names.size()));
    const auto ends = ends_of(datagram.source, datagram.destination);
    if (theirs.empty() || mine.empty() || theirs == mine || checked_.contains(ends)) {
        return;
    }
    if (checked_.size() >= most_handshakes) {
        checked_.clear();
        agents_.clear();
    }
    const auto id =
        mix_hash(hash_bytes(std::min(theirs, mine)), hash_bytes(std::max(theirs, mine)));
    const bool source_is_first = mine < theirs;
    checked_[ends] = {id, (ends.low == datagram.source) == source_is_first};
    auto& agents = agents_[id];
    if (agents.ways.size() >= most_ways) {
        return;
    }
    agents.ways.push_back(source_is_first ? Way{datagram.source, datagram.destination}
                                          : Way{datagram.destination, datagram.source});
    const auto known = handshakes_.find(ends_of(agents.begun.first, agents.begun.second));
    if (agents.any && known != handshakes_.end() && known->second.handshake.known) {
        tell_way(known->second.handshake, agents, agents.ways.back(), listener);
    }
}

// What belongs to a handshake that began between other addresses of the same two agents, as if it
// went there.
Datagram DtlsHandshakes::as_begun(const Datagram& datagram, bool begins) {
    const auto ends = ends_of(datagram.source, datagram.destination);
    const auto pair = checked_.find(ends);
    if (pair == checked_.end()) {
        return datagram;
    }
    auto& agents = agents_[pair->second.agents];
    const bool source_is_first = (ends.low == datagram.source) == pair->second.low_is_first;
    const auto known = agents.any
                           ? handshakes_.find(ends_of(agents.begun.first, agents.begun.second))
                           : handshakes_.end();
    const auto payload = datagram.payload;
    const bool again = known != handshakes_.end() && begins &&
                       payload.size() >= random_at + random_size &&
                       std::ranges::equal(payload.subspan(random_at, random_size),
                                          known->second.handshake.client_random);
    if (begins && !again) {
        agents.any = true;
        agents.begun = source_is_first ? Way{datagram.source, datagram.destination}
                                       : Way{datagram.destination, datagram.source};
        return datagram;
    }
    // Agents have a handshake for each component: one of their own counts.
    if (known == handshakes_.end() || (!again && handshakes_.contains(ends))) {
        return datagram;
    }
    auto moved = datagram;
    moved.source = source_is_first ? agents.begun.first : agents.begun.second;
    moved.destination = source_is_first ? agents.begun.second : agents.begun.first;
    return moved;
}

bool DtlsHandshakes::on_datagram(const Datagram& captured, flow::Listener& listener) {
    // Only a ClientHello begins one: record of handshake, epoch 0, message type 1.
    const auto payload = captured.payload;
    const bool begins = payload.size() > record_header && payload[0] == handshake_record &&
                        load_be16(payload.data() + 3) == 0 &&
                        payload[record_header] == client_hello;
    const auto datagram = as_begun(captured, begins);
    const auto ends = ends_of(datagram.source, datagram.destination);
    auto at = handshakes_.find(ends);
    if (at == handshakes_.end()) {
        if (!begins) {
            return false;
        }
        if (handshakes_.size() >= most_handshakes) {
            sweep(datagram.time);
        }
        at = handshakes_.emplace(ends, Known{}).first;
    }
    auto& known = at->second;
    on_records(known, datagram);
    auto& handshake = known.handshake;
    if (handshake.answered && !handshake.known && handshake.looked != ring_.generation()) {
        tell(handshake, listener);
    }
    for (auto& progress : known.progress) {
        if (!std::exchange(progress.told, true)) {
            progress.exchange.last = datagram.time;
            listener.on_dtls_exchange(progress.exchange);
        }
    }
    return true;
}

// Lets go of old ones; of all, when there are too many new ones.
void DtlsHandshakes::sweep(Instant now) {
    boost::unordered::erase_if(handshakes_, [&](const auto& entry) {
        return now - entry.second.handshake.at.time > kept;
    });
    if (handshakes_.size() >= most_handshakes) {
        handshakes_.clear();
    }
}

DtlsHandshakes::Progress& DtlsHandshakes::progress_of(Known& known, const Datagram& datagram,
                                                      bool answers) {
    const bool lesser = datagram.source < datagram.destination;
    return known.progress[lesser != answers ? 0 : 1];
}

void DtlsHandshakes::on_records(Known& known, const Datagram& datagram) {
    auto rest = datagram.payload;
    // Records of DTLS 1.3 that are encrypted have another header [RFC 9147 §4].
    if (!rest.empty() && (rest[0] & 0xe0U) == 0x20) {
        note_protected(known, datagram);
        // "The low two bits (0x03) include the low-order two bits of the epoch": 2 is for the
        // handshake, 3 is the first for what comes after it [RFC 9147 §4, §6.1].
        if ((rest[0] & 3U) != 2) {
            note_confirmed(known);
        }
    }
    while (rest.size() > record_header && rest[0] >= first_record && rest[0] <= last_record) {
        if (load_be16(rest.data() + 3) != 0) { // and so are those of a renegotiation
            note_protected(known, datagram);
            return;
        }
        const auto type = rest[0];
        const std::size_t size = load_be16(rest.data() + 11);
        if (rest.size() < record_header + size) {
            return; // cut by the capture
        }
        auto record = rest.subspan(record_header, size);
        rest = rest.subspan(record_header + size);
        if (type == alert_record) {
            note_alert(known, record, datagram);
        }
        while (type == handshake_record && record.size() >= message_header) {
            const std::size_t part = load_be24(record.data() + 9);
            if (record.size() < message_header + part) {
                return;
            }
            on_fragment(known, record.first(message_header + part), datagram);
            record = record.subspan(message_header + part);
        }
    }
}

// Fragments are put together in their order; a lost one means that its message is sent again.
void DtlsHandshakes::on_fragment(Known& known, Bytes fragment, const Datagram& datagram) {
    const auto type = fragment[0];
    const auto size = load_be24(fragment.data() + 1);
    const auto sequence = load_be16(fragment.data() + 4);
    const auto offset = load_be24(fragment.data() + 6);
    const auto body = fragment.subspan(message_header);
    if (type != client_hello && type != server_hello && type != hello_verify_request &&
        type != certificate) {
        return;
    }
    if (offset == 0 && body.size() == size) {
        on_message(known, type, body, datagram);
        return;
    }
    auto& handshake = known.handshake;
    const bool from_client =
        type == client_hello || (type == certificate && datagram.source == handshake.at.source);
    auto& partial = handshake.partial[from_client ? 0 : 1];
    if (offset == 0) {
        partial = {.body = {}, .size = size, .sequence = sequence, .type = type};
    }
    if (partial.type != type || partial.sequence != sequence || partial.size != size ||
        offset != partial.body.size() || size > largest_message || body.size() > size - offset) {
        return;
    }
    partial.body.insert(partial.body.end(), body.begin(), body.end());
    if (partial.body.size() == size) {
        const auto whole = std::move(partial.body);
        partial = {};
        on_message(known, type, whole, datagram);
    }
}

void DtlsHandshakes::on_message(Known& known, std::uint8_t type, Bytes body,
                                const Datagram& datagram) {
    if (type == client_hello) {
        on_client_hello(known, body, datagram);
    } else if (type == certificate) {
        note_certificate(known, body, datagram);
    } else {
        auto& progress = progress_of(known, datagram, true);
        progress.told &= progress.exchange.answered;
        progress.exchange.answered = true;
        if (type == server_hello) {
            on_server_hello(known, body, datagram);
        }
    }
}

void DtlsHandshakes::on_client_hello(Known& known, Bytes body, const Datagram& datagram) {
    const auto hello = tls::parse_client_hello(body, true);
    if (!hello) {
        return;
    }
    auto& progress = progress_of(known, datagram, false);
    if (progress.exchange.hellos == 0 || !std::ranges::equal(hello->random, progress.random)) {
        progress = {};
        std::ranges::copy(hello->random, progress.random.begin());
        progress.exchange.first = datagram.time;
        progress.exchange.client = datagram.source;
        progress.exchange.server = datagram.destination;
        progress.exchange.frame = datagram.frame;
    }
    progress.told = ++progress.exchange.hellos > most_told;
    auto& handshake = known.handshake;
    if (std::ranges::equal(hello->random, handshake.client_random)) {
        return; // sent again, with the cookie or without
    }
    handshake = {};
    handshake.at = {.time = datagram.time,
                    .frame = datagram.frame,
                    .input = datagram.input,
                    .ip_id = 0,
                    .source = datagram.source,
                    .destination = datagram.destination};
    std::ranges::copy(hello->random, handshake.client_random.begin());
    for (Reader profiles{hello->srtp_profiles};
         profiles.left() >= 2 && handshake.offered.size() < most_offered;) {
        handshake.offered.push_back(profiles.be16());
    }
}

void DtlsHandshakes::on_server_hello(Known& known, Bytes body, const Datagram& datagram) {
    auto& handshake = known.handshake;
    const auto hello = tls::parse_server_hello(body);
    if (!hello || hello->retry || datagram.source != handshake.at.destination) {
        return;
    }
    auto& progress = progress_of(known, datagram, true);
    progress.told &= progress.exchange.agreed;
    progress.exchange.agreed = true;
    progress.exchange.modern = hello->version == tls::version::dtls13;
    // In DTLS 1.3 it stands among what is encrypted.
    progress.exchange.no_profile =
        hello->version != tls::version::dtls13 && hello->srtp_profile == 0;
    if (handshake.answered) {
        return;
    }
    handshake.answered = true;
    std::ranges::copy(hello->random, handshake.server_random.begin());
    handshake.version = hello->version;
    handshake.suite = hello->suite;
    handshake.profile = hello->srtp_profile;
}

// Who has sent something encrypted has keys.
void DtlsHandshakes::note_protected(Known& known, const Datagram& datagram) {
    for (auto& progress : known.progress) {
        auto& exchange = progress.exchange;
        if (!exchange.agreed) {
            continue;
        }
        auto& went_on =
            datagram.source == exchange.client ? exchange.client_went_on : exchange.server_went_on;
        progress.told &= went_on;
        went_on = true;
    }
}

void DtlsHandshakes::note_confirmed(Known& known) {
    for (auto& progress : known.progress) {
        if (progress.exchange.modern) {
            progress.told &= std::exchange(progress.exchange.confirmed, true);
        }
    }
}

void DtlsHandshakes::note_alert(Known& known, Bytes record, const Datagram& datagram) {
    constexpr std::uint8_t fatal = 2;
    if (record.size() != 2 || record[0] != fatal) {
        return;
    }
    for (auto& progress : known.progress) {
        auto& exchange = progress.exchange;
        if (exchange.hellos > 0 && exchange.alert == 0) {
            exchange.alert = record[1];
            exchange.alert_name = tls::alert_name(record[1]);
            exchange.alert_from_client = datagram.source == exchange.client;
            progress.told = false;
        }
    }
}

// The first of a chain: "[…] each one preceded by its length" [RFC 5246 §7.4.2].
void DtlsHandshakes::note_certificate(Known& known, Bytes body, const Datagram& datagram) {
    if (body.size() < 6) {
        return;
    }
    const std::size_t size = load_be24(body.data() + 3);
    if (size == 0 || size > body.size() - 6) {
        return;
    }
    for (auto& progress : known.progress) {
        auto& exchange = progress.exchange;
        if (!exchange.agreed) {
            continue;
        }
        auto& digests = datagram.source == exchange.client ? exchange.client_certificate
                                                           : exchange.server_certificate;
        if (digests.empty()) {
            digests = digests_of(body.subspan(6, size));
            progress.told = false;
        }
    }
}

// The choice of DTLS 1.3 is encrypted: each profile that was offered is tried on the packets.
std::vector<std::uint16_t> DtlsHandshakes::profiles_of(const Handshake& handshake) {
    return handshake.profile != 0 ? std::vector{handshake.profile} : handshake.offered;
}

// [RFC 5764 §4.2] client_write_SRTP_master_key, server_write_SRTP_master_key, and the two salts.
bool DtlsHandshakes::export_keys(const Handshake& handshake, std::uint16_t profile,
                                 flow::DtlsSrtp& out) {
    const auto* suite = tls::find_suite(handshake.suite);
    const auto sizes = sizes_of(profile);
    if (suite == nullptr || sizes.key == 0) {
        return false;
    }
    const auto entry = ring_.find(handshake.client_random);
    std::array<std::uint8_t, 2 * rtp::SrtpSecret::most> block{};
    const auto used = std::span{block}.first(2 * (sizes.key + sizes.salt));
    bool done = false;
    if (handshake.version == tls::version::dtls13) {
        const auto secret = ring_.secret(entry, crypto::Secret::Exporter);
        done = !secret.empty() && hasher_.export_dtls13(suite->prf, secret, label, used);
    } else {
        const auto secret = ring_.secret(entry, crypto::Secret::Master);
        // [RFC 5705 §4] without a context
        done = !secret.empty() &&
               hasher_.prf(handshake.version == tls::version::dtls12 ? tls::version::tls12
                                                                     : tls::version::tls11,
                           suite->prf, secret, label, handshake.client_random,
                           handshake.server_random, used);
    }
    const auto part = [&](std::size_t side) {
        std::array<std::uint8_t, rtp::SrtpSecret::most> secret{};
        std::ranges::copy(used.subspan(side * sizes.key, sizes.key), secret.begin());
        std::ranges::copy(used.subspan(2 * sizes.key + side * sizes.salt, sizes.salt),
                          secret.begin() + static_cast<std::ptrdiff_t>(sizes.key));
        auto made =
            rtp::srtp_parameters_of_dtls(profile, Bytes{secret}.first(sizes.key + sizes.salt));
        OPENSSL_cleanse(secret.data(), secret.size());
        return made ? std::optional{*made} : std::nullopt;
    };
    if (done) {
        out.client_key = part(0);
        out.server_key = part(1);
    }
    OPENSSL_cleanse(block.data(), block.size());
    return done;
}

// As if it had gone between these two. False: its keys are not known.
bool DtlsHandshakes::tell_keys(const Handshake& handshake, const Endpoint& client,
                               const Endpoint& server, flow::Listener& listener) {
    flow::DtlsSrtp out{.at = handshake.at,
                       .version = tls::version_name(handshake.version),
                       .cipher = tls::suite_name(handshake.suite)};
    out.at.source = client;
    out.at.destination = server;
    bool any = false;
    for (const auto profile : profiles_of(handshake)) {
        if (export_keys(handshake, profile, out)) {
            listener.on_dtls_srtp(out);
            any = true;
        }
    }
    return any;
}

// Null: its ends have checked no other addresses, or it is of another component.
const DtlsHandshakes::Agents* DtlsHandshakes::agents_of(const Handshake& handshake) const {
    const auto pair = checked_.find(ends_of(handshake.at.source, handshake.at.destination));
    const auto at = pair == checked_.end() ? agents_.end() : agents_.find(pair->second.agents);
    return at != agents_.end() && at->second.any &&
                   ends_of(at->second.begun.first, at->second.begun.second) == pair->first
               ? &at->second
               : nullptr;
}

void DtlsHandshakes::tell_way(const Handshake& handshake, const Agents& agents, const Way& way,
                              flow::Listener& listener) {
    if (way == agents.begun) {
        return; // that is where it went
    }
    const bool client_is_first = agents.begun.first == handshake.at.source;
    tell_keys(handshake, client_is_first ? way.first : way.second,
              client_is_first ? way.second : way.first, listener);
}

void DtlsHandshakes::tell(Handshake& handshake, flow::Listener& listener) {
    const bool first = handshake.looked == 0xffff'ffff;
    handshake.looked = ring_.generation();
    const bool modern = handshake.version == tls::version::dtls13;
    const auto chosen = profiles_of(handshake);
    if (handshake.profile != 0 || modern) {
        handshake.known =
            tell_keys(handshake, handshake.at.source, handshake.at.destination, listener);
        if (const auto* agents = agents_of(handshake); agents != nullptr && handshake.known) {
            for (const auto& way : agents->ways) {
                tell_way(handshake, *agents, way, listener);
            }
        }
    }
    if (handshake.known || !first) {
        return;
    }
    flow::DtlsSrtp out{.at = handshake.at,
                       .version = tls::version_name(handshake.version),
                       .cipher = tls::suite_name(handshake.suite)};
    const auto& r = handshake.client_random;
    if (chosen.empty() || (handshake.profile == 0 && !modern)) {
        out.reason = "its DTLS handshake agreed on no SRTP profile";
    } else if (handshake.profile != 0 && sizes_of(handshake.profile).key == 0) {
        out.reason = fmt::format("unsupported SRTP profile 0x{:04x}", handshake.profile);
    } else {
        out.reason = fmt::format("no {} for client random {:02x}{:02x}{:02x}{:02x}…",
                                 modern ? "exporter secret" : "key", r[0], r[1], r[2], r[3]);
    }
    listener.on_dtls_srtp(out);
}

} // namespace cw::capture
