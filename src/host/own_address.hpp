// The address by which others are likely to reach this machine: the source that the system would
// take towards them. Nothing is sent.
#pragma once

#include <string>

#include "base/address.hpp"

namespace cw::host {

// The loopback address when there is no way there.
IpAddress own_address_towards(const IpAddress& other);
// Towards the outside. As it stands in a URI, IPv6 in brackets; the loopback address when there is
// no way out.
std::string own_address(bool v4);

} // namespace cw::host
