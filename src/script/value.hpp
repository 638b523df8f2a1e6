// The small values of the flow language: times, shares, and texts with gaps in them that are filled
// when the flow runs. Read and written here in one spelling. Values that own what they hold.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "script/place.hpp"

namespace cw::script {

using PartyId = std::uint8_t; // an index into Plan::parties
using StepId = std::uint32_t; // an index into Plan::steps
using CallId = std::uint16_t; // call 1, call 2, …; 0: none, or not said

// "500ms", "1.5s", "10m", "1h"; at most 1000 hours and three decimals.
std::optional<Duration> parse_duration(std::string_view text);
void append(std::string& out, Duration duration);

// A share in millionths, so that 0.1% is exact.
struct Percent {
    std::uint32_t millionths = 0;
    constexpr auto operator<=>(const Percent&) const = default;
};
std::optional<Percent> parse_percent(std::string_view text); // "0.1%", up to "100%"
void append(std::string& out, Percent percent);

enum class PartyField : std::uint8_t { Uri, Contact, User, Domain, Address };
enum class CallField : std::uint8_t { Id, FromTag, ToTag, Cseq, From, To };
std::string_view to_string(PartyField field);
std::string_view to_string(CallField field);

// What stands in {braces}: a value that is known only when the flow runs.
struct Variable {
    enum class Kind : std::uint8_t {
        Named,  // {rseq}: given by `set:` or captured where it is first received
        Party,  // {alice.uri}
        Call,   // {call.id}: of the arrow's own call; {call2.from_tag}
        Number, // {n}: which call of a load this is
        Row,    // {row.user}: a column of the CSV file
        Env,    // {env.SECRET}: from the environment
    };
    Kind kind = Kind::Named;
    std::string name; // Named, Row, Env
    PartyId party = 0;
    PartyField party_field = PartyField::Uri;
    CallId call = 0;
    CallField call_field = CallField::Id;
    std::uint32_t plus = 0; // {rseq+1}
    Place place;
    bool operator==(const Variable&) const = default;
};
void append(std::string& out, const Variable& variable,
            const std::vector<std::string>& party_names);

// `*`: any text where a value is compared. Nothing is set by a value that has one; only "Contact:
// *" in a REGISTER is sent as it stands [RFC 3261 §10.2.2].
struct Any {
    bool operator==(const Any&) const = default;
};

using Piece = std::variant<std::string, Any, Variable>;
struct Template {
    std::vector<Piece> pieces;
    bool operator==(const Template&) const = default;
};
void append(std::string& out, const Template& text, const std::vector<std::string>& party_names);

} // namespace cw::script
