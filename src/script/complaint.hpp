// What is wrong with a flow, said to a person: the place, what stands there, what was expected, and
// the nearest word that would have been right. Printed with the line and a caret beneath the place.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "script/place.hpp"

namespace cw::script {

struct Complaint {
    Place place;
    bool warning = false; // the flow can be run nevertheless
    std::string what;
    std::string expected; // empty where there is nothing to choose from
    std::string nearest;  // a known word that is close to what was written, or empty
};

// "flow.mmd:6:18: error: …", the line, a caret, "expected …". `flow` is the whole text of the file.
// Values of passwords are left out of the line.
void append(std::string& out, std::string_view file, std::string_view flow,
            const Complaint& complaint);

// Complaints in the order of the file; more than `limit` are counted, not kept.
class Complaints {
  public:
    static constexpr std::size_t limit = 20;

    void error(Place place, std::string what, std::string expected = {}, std::string nearest = {}) {
        add({place, false, std::move(what), std::move(expected), std::move(nearest)});
    }
    void warning(Place place, std::string what) { add({place, true, std::move(what), {}, {}}); }

    [[nodiscard]] bool any_error() const { return errors_ > 0; }
    [[nodiscard]] bool is_full() const { return errors_ > limit; }
    std::vector<Complaint> take();

  private:
    void add(Complaint complaint);

    std::vector<Complaint> kept_;
    std::size_t errors_ = 0;
};

// The word of `words` that `written` was probably meant to be: within a third of its letters;
// empty when none is. Case does not count.
std::string_view nearest(std::string_view written, std::span<const std::string_view> words);

} // namespace cw::script
