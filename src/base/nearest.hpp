// Which of the known words somebody may have meant, for "did you mean" in errors.
#pragma once

#include <span>
#include <string_view>

namespace cw {

// The word of `known` that differs least from `name` (letters put in, left out, replaced
// or swapped); empty when all are other words: more than half of the letters, and one, differ.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

} // namespace cw
