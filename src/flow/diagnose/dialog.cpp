// Within the dialog: the ACK that is lost, where it went instead, and the addresses to blame.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/box_names.hpp"
#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"
#include "sip/host.hpp"
#include "sip/name_addr.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::HeaderId;
using sip::Method;

bool is_accepted_invite(const Transaction& t) {
    return t.method == Method::Invite && t.final != none && t.status >= 200 && t.status < 300;
}

// The BYE of the side that had accepted; none when there is none.
std::uint32_t bye_of_server(const Case& c, const Transaction& invite) {
    for (const auto& t : c.transactions()) {
        if (t.method == Method::Bye && t.request != none && t.leg == invite.leg &&
            c.same_party(t.client, invite.server) && c.same_party(t.server, invite.client)) {
            return t.request;
        }
    }
    return none;
}

// D01: the one hop to name is the last on which the 2xx was repeated and no ACK followed.
void check_ack_lost(const Case& c, Findings& out) {
    const Transaction* found = nullptr;
    std::uint32_t acked_upstream = none;
    for (const auto& t : c.transactions()) {
        if (!is_accepted_invite(t) || t.finals < 3) {
            continue;
        }
        const auto ack = c.ack_on_hop(t);
        if (ack != none) {
            acked_upstream = ack;
        } else if (c.is_seen(t.client, t.server)) {
            found = &t;
        }
    }
    if (found == nullptr) {
        return;
    }
    const auto& first = c.at(found->final);
    auto messages = c.copies(found->final);
    std::rotate(messages.begin(), messages.begin() + 1, messages.end()); // the first repetition
    const auto bye = bye_of_server(c, *found);
    auto words = fmt::format("{} sent {} times within {}, no ACK on this hop", found->status,
                             found->finals, shown(c.at(found->last_final).time - first.time));
    if (acked_upstream != none) {
        words += fmt::format("; it reached {} and went no further",
                             shown(c.at(acked_upstream).destination));
        messages.push_back(acked_upstream);
    }
    if (bye != none) {
        words += fmt::format("; {} later {} hung up", shown(c.at(bye).time - first.time),
                             shown(found->server));
        messages.push_back(bye);
    }
    if (first.contact.length > 0) {
        words += fmt::format("; the ACK has to go to {}", quoted(c.text(first.contact)));
    }
    out.add("D01", std::move(messages), std::move(words));
}

std::optional<sip::Uri> uri_in(std::string_view value) {
    const auto parsed = sip::parse_name_addr(value);
    return parsed && parsed->uri.scheme != sip::Scheme::None ? std::optional{parsed->uri}
                                                             : std::nullopt;
}

// The same place: user, host and port. Parameters are the business of D03 and D11.
bool same_place(const sip::Uri& a, const sip::Uri& b) {
    const auto port = [](const sip::Uri& u) {
        return u.port != 0 ? u.port : u.scheme == sip::Scheme::Sips ? 5061 : 5060;
    };
    return a.user == b.user && iequals(a.host, b.host) && port(a) == port(b);
}

// Is it the address from which a message came? Who finds the other side behind NAT puts that in the
// place of a Contact that only its own network can use.
bool is_source_of(const Message& m, const sip::Uri& uri) {
    const auto address = sip::host_to_address(uri.host);
    return address && *address == m.source.address &&
           (uri.port != 0 ? uri.port : 5060) == m.source.port;
}

// D02: what the ACK says and where it goes, against the 2xx that it answers.
void check_ack_address(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (!is_accepted_invite(t)) {
            continue;
        }
        const auto& answer = c.at(t.final);
        if (answer.contact.length == 0 || answer.has(Trait::RecordRoute)) {
            continue; // with a route set each hop may change the way
        }
        for (const auto index : c.acks()) {
            const auto& ack = c.at(index);
            if (ack.leg != t.leg || ack.cseq != t.cseq || ack.vias != 1 || !ack.is_first() ||
                !c.same_party(ack.source, t.client) || ack.time < answer.time) {
                continue;
            }
            if (c.text(ack.request_uri) == c.text(answer.contact)) {
                continue; // as it should be, letter by letter
            }
            const auto contact = uri_in(c.text(answer.contact));
            const auto target = uri_in(c.text(ack.request_uri));
            if (contact && target && !same_place(*target, *contact) &&
                (iequals(target->host, contact->host) || !is_source_of(answer, *target))) {
                const bool heard = t.finals < 3;
                auto& finding = out.add(
                    "D02", {index, t.final},
                    fmt::format("the 2xx has Contact {}, the ACK asks for {} and goes to {}",
                                quoted(c.text(answer.contact)), quoted(c.text(ack.request_uri)),
                                shown(ack.destination)));
                if (heard) { // it got there: by luck, or because only the user part differs
                    const bool same = iequals(target->host, contact->host);
                    set_severity(finding, same ? Severity::Note : Severity::Warning);
                }
                return;
            }
        }
    }
}

