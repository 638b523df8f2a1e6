// Patterns of words, as the tables of facts and actions write them: "within $duration",
// "SRTP|RTP offer|answer". A word is itself, one of several with "|" between them, or a "$kind"
// whose text becomes an argument. A pattern matches all of a text or says how far it came.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "script/names.hpp"
#include "script/value.hpp"

namespace cw::script {

// What a "|" or a "$kind" stands for in the text that was matched.
struct Argument {
    std::string_view text;
    std::int64_t number = 0; // a duration in ns, a count, millionths, a party, which alternative
    Duration time() const { return {number}; }
    std::uint32_t count() const { return static_cast<std::uint32_t>(number); }
    PartyId party() const { return static_cast<PartyId>(number); }
};

inline constexpr std::int64_t first_sound = 1000; // of $heard: music, speech, silence

struct Match {
    bool complete = false;
    std::size_t words = 0;                 // how many were matched
    std::string_view stopped;              // where it stopped; empty: the text ended too soon
    std::string expected;                  // what should be there
    std::vector<std::string_view> choices; // the words that would fit there
    std::vector<Argument> arguments;
};
Match match(std::string_view pattern, std::span<const std::string_view> words,
            std::string_view text, const Names& names);

// The words with which texts of this pattern begin, up to the first "$": "SRTP offer", "SRTP
// answer".
std::vector<std::string> beginnings(std::string_view pattern);

} // namespace cw::script
