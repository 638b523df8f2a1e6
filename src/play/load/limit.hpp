// The highest rate at which a load still meets its goal, found by loads at rates that double until
// one of them fails, and then by halving what is between. Values; no clock, no sockets.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace cw::play {

// What one load at one rate gave.
struct Rung {
    double rate = 0; // calls a second
    bool met = false;
    bool own_limit = false; // calls began late or were held back: it is the generator that was slow
    std::string why;        // what was measured, in words
    Duration answers_95;    // unknown (0) when nothing was answered
    double failed = 0;      // share of the calls
    Duration cpu;           // of ours, a call
};

struct Limit {
    std::vector<Rung> rungs; // in the order in which they were tried
    double rate = 0;         // the highest that met the goal; 0: not even the first
    double too_much = 0;     // the lowest that did not; 0: none was found
    bool interrupted = false;
    std::string hopeless; // why it could not be done at all
};

// `attempt` performs the load at a rate; nothing when it was interrupted or cannot be done at all.
// Ends when the two rates are within 5 % of each other, or at `highest`.
Limit find_limit(double first, double highest,
                 const std::function<std::optional<Rung>(double rate)>& attempt);

} // namespace cw::play
