// The language of --filter: which calls to show.
//
//     method == INVITE and from ~ alice
//     status >= 400 or state == timeout
//     number ~ 4930 and not host == 192.0.2.7 and time >= 10:00 and duration < 5
//
// Fields: method, status (code), from, to, number (from or to), call-id, state, kind, host (ip,
// address), port, transport, time, duration, messages, codec. Names that Wireshark uses for them
// (sip.Call-ID, sip.Method, sip.Status-Code, ip.addr, …) are understood. Operators: == != < <= > >=
// and ~ (contains); and, or, not, &&, ||, !, parentheses; values with blanks in quotes. A bare word
// is searched for in from, to and Call-ID. Text is compared without case. A method, state, kind,
// transport or host that no call can have is refused: it would find nothing, and say nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "flow/call.hpp"

namespace cw::flow {

class Filter {
  public:
    // On failure Error::offset is where in `text` it went wrong, and `expected` (when given) what
    // could have stood there.
    static Result<Filter> parse(std::string_view text, std::string* expected = nullptr);

    [[nodiscard]] bool matches(const Call& call) const;

    enum class Field : std::uint8_t {
        Any,
        Method,
        Status,
        From,
        To,
        Number,
        CallId,
        State,
        Kind,
        Host,
        Port,
        Transport,
        Time,
        Duration,
        Messages,
        Codec,
    };
    enum class Operator : std::uint8_t {
        Equal,
        NotEqual,
        Less,
        LessEqual,
        Greater,
        GreaterEqual,
        Contains
    };

  private:
    enum class Kind : std::uint8_t { Compare, And, Or, Not };
    struct Node {
        Filter::Kind kind = Kind::Compare;
        Field field = Field::Any;
        Operator op = Operator::Contains;
        std::string value;
        double number = 0; // the value of a numeric field; seconds for Time and Duration
        bool time_of_day = false;
        std::uint32_t left = 0; // indices of nodes_
        std::uint32_t right = 0;
    };
    friend class FilterParser;

    [[nodiscard]] bool holds(std::uint32_t node, const Call& call) const;
    [[nodiscard]] static bool compare(const Node& node, const Call& call);

    std::vector<Node> nodes_;
    std::uint32_t root_ = 0;
};

} // namespace cw::flow
