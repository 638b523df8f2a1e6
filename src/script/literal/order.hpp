// What a literal party does with what it has received: "does: take 1 from body by /…/". Each order
// is a typed value; its words are checked when the flow is read. Values; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "script/literal/regex.hpp"
#include "script/literal/text.hpp"

namespace cw::script::literal {

// A number, or the variable that holds it.
using Operand = std::variant<double, std::string>;

struct Take { // take 1,2 from header "CSeq:" by /…/
    enum class From : std::uint8_t { Message, Body, Header, Variable };
    enum class Must : std::uint8_t { Nothing, Match, NotMatch };
    std::vector<std::string> into; // the whole, its groups
    From from = From::Message;
    std::string name; // of the header, as it is searched for; of the variable
    std::uint32_t occurrence = 1;
    bool line_start = false;
    bool ignore_case = false;
    Must must = Must::Nothing;
    Regex regex;
};
struct SetText { // set name to "text"
    std::string into;
    Text text;
};
struct Calculate { // let x = 1, let x + 1
    std::string into;
    char sign = '='; // = + - * /
    Operand with;
};
struct Compare { // compare a with "text" into b: below 0, 0, above
    std::string what;
    std::variant<Text, std::string> with; // a text, or a variable
    std::string into;
};
struct Test { // test a equal 1 into b
    enum class How : std::uint8_t { Equal, NotEqual, Greater, Less, GreaterEqual, LessEqual };
    std::string what;
    How how = How::Equal;
    Operand with;
    std::string into;
};
struct ToNumber { // number a into b
    std::string what;
    std::string into;
};
struct Trim { // trim x: without the white space at its ends
    std::string what;
};
struct Sample { // sample x uniform 1 9: a number left to chance
    enum class From : std::uint8_t {
        Uniform,
        Normal,
        Lognormal,
        Exponential,
        Weibull,
        Pareto,
        Gamma,
        NegativeBinomial,
    };
    std::string into;
    From from = From::Uniform;
    // The least; the mean; Weibull's scale; the shape of Pareto and gamma; negbin's probability.
    double first = 0;
    // The greatest; the deviation; Weibull's shape; the scale of Pareto and gamma; negbin's count.
    double second = 0;
};
struct Log {
    Text text;
};
struct Fail { // fail "text"
    Text text;
};
struct Stop { // the flow ends here, well
};
struct Jump { // jump to step 3, or to the step that a variable says
    Operand to;
};
struct CheckDigest { // check digest of "user" "password" into b
    Text user;
    Text password;
    std::string into;
};
struct LookUp { // look up "key" in "file" into n: its row, or -1
    Text key;
    Text file;
    std::string into;
};
struct Insert { // insert "a;b" in "file": a row at its end
    Text row;
    Text file;
};
struct Replace { // replace row "0" of "file" with "a;b"
    Text number; // from 0
    Text file;
    Text row;
};
struct SendTo { // send to "host" "port" by "udp": where messages go from now on
    Text host;
    Text port;
    Text transport;
};
struct CloseConnection {}; // close connection: the next message opens another one
struct Clock {             // clock into s,us
    std::vector<std::string> into;
};
struct Sound { // stream "file,loops,payload", echo "start…", replay "x.pcap"
    enum class How : std::uint8_t { Stream, Echo, Replay };
    How how = How::Stream;
    std::string what;
};
using Order =
    std::variant<Take, SetText, Calculate, Compare, Test, ToNumber, Trim, Sample, Log, Fail, Stop,
                 Jump, CheckDigest, LookUp, Insert, Replace, SendTo, CloseConnection, Clock, Sound>;

// "negbin" → NegativeBinomial, as SIPp calls it.
std::optional<Sample::From> distribution_of(std::string_view name);

// Or what is wrong with it: a sentence.
std::expected<Order, std::string> parse_order(std::string_view text);

// A text between quotes, and a regular expression between slashes, as orders have them.
std::string quoted(std::string_view text, char mark);

} // namespace cw::script::literal
