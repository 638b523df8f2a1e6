// What a page is told by the program that makes it.
#pragma once

#include <string>
#include <vector>

#include "view/page.hpp"

namespace cw::cli {

// `files` are the captures that the page shows, `keys` what opened them.
view::PageOptions page_options(const std::string& title, const std::vector<std::string>& files,
                               const std::vector<std::string>& keys);

} // namespace cw::cli
