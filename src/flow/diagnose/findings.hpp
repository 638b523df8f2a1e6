// Where the rules put what they found. Not thread-safe.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"
#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

// How sure it is that what was seen means what the rule says.
enum class Confidence : unsigned char {
    Certain,  // nothing else can look like this
    Likely,   // what else it could be is rare
    Possible, // worth a look
};

class Findings {
  public:
    static constexpr std::size_t most = 64; // of one call; hostile ones bring no more

    // `rule` is the id of a rule. `evidence` says what was seen, with its values. The finding that
    // is returned may be changed until the next one is added.
    Finding& add(std::string_view rule, std::vector<std::uint32_t> messages, std::string evidence,
                 Confidence confidence = Confidence::Certain);
    Finding& add(std::string_view rule, std::initializer_list<std::uint32_t> messages,
                 std::string evidence, Confidence confidence = Confidence::Certain) {
        return add(rule, std::vector<std::uint32_t>{messages}, std::move(evidence), confidence);
    }
    void add(const Finding& finding); // one that was made before
    [[nodiscard]] bool has(std::string_view rule) const;
    // The findings with each consequence beneath its cause, the gravest first.
    std::vector<Finding> take();

  private:
    std::vector<Finding> found_;
    Finding spare_; // what comes when there is no more room
};

void set_severity(Finding& finding, Severity severity);

} // namespace cw::flow::diagnose
