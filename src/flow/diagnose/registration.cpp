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

// Who does not acknowledge the challenge of an INVITE and says nothing more either has not got it,
// which D04 tells, or is a scanner, which looks for servers that do not ask and leaves the others.
bool is_silent_after(const Case& c, const Transaction& t) {
    return std::ranges::none_of(c.call().messages, [&](const Message& m) {
        return m.status == 0 && m.source == t.client && m.time > c.at(t.final).time;
    });
}

// D37: a challenge and no second attempt.
void check_unanswered_challenge(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        // Who asks with OPTIONS whether somebody lives has his answer.
        if (!is_own(c, t) || !is_challenge(t) || c.at(t.request).has(Trait::Credentials) ||
            t.method == Method::Options || c.watched_after(t.final) < seconds(5)) {
            continue;
        }
        if (t.method == Method::Invite && t.ack == none && is_silent_after(c, t)) {
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

// The challenge with this nonce that came before the request; nullptr when there was none.
const Transaction* challenge_before(const Case& c, const Transaction& t, std::string_view nonce) {
    for (const auto& o : c.transactions()) {
        if (!nonce.empty() && is_own(c, o) && is_challenge(o) && o.leg == t.leg &&
            c.at(o.final).time <= c.at(t.request).time &&
            auth_param(challenge_in(c, o), "nonce") == nonce) {
            return &o;
        }
    }
    return nullptr;
}

// D38.
void check_digest_uri(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (!is_own(c, t) || !c.at(t.request).has(Trait::Credentials) ||
            (!is_challenge(t) && t.status != 400 && t.status != 403)) {
            continue;
        }
        Facts facts{c.call(), c.at(t.request)};
        while (const auto field = facts.next()) {
            if (field->id != HeaderId::Authorization && field->id != HeaderId::ProxyAuthorization) {
                continue;
            }
            const auto* challenge = challenge_before(c, t, auth_param(field->value, "nonce"));
            if (challenge != nullptr) {
                const auto realm = auth_param(challenge_in(c, *challenge), "realm");
                const auto mine = auth_param(field->value, "realm");
                if (mine != realm) {
                    out.add("D38", {t.request, t.final, challenge->final},
                            fmt::format("realm {} was asked for, realm {} stands in the "
                                        "credentials, answered {}",
                                        quoted(realm, 80), quoted(mine, 80), t.status));
                    return;
                }
            }
            const auto uri = auth_param(field->value, "uri");
            const auto asked = c.text(c.at(t.request).request_uri);
            if (!uri.empty() && uri != asked) {
                out.add("D38", {t.request, t.final},
                        fmt::format("Request-URI {}, uri in the credentials {}, answered {}",
                                    quoted(asked, 80), quoted(uri, 80), t.status));
                return;
            }
        }
    }
}

// D39.
void check_interval_refused(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (t.status != 423 || !is_own(c, t) || c.watched_after(t.final) < seconds(2)) {
            continue;
        }
        const auto least = parse_number<std::uint32_t>(
            trim(Facts{c.call(), c.at(t.final)}.value(HeaderId::MinExpires)));
        const bool asked_again = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
            return o.request != none && o.leg == t.leg && o.method == t.method &&
                   c.at(o.request).time > c.at(t.final).time &&
                   (!least || c.at(o.request).expires >= *least);
        });
        if (!asked_again) {
            out.add("D39", {t.final, t.request},
                    fmt::format("423 wants at least {} s, {} s were asked for", least.value_or(0),
                                c.at(t.request).expires == none ? 0 : c.at(t.request).expires));
            return;
        }
    }
}

// D40.
void check_storm(const Case& c, Findings& out) {
    constexpr std::size_t many = 6;
    std::vector<std::uint32_t> accepted;
    for (const auto& t : c.transactions()) {
        // Expires: 0 takes a registration back, and that is no storm.
        if (t.method == Method::Register && is_own(c, t) && t.status >= 200 && t.status < 300 &&
            c.at(t.request).expires != 0) {
            accepted.push_back(t.request);
        }
    }
    for (std::size_t i = many - 1; i < accepted.size(); ++i) {
        const auto first = accepted[i + 1 - many];
        const auto spread = c.at(accepted[i]).time - c.at(first).time;
        if (spread < seconds(60)) {
            std::vector<std::uint32_t> evidence(
                accepted.begin() + static_cast<std::ptrdiff_t>(i + 1 - many),
                accepted.begin() + static_cast<std::ptrdiff_t>(i + 1));
            out.add("D40", std::move(evidence),
                    fmt::format("{} accepted registrations within {}", many, shown(spread)));
            return;
        }
    }
}

} // namespace

void check_registration(const Case& c, Findings& out) {
    if (c.call().kind == Kind::Registration) {
        check_interval_refused(c, out);
        check_storm(c, out);
    }
    check_digest_uri(c, out);
    if (std::ranges::none_of(c.transactions(), is_challenge)) {
        return;
    }
    check_refused_credentials(c, out);
    check_unanswered_challenge(c, out);
}

} // namespace cw::flow::diagnose
