// Where a part of a flow stands in its file: what complaints and verdicts point at. Lines and
// columns count from 1; a column is a character, not a byte. Values; no lifetime.
#pragma once

#include <cstdint>

namespace cw::script {

struct Place {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::uint32_t length = 0; // in characters; 0 where it is a point
    bool after_blank = false; // an empty line stands before it
    std::uint8_t file = 0; // of a flow that is performed before: its number in Plan::files, from 1
    // Where a thing stood is no part of what it says: two plans are equal when they say the same,
    // and so every struct that holds a Place can compare its members.
    friend constexpr bool operator==(const Place& /*a*/, const Place& /*b*/) { return true; }
};

} // namespace cw::script
