// host [":" port], as it stands in a URI and in a Via [RFC 3261 §25.1]. For the parsers of this
// folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/address.hpp"
#include "base/result.hpp"
#include "sip/cursor.hpp"

namespace cw::sip {

struct HostPort {
    std::string_view text;  // an IPv6 reference with its brackets
    std::uint16_t port = 0; // 0: none given
    const char* quirk = nullptr;
};

// Leaves the cursor behind the port. With `allow_white`, blanks may stand around the colon: Via has
// COLON there, a URI ":". Fails (Malformed) without a host, in an IPv6 reference that has other
// characters than an address, and when what follows the colon is not a port.
Result<HostPort> parse_host_port(Cursor& cursor, bool allow_white);

// The address that `host` spells, with or without brackets. An IPv4 address behind a third colon,
// "[2001:db8:::192.0.2.1]", is read as its sender meant it [RFC 5118 §4.10].
std::optional<IpAddress> host_to_address(std::string_view host);

} // namespace cw::sip
