// Who sent a request, and may that one send it? [RFC 3261 §16.3 item 6, §22.3, §26]
#pragma once

#include <cstdint>

#include "server/core.hpp"
#include "server/route.hpp"

namespace cw::server {

enum class Sender : std::uint8_t {
    Nobody, // refused, and answered
    User,   // of ours, by digest
    Open,   // of a domain of ours that asks for no digest
    Dialog, // in a dialog set up through us, over the flow that is sealed in it
    Trunk,  // a trunk, by its certificate or its address
    Peer,   // another domain, by its certificate
};

Sender admit(Core& core, const Incoming& in, const Route& route);

} // namespace cw::server
