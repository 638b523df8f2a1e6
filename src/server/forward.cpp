#include "server/forward.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/digest_fields.hpp"

namespace cw::server {
namespace {

bool is_sips(std::string_view uri) {
    return istarts_with(uri, "sips:");
}

// One Record-Route line for the side that is reached over `wire` [RFC 3261 §16.6 item 4]. Two of
// them stand in every dialog, one a side, so that each end sees the transport and the listener that
// it speaks to [RFC 5658 §4], and tokens say which way a request within the dialog goes.
void append_record_route(std::string& lines, const Core& core, const Incoming& in,
                         const transaction::Wire* wire, const Place& place, bool sips) {
    lines += sips ? "Record-Route: <sips:" : "Record-Route: <sip:";
    core.seal.append_flow(lines, wire, place.number, in.call_id());
    lines += place.uri_end;
    lines += "\r\n";
}

// Credentials for a realm of ours have served; nobody behind us may see them [RFC 3261 §22.3].
void drop_own_credentials(const Core& core, const Incoming& in, sip::Edits& edits) {
    for (const auto& header : in.message.headers()) {
        if (header.id != sip::HeaderId::ProxyAuthorization &&
            header.id != sip::HeaderId::Authorization) {
            continue;
        }
        const auto credentials = crypto::parse_credentials(header.value);
        if (credentials && core.directory->find_domain(credentials->realm) != nullptr) {
            edits.remove_line(header);
        }
    }
}

void drop_identity(const Incoming& in, sip::Edits& edits) {
    for (const auto& header : in.message.headers()) {
        if (header.id == sip::HeaderId::PAssertedIdentity) {
            edits.remove_line(header); // [RFC 3325 §5]: from those who are not trusted
        }
    }
}

void count_hops(const Incoming& in, sip::Edits& edits, std::string& lines) {
    const auto* header = in.message.find(sip::HeaderId::MaxForwards);
    if (header == nullptr) {
        lines += "Max-Forwards: 70\r\n"; // [RFC 3261 §16.6 item 3]
        return;
    }
    const auto left = parse_number<std::uint8_t>(header->value).value_or(1);
    char digits[4];
    const auto end = std::to_chars(digits, digits + sizeof digits, left > 0 ? left - 1 : 0).ptr;
    edits.replace(header->value, {digits, end});
}

void remove_last_route(const Incoming& in, const Route& route, sip::Edits& edits) {
    for (const auto& header : in.message.headers()) {
        if (header.id != sip::HeaderId::Route) {
            continue;
        }
        const auto* at = route.hidden.data();
        if (at < header.value.data() || at > header.value.data() + header.value.size()) {
            continue;
        }
        const auto before =
            header.value.substr(0, static_cast<std::size_t>(at - header.value.data()));
        const auto comma = before.rfind(',');
        if (comma == std::string_view::npos) {
            edits.remove_line(header);
        } else {
            edits.remove(header.value.substr(comma));
        }
        return;
    }
}

} // namespace

void append_forwarded(std::string& out, Core& core, const Incoming& in, const Route& route,
                      const Passage& passage, const Target& target, const Place& place,
                      const transaction::Wire* wire, const Branches::Text& branch) {
    auto& edits = core.edits;
    edits.begin(in.message);
    edits.normalise();
    if (target.uri != in.message.request_uri()) {
        edits.replace(in.message.request_uri(), target.uri);
    }
    auto& lines = core.scratch;
    lines = "Via: ";
    lines += place.via_start;
    lines.append(branch.data(), branch.size());
    lines += "\r\n";
    if (passage.record_route) {
        const bool sips = is_sips(in.message.request_uri());
        append_record_route(lines, core, in, wire, place, sips);
        if (const auto* caller = core.directory->place_of(in.wire)) {
            append_record_route(lines, core, in, passage.caller_by_wire ? &in.wire : nullptr,
                                *caller, sips);
        }
    }
    if (!target.route.empty()) {
        fmt::format_to(std::back_inserter(lines), "Route: {}\r\n", target.route);
    }
    count_hops(in, edits, lines);
    edits.insert_on_top(lines);
    edits.replace(
        in.message.value(sip::HeaderId::Via)
            .substr(0, static_cast<std::size_t>(in.via.params.data() + in.via.params.size() -
                                                in.message.value(sip::HeaderId::Via).data())),
        in.via_value);
    edits.remove_first_values(sip::HeaderId::Route, route.own);
    if (route.strict) {
        remove_last_route(in, route, edits);
    }
    drop_own_credentials(core, in, edits);
    if (!passage.keep_identity) {
        drop_identity(in, edits);
    }
    if (passage.max_breadth != 60 || in.message.has(sip::HeaderId::MaxBreadth)) {
        const auto breadth = fmt::format("{}", passage.max_breadth);
        if (const auto* header = in.message.find(sip::HeaderId::MaxBreadth)) {
            edits.replace(header->value, breadth);
        } else {
            edits.insert_below("Max-Breadth: " + breadth + "\r\n");
        }
    }
    if (sip::is_reliable(place.listener->transport) &&
        !in.message.has(sip::HeaderId::ContentLength)) {
        // A datagram may leave it out, a stream not [RFC 3261 §18.3, §20.14].
        edits.insert_below(fmt::format("Content-Length: {}\r\n", in.message.body().size()));
    }
    edits.apply(out);
}

} // namespace cw::server
