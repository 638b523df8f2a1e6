// Responses that this server itself gives [RFC 3261 §8.2.6].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/incoming.hpp"
#include "server/seal.hpp"

namespace cw::server {

struct Reply {
    std::uint16_t status = 500;
    std::string_view reason{};  // empty: the usual one
    std::string_view headers{}; // whole lines, CRLF behind each
};

// Appends the response to `in`. From 101 on it has a To tag.
void append_reply(std::string& out, const Incoming& in, const Seal& seal, const Reply& reply);

// The usual reason phrase [RFC 3261 §21]. Static text.
std::string_view reason_phrase(std::uint16_t status);

} // namespace cw::server
