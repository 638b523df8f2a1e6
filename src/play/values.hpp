// The values that a flow's variables have while it is performed: captures, --set, and what is known
// of parties and calls. Fills templates with them, and captures from what is received.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "play/cast.hpp"
#include "script/plan.hpp"

namespace cw::play {

class Values {
  public:
    // What a call looks like to the party that the value is for.
    struct CallFacts {
        std::string id, from_tag, to_tag, cseq, from, to;
    };
    using CallFinder = std::function<std::optional<CallFacts>(script::CallId)>;

    Values(const script::Plan& plan, const Given& given, const Cast& cast);

    // For whom, in which call: what {call.id} and {alice.contact} mean.
    struct Where {
        script::CallId call = 0;
        sip::Transport transport = sip::Transport::Tls;
        const CallFinder* calls = nullptr;
    };
    // Nothing when it has a `*`, or a variable that has no value yet; `missing` then names it.
    // `unknown`, unless empty, stands for what the flow would capture.
    std::optional<std::string> fill(const script::Template& text, const Where& where,
                                    std::string* missing = nullptr,
                                    std::string_view unknown = {}) const;

    // Does `received` fit the template? `*` stands for any text, a variable without a value for any
    // text too, which becomes its value. `ignore_case`: as header values are compared.
    bool match(const script::Template& text, std::string_view received, const Where& where,
               bool ignore_case);
    // The template for people, with the values that are known.
    [[nodiscard]] std::string show(const script::Template& text, const Where& where) const;

  private:
    [[nodiscard]] std::optional<std::string> value(const script::Variable& variable,
                                                   const Where& where) const;
    const Given& given_;
    const Cast& cast_;
    std::map<std::string, std::string> named_;
};

} // namespace cw::play
