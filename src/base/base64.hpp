// Base64 with "+", "/" and padding [RFC 4648 §4], as session descriptions, digest nonces and HTTP
// headers carry octets. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace cw {

std::string to_base64(Bytes bytes);

// The octets, written into `out`; how many, or nothing when `text` is not base64 or does not fit.
// Padding may be missing, as some phones leave it out, but what is there must be right, and bits
// that belong to no octet must be zero: one text has one reading.
std::optional<std::size_t> decode_base64(std::string_view text, std::span<std::uint8_t> out);

} // namespace cw
