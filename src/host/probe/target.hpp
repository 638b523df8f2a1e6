// What `callwright probe` is pointed at:
//
//   sips:example.com   sip:example.com;transport=tcp   a SIP URI, found as RFC 3263 says
//   example.com                                        the same as sips:example.com
//   tls:HOST[:PORT]  tcp:  udp:                        this transport, at this host
//   wss:HOST[:PORT][/PATH]  ws:                        SIP over WebSocket [RFC 7118]
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sip/transport.hpp"

namespace cw::host {

struct ProbeTarget {
    std::string text;                        // as it was given
    std::string host;                        // in lower case, an IPv6 address without brackets
    std::uint16_t port = 0;                  // 0: none given
    std::optional<sip::Transport> transport; // not given: by DNS
    bool secure = true;                      // nothing but TLS will do
    std::string path = "/";                  // of a WebSocket

    // Of the request that is sent: "sips:example.com:5061".
    [[nodiscard]] std::string uri() const;
    // For the Host of an HTTP request: "[2001:db8::1]:8443".
    [[nodiscard]] std::string host_header() const;
};

// Fails (Usage) on what is none of these.
Result<ProbeTarget> parse_probe_target(std::string_view text);

std::uint16_t default_port(sip::Transport transport);

} // namespace cw::host
