// A page for one performance, in one file that loads nothing: the ladder, the verdict of each
// arrow, and what differs. Plain; the viewer with its panes is another one.
#pragma once

#include <string>

#include "play/report.hpp"
#include "script/plan.hpp"

namespace cw::cli {

// Into `folder`, which is made when it is not there; the page has the name of the flow. Empty, or
// what went wrong.
std::string write_html(const std::string& folder, const std::string& file, const script::Plan& plan,
                       const play::Report& report);

} // namespace cw::cli
