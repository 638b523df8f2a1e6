// What a response says went wrong, and what should have followed it.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"
#include "sip/rack.hpp"
#include "sip/session_expires.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::HeaderId;
using sip::Method;

bool is_own_hop(const Case& c, const Transaction& t) {
    return t.request != none && c.at(t.request).vias <= 1;
}

std::string_view fact(const Case& c, std::uint32_t message, HeaderId id) {
    return Facts{c.call(), c.at(message)}.value(id);
}

// Of the same leg, method and sender, after `time`.
const Transaction* next_attempt(const Case& c, const Transaction& t, Instant time) {
    for (const auto& o : c.transactions()) {
        if (&o != &t && o.request != none && o.leg == t.leg && o.method == t.method &&
            c.at(o.request).time >= time && c.same_party(o.client, t.client)) {
            return &o;
        }
    }
    return nullptr;
}

// D08: the call was taken while its maker gave it up.
void check_cancel_race(const Case& c, const Transaction& t, Findings& out) {
    if (t.method != Method::Invite || t.cancel == none || t.final == none || t.status >= 300 ||
        c.at(t.final).time < c.at(t.cancel).time || !is_own_hop(c, t) ||
        c.watched_after(t.final) < seconds(4) || out.has("D08")) {
        return;
    }
    // Some send an INVITE several times over, each with a branch of its own, and cancel all but the
    // one that was taken; the answers to the others are of the same dialog then.
    const bool taken_before = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
        return &o != &t && o.method == Method::Invite && o.leg == t.leg && o.final != none &&
               o.status < 300 && c.at(o.final).answer_tag == c.at(t.final).answer_tag &&
               c.at(o.final).time < c.at(t.cancel).time;
    });
    if (taken_before) {
        return;
    }
    const bool ended = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
        return o.method == Method::Bye && o.leg == t.leg;
    });
    if (!ended) {
        out.add("D08", {t.final, t.cancel},
                fmt::format("{} came {} after the CANCEL, and no BYE followed", t.status,
                            shown(c.at(t.final).time - c.at(t.cancel).time)));
    }
}

// D14. The hosts that the request went round are shown.
void check_loop(const Case& c, const Transaction& t, Findings& out) {
    if (t.status != 482 && t.status != 483) {
        return;
    }
    if (out.has("D14")) {
        return;
    }
    std::vector<std::uint32_t> messages{t.final};
    std::string way;
    std::size_t visits = 0;
    for (const auto& o : c.transactions()) {
        if (o.request == none || o.leg != t.leg || o.method != t.method || o.cseq != t.cseq) {
            continue;
        }
        if (messages.size() < 12) {
            messages.push_back(o.request);
            way += fmt::format("{}{}", way.empty() ? "" : " → ", shown(o.server));
        }
        visits += c.same_party(o.server, t.server);
    }
    out.add("D14", std::move(messages),
            fmt::format("{} {}; the request was seen on its way to {}", t.status,
                        quoted(c.text(c.at(t.final).reason), 60), way),
            visits > 1 ? Confidence::Certain : Confidence::Likely);
}

// D20.
void check_extension(const Case& c, const Transaction& t, Findings& out) {
    if ((t.status != 420 && t.status != 421) || !is_own_hop(c, t)) {
        return;
    }
    const auto list = fact(c, t.final, t.status == 420 ? HeaderId::Unsupported : HeaderId::Require);
    const auto* again = next_attempt(c, t, c.at(t.final).time);
    auto& finding =
        out.add("D20", {t.final, t.request},
                fmt::format("{}, {}: {}", t.status, t.status == 420 ? "Unsupported" : "Require",
                            list.empty() ? "not named" : quoted(list)));
    if (again != nullptr && again->status < 300) {
        set_severity(finding, Severity::Note); // the sender did without
    }
}

// D25: the retry has to ask for at least Min-SE [RFC 4028 §7.4].
void check_interval_small(const Case& c, const Transaction& t, Findings& out) {
    if (t.status != 422 || !is_own_hop(c, t) || c.watched_after(t.final) < seconds(2)) {
        return;
    }
    const auto least = sip::parse_seconds(fact(c, t.final, HeaderId::MinSe));
    const auto* again = next_attempt(c, t, c.at(t.final).time);
    if (again != nullptr) {
        const auto asked =
            sip::parse_session_expires(fact(c, again->request, HeaderId::SessionExpires));
        if (again->status != 422 || !asked || !least || asked->seconds >= least->seconds) {
            return;
        }
    }
    out.add("D25", {t.final, t.request, again != nullptr ? again->request : none},
            fmt::format("422 wants at least {} s, {}", least ? least->seconds : 0,
                        again == nullptr ? "and no second attempt came"
                                         : "and the second attempt still asks for less"));
}

