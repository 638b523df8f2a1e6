// The fields of WWW-Authenticate, Proxy-Authenticate, Authorization and Proxy-Authorization with
// the scheme Digest [RFC 7616 §3.3, §3.4; RFC 3261 §25.1]. Views of the value that was parsed; of a
// quoted string the inside, escapes untouched, which is how it enters the hash on both sides.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/digest.hpp"

namespace cw::crypto {

struct DigestCredentials {
    std::string_view username;
    std::string_view realm;
    std::string_view nonce;
    std::string_view uri;
    std::string_view response;
    std::string_view algorithm; // empty: MD5
    std::string_view cnonce;
    std::string_view nc;
    std::string_view qop;
    std::string_view opaque;
    std::string_view auts; // [RFC 3310 §3.4]
};

// Fails with Unsupported for another scheme; with Malformed for a field that is there twice, for
// broken grammar, and when a field is missing that none can do without.
Result<DigestCredentials> parse_credentials(std::string_view value);

struct DigestChallenge {
    std::string_view realm;
    std::string_view nonce;
    std::string_view opaque;
    std::string_view algorithm; // empty: MD5
    std::string_view qop;       // a list: "auth,auth-int"
    bool stale = false;
};

Result<DigestChallenge> parse_challenge(std::string_view value);

} // namespace cw::crypto
