// A flow with those that are performed before it, as one plan: `before: register.mmd`. Parties of
// the same name are the same, steps follow each other, calls and captures live on.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "script/parse.hpp"

namespace cw::script {

struct Earlier {
    std::string name; // of its file, for reports
    std::string_view text;
};

// `earlier` in the order in which they are performed, each without errors of its own by parse().
// Complaints are about `text`; Place::file of a step says whose line it is.
Parsed parse_after(std::span<const Earlier> earlier, std::string_view text);

} // namespace cw::script