// D24.
void check_refresh_failed(const Case& c, const Transaction& t, Findings& out) {
    if ((t.method != Method::Invite && t.method != Method::Update) || !t.in_dialog ||
        !is_own_hop(c, t) || fact(c, t.request, HeaderId::SessionExpires).empty()) {
        return;
    }
    // Of what was refused for its session description alone, as fax is, the old session goes on.
    constexpr std::array not_refused{401, 407, 415, 422, 488, 491, 606};
    const bool refused =
        t.status >= 300 && std::ranges::find(not_refused, t.status) == not_refused.end();
    const bool lost = t.final == none && t.sendings >= 4;
    const bool later = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
        return (o.method == Method::Invite || o.method == Method::Update) && o.leg == t.leg &&
               o.request != none && c.at(o.request).time > c.at(t.request).time &&
               o.status >= 200 && o.status < 300;
    });
    if ((!refused && !lost) || later) {
        return;
    }
    for (const auto& o : c.transactions()) {
        if (o.method == Method::Bye && o.request != none && o.leg == t.leg &&
            c.at(o.request).time > c.at(t.request).time) {
            out.add("D24", {refused ? t.final : t.request, t.request, o.request},
                    fmt::format("the {} that was to refresh the session {}; BYE {} later",
                                quoted(c.text(c.at(t.request).method_text), 16),
                                refused ? fmt::format("got {}", t.status) : "was not answered",
                                shown(c.at(o.request).time - c.at(t.request).time)));
            return;
        }
    }
}

// D31.
void check_overload(const Case& c, const Transaction& t, Findings& out) {
    if (t.status != 503 || !is_own_hop(c, t) || out.has("D31")) {
        return;
    }
    const auto wait = sip::parse_seconds(fact(c, t.final, HeaderId::RetryAfter));
    const auto* again = next_attempt(c, t, c.at(t.final).time);
    std::string words = fmt::format("503 from {}", shown(t.server));
    if (wait) {
        words += fmt::format(", Retry-After {} s", wait->seconds);
    }
    const bool too_soon = again != nullptr && again->server == t.server && wait &&
                          (c.at(again->request).time - c.at(t.final).time).seconds() <
                              static_cast<double>(wait->seconds);
    if (too_soon) {
        words += fmt::format("; tried again there after {}",
                             shown(c.at(again->request).time - c.at(t.final).time));
    } else if (again != nullptr && again->status < 300) {
        return; // another server took it
    }
    auto& finding =
        out.add("D31", {t.final, t.request, again != nullptr ? again->request : none}, words);
    if (!too_soon) {
        set_severity(finding, Severity::Warning);
    }
}

// D32: on the caller's own hop; the hop that took longest is named.
void check_slow_ringing(const Case& c, const Transaction& t, Findings& out) {
    constexpr Duration patience = seconds(8);
    if (t.method != Method::Invite || t.in_dialog || !is_own_hop(c, t)) {
        return;
    }
    const auto first_sign = t.provisional != none ? t.provisional : t.status < 300 ? t.final : none;
    if (first_sign == none) {
        return;
    }
    const auto delay = c.at(first_sign).time - c.at(t.request).time;
    if (delay < patience) {
        return;
    }
    // The last server that had it in hand: it went no further from there.
    auto where = t.server;
    for (const auto& o : c.transactions()) {
        if (o.method == Method::Invite && !o.in_dialog && o.request != none && o.leg == t.leg &&
            o.provisional != none &&
            c.at(o.provisional).time - c.at(o.request).time > delay - seconds(1)) {
            where = o.server;
        }
    }
    out.add("D32", {first_sign, t.request},
            fmt::format("{} from the INVITE to {}; the slowest hop ends at {}", shown(delay),
                        c.at(first_sign).status, shown(where)));
}

// D35: "If an unreliable transport is being used" only are requests repeated [RFC 3261 §17.1.1.2].
void check_repeated_on_stream(const Case& c, const Transaction& t, Findings& out) {
    if (t.request == none || t.sendings < 2 || out.has("D35") ||
        !sip::is_reliable(c.at(t.request).transport)) {
        return;
    }
    out.add("D35", c.copies(t.request),
            fmt::format("{} sent {} times over {}", quoted(c.text(c.at(t.request).method_text), 16),
                        t.sendings, to_string(c.at(t.request).transport)));
}

// D13: the answers go to the port in Via, the request came from another.
void check_response_port(const Case& c, const Transaction& t, Findings& out) {
    if (t.request == none || t.sendings < 3 || c.at(t.request).transport != Transport::Udp ||
        c.at(t.request).has(Trait::Rport) || out.has("D13")) {
        return;
    }
    const auto answer = t.final != none ? t.final : t.provisional;
    if (answer == none || c.at(answer).destination.port == t.client.port ||
        c.at(t.last_sending).time < c.at(answer).time) {
        return;
    }
    out.add("D13", {answer, t.request, t.last_sending},
            fmt::format("the request comes from {} without rport, the answer goes to {}, and the "
                        "request is repeated",
                        shown(t.client), shown(c.at(answer).destination)));
}

