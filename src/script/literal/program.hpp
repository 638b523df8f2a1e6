// What a literal party does, step by step: its messages with all that is in them, what it awaits,
// where it goes on. Compiled from a Plan once; not changed afterwards, and shared between calls and
// threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "script/complaint.hpp"
#include "script/literal/order.hpp"
#include "script/literal/text.hpp"
#include "script/plan.hpp"

namespace cw::script::literal {

using Index = std::uint32_t; // of an instruction; the size of the program: its end

struct Message {
    std::vector<Text> head; // start line and headers, one a line
    std::vector<Text> body;
    bool request = false;
    bool again = false; // over UDP: repeated until something comes
    std::string method; // as it stands in the start line; of a response, empty
};

// A pause: so long, or drawn from a distribution.
struct Pause {
    enum class Kind : std::uint8_t { Fixed, Variable, Default, Drawn };
    Kind kind = Kind::Fixed;
    Duration time;        // Fixed
    std::string variable; // its milliseconds
    // Drawn, in milliseconds where they are times: see Sample.
    Sample::From from = Sample::From::Uniform;
    double first = 0;
    double second = 0;
};

struct Goto {
    std::optional<Index> to;
    std::string test; // only if this variable is set; empty: always
    bool negated = false;
    std::uint32_t chance = 1'000'000; // millionths
};

struct Instruction {
    enum class Kind : std::uint8_t {
        Send,
        Receive,
        Pause,
        Compute,
        Tell, // a command to another literal party
        Hear,
        Count, // so many rounds of a loop
        Maybe, // with this chance, else at `miss`
    };
    Kind kind = Kind::Compute;
    StepId step = 0;
    PartyId peer = 0;
    Message message; // Send, Tell
    // Receive: a request of this method, or a response with this status.
    std::string method;
    std::optional<Regex> methods; // …or of one in which this is found
    std::uint16_t status = 0;
    bool optional = false;
    bool any_time = false;
    bool keeps_route = false;
    bool fails = false; // it must not come
    Index miss = 0;     // where it goes on when an optional one does not come
    std::optional<Duration> within;
    std::optional<Index> otherwise; // …and it did not come
    std::string transaction;
    std::uint32_t lost = 0; // millionths
    Pause pause;
    std::uint32_t rounds = 0;         // Count
    std::uint32_t chance = 1'000'000; // Maybe
    std::vector<Order> orders;
    std::string when; // it happens only if this variable is set
    bool when_not = false;
    Goto then;
};

struct Program {
    PartyId party = 0;
    std::vector<Instruction> steps;
    bool begins = false; // it sends before anything has come
};

// Of the methods that RFCs define, those in which the expression is found.
std::vector<std::string_view> methods_like(const Regex& expression);
// What `party` does. Complaints say where the flow asks for what a literal party cannot do.
Program compile(const Plan& plan, PartyId party, Complaints& complaints);
// All of a flow's literal parties; resolves which response answers what, for reports.
void check(Plan& plan, Complaints& complaints);

} // namespace cw::script::literal
