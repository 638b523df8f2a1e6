// Call set-up: requests that nobody answers, answers that nobody hears.
#include <algorithm>

#include <fmt/format.h>

#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::Method;

// 64·T1: Timers B, F and H with the usual T1 of 500 ms [RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1].
constexpr Duration timeout = seconds(32);
constexpr Duration nearly_timeout = milliseconds(31'000);

// It was sent again and again, or the time is over.
bool waited_in_vain(const Case& c, const Transaction& t) {
    const auto& m = c.at(t.request);
    const auto watched = c.watched_after(t.request);
    if (const auto* on = c.connection(m.connection); on != nullptr && on->missing_bytes > 0) {
        return false; // the answer may be among what the capture lacks
    }
    if (sip::is_reliable(m.transport)) { // it is sent once: was the other direction captured?
        const auto* connection = c.connection(m.connection);
        const bool both_ways = connection == nullptr || connection->accepted ||
                               connection->server == m.source || c.is_seen(t.server, t.client);
        return watched >= timeout && both_ways;
    }
    return (t.sendings >= 4 && watched >= seconds(7)) || watched >= timeout;
}

std::string sent_in_vain(const Case& c, const Transaction& t) {
    const auto& m = c.at(t.request);
    return fmt::format("{} sent {} {} to {} over {} within {}, and nothing came back",
                       quoted(c.text(m.method_text), 32), t.sendings,
                       t.sendings == 1 ? "time" : "times", shown(m.destination),
                       to_string(m.transport), shown(c.at(t.last_sending).time - m.time));
}

// D05, D07.
void check_unanswered(const Case& c, const Transaction& t, Findings& out) {
    if (t.request == none || t.final != none || t.trying != none || t.provisional != none ||
        t.method == Method::Ack || c.at(t.request).malformed || !waited_in_vain(c, t)) {
        return;
    }
    const bool invite = t.method == Method::Invite;
    if (invite && t.cancel != none && c.at(t.cancel).time - c.at(t.request).time < seconds(4)) {
        return; // its maker did not wait
    }
    // A datagram that was sent once only: its sender gave up at once, or the capture has not all.
    const bool once = t.sendings == 1 && !sip::is_reliable(c.at(t.request).transport);
    auto words = sent_in_vain(c, t);
    if (once) {
        words +=
            "; who hears no answer sends it again, so the answer may only not be in the capture";
    }
    auto& finding = out.add(invite ? "D05" : "D07", c.copies(t.request), std::move(words),
                            once ? Confidence::Possible : Confidence::Likely);
    // Of several phones that were asked one may be out, and the call is taken all the same.
    const bool taken = invite && c.call().answered.known() &&
                       std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
                           return o.method == Method::Invite && o.leg == t.leg && o.status >= 200 &&
                                  o.status < 300 && o.cseq == t.cseq &&
                                  c.same_party(o.client, t.client);
                       });
    if (once) {
        set_severity(finding, Severity::Note);
    } else if (taken) {
        set_severity(finding, Severity::Warning);
    }
}

// D06. The hop that has been silent is the last one that the request reached.
void check_stalled(const Case& c, const Transaction& t, Findings& out) {
    if (t.method != Method::Invite || t.trying == none || t.provisional != none ||
        t.request == none) {
        return;
    }
    const bool ended = t.status == 408 || t.status == 487 || t.status == 504;
    if (t.final != none && !ended) {
        return;
    }
    const auto end = t.cancel != none  ? c.at(t.cancel).time
                     : t.final != none ? c.at(t.final).time
                                       : c.window().end;
    const auto silent = end - c.at(t.trying).time;
    if (silent < (t.cancel != none ? seconds(15) : nearly_timeout)) {
        return;
    }
    // Further on the request was answered by more than 100: the fault is not on this hop's far
    // side.
    for (const auto& other : c.transactions()) {
        if (&other != &t && other.method == Method::Invite && other.leg == t.leg &&
            other.provisional != none) {
            return;
        }
    }
    out.add("D06", {t.trying, t.request, t.cancel, t.final},
            fmt::format("{} said 100 and then nothing for {}", shown(t.server), shown(silent)),
            Confidence::Likely);
}

// D04.
void check_final_repeated(const Case& c, const Transaction& t, Findings& out) {
    if (t.method != Method::Invite || t.status < 300 || t.finals < 3 || t.ack != none ||
        !c.is_seen(t.client, t.server)) {
        return;
    }
    auto messages = c.copies(t.final);
    std::string words = fmt::format("{} sent {} times within {}, and no ACK came", t.status,
                                    t.finals, shown(c.at(t.last_final).time - c.at(t.final).time));
    for (const auto ack : c.acks()) { // one that does not fit the transaction
        const auto& m = c.at(ack);
        if (m.leg == t.leg && m.cseq == t.cseq && m.branch != t.branch &&
            c.same_party(m.source, t.client)) {
            messages.push_back(ack);
            words += "; the ACK has another branch in its top Via than the INVITE";
            break;
        }
    }
    out.add("D04", std::move(messages), std::move(words), Confidence::Likely);
}

// D34.
void check_malformed(const Case& c, Findings& out) {
    std::vector<std::uint32_t> broken;
    std::vector<std::uint32_t> no_contact;
    std::vector<std::uint32_t> no_tag;
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const auto& m = messages[i];
        if (!m.is_first() || m.truncated) {
            continue;
        }
        if (m.malformed) {
            broken.push_back(i);
            continue;
        }
        const bool accepts = m.status >= 200 && m.status < 300;
        if (accepts && m.cseq_method == Method::Invite && !m.has(Trait::ContactField)) {
            no_contact.push_back(i);
        }
        if (m.status >= 200 && !m.to_tag && m.cseq_method != Method::Cancel) {
            no_tag.push_back(i);
        }
    }
    constexpr std::size_t most_shown = 12;
    const auto add = [&](std::vector<std::uint32_t>& found, const std::string& words) {
        if (!found.empty()) {
            found.resize(std::min(found.size(), most_shown));
            out.add("D34", found, words);
        }
    };
    if (!broken.empty()) {
        add(broken, quoted(c.text(messages[broken.front()].problem)));
    }
    // "the Contact header field […] MUST be present" [RFC 3261 §12.1.1]
    add(no_contact, "a 2xx response to INVITE has no Contact");
    // "[…] the UAS MUST add a tag to the To header field" [RFC 3261 §8.2.6.2]
    add(no_tag, "a final response has no tag in To");
}

} // namespace

void check_setup(const Case& c, Findings& out) {
    const bool half_seen = out.has("C1"); // then the answer may have come by unseen
    for (const auto& t : c.transactions()) {
        if (half_seen) {
            break;
        }
        check_unanswered(c, t, out);
        check_stalled(c, t, out);
        check_final_repeated(c, t, out);
    }
    check_malformed(c, out);
}

} // namespace cw::flow::diagnose
