// Registration and authentication.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::HeaderId;
using sip::Method;

bool is_challenge(const Transaction& t) {
    return t.status == 401 || t.status == 407;
}

// The value of a parameter of a challenge or of credentials, without quotes.
std::string_view auth_param(std::string_view value, std::string_view name) {
    for (std::size_t at = 0; at < value.size();) {
        const auto end = std::min(value.find(',', at), value.size());
        auto part = trim(value.substr(at, end - at));
        if (at == 0) { // the scheme stands before the first
            part = trim(part.substr(std::min(part.find(' '), part.size())));
        }
        const auto equals = part.find('=');
        if (equals != std::string_view::npos && iequals(trim(part.substr(0, equals)), name)) {
            auto inside = trim(part.substr(equals + 1));
            if (inside.size() >= 2 && inside.front() == '"' && inside.back() == '"') {
                inside = inside.substr(1, inside.size() - 2);
            }
            return inside;
        }
        at = end + 1;
    }
    return {};
}

std::string_view challenge_in(const Case& c, const Transaction& t) {
    return Facts{c.call(), c.at(t.final)}.value(t.status == 401 ? HeaderId::WwwAuthenticate
                                                                : HeaderId::ProxyAuthenticate);
}

bool is_stale(const Case& c, const Transaction& t) {
    return iequals(auth_param(challenge_in(c, t), "stale"), "true");
}

// On the hop of the user agent itself: proxies repeat what it says.
bool is_own(const Case& c, const Transaction& t) {
    return t.request != none && t.final != none && c.at(t.request).vias <= 1;
}

// D36: credentials refused again and again.
void check_refused_credentials(const Case& c, Findings& out) {
    std::vector<std::uint32_t> refused;
    for (const auto& t : c.transactions()) {
        if (!is_own(c, t)) {
            continue;
        }
        const bool sent = c.at(t.request).has(Trait::Credentials);
        if (t.status < 300) {
            refused.clear();
        } else if (is_challenge(t) && sent && !is_stale(c, t)) {
            // A second proxy may ask for its own credentials [RFC 3261 §22.3]: not the same realm.
            const auto realm = auth_param(challenge_in(c, t), "realm");
            const auto id =
                t.status == 401 ? HeaderId::Authorization : HeaderId::ProxyAuthorization;
            const auto mine = Facts{c.call(), c.at(t.request)}.value(id);
            if (iequals(auth_param(mine, "realm"), realm)) {
                refused.push_back(t.final);
                refused.push_back(t.request);
            }
        }
        if (refused.size() >= 4) {
            const auto challenge = challenge_in(c, t);
            const auto credentials = Facts{c.call(), c.at(t.request)}.value(
                t.status == 401 ? HeaderId::Authorization : HeaderId::ProxyAuthorization);
            out.add("D36", std::move(refused),
                    fmt::format("credentials of {} for realm {} were refused again, and the nonce "
                                "was not stale; the last answer is {} {}",
                                quoted(auth_param(credentials, "username")),
                                quoted(auth_param(challenge, "realm")), t.status,
                                quoted(c.text(c.at(t.final).reason), 60)));
            return;
        }
    }
}

// D37: a challenge and no second attempt.
void check_unanswered_challenge(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (!is_own(c, t) || !is_challenge(t) || c.at(t.request).has(Trait::Credentials) ||
            c.watched_after(t.final) < seconds(5)) {
            continue;
        }
        const bool tried = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
            return o.request != none && o.leg == t.leg && o.method == t.method &&
                   c.at(o.request).has(Trait::Credentials) &&
                   c.at(o.request).time >= c.at(t.final).time;
        });
        const bool went_on = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
            return o.leg == t.leg && o.method == t.method && o.status >= 200 && o.status < 300;
        });
        if (tried || went_on) {
            continue;
        }
        const auto challenge = challenge_in(c, t);
        const auto algorithm = auth_param(challenge, "algorithm");
        out.add("D37", {t.final, t.request},
                fmt::format("{} with realm {}, algorithm {}, and no request with credentials in "
                            "the {} after it",
                            t.status, quoted(auth_param(challenge, "realm")),
                            algorithm.empty() ? "MD5 (not named)" : quoted(algorithm, 40),
                            shown(c.watched_after(t.final))),
                Confidence::Likely);
        return;
    }
}

} // namespace

void check_registration(const Case& c, Findings& out) {
    if (std::ranges::none_of(c.transactions(), is_challenge)) {
        return;
    }
    check_refused_credentials(c, out);
    check_unanswered_challenge(c, out);
}

} // namespace cw::flow::diagnose
