// SRTP keys in a session description: the value of a=crypto [RFC 4568 §9]. Strict: what is read
// here decides how media is protected. Errors never quote the value, which holds keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rtp/srtp_suite.hpp"

namespace cw::rtp {

struct SdesCrypto {
    std::uint32_t tag = 1;
    SrtpParameters parameters;
};

// The value in its four parts, as sdp::Crypto has them: "1", "AES_CM_128_HMAC_SHA1_80",
// "inline:…|2^20|1:4", "WSH=128 UNENCRYPTED_SRTCP".
struct SdesText {
    std::uint32_t tag = 0;
    std::string_view suite;
    std::string_view key_parameters;
    std::string_view session_parameters;
};

// Fails with Unsupported for a suite, key method or session parameter that is well-formed and not
// ours: an offer with it is passed over, an answer with it refused [RFC 4568 §5.1.2, §5.1.3]. With
// Malformed for broken grammar, a key of the wrong length among it.
Result<SdesCrypto> parse_sdes(const SdesText& text);

// The error of parse_sdes(), if any, without the keys.
std::optional<Error> sdes_problem(const SdesText& text);

// "1 AES_CM_128_HMAC_SHA1_80 inline:…", to stand behind "a=crypto:". A secret.
std::string to_sdes(const SdesCrypto& crypto);

} // namespace cw::rtp
