// Variables while the steps of a flow are walked: {rseq} is captured where it is first received and
// has a value from then on. Complains about those that are used before, and warns of those that are
// captured for nothing.
#pragma once

#include <string>
#include <vector>

#include "script/complaint.hpp"
#include "script/plan.hpp"

namespace cw::script {

class Variables {
  public:
    Variables(const Plan& plan, Complaints& complaints);

    // `may_capture`: the text is compared with what a party of ours receives. `call` is the
    // arrow's, `calls` how many have been opened so far.
    struct Where {
        bool may_capture = false;
        CallId call = 0;
        CallId calls = 0;
    };
    void see(const Template& text, const Where& where);
    void see(const Facts& facts, const Where& where);
    void finish();

  private:
    struct Known {
        std::string name;
        Place place;
        bool used = false;
    };
    void see(const Variable& variable, const Where& where);
    void see_named(const Variable& variable, const Where& where);

    Complaints& complaints_;
    std::vector<Known> known_;
    bool rows_ = false;
};

} // namespace cw::script
