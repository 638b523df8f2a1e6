#include "host/probe/target.hpp"

#include <algorithm>
#include <array>

#include "base/address.hpp"
#include "base/text.hpp"
#include "sip/params.hpp"
#include "sip/uri.hpp"

namespace cw::host {
namespace {

using sip::Transport;

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), ascii_lower);
    return out;
}

bool is_host(std::string_view host) {
    return IpAddress::parse(host) ||
           (!host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
               return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
           }));
}

std::optional<Transport> transport_named(std::string_view name) {
    for (const auto transport :
         {Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss}) {
        if (iequals(name, to_string(transport))) {
            return transport;
        }
    }
    return std::nullopt;
}

// "host", "host:port", "[v6]:port", and an IPv6 address that lacks its brackets.
Result<void> take_host(std::string_view text, ProbeTarget& target) {
    if (IpAddress::parse(text)) {
        target.host = lower(text);
    } else {
        const auto colon = text.rfind(':');
        const bool has_port = colon != std::string_view::npos && !text.ends_with(']');
        target.host = lower(text.substr(0, has_port ? colon : text.size()));
        if (has_port) {
            const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
            if (!port || *port == 0) {
                return fail(Code::Usage, 0, "its port is no number from 1 to 65535");
            }
            target.port = *port;
        }
    }
    if (target.host.starts_with('[') && target.host.ends_with(']')) {
        target.host = target.host.substr(1, target.host.size() - 2);
    }
    if (!is_host(target.host)) {
        return fail(Code::Usage, 0, "it names no host; sips:example.com or tls:192.0.2.1:5061 do");
    }
    return {};
}

Result<void> take_uri(std::string_view text, ProbeTarget& target) {
    const auto uri = sip::parse_uri(text);
    if (!uri) {
        return fail(Code::Usage, 0, "it is no SIP URI");
    }
    target.secure = uri->scheme == sip::Scheme::Sips;
    if (const auto name = sip::find_param(uri->params, "transport")) {
        target.transport = transport_named(*name);
        if (!target.transport) {
            return fail(Code::Usage, 0, "its transport is none of udp, tcp, tls, ws, wss");
        }
        if (target.secure) { // [RFC 3261 §26.2.2] sips is TLS, whatever carries it
            target.transport = *target.transport == Transport::Tcp  ? Transport::Tls
                               : *target.transport == Transport::Ws ? Transport::Wss
                                                                    : *target.transport;
        }
    }
    if (target.secure && target.transport && !is_secure(*target.transport)) {
        return fail(Code::Usage, 0, "a sips URI goes over TLS only");
    }
    if (auto r = take_host(uri->host, target); !r) {
        return r;
    }
    target.port = uri->port;
    return {};
}

} // namespace

std::uint16_t default_port(sip::Transport transport) {
    switch (transport) {
    case Transport::Tls:
        return 5061;
    case Transport::Ws:
        return 80; // [RFC 7118 §5.5]
    case Transport::Wss:
        return 443;
    case Transport::Udp:
    case Transport::Tcp:
    case Transport::Sctp:
    case Transport::Hep:
        break;
    }
    return 5060;
}

// [RFC 6455 §4.1] "the host component [...] optionally followed by ":" [...] if the port isn't the
// default"
std::string ProbeTarget::host_header() const {
    auto header = host.contains(':') ? "[" + host + "]" : host;
    if (port != 0 && (!transport || port != default_port(*transport))) {
        header += ":" + std::to_string(port);
    }
    return header;
}

std::string ProbeTarget::uri() const {
    const bool sips = secure && !transport.has_value();
    std::string out = sips ? "sips:" : "sip:";
    out += host.find(':') != std::string::npos ? "[" + host + "]" : host;
    if (port != 0) {
        out += ":" + std::to_string(port);
    }
    if (transport) {
        // [RFC 7118 §5.2] says "ws" of both; "tls" is what the field writes for TLS.
        out += ";transport=" +
               std::string{*transport == Transport::Wss ? "ws" : to_string(*transport)};
    }
    return out;
}

Result<ProbeTarget> parse_probe_target(std::string_view text) {
    ProbeTarget target;
    target.text = text;
    const auto colon = text.find(':');
    const auto scheme = text.substr(0, colon == std::string_view::npos ? 0 : colon);
    if (iequals(scheme, "sip") || iequals(scheme, "sips")) {
        if (auto r = take_uri(text, target); !r) {
            return std::unexpected(r.error());
        }
        return target;
    }
    auto rest = text;
    if (const auto transport = transport_named(scheme)) {
        target.transport = *transport;
        target.secure = is_secure(*transport);
        rest.remove_prefix(colon + 1);
        if (rest.starts_with("//")) {
            rest.remove_prefix(2);
        }
        if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
            target.path = rest.substr(slash);
            rest = rest.substr(0, slash);
            const bool plain =
                std::ranges::all_of(target.path, [](char c) { return c > ' ' && c < 0x7f; });
            if ((*transport != Transport::Ws && *transport != Transport::Wss) || !plain) {
                return fail(Code::Usage, 0, "only a WebSocket has a path, of plain characters");
            }
        }
    }
    if (auto r = take_host(rest, target); !r) {
        return std::unexpected(r.error());
    }
    return target;
}

} // namespace cw::host
