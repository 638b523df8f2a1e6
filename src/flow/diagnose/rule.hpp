// The rules of diagnosis as people read them: the one source of `callwright explain`, of
// docs/diagnosis.md and of the words in every finding. What a rule looks for stands in the file of
// its family. Static data, any thread.
#pragma once

#include <span>
#include <string_view>

namespace cw::flow::diagnose {

enum class Severity : unsigned char {
    Error,   // the call failed by it, or its content was open to others
    Warning, // it will fail one day, or somewhere else
    Note,    // worth knowing
};
std::string_view to_string(Severity severity); // "error", "warning", "note"

struct Rule {
    std::string_view id;     // "D01"
    Severity severity;       // the gravest that it is given
    std::string_view title;  // what happened, in one line
    std::string_view rfc;    // "RFC 3261 §13.3.1.4"; empty where no standard speaks of it
    std::string_view means;  // what it means, in plain words
    std::string_view fix;    // what to change, and where
    std::string_view needs;  // what must have been visible, or there is no finding
    std::string_view brings; // the rules whose findings may hang beneath: "D01 D07"
    // A call that has it: lines of a Mermaid sequence diagram, "A->>B: INVITE", "B-->>A: 200 OK".
    // The arrow at which the finding is shown ends in " [!]".
    std::string_view picture;
};

// Of one family, in the order of their ids.
std::span<const Rule> dialog_rules();
std::span<const Rule> registration_rules();
std::span<const Rule> tls_rules();
std::span<const Rule> media_rules();
std::span<const Rule> capture_rules();

struct Family {
    std::string_view name; // "Call set-up and dialog"
    std::span<const Rule> rules;
};
std::span<const Family> all_families();
// nullptr when there is none with this id. In any case: "d01" is D01.
const Rule* find_rule(std::string_view id);

} // namespace cw::flow::diagnose
