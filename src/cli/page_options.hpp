// What a page is told by the program that makes it.
#pragma once

#include <string>
#include <vector>

#include "view/page.hpp"

namespace cw::cli {

// "callwright read FILE… --keys KEY…", as a shell takes it.
std::string read_command(const std::vector<std::string>& files,
                         const std::vector<std::string>& keys);

// `files` are the captures that the page shows, `keys` what opened them.
view::PageOptions page_options(const std::string& title, const std::vector<std::string>& files,
                               const std::vector<std::string>& keys);

} // namespace cw::cli
