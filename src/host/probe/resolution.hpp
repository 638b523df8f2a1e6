// Where a target leads [RFC 3263 §4], with the steps that led there, for a person to read.
#pragma once

#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "host/probe/target.hpp"
#include "sip/transport.hpp"

namespace cw::host {

struct Place {
    sip::Transport transport = sip::Transport::Tls;
    Endpoint endpoint;
};

struct Resolution {
    std::vector<std::string> steps; // "example.com is 192.0.2.1 (A)"
    std::vector<Place> places;      // to be tried in this order; empty: nowhere
    std::string failure;            // why there are none
};

// Asks DNS where the target is a name, and waits for it until the timeout. `servers`: as
// net::DnsSettings has them.
Resolution resolve(const ProbeTarget& target, Duration timeout, const std::string& servers = {});

} // namespace cw::host
