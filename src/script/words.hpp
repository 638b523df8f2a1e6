// Texts cut into words: at blanks, but not inside "quotes"; and facts at commas, but not inside
// quotes, <angle brackets> or {braces}. Views into what was cut.
#pragma once

#include <string_view>
#include <vector>

namespace cw::script {

std::vector<std::string_view> split_words(std::string_view text);
std::vector<std::string_view> split_facts(std::string_view text); // trimmed, the empty ones too

// "INVITE bob (SRTP offer)" divided at the last group of parentheses, which is at the end.
struct Divided {
    enum class Fault { None, NotClosed, NotOpened };
    std::string_view head;  // "INVITE bob"
    std::string_view facts; // "SRTP offer"
    bool has_facts = false;
    Fault fault = Fault::None;
    std::string_view fault_at; // the parenthesis that has no partner
};
Divided divide(std::string_view text);

} // namespace cw::script
