// What of a captured message has to be said beneath its arrow so that a flow sends it again: header
// fields that no user agent writes by itself. What each run makes anew (Call-IDs, tags, addresses)
// is written as the variable that stands for it. No state but what is told; hostile bytes in, lines
// of a flow out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sip/message.hpp"

namespace cw::view {

// Values of this capture, and the variables of the language for them.
class RunnableNames {
  public:
    // `variable` without its braces: "call1.id". Short values would be found everywhere: they are
    // not taken.
    void add(std::string_view value, std::string_view variable);
    // `text` with variables in the place of those values; nothing where a line cannot hold it:
    // control characters, braces or `*` of its own, an address that is nobody's.
    [[nodiscard]] std::optional<std::string> rewrite(std::string_view text) const;

  private:
    std::vector<std::pair<std::string, std::string>> known_; // longest values first
};

struct FieldLines {
    std::vector<std::string> lines; // "Require: 100rel"
    std::vector<std::string> lost;  // names of those that no line can hold
};
FieldLines field_lines(const sip::MessageView& message, sip::Method method,
                       const RunnableNames& names);

// What this hop says otherwise than the one before: its new lines, and "no Name" for those that
// are gone.
std::vector<std::string> changed_lines(const std::vector<std::string>& before,
                                       const std::vector<std::string>& now);

// "SIP/2.0 180 Ringing" of a message/sipfrag body → "180 Ringing"; empty when it is none.
std::string reported_status(std::string_view body);

} // namespace cw::view
