// What a literal party reads of a message, as SIPp reads it: by its text, whatever else is wrong
// with it. Views of what they are given, or values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "script/literal/order.hpp"

namespace cw::play::literal {

struct Opening {             // of a message
    std::string_view method; // of a request
    std::uint16_t status = 0;
    std::string_view uri;
};
Opening opening_of(std::string_view message);

// The lines of this header, each with its name, without their ends; compact forms and case do not
// count. A folded line is one.
std::vector<std::string_view> lines_of_header(std::string_view message, std::string_view name);
// The first one's value, or empty.
std::string_view value_of_header(std::string_view message, std::string_view name);
std::string_view body_of(std::string_view message);
std::string_view tag_in(std::string_view value);
// Of the header, not of the address in its brackets.
std::string_view parameter_in(std::string_view value, std::string_view name);
std::string_view branch_in(std::string_view via);
// "<sip:a@b>;x" → "sip:a@b".
std::string_view uri_in(std::string_view value);
// "1 INVITE" → INVITE.
std::string_view method_in(std::string_view cseq);

// The part that an order searches.
std::string_view part_of(std::string_view message, const script::literal::Take& take);

} // namespace cw::play::literal
