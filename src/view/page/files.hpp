// The files of src/view/page as the program carries them: style and script of the pictures and of
// the page. They live as long as the program.
#pragma once

#include <string_view>

namespace cw::view::page {

extern const std::string_view ladder_css;
extern const std::string_view page_css;
extern const std::string_view page_html; // what stands in the body
extern const std::string_view page_js;   // all scripts, one behind the other

} // namespace cw::view::page