// D03: who spoke TLS within this dialog and now speaks without.
void check_transport_changed(const Case& c, Findings& out) {
    const auto& messages = c.call().messages;
    bool clear_inside = false;
    bool secure = false;
    for (const auto& m : messages) {
        clear_inside |= m.status == 0 && m.to_tag && !is_secure(m.transport);
        secure |= is_secure(m.transport);
    }
    if (!clear_inside || !secure) {
        return;
    }
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const auto& m = messages[i];
        if (m.status != 0 || !m.to_tag || is_secure(m.transport) || m.vias != 1 || !m.is_first()) {
            continue;
        }
        for (const auto& t : c.transactions()) {
            if (t.method != Method::Invite || t.in_dialog || t.leg != m.leg || t.request == none ||
                !is_secure(c.at(t.request).transport)) {
                continue;
            }
            const bool by_caller = c.at(t.request).vias == 1 && c.same_party(m.source, t.client);
            const bool by_callee = c.same_party(m.source, t.server) && is_accepted_invite(t);
            if (!by_caller && !by_callee) {
                continue;
            }
            // A back-to-back user agent may use one Call-ID on both sides, and TLS on one of them.
            const bool clear_from_start =
                std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
                    const bool forth =
                        c.same_party(o.client, m.source) && c.same_party(o.server, m.destination);
                    const bool back =
                        c.same_party(o.client, m.destination) && c.same_party(o.server, m.source);
                    return o.method == Method::Invite && !o.in_dialog && o.leg == m.leg &&
                           o.request != none && !is_secure(c.at(o.request).transport) &&
                           (forth || back);
                });
            if (clear_from_start) {
                continue;
            }
            const auto other = by_caller ? t.final : t.request;
            const auto contact = other == none ? Text{} : c.at(other).contact;
            out.add("D03", {i, t.request, other},
                    fmt::format("{} from {} goes over {}, the INVITE went over {}{}{}",
                                quoted(c.text(m.method_text), 32), shown(m.source),
                                to_string(m.transport), to_string(c.at(t.request).transport),
                                contact.length > 0 ? "; the other side's Contact is " : "",
                                quoted(c.text(contact))));
            return;
        }
    }
}

// D10: a proxy that stood in the way of the INVITE and was left out of the dialog.
void check_route_left_out(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (t.request == none || !t.in_dialog || t.final != none || t.method == Method::Invite ||
            c.at(t.request).vias != 1 || c.at(t.request).has(Trait::Route)) {
            continue;
        }
        for (const auto& invite : c.transactions()) {
            // The same Call-ID went on over a further hop: what stands between is a proxy.
            const bool through = std::ranges::any_of(c.transactions(), [&](const Transaction& on) {
                return on.method == Method::Invite && on.leg == invite.leg && !on.in_dialog &&
                       on.cseq == invite.cseq && c.same_party(on.client, invite.server);
            });
            if (!is_accepted_invite(invite) || invite.leg != t.leg || !through ||
                !c.same_party(invite.client, t.client) || c.same_party(invite.server, t.server) ||
                c.at(invite.final).has(Trait::RecordRoute)) {
                continue;
            }
            if (c.watched_after(t.request) < seconds(4)) {
                continue;
            }
            out.add("D10", {t.request, invite.request, invite.final},
                    fmt::format("{} passed the INVITE on without Record-Route, so {} goes to {} "
                                "itself and is not answered",
                                shown(invite.server),
                                quoted(c.text(c.at(t.request).method_text), 32), shown(t.server)),
                    Confidence::Likely);
            return;
        }
    }
}

// Spares most hosts their parsing.
bool may_be_private(std::string_view host) {
    constexpr std::array<std::string_view, 6> beginnings{"10.",  "172.",     "192.168.",
                                                         "127.", "169.254.", "0."};
    return host.find(':') != std::string_view::npos ||
           std::ranges::any_of(beginnings,
                               [host](std::string_view one) { return host.starts_with(one); });
}

