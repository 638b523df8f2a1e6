// The header that HAProxy and other balancers put in front of a connection that they pass on, so
// that the server learns who the client is: the PROXY protocol, versions 1 (text) and 2 (binary)
// [https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt]. What follows it is the connection
// itself, TLS or SIP.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace cw::capture {

struct ProxyHeader {
    enum class Found : std::uint8_t { None, Part, Whole };
    Found found = Found::None;
    std::size_t size = 0; // of a whole one; what follows it is not looked at
};

// Looks for the header at the beginning of a stream. Part: these bytes can be the beginning of one,
// and the rest of it is to come. At most 5 bytes are needed to say None.
ProxyHeader find_proxy_header(Bytes first_bytes);

} // namespace cw::capture
