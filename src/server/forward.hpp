// The copy of a request that goes to one target [RFC 3261 §16.6]: edits spliced into the bytes that
// came.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/branch.hpp"
#include "server/core.hpp"
#include "server/route.hpp"
#include "server/targets.hpp"

namespace cw::server {

// What was decided about a request once, for all its copies.
struct Passage {
    bool record_route = false;
    bool keep_identity = false;     // P-Asserted-Identity: its sender is trusted
    bool caller_by_wire = false;    // requests back to its sender go over the wire it came on
    std::uint16_t max_breadth = 60; // for each copy [RFC 5393 §5.3.3]
    std::uint64_t loop_seal = 0;
};

// Appends to `out` the copy of `in` for `target`, to be sent over `transport` and, when `place`
// says so, from that listener. `wire` is the way to the target; nullptr when it is not open yet.
void append_forwarded(std::string& out, Core& core, const Incoming& in, const Route& route,
                      const Passage& passage, const Target& target, const Place& place,
                      const transaction::Wire* wire, const Branches::Text& branch);

} // namespace cw::server