// D12: an address in Contact from which nobody outside can call back.
void check_private_contact(const Case& c, Findings& out) {
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const auto& m = messages[i];
        const bool sets_up = m.method == Method::Invite || m.method == Method::Register ||
                             m.method == Method::Subscribe ||
                             (m.status >= 200 && m.status < 300 && m.cseq_method == Method::Invite);
        if (!sets_up || m.contact.length == 0 || !m.is_first() || m.expires == 0 ||
            (m.status == 0 && m.vias != 1) ||
            // With a route set the next request goes to the proxy that is beside the phone.
            (m.status != 0 && m.has(Trait::RecordRoute)) || m.source.address.is_private() ||
            m.source.address.is_loopback()) {
            continue;
        }
        const auto host = host_of(c.text(m.contact));
        if (!may_be_private(host)) {
            continue;
        }
        const auto address = sip::host_to_address(host);
        if (!address || *address == m.source.address ||
            !(address->is_private() || address->is_loopback() || address->is_unspecified())) {
            continue;
        }
        std::uint32_t failed = none; // a request to that very address that nobody answered
        for (const auto& t : c.transactions()) {
            const bool lost = t.request != none && t.final == none && t.sendings >= 3 &&
                              t.server.address == *address;
            failed = lost ? t.request : failed;
        }
        auto& finding = out.add("D12", {i, failed},
                                fmt::format("Contact is {}, the message comes from {}",
                                            quoted(c.text(m.contact)), shown(m.source)),
                                failed != none ? Confidence::Certain : Confidence::Likely);
        // A server that routes by the connection or by what it received can live with it: one that
        // has sent a request there, or has ended the call well, does.
        const bool lived_with = std::ranges::any_of(c.transactions(), [&](const Transaction& t) {
            const bool there = t.server == m.source && t.final != none;
            const bool well_over = t.method == Method::Bye && t.status >= 200 && t.status < 300;
            return (there || well_over) && t.request != none && c.at(t.request).time > m.time;
        });
        set_severity(finding, failed != none || out.has("D01")               ? Severity::Error
                              : m.transport == Transport::Udp && !lived_with ? Severity::Warning
                                                                             : Severity::Note);
        return;
    }
}

// D18, D09: the other side knows no such dialog, or no such transaction.
void check_unknown_dialog(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (t.status != 481 || t.request == none) {
            continue;
        }
        const auto& request = c.at(t.request);
        if (t.method == Method::Cancel) {
            // A CANCEL that comes after the final answer meets no transaction, and that is right.
            const bool late = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
                return o.method == Method::Invite && o.leg == t.leg && o.final != none &&
                       c.at(o.final).time <= c.at(t.final).time;
            });
            if (!late) {
                out.add("D09", {t.request, t.final},
                        fmt::format("CANCEL for {} was answered 481",
                                    quoted(c.text(request.request_uri))));
            }
            continue;
        }
        if (!t.in_dialog) {
            continue;
        }
        // Both hung up: the BYE of the other side came first.
        const bool over = std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
            return &o != &t && o.method == Method::Bye && o.leg == t.leg && o.request != none &&
                   c.at(o.request).time <= c.at(t.final).time;
        });
        if (over && (t.method == Method::Bye || t.method == Method::Invite)) {
            continue;
        }
        auto& finding =
            out.add("D18", {t.final, t.request},
                    fmt::format("{} within the dialog was answered 481 by {}",
                                quoted(c.text(request.method_text), 32), shown(t.server)));
        // A subscription that has ended is refused with it [RFC 6665 §4.1.3].
        if (t.method == Method::Notify || t.method == Method::Bye || over) {
            set_severity(finding, Severity::Warning);
        }
        return;
    }
}

// D28.
void check_who_hung_up(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if ((t.method != Method::Bye && t.method != Method::Cancel) || t.request == none ||
            c.at(t.request).vias > 1) {
            continue;
        }
        const auto reason = Facts{c.call(), c.at(t.request)}.value(HeaderId::Reason);
        const auto cause = reason.find("cause=");
        // Q.850 16 is normal clearing; SIP 200 says that the call was taken elsewhere.
        if (cause == std::string_view::npos || reason.substr(cause + 6, 2) == "16" ||
            reason.substr(cause + 6, 3) == "200") {
            continue;
        }
        out.add("D28", {t.request},
                fmt::format("{} ended it: {}", shown(c.at(t.request).source), quoted(reason)));
        return;
    }
}

} // namespace

void check_dialog(const Case& c, Findings& out) {
    check_ack_lost(c, out);
    check_ack_address(c, out);
    check_transport_changed(c, out);
    check_route_left_out(c, out);
    check_private_contact(c, out);
    check_unknown_dialog(c, out);
    check_who_hung_up(c, out);
}

} // namespace cw::flow::diagnose
