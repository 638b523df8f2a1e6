// What a request's Route and Request-URI say about where it wants to go, before any decision of
// ours [RFC 3261 §16.4].
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/core.hpp"
#include "server/incoming.hpp"
#include "sip/uri.hpp"

namespace cw::server {

// Views live as long as the message.
struct Route {
    std::string_view request_uri; // to be used: that of the start line, or what a strict router hid
    std::optional<sip::Uri> uri;  // the same; nothing: it is none
    std::unique_ptr<const std::string> stripped; // request_uri, when its maddr has named us
    std::size_t own = 0;                         // so many Route values on top are ours, and go
    bool strict = false;     // the last Route value is the Request-URI: it goes too
    std::string_view hidden; // its URI
    std::string_view next;   // the URI of the first Route value that stays; empty: none
    // Sealed tokens of this dialog were among the own ones: it was set up through us.
    bool sealed = false;
    bool from_its_flow = false; // and the request came over the wire that the first one names
    FlowToken flow;             // the last one: where to
};

Route read_route(const Core& core, const Incoming& in);

// Is this wire the one that a token names?
bool same_flow(const transaction::Wire& token, const transaction::Wire& wire);

} // namespace cw::server
