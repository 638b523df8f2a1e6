// The files of src/view/page as the program carries them: style and script of the pictures and of
// the page. They live as long as the program.
#pragma once

#include <string_view>

namespace cw::view::page {

extern const std::string_view ladder_css;
extern const std::string_view page_css;
extern const std::string_view page_html; // what stands in the body
extern const std::string_view page_js;   // all scripts, one behind the other
// Of the page that goes on.
extern const std::string_view live_css;  // besides the others
extern const std::string_view live_html; // before the others
extern const std::string_view live_js;

} // namespace cw::view::page
