// Base64 with "-" and "_" and without padding [RFC 4648 §5]: letters that may stand in a URI's user
// part, a parameter and a quoted string alike.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace cw::crypto {

void append_base64url(std::string& out, Bytes bytes);

// The octets, written into `out`; how many, or nothing when `text` is not base64url or does not
// fit. One text has one reading: bits that belong to no octet must be zero.
std::optional<std::size_t> decode_base64url(std::string_view text, std::span<std::uint8_t> out);

} // namespace cw::crypto
