#include "server/authenticator.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "crypto/digest_fields.hpp"
#include "sip/uri.hpp"

namespace cw::server {
namespace {

// The count of an answer: eight hexadecimal digits [RFC 7616 §3.4]; 1 without qop, so that a nonce
// serves such an answer once. 0 is never fresh.
std::uint32_t count_of(const crypto::DigestCredentials& c) {
    if (c.qop.empty()) {
        return 1;
    }
    std::uint32_t nc = 0;
    const auto* end = c.nc.data() + c.nc.size();
    const auto [at, error] = std::from_chars(c.nc.data(), end, nc, 16);
    return error == std::errc{} && at == end && c.nc.size() == 8 ? nc : 0;
}

// The answer must be for this request: whoever has seen one for another target cannot use it here.
// Phones leave out or add parameters, so user and host count [RFC 7616 §3.4.6 asks for
// equivalence].
bool same_target(std::string_view answered, std::string_view asked) {
    if (answered == asked) {
        return true;
    }
    const auto a = sip::parse_uri(answered);
    const auto b = sip::parse_uri(asked);
    return a && b && a->user == b->user && iequals(a->host, b->host);
}

} // namespace

Authenticator::Answer Authenticator::check(const Incoming& in, sip::HeaderId id,
                                           const DomainEntry& domain) {
    Answer answer;
    constexpr int most = 8; // a request brings one for each of a few realms
    int seen = 0;
    for (const auto& header : in.message.headers()) {
        if (header.id != id || ++seen > most) {
            continue;
        }
        const auto one = check_one(in, header.value, domain);
        if (one.verdict == Verdict::Good) {
            return one;
        }
        if (one.verdict != Verdict::Missing) {
            answer = one;
        }
    }
    return answer;
}

Authenticator::Answer Authenticator::check_one(const Incoming& in, std::string_view value,
                                               const DomainEntry& domain) {
    const auto c = crypto::parse_credentials(value);
    if (!c || c->realm != domain.domain->name) {
        return {};
    }
    const auto algorithm = crypto::digest_algorithm(c->algorithm);
    if (!algorithm || (*algorithm == crypto::DigestAlgorithm::Md5 && !domain.domain->allow_md5) ||
        (!c->qop.empty() && c->qop != "auth" && c->qop != "auth-int") ||
        !same_target(c->uri, in.message.request_uri())) {
        return {Verdict::Wrong, nullptr};
    }
    const auto* user = domain.find_user(c->username);
    const auto response = digester_.response(
        {.algorithm = *algorithm,
         .ha1 = user != nullptr ? hash_of(*user, *algorithm) : std::string_view{"unknown"},
         .method = in.message.method_text(),
         .uri = c->uri,
         .nonce = c->nonce,
         .qop = c->qop,
         .nc = c->nc,
         .cnonce = c->cnonce,
         .body = in.message.body()});
    if (!crypto::same_digest(response.text(), c->response) || user == nullptr ||
        hash_of(*user, *algorithm).empty()) {
        return {Verdict::Wrong, nullptr};
    }
    switch (nonces_.use(c->nonce, domain.domain->name, count_of(*c), in.now)) {
    case crypto::Nonces::Verdict::Fresh:
        return {Verdict::Good, user};
    case crypto::Nonces::Verdict::Stale:
        return {Verdict::Stale, nullptr};
    case crypto::Nonces::Verdict::Unknown:
        break;
    }
    return {Verdict::Wrong, nullptr};
}

void Authenticator::append_challenge(std::string& out, const Incoming& in, sip::HeaderId id,
                                     const DomainEntry& domain, const User* user, bool stale) {
    std::string nonce;
    nonces_.append(nonce, domain.domain->name, in.now);
    const auto user_agent = in.message.value(sip::HeaderId::UserAgent);
    for (const auto algorithm : domain.algorithms(user, user_agent)) {
        out += id == sip::HeaderId::Authorization ? "WWW-Authenticate: Digest realm=\""
                                                  : "Proxy-Authenticate: Digest realm=\"";
        out += domain.domain->name;
        out += "\", nonce=\"";
        out += nonce;
        out += "\", algorithm=";
        out += crypto::to_string(algorithm);
        out += ", qop=\"auth\"";
        out += stale ? ", stale=true\r\n" : "\r\n";
    }
}

} // namespace cw::server
