#include "crypto/digest_client.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/aka.hpp"

namespace cw::crypto {
namespace {

// What we choose of a list "auth,auth-int"; "auth-int" only where it stands alone. Nothing when
// neither is there.
std::optional<std::string_view> choose_qop(std::string_view list) {
    std::optional<std::string_view> chosen;
    if (trim(list).empty()) {
        return "";
    }
    while (!list.empty()) {
        const auto comma = std::min(list.find(','), list.size());
        const auto one = trim(list.substr(0, comma));
        list.remove_prefix(std::min(comma + 1, list.size()));
        if (iequals(one, "auth")) {
            return "auth";
        }
        if (iequals(one, "auth-int")) {
            chosen = "auth-int";
        }
    }
    return chosen;
}

} // namespace

std::optional<DigestChallenge> choose_challenge(std::span<const std::string_view> values) {
    for (const auto value : values) {
        const auto challenge = parse_challenge(value);
        if (challenge && digest_algorithm(challenge->algorithm) && choose_qop(challenge->qop)) {
            return *challenge;
        }
    }
    return std::nullopt;
}

std::string answer_challenge(Digester& digester, const DigestChallenge& challenge,
                             const DigestAnswer& answer) {
    // [RFC 3310 §3.3] Of AKA the password is what its user has got from the nonce.
    const auto aka = parse_aka_algorithm(challenge.algorithm);
    const auto algorithm =
        aka ? aka->hash : digest_algorithm(challenge.algorithm).value_or(DigestAlgorithm::Md5);
    const auto qop = choose_qop(challenge.qop).value_or("");
    const auto nc = fmt::format("{:08x}", answer.nc);
    const auto ha1 = digester.ha1(algorithm, answer.username, challenge.realm, answer.password);
    const auto response = digester.response({.algorithm = algorithm,
                                             .ha1 = ha1.text(),
                                             .method = answer.method,
                                             .uri = answer.uri,
                                             .nonce = challenge.nonce,
                                             .qop = qop,
                                             .nc = nc,
                                             .cnonce = answer.cnonce,
                                             .body = answer.body});
    auto out = fmt::format(
        R"(Digest username="{}", realm="{}", nonce="{}", uri="{}", response="{}", algorithm={})",
        answer.username, challenge.realm, challenge.nonce, answer.uri, response.text(),
        aka ? challenge.algorithm : to_string(algorithm));
    if (!qop.empty()) {
        out += fmt::format(R"(, qop={}, nc={}, cnonce="{}")", qop, nc, answer.cnonce);
    }
    if (!challenge.opaque.empty()) {
        out += fmt::format(R"(, opaque="{}")", challenge.opaque);
    }
    if (!answer.auts.empty()) {
        out += fmt::format(R"(, auts="{}")", answer.auts);
    }
    return out;
}

} // namespace cw::crypto
