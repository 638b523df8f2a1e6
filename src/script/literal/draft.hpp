// A message of a literal party before its [keywords] are filled: lines of text. What the flow does
// not say is taken from the message of its kind that the party sent before, or from the plain one
// that everybody sends; so only what is out of the ordinary has to be written out. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "script/fact.hpp"

namespace cw::script::literal {

struct Draft {
    std::string start; // "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0"
    std::vector<std::string> headers;
    std::vector<std::string> body;
    bool whole = false; // written out from the first line to the last
    bool operator==(const Draft&) const = default;
    [[nodiscard]] bool described() const; // its body is a session description
};

// "Via" of "Via: …" and of "[last_Via:]"; the whole line where there is no name.
std::string_view name_of(std::string_view line);
// "INVITE … SIP/2.0" or "SIP/2.0 …".
bool is_start_line(std::string_view line);

// What one party sends by default, in the order of the file.
class Habits {
  public:
    [[nodiscard]] Draft request(std::string_view method) const;
    [[nodiscard]] Draft response(std::uint16_t status, std::string_view phrase) const;
    [[nodiscard]] std::vector<std::string> description() const; // the default SDP
    void sent(const Draft& draft);

  private:
    std::optional<Draft> last_request_;
    std::string last_method_;
    std::uint32_t last_number_ = 0; // of its CSeq; 0: not a number
    std::optional<Draft> last_response_;
    std::vector<std::string> last_description_;
};

// The default with what the facts of the arrow say.
Draft apply(const Habits& habits, Draft draft, const Facts& facts);

} // namespace cw::script::literal
