// The way of a message: what proxies and phones say of their own addresses, what somebody between
// has changed, and early dialogs of which there are several.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::HeaderId;
using sip::Method;

std::string_view top_record_route(const Case& c, std::uint32_t message) {
    return Facts{c.call(), c.at(message)}.value(HeaderId::RecordRoute);
}

// A URI from which the other side cannot tell that it has to use TLS: without it, it takes UDP
// [RFC 3263 §4.1].
bool forgets_tls(const sip::Uri& uri) {
    if (uri.scheme != sip::Scheme::Sip) {
        return false; // sips says it by itself, and others are none of ours
    }
    const auto transport = sip::find_param(uri.params, "transport");
    return !transport || iequals(*transport, "udp") || iequals(*transport, "tcp");
}

// Has the sender of this request put its own Record-Route on top? It is so when the address says
// it, or when the request had another one on top the hop before.
bool is_own_route(const Case& c, const Transaction& t, const sip::Uri& uri,
                  std::string_view route) {
    if (const auto address = sip::host_address(uri)) {
        return *address == c.at(t.request).source.address;
    }
    return std::ranges::any_of(c.transactions(), [&](const Transaction& o) {
        return o.request != none && o.method == t.method && o.leg == t.leg && o.cseq == t.cseq &&
               c.at(o.request).vias + 1 == c.at(t.request).vias &&
               top_record_route(c, o.request) != route;
    });
}

// D11. An address that leads back over UDP, given out by one that speaks TLS.
void check_own_transport(const Case& c, Findings& out) {
    const auto add = [&](std::uint32_t message, std::string words, bool harmless) {
        auto& finding = out.add("D11", {message}, std::move(words), Confidence::Likely);
        // Who answers over the connection that is there does not read the address.
        set_severity(finding, out.has("D03") || out.has("D01") ? Severity::Error
                              : harmless                       ? Severity::Note
                                                               : Severity::Warning);
    };
    for (const auto& t : c.transactions()) {
        if (t.method != Method::Invite || t.in_dialog || t.request == none ||
            c.at(t.request).transport != Transport::Tls) {
            continue;
        }
        const auto& request = c.at(t.request);
        if (request.has(Trait::RecordRoute)) {
            const auto route = top_record_route(c, t.request);
            const auto parsed = sip::parse_name_addr(route);
            if (parsed && forgets_tls(parsed->uri) && is_own_route(c, t, parsed->uri, route)) {
                add(t.request,
                    fmt::format("{} sends over TLS and has put {} into Record-Route",
                                shown(request.source), quoted(parsed->uri_text, 80)),
                    false);
                return;
            }
        }
        // Without a route, each end sends to the other's Contact.
        if (request.vias != 1 || t.final == none || t.status >= 300 ||
            c.at(t.final).has(Trait::RecordRoute)) {
            continue;
        }
        for (const auto message : {t.request, t.final}) {
            const auto text = c.text(c.at(message).contact);
            if (text.find("transport=tls") != std::string_view::npos) {
                continue; // as nearly all do
            }
            const auto contact = sip::parse_uri(text);
            if (contact && forgets_tls(*contact)) {
                add(message,
                    fmt::format("{} speaks TLS and gives {} as its Contact",
                                shown(c.at(message).source), quoted(text, 80)),
                    true);
                return;
            }
        }
    }
}

// D22: several answers to one offer before the call is taken; each is of another phone.
void check_early_dialogs(const Case& c, Findings& out) {
    for (std::uint32_t number = 0; number < c.transactions().size(); ++number) {
        const auto& t = c.transactions()[number];
        if (t.method != Method::Invite || t.in_dialog || t.request == none ||
            c.at(t.request).vias > 1 || t.provisional == none) {
            continue;
        }
        std::vector<std::uint32_t> found; // the first with media of each tag
        for (auto i = t.provisional; i < c.call().messages.size() && found.size() < 8; ++i) {
            const auto& m = c.at(i);
            if (c.transaction_of(i) != number || m.status <= 100 || m.status >= 200 ||
                m.media_count == 0 || m.answer_tag == 0 || !m.is_first()) {
                continue;
            }
            if (std::ranges::none_of(found, [&](std::uint32_t other) {
                    return c.at(other).answer_tag == m.answer_tag;
                })) {
                found.push_back(i);
            }
        }
        if (found.size() < 2) {
            continue;
        }
        std::string words = fmt::format("{} early dialogs with media: ", found.size());
        for (const auto i : found) {
            words += fmt::format("{}{}", i == found.front() ? "" : ", ",
                                 shown(c.call().media_lines[c.at(i).media_begin].receive));
        }
        std::ranges::rotate(found, found.begin() + 1); // the second is the one that is too many
        out.add("D22", std::move(found), std::move(words));
        return;
    }
}

// What of a message an ALG writes anew; empty when they agree.
std::string rewritten(const Case& c, const Message& a, const Message& b) {
    const auto was = c.text(a.contact);
    const auto is = c.text(b.contact);
    if (was != is) {
        return fmt::format("Contact was {} and is {}", quoted(was, 80), quoted(is, 80));
    }
    for (std::uint32_t i = 0; i < std::min(a.media_count, b.media_count); ++i) {
        const auto& before = c.call().media_lines[a.media_begin + i].receive;
        const auto& after = c.call().media_lines[b.media_begin + i].receive;
        if (before != after) {
            return fmt::format("the SDP named {} and names {}", shown(before), shown(after));
        }
    }
    return {};
}

// D42: the same request at two points of its way. Who may change it adds a Via; this one did not.
void check_rewritten(const Case& c, Findings& out) {
    for (std::size_t i = 0; i < c.transactions().size(); ++i) {
        const auto& t = c.transactions()[i];
        if (t.request == none || t.branch == 0) {
            continue;
        }
        for (auto j = i + 1; j < c.transactions().size() && j < i + 16; ++j) {
            const auto& o = c.transactions()[j];
            if (o.request == none || o.branch != t.branch || o.method != t.method ||
                o.cseq != t.cseq || o.leg != t.leg || o.client == t.client ||
                c.at(o.request).vias != c.at(t.request).vias) {
                continue;
            }
            const auto changed = rewritten(c, c.at(t.request), c.at(o.request));
            if (!changed.empty()) {
                out.add("D42", {o.request, t.request},
                        fmt::format("{} passed it on with the Via as it was, and {}",
                                    shown(o.client), changed));
                return;
            }
        }
    }
}

} // namespace

void check_path(const Case& c, Findings& out) {
    check_own_transport(c, out);
    check_early_dialogs(c, out);
    check_rewritten(c, out);
}

} // namespace cw::flow::diagnose