// D29, without a word: "The NOTIFY mechanism […] MUST be used to inform the agent sending the REFER
// of the status of the reference" [RFC 3515 §2.4.4], unless both agreed on none [RFC 4488 §4].
void check_transfer_silent(const Case& c, const Transaction& t, Findings& out) {
    constexpr Duration at_once = seconds(10);
    if (t.method != Method::Refer || t.status < 200 || t.status >= 300 || !is_own_hop(c, t) ||
        c.watched_after(t.final) < at_once ||
        iequals(trim(fact(c, t.final, HeaderId::ReferSub)).substr(0, 5), "false")) {
        return;
    }
    // It may be in a dialog of its own, and then it is another leg.
    const bool told = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
        return o.method == Method::Notify && o.request != none;
    });
    if (!told) {
        auto& finding = out.add("D29", {t.final, t.request},
                                fmt::format("REFER was answered {}, and no NOTIFY came in the {} "
                                            "after it",
                                            t.status, shown(c.watched_after(t.final))),
                                Confidence::Likely);
        set_severity(finding, Severity::Warning);
    }
}

// D29.
void check_transfer(const Case& c, const Transaction& t, Findings& out) {
    if (t.method == Method::Refer && t.status >= 300 && t.status != 401 && t.status != 407 &&
        is_own_hop(c, t)) {
        out.add("D29", {t.final, t.request}, fmt::format("REFER was answered {}", t.status));
        return;
    }
    if (t.method != Method::Notify || !is_own_hop(c, t)) {
        return;
    }
    const auto line = fact(c, t.request, HeaderId::Other); // "SIP/2.0 486 Busy Here"
    const auto status = line.size() > 10 ? parse_number<int>(line.substr(8, 3)) : std::nullopt;
    if (status && *status >= 300 && !out.has("D29")) {
        out.add("D29", {t.request}, fmt::format("NOTIFY reports {}", quoted(line.substr(8), 60)));
    }
}

// D19.
void check_prack(const Case& c, Findings& out) {
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const auto& m = messages[i];
        if (!m.has(Trait::Reliable) || !m.is_first()) {
            continue;
        }
        const auto copies = c.copies(i);
        const auto rseq = parse_number<std::uint32_t>(fact(c, i, HeaderId::RSeq));
        bool answered = false;
        std::uint32_t wrong = none;
        for (const auto& t : c.transactions()) {
            if (t.method != Method::Prack || t.request == none || t.leg != m.leg ||
                c.at(t.request).time < m.time || !c.same_party(t.client, m.destination)) {
                continue;
            }
            const auto rack = sip::parse_rack(fact(c, t.request, HeaderId::RAck));
            if (rack && rseq && rack->rseq == *rseq && rack->cseq.number == m.cseq) {
                answered = true;
            } else {
                wrong = t.request;
            }
        }
        if (answered || copies.size() < 3 || !c.is_seen(m.destination, m.source)) {
            continue;
        }
        auto evidence = copies;
        evidence.push_back(wrong);
        out.add("D19", std::move(evidence),
                fmt::format("{} with RSeq {} sent {} times, {}", m.status, rseq.value_or(0),
                            copies.size(),
                            wrong == none ? "and no PRACK came"
                                          : "and the PRACK that came has another RAck"));
        return;
    }
}

// D21: each 2xx of a forked INVITE makes a dialog of its own [RFC 3261 §13.2.2.4].
void check_forks(const Case& c, Findings& out) {
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const auto& m = messages[i];
        const auto number = c.transaction_of(i);
        if (m.cseq_method != Method::Invite || m.status < 200 || m.status >= 300 || !m.is_first() ||
            number == none) {
            continue;
        }
        const auto& t = c.transactions()[number];
        if (!is_own_hop(c, t) || t.final == i || t.final == none || m.answer_tag == 0 ||
            c.at(t.final).answer_tag == m.answer_tag || c.watched_after(i) < seconds(4)) {
            continue;
        }
        const auto ended = [&](std::uint32_t tag) {
            return std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
                return o.method == Method::Bye && o.request != none && o.leg == t.leg &&
                       (c.at(o.request).answer_tag == tag || c.at(o.request).from_tag == tag);
            });
        };
        const bool acked = std::ranges::any_of(c.acks(), [&](std::uint32_t ack) {
            return c.at(ack).leg == t.leg && c.at(ack).answer_tag == m.answer_tag;
        });
        if (acked && (ended(m.answer_tag) || ended(c.at(t.final).answer_tag))) {
            continue;
        }
        out.add("D21", {i, t.final},
                fmt::format("two 2xx with different tags in To; the second was {}acknowledged and "
                            "{}",
                            acked ? "" : "not ",
                            ended(m.answer_tag) ? "ended by BYE" : "never ended by BYE"));
        return;
    }
}

} // namespace

void check_refusal(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        check_cancel_race(c, t, out);
        check_loop(c, t, out);
        check_extension(c, t, out);
        check_interval_small(c, t, out);
        check_refresh_failed(c, t, out);
        check_overload(c, t, out);
        check_slow_ringing(c, t, out);
        check_repeated_on_stream(c, t, out);
        check_response_port(c, t, out);
        check_transfer(c, t, out);
        check_transfer_silent(c, t, out);
    }
    check_prack(c, out);
    check_forks(c, out);
}

} // namespace cw::flow::diagnose
