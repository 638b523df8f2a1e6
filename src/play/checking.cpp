#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/aka.hpp"
#include "crypto/digest_fields.hpp"
#include "play/compare.hpp"
#include "play/messages.hpp"
#include "play/sound.hpp"
#include "play/state.hpp"

namespace cw::play {

using sip::HeaderId;

void State::check_facts(StepId step, const sip::MessageView& message) {
    const auto& a = arrow(step);
    const Values::CallFinder calls = [&](CallId call) { return call_facts(a.to, call); };
    const Values::Where where{a.call, exchanges[step].received_on.transport, &calls};
    const auto differs = [&](Difference difference) {
        auto why = fmt::format("{} is not as drawn", difference.where);
        failed(step, Verdict::Failed, std::move(why), std::move(difference));
    };
    for (const auto& fact : a.facts) {
        std::optional<Difference> difference;
        if (const auto* header = std::get_if<script::Header>(&fact.value)) {
            difference = compare(*header, message, values, where);
        } else if (const auto* line = std::get_if<script::SdpLine>(&fact.value)) {
            difference = compare(*line, message.body(), values, where);
        }
        if (difference) {
            differs(std::move(*difference));
            return;
        }
    }
    if (auto difference = check_body(step)) {
        differs(std::move(*difference));
        return;
    }
    const bool readable = is_readable(step);
    std::string_view asked;
    if (const auto* response = std::get_if<script::Response>(&a.content)) {
        const auto& sent = exchanges[first_of(response->answers)].sent;
        asked = std::string_view{sent}.substr(std::min(sent.find("\r\n\r\n"), sent.size()));
        asked.remove_prefix(std::min<std::size_t>(4, asked.size()));
    }
    if (auto difference = readable ? sound->check(a.facts, message.body(), asked) : std::nullopt) {
        differs(std::move(*difference));
        return;
    }
    if (auto difference = check_credentials(a, message)) {
        differs(std::move(*difference));
        return;
    }
    const auto* request = std::get_if<script::Request>(&a.content);
    if (request != nullptr && request->text && readable) {
        if (!values.match(*request->text, message.body(), where, false)) {
            differs({"the text", values.show(*request->text, where), std::string{message.body()}});
        }
    }
    if (const auto* report_said = script::find<script::Sipfrag>(a.facts)) {
        const auto wanted = fmt::format("SIP/2.0 {} ", report_said->status);
        if (!istarts_with(message.body(), wanted)) {
            differs({"the status reported",
                     fmt::format("{} {}", report_said->status, report_said->phrase),
                     start_line(message.body())});
        }
    }
    const auto* within = script::find<script::Within>(a.facts);
    if (within != nullptr && exchanges[step].received_at - waiting[step].since > within->time) {
        failed(step, Verdict::Failed, "it came too late",
               {"time", fmt::format("within {} ms", within->time.milliseconds()),
                fmt::format("{:.0f} ms",
                            (exchanges[step].received_at - waiting[step].since).milliseconds())});
    }
}

// What the words about credentials ask for: a challenge's algorithm; and where we play the server
// that asked, that the answer is right, or wrong as drawn.
std::optional<Difference> State::check_credentials(const Arrow& a,
                                                   const sip::MessageView& message) {
    if (const auto* said = script::find<script::Algorithm>(a.facts);
        said != nullptr && !message.is_request()) {
        const auto wanted = said->hash == script::Hash::Md5 ? crypto::DigestAlgorithm::Md5
                            : said->hash == script::Hash::Sha256
                                ? crypto::DigestAlgorithm::Sha256
                                : crypto::DigestAlgorithm::Sha512_256;
        std::string seen;
        for (const auto& header : message.headers()) {
            if (header.id != HeaderId::WwwAuthenticate &&
                header.id != HeaderId::ProxyAuthenticate) {
                continue;
            }
            const auto challenge = crypto::parse_challenge(header.value);
            if (challenge && crypto::digest_algorithm(challenge->algorithm) == wanted) {
                return std::nullopt;
            }
            seen += (seen.empty() ? "" : ", ") +
                    (challenge
                         ? std::string{challenge->algorithm.empty() ? "MD5" : challenge->algorithm}
                         : "another scheme");
        }
        return Difference{"the challenge's algorithm", std::string{crypto::to_string(wanted)},
                          seen.empty() ? "no challenge" : seen};
    }
    if (!message.is_request()) {
        return std::nullopt;
    }
    // What is drawn stands where the request began its way.
    const Arrow* first = &a;
    while (first->forwards) {
        first = &arrow(*first->forwards);
    }
    const bool wrong = script::says(first->facts, script::Word::WrongPassword);
    const bool drawn = wrong || script::says(a.facts, script::Word::Digest) ||
                       script::says(a.facts, script::Word::Aka);
    std::optional<crypto::DigestCredentials> answer;
    bool any = false;
    for (const auto& header : message.headers()) {
        if (header.id != HeaderId::Authorization && header.id != HeaderId::ProxyAuthorization) {
            continue;
        }
        if (const auto credentials = crypto::parse_credentials(header.value)) {
            any = true;
            if (credentials->nonce == players[a.to].nonce) {
                answer = *credentials;
            }
        }
    }
    if (drawn && !any) {
        return Difference{"credentials", "a digest", "(not there)"};
    }
    if (!answer) { // they are for another server
        return std::nullopt;
    }
    const auto aka = crypto::parse_aka_algorithm(answer->algorithm);
    const auto algorithm =
        aka ? std::optional{aka->hash} : crypto::digest_algorithm(answer->algorithm);
    const auto member = std::ranges::find_if(cast.members, [&](const Member& m) {
        return m.login == answer->username && m.control == script::Control::Played;
    });
    if (!algorithm || member == cast.members.end()) {
        return std::nullopt;
    }
    const auto& password = aka ? players[a.to].aka_password : member->password;
    const auto ha1 = digester.ha1(*algorithm, answer->username, answer->realm, password);
    const auto right = digester.response({.algorithm = *algorithm,
                                          .ha1 = ha1.text(),
                                          .method = message.method_text(),
                                          .uri = answer->uri,
                                          .nonce = answer->nonce,
                                          .qop = answer->qop,
                                          .nc = answer->nc,
                                          .cnonce = answer->cnonce,
                                          .body = message.body()});
    const bool matches = crypto::same_digest(right.text(), answer->response);
    if (matches == wrong) {
        return Difference{"credentials", wrong ? "a wrong password" : "the right password",
                          matches ? "the right one" : "a wrong one"};
    }
    return std::nullopt;
}

} // namespace cw::play
