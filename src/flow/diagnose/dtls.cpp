// DTLS-SRTP that is not set up: roles that do not fit, a ClientHello that nobody answers, a
// certificate that is not the one that was announced.
#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"
#include "flow/promises.hpp"

namespace cw::flow::diagnose {
namespace {

// The roles in the answer [RFC 5763 §5].
std::string wrong_roles(const MediaLine& wanted, const MediaLine& given) {
    if (given.setup == 'x') {
        return "the answer says setup:actpass, so that nobody begins";
    }
    if (given.setup == 'a' && wanted.setup == 'a') {
        return "both say setup:active, so that both begin";
    }
    if (given.setup == 'p' && wanted.setup == 'p') {
        return "both say setup:passive, so that both wait";
    }
    return {};
}

// Of "sha-1 4A… sha-256 19…" the value of a hash; empty when it is not there.
std::string_view digest_in(std::string_view digests, std::string_view hash) {
    while (!digests.empty()) {
        const auto end = std::min(digests.find(' '), digests.size());
        const auto value = digests.substr(std::min(end + 1, digests.size()));
        const auto length = std::min(value.find(' '), value.size());
        if (iequals(digests.substr(0, end), hash)) {
            return value.substr(0, length);
        }
        digests = value.substr(std::min(length + 1, value.size()));
    }
    return {};
}

// Does the certificate fit a fingerprint, "sha-256 19:…"? Nothing when that cannot be told.
std::optional<bool> fits(std::string_view digests, std::string_view fingerprint) {
    const auto space = std::min(fingerprint.find(' '), fingerprint.size());
    const auto digest = digest_in(digests, fingerprint.substr(0, space));
    if (digest.empty() || space == fingerprint.size()) {
        return std::nullopt;
    }
    return iequals(digest, trim(fingerprint.substr(space + 1)));
}

// The fingerprints that the session description of a message says, "sha-256 19:E2…".
std::vector<std::string_view> fingerprints_in(const Case& c, std::uint32_t message) {
    constexpr std::string_view prefix = "a=fingerprint:";
    std::vector<std::string_view> out;
    Facts facts{c.call(), c.at(message)};
    while (const auto field = facts.next()) {
        if (field->id == sip::HeaderId::Other && field->value.starts_with(prefix)) {
            out.push_back(trim(field->value.substr(prefix.size())));
        }
    }
    return out;
}

// The certificate of an end against what its session description says. Another description of the
// call may name it: that of a later offer.
std::string other_certificate(const Case& c, const DtlsExchange& exchange, const Endpoint& end,
                              std::uint32_t message) {
    const auto& digests =
        end == exchange.client ? exchange.client_certificate : exchange.server_certificate;
    const auto told = fingerprints_in(c, message);
    const auto wrong = std::ranges::find_if(
        told, [&](std::string_view one) { return fits(digests, one) == false; });
    if (wrong == told.end()) {
        return {};
    }
    for (std::uint32_t i = 0; i < c.call().messages.size(); ++i) {
        if (c.at(i).media_count == 0) {
            continue;
        }
        for (const auto one : fingerprints_in(c, i)) {
            if (fits(digests, one) == true) {
                return {};
            }
        }
    }
    const auto hash = wrong->substr(0, wrong->find(' '));
    return fmt::format("the certificate that {} shows has {} {}, its session description says {}",
                       shown(end), quoted(hash, 16), quoted(digest_in(digests, hash), 100),
                       quoted(wrong->substr(std::min(hash.size() + 1, wrong->size())), 100));
}

// Does RTP go between its ends? Then it has given keys.
bool carries_media(const Case& c, const DtlsExchange& exchange) {
    constexpr std::uint64_t some = 5;
    return std::ranges::any_of(c.call().streams, [&](const MediaStream& s) {
        const bool forth = s.source == exchange.client && s.destination == exchange.server;
        const bool back = s.source == exchange.server && s.destination == exchange.client;
        return s.packets > some && (forth || back);
    });
}

// Why this handshake gave no keys, by what was seen of it.
std::string why_failed(const Case& c, const DtlsExchange& exchange, const Promise& p,
                       bool by_offerer) {
    constexpr Duration patience = seconds(3);
    const auto ends = fmt::format("{} → {}", shown(exchange.client), shown(exchange.server));
    for (const auto& [end, message] :
         {std::pair{by_offerer ? exchange.client : exchange.server, p.offer},
          std::pair{by_offerer ? exchange.server : exchange.client, p.answer}}) {
        if (auto words = other_certificate(c, exchange, end, message); !words.empty()) {
            return words;
        }
    }
    if (exchange.alert != 0) {
        return fmt::format("{}: alert {} ({}) from the {} of the handshake", ends,
                           exchange.alert_name, exchange.alert,
                           exchange.alert_from_client ? "client" : "server");
    }
    if (exchange.no_profile && exchange.client_went_on) {
        return fmt::format("{}: the ServerHello takes no SRTP profile (use_srtp), so the handshake "
                           "gives no keys for media",
                           ends);
    }
    if (c.window().end - exchange.first < patience) {
        return {};
    }
    if (!exchange.answered && exchange.hellos >= 3) {
        return fmt::format("{}: ClientHello sent {} times within {}, and no answer", ends,
                           exchange.hellos, shown(exchange.last - exchange.first));
    }
    if (exchange.answered && !(exchange.client_went_on && exchange.server_went_on) &&
        c.window().end - exchange.last >= patience) {
        return fmt::format("{}: answered, and never completed: {} has sent nothing that is "
                           "encrypted",
                           ends, exchange.client_went_on ? "the server" : "the client");
    }
    // In DTLS 1.3 the certificates and all that is said of them are encrypted: a refusal shows by
    // what does not follow.
    if (exchange.modern && exchange.client_went_on && exchange.server_went_on &&
        !exchange.confirmed && !carries_media(c, exchange) &&
        c.window().end - exchange.last >= patience) {
        return fmt::format("{}: DTLS 1.3 came as far as what is encrypted, and nothing uses the "
                           "keys of a finished handshake in the {} after it: one side has refused "
                           "the other",
                           ends, shown(c.window().end - exchange.last));
    }
    return {};
}

std::string why_not_set_up(const Case& c, const Promise& p) {
    const auto& lines = c.call().media_lines;
    auto words = wrong_roles(lines[p.offer_line], lines[p.answer_line]);
    const auto works = [&](const DtlsExchange* one) {
        return one != nullptr && one->client_went_on && one->server_went_on &&
               (!one->modern || one->confirmed || carries_media(c, *one));
    };
    // With ICE there may be several, of which one has to work; else the latest counts.
    const auto ends = ends_of(c.call(), p);
    const auto by = [&](int direction) {
        const DtlsExchange* latest = nullptr;
        for (const auto& exchange : c.dtls()) {
            if (ends.direction(exchange.client, exchange.server) == direction &&
                exchange.first >= c.at(p.offer).time && !(ends.ice && works(latest))) {
                latest = &exchange;
            }
        }
        return latest;
    };
    const auto* forth = by(1);
    const auto* back = by(-1);
    if (!words.empty()) {
        return works(forth) || works(back) ? std::string{} : words; // they came to terms
    }
    if (forth != nullptr && back != nullptr && !works(forth) && !works(back) && !forth->agreed &&
        !back->agreed) {
        return fmt::format("{} and {} both send ClientHello, and neither answers", shown(p.offerer),
                           shown(p.answerer));
    }
    for (const auto* one : {forth, back}) {
        const bool other_works = ends.ice && works(one == forth ? back : forth);
        if (one != nullptr && words.empty() && !other_works) {
            words = why_failed(c, *one, p, one == forth);
        }
    }
    return words;
}

} // namespace

// D72.
void check_dtls(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    for (const auto& p : promises) {
        if (!c.call().media_lines[p.offer_line].dtls || !c.call().media_lines[p.answer_line].dtls) {
            continue;
        }
        if (auto words = why_not_set_up(c, p); !words.empty()) {
            out.add("D72", {p.answer, p.offer}, std::move(words));
            return;
        }
    }
}

} // namespace cw::flow::diagnose
