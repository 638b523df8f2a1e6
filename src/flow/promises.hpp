// The media that answered offers promised: what the ladder compares with what was seen.
#pragma once

#include <cstdint>
#include <vector>

#include "flow/call.hpp"

namespace cw::flow {

// One media line that one side offered and the other accepted [RFC 3264], on one hop.
struct Promise {
    Endpoint offerer; // where the side that offered wants to receive; its address may be a NAT's
    Endpoint answerer;
    std::uint32_t offer = none; // index in Call::messages
    std::uint32_t answer = none;
    std::uint32_t offer_line = none; // index in Call::media_lines
    std::uint32_t answer_line = none;
    bool to_offerer = false; // the directions agreed let media flow this way
    bool to_answerer = false;
};

// Each pair of endpoints once (the last answer counts), in the order of the answers. Lines that
// were refused (port 0) or put on hold are left out.
std::vector<Promise> promises_of(const Call& call);

} // namespace cw::flow
