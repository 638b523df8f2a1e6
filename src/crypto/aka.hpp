// Digest AKA [RFC 3310, RFC 4169]: a challenge is a nonce that holds RAND and AUTN, and the
// password is RES. Both sides: the network makes a vector, the subscriber opens the nonce, which is
// where he sees that the network knows his key. Pure: who keeps the sequence numbers, and where
// RAND comes from, is said by the caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/digest.hpp"
#include "crypto/milenage.hpp"

namespace cw::crypto {

inline constexpr std::string_view aka_algorithm = "AKAv1-MD5"; // [RFC 3310 §3.1]

// "AKAv1-MD5", "AKAv2-SHA-256": which AKA, and what the digest is hashed with.
struct AkaAlgorithm {
    unsigned version = 1; // or 2
    DigestAlgorithm hash = DigestAlgorithm::Md5;
};
// In any case; nothing for other algorithms.
std::optional<AkaAlgorithm> parse_aka_algorithm(std::string_view name);

struct AkaVector {
    std::string nonce; // for the challenge
    std::string res;   // octets: what the digest takes for the password
    Block128 ck{};
    Block128 ik{};
};
// `sqn`: 48 bits, greater than that of the vector before.
AkaVector make_aka_vector(const MilenageSecret& secret, const Block128& rand, std::uint64_t sqn);

struct AkaOpened {
    enum class Verdict : std::uint8_t {
        Good,
        Malformed, // no nonce of RFC 3310
        Stranger,  // whoever made it does not know K: not to be answered [RFC 3310 §3.3]
        Replayed,  // the sequence number was used before: answered with auts [RFC 3310 §3.4]
    };
    Verdict verdict = Verdict::Malformed;
    std::uint64_t sqn = 0; // when Good: the last one from now on
    std::string res;       // when Good: the password
    std::string auts;      // when Replayed: in Base64
    Block128 ck{};
    Block128 ik{};
};
// `last`: the greatest sequence number that was taken so far.
AkaOpened open_aka_nonce(const MilenageSecret& secret, std::string_view nonce, std::uint64_t last);

// What the digest takes for the password: RES itself [RFC 3310 §3.3], or with AKAv2 the Base64 of
// HMAC(RES || IK || CK, "http-digest-akav2-password") [RFC 4169 §3]. Empty where OpenSSL lacks the
// hash.
std::string aka_password(const AkaAlgorithm& algorithm, std::string_view res, const Block128& ik,
                         const Block128& ck);

// The network reads the auts that answered its nonce: the subscriber's greatest sequence number.
// Nothing when it is malformed, or not made with the key [RFC 3310 §3.4].
std::optional<std::uint64_t> sqn_of_auts(const MilenageSecret& secret, std::string_view nonce,
                                         std::string_view auts);

} // namespace cw::crypto
