#include "host/probe/revocation.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/probe/resolution.hpp"
#include "host/probe/wire.hpp"
#include "net/loop.hpp"

namespace cw::host {
namespace {

using State = crypto::OcspVerdict::State;

const X509* issuer_of(X509* certificate, const RevocationQuestion& question) {
    for (const auto& group : {question.presented, question.trusted}) {
        for (const auto& candidate : group) {
            if (X509_check_issued(candidate.get(), certificate) == X509_V_OK &&
                X509_verify(certificate, X509_get0_pubkey(candidate.get())) == 1) {
                return candidate.get();
            }
        }
    }
    return nullptr;
}

struct Url {
    ProbeTarget target; // where to connect
    std::string host;   // for Host
    std::string path;
};

// "http://ocsp.example.com/x". It stands in a certificate, and so is anybody's text.
std::optional<Url> parse_url(std::string_view url) {
    constexpr std::string_view scheme = "http://";
    constexpr std::uint16_t http = 80;
    const bool plain = std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!plain || !istarts_with(url, scheme)) {
        return std::nullopt;
    }
    url.remove_prefix(scheme.size());
    const auto slash = std::min(url.find('/'), url.size());
    Url out{.target = {},
            .host = std::string{url.substr(0, slash)},
            .path = std::string{url.substr(slash)}};
    out.path = out.path.empty() ? "/" : out.path;
    auto target = parse_probe_target("tcp:" + out.host);
    if (!target) {
        return std::nullopt;
    }
    out.target = std::move(*target);
    out.target.port = out.target.port != 0 ? out.target.port : http;
    return out;
}

// The response's DER, or why there is none.
std::expected<std::string, std::string> post(const Url& url, std::string_view body,
                                             const RevocationQuestion& question) {
    const auto places = resolve(url.target, question.timeout, question.dns_servers);
    std::string why = places.failure.empty() ? "its name leads nowhere" : places.failure;
    for (const auto& place : places.places) {
        Wire wire;
        const auto until = net::Loop::now() + question.timeout;
        auto outcome = wire.connect(place.endpoint, until);
        if (!outcome.good()) {
            why = outcome.why;
            continue;
        }
        outcome = wire.write(fmt::format("POST {} HTTP/1.0\r\nHost: {}\r\n"
                                         "Content-Type: application/ocsp-request\r\n"
                                         "Content-Length: {}\r\n\r\n{}",
                                         url.path, url.host, body.size(), body),
                             until);
        std::string answer;
        while (outcome.good() && answer.size() <= crypto::largest_ocsp) {
            outcome = wire.read(answer, until);
        }
        if (outcome.end != Wire::End::Closed) { // HTTP/1.0 ends with the connection
            return std::unexpected{outcome.good() ? "its answer is larger than 64 kB"
                                                  : outcome.why};
        }
        const auto first = answer.substr(0, answer.find('\r'));
        const auto end = answer.find("\r\n\r\n");
        if (!first.starts_with("HTTP/1.") || end == std::string::npos) {
            return std::unexpected{"its answer is no HTTP"};
        }
        if (first.find(" 200") == std::string::npos) {
            return std::unexpected{"it says " + first.substr(0, 60)};
        }
        return answer.substr(end + 4);
    }
    return std::unexpected{why};
}

crypto::OcspVerdict ask(const std::string& url, X509* certificate, const X509* issuer,
                        const RevocationQuestion& question, const crypto::OcspQuestion& about) {
    const auto failed = [](std::string why) {
        return crypto::OcspVerdict{
            .state = State::Useless, .what = std::move(why), .produced = {}, .next = {}};
    };
    const auto where = parse_url(url);
    if (!where) {
        return failed("the certificate names no OCSP responder that can be asked over http");
    }
    if (issuer == nullptr) {
        return crypto::judge_ocsp({}, about); // says so
    }
    const auto request = crypto::ocsp_request(certificate, issuer);
    if (!request) {
        return failed(request.error().what);
    }
    const auto answer = post(*where, *request, question);
    return answer ? crypto::judge_ocsp(as_bytes(*answer), about)
                  : failed("its responder cannot be asked: " + answer.error());
}

} // namespace

std::optional<ProbeOcsp> look_at_revocation(const RevocationQuestion& question,
                                            crypto::ChainVerdict& verdict) {
    if (question.presented.empty() || (question.stapled.empty() && !question.ask)) {
        return std::nullopt;
    }
    auto* certificate = question.presented.front().get();
    const auto* issuer = issuer_of(certificate, question);
    const crypto::OcspQuestion about{.certificate = certificate,
                                     .issuer = issuer,
                                     .others = question.presented,
                                     .at = question.at};
    ProbeOcsp found;
    if (!question.stapled.empty()) {
        found.from = "stapled";
        found.verdict = crypto::judge_ocsp(question.stapled, about);
    } else {
        found.from = crypto::ocsp_url(certificate);
        found.verdict = ask(found.from, certificate, issuer, question, about);
    }
    const bool revoked = found.verdict.state == State::Revoked;
    if (revoked || (question.ask && found.verdict.state != State::Good)) {
        const auto name = crypto::describe(certificate).name;
        verdict.faults.push_back(
            {.rule = revoked ? crypto::ChainRule::Revoked : crypto::ChainRule::NoCrl,
             .certificate = name,
             .what = (revoked ? "" : "OCSP: ") + found.verdict.what,
             .advice = revoked ? "it needs another certificate" : ""});
        std::ranges::stable_sort(verdict.faults, {}, &crypto::ChainFault::rule);
    }
    return found;
}

} // namespace cw::host
