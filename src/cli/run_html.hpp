// A page for one performance, in one file that loads nothing: the flow with the verdict of each
// arrow and what differs, and the calls that its packets hold, as `read --format html` shows them.
#pragma once

#include <string>

#include "play/report.hpp"
#include "script/plan.hpp"
#include "view/page.hpp"

namespace cw::cli {

// What became of one flow. `packets` is the capture of its performance; empty: there is none.
struct Performed {
    const std::string& file;
    const script::Plan& plan;
    const play::Report& report;
    const std::string& packets;
};

// The flow and its calls as entries of `page`.
void add_to_page(view::PageWriter& page, const Performed& performed);
// A page of its own into `folder`, which is made when it is not there, as `name`.html. Empty, or
// what went wrong.
std::string write_html(const std::string& folder, const std::string& name,
                       const Performed& performed);

} // namespace cw::cli
