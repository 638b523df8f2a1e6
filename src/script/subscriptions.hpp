// The subscriptions of a flow while its steps are walked: which SUBSCRIBE or REFER a NOTIFY reports
// on, and which one a later SUBSCRIBE refreshes [RFC 6665 §4.1.2, RFC 3515 §2.4.4].
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "script/plan.hpp"

namespace cw::script {

struct Subscription {
    StepId step = 0; // the request that made it
    PartyId from = 0;
    PartyId to = 0;
    PartyId subscriber = 0; // `from`, or whose request a proxy at `from` passed on
    CallId call = 0;
    std::string event; // empty: not said
};

class Subscriptions {
  public:
    // A SUBSCRIBE or REFER was sent. `passed_on`: the step of the request that it passes on.
    void add(StepId step, const Arrow& arrow, const Request& request);
    void refused(StepId step); // by a final response that is no 2xx

    // The one that this NOTIFY reports on.
    [[nodiscard]] const Subscription* reported_by(const Arrow& notify) const;
    // The one that this SUBSCRIBE refreshes or ends.
    [[nodiscard]] const Subscription* refreshed_by(const Arrow& subscribe) const;

  private:
    std::vector<Subscription> all_;
};

} // namespace cw::script
