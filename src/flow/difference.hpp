// Two calls side by side: message by message, and in those that stand at the same place header
// field by header field and line of the SDP by line. What differs from call to call by nature
// (tags, branches, Call-ID, ports, nonces, keys, times) is left out, and addresses count as the
// parties that have them. Pure, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"

namespace cw::flow {

struct FieldDifference {
    std::string name; // "User-Agent", "SDP a=ptime", "sent"
    std::string a;    // its value; empty: it is not there
    std::string b;
};

// Messages that stand at the same place of both calls and differ, or one that the other call does
// not have.
struct StepDifference {
    std::uint32_t a = none; // index in Call::messages
    std::uint32_t b = none;
    std::vector<FieldDifference> fields; // when both are there
};

struct CallDifference {
    std::vector<StepDifference> steps; // in the order of the ladder
    std::uint32_t alike_before = 0;    // messages of the first call before the first difference
    std::uint32_t alike = 0;           // in all
    bool cut = false;                  // longer than what is compared

    [[nodiscard]] bool none_found() const { return steps.empty(); }
};

// The bytes of a message, empty when they are not known; valid until the next one is asked for.
using BytesOf = std::function<std::string_view(const Message& message)>;

// The first `longest_compared` messages of each, without copies of the capture; retransmissions
// count as one message that was sent so often.
inline constexpr std::size_t longest_compared = 2000;
CallDifference compare(const Call& a, const Call& b, const BytesOf& bytes_a,
                       const BytesOf& bytes_b);

} // namespace cw::flow
