// The weakest point of a call, as a list has room for it.
#pragma once

#include <cstddef>
#include <string_view>

namespace cw::view {

// flow::Security::weakest, and only what is wrong there ("anyone on the way can read and change
// it") where it does not fit into `cells` with its place. A view into `sentence`.
std::string_view weakest_in(std::string_view sentence, std::size_t cells);

} // namespace cw::view
