// The address by which others are likely to reach this machine: the source that the system would
// take towards the outside. Nothing is sent.
#pragma once

#include <string>

namespace cw::host {

// As it stands in a URI, IPv6 in brackets; the loopback address when there is no way out.
std::string own_address(bool v4);

} // namespace cw::host
