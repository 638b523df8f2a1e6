// The answer of a client to a digest challenge [RFC 7616 §3.4, RFC 3261 §22.2, §22.3, RFC 8760
// §2.4].
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/digest.hpp"
#include "crypto/digest_fields.hpp"

namespace cw::crypto {

struct DigestAnswer {
    std::string_view username;
    std::string_view password;
    std::string_view method;
    std::string_view uri; // the Request-URI
    std::string_view body;
    std::string_view cnonce;    // random
    std::uint32_t nc = 1;       // how often this nonce was answered, with this one
    std::string_view auts = {}; // asks for another sequence number; the password is empty then
};

// The first of the challenges, which stand strongest first, that we can answer: its algorithm is
// one of ours and its qop too. "the UAC SHOULD use the topmost header field that it supports" [RFC
// 8760 §2.4].
std::optional<DigestChallenge> choose_challenge(std::span<const std::string_view> values);

// The value of the Authorization or Proxy-Authorization header.
std::string answer_challenge(Digester& digester, const DigestChallenge& challenge,
                             const DigestAnswer& answer);

} // namespace cw::crypto
