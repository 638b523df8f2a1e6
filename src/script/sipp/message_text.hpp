// The text of a <send>: its lines as SIPp sends them, and what of them a flow has to say. Internal
// to script/sipp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "script/literal/draft.hpp"

namespace cw::script::sipp {

// Lines without the blanks around them; empty lines before the first and after the last are gone.
std::vector<std::string> lines_of(std::string_view cdata);
literal::Draft read_message(const std::vector<std::string>& lines);

struct Words {          // of an arrow
    std::string method; // of a request
    std::string status; // of a response
    std::string phrase;
};
// False: the first line is neither a request nor a response.
bool read_start(std::string_view start, Words& out);

// The lines beneath the arrow, without their "%%"; `described`: its facts say so too. `habits`
// remembers what was sent.
std::vector<std::string> say_message(literal::Habits& habits, const Words& words,
                                     const literal::Draft& message, bool& described);

} // namespace cw::script::sipp
