// The files of src/view/page as the program carries them: style and script of the pictures and of
// the page. They live as long as the program.
#pragma once

#include <string_view>

namespace cw::view::page {

extern const std::string_view ladder_css;

} // namespace cw::view::page
