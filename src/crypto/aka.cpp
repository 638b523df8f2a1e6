#include "crypto/aka.hpp"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.hpp"
#include "base/text.hpp"

namespace cw::crypto {
namespace {

using Sqn = std::array<std::uint8_t, 6>;

Sqn octets_of(std::uint64_t sqn) {
    Sqn out{};
    for (std::size_t i = out.size(); i-- > 0; sqn >>= 8) {
        out[i] = static_cast<std::uint8_t>(sqn);
    }
    return out;
}

std::uint64_t number_of(const Sqn& sqn) {
    std::uint64_t out = 0;
    for (const auto octet : sqn) {
        out = out << 8 | octet;
    }
    return out;
}

Sqn hidden(Sqn sqn, const Sqn& ak) {
    for (std::size_t i = 0; i < sqn.size(); ++i) {
        sqn[i] ^= ak[i];
    }
    return sqn;
}

template <class Octets>
void put(std::string& out, const Octets& octets) {
    out.append(octets.begin(), octets.end());
}

std::string base64_of(std::string_view octets) {
    return to_base64({reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()});
}

// SQN ⊕ AK*, and a MAC that says who wrote it, of SQN and an AMF of zeros [3GPP TS 33.102 §6.3.3].
std::string make_auts(const MilenageSecret& secret, const Block128& rand, std::uint64_t last) {
    const auto values = milenage(secret, {rand, octets_of(last), {}});
    std::string out;
    put(out, hidden(octets_of(last), values.ak_resync));
    put(out, values.mac_s);
    return base64_of(out);
}

const EVP_MD* hash_of(DigestAlgorithm algorithm) {
    switch (algorithm) {
    case DigestAlgorithm::Md5:
        return EVP_md5();
    case DigestAlgorithm::Sha256:
        return EVP_sha256();
    case DigestAlgorithm::Sha512_256:
        return EVP_sha512_256();
    }
    return EVP_md5();
}

} // namespace

std::optional<AkaAlgorithm> parse_aka_algorithm(std::string_view name) {
    for (const unsigned version : {1U, 2U}) {
        const std::string_view prefix = version == 1 ? "AKAv1-" : "AKAv2-";
        if (!istarts_with(name, prefix) || name.size() == prefix.size()) {
            continue;
        }
        if (const auto hash = digest_algorithm(name.substr(prefix.size()))) {
            return AkaAlgorithm{version, *hash};
        }
    }
    return std::nullopt;
}

AkaVector make_aka_vector(const MilenageSecret& secret, const Block128& rand, std::uint64_t sqn) {
    // The bit that says "authentication in an access that is not GSM's" [TS 33.102 annex H].
    const MilenageInput input{rand, octets_of(sqn), {0x80, 0x00}};
    const auto values = milenage(secret, input);
    // AUTN = SQN ⊕ AK, AMF, MAC [TS 33.102 §6.3.2]
    std::string octets;
    put(octets, rand);
    put(octets, hidden(input.sqn, values.ak));
    put(octets, input.amf);
    put(octets, values.mac_a);
    AkaVector out;
    out.nonce = base64_of(octets);
    put(out.res, values.res);
    out.ck = values.ck;
    out.ik = values.ik;
    return out;
}

AkaOpened open_aka_nonce(const MilenageSecret& secret, std::string_view nonce, std::uint64_t last) {
    // RAND, AUTN, and what else the server put there [RFC 3310 §3.2].
    std::array<std::uint8_t, 256> octets{};
    const auto size = decode_base64(nonce, octets);
    AkaOpened out;
    if (!size || *size < 32) {
        return out;
    }
    MilenageInput input;
    std::copy_n(octets.begin(), 16, input.rand.begin());
    const auto ak = milenage(secret, input).ak; // f5 needs RAND alone
    std::copy_n(octets.begin() + 16, 6, input.sqn.begin());
    input.sqn = hidden(input.sqn, ak);
    std::copy_n(octets.begin() + 22, 2, input.amf.begin());
    const auto values = milenage(secret, input);
    if (CRYPTO_memcmp(values.mac_a.data(), octets.data() + 24, values.mac_a.size()) != 0) {
        out.verdict = AkaOpened::Verdict::Stranger;
        return out;
    }
    out.sqn = number_of(input.sqn);
    if (out.sqn <= last) {
        out.verdict = AkaOpened::Verdict::Replayed;
        out.auts = make_auts(secret, input.rand, last);
        return out;
    }
    out.verdict = AkaOpened::Verdict::Good;
    put(out.res, values.res);
    out.ck = values.ck;
    out.ik = values.ik;
    return out;
}

std::string aka_password(const AkaAlgorithm& algorithm, std::string_view res, const Block128& ik,
                         const Block128& ck) {
    if (algorithm.version == 1) {
        return std::string{res};
    }
    constexpr std::string_view label = "http-digest-akav2-password";
    std::string key{res};
    put(key, ik);
    put(key, ck);
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
    unsigned size = 0;
    const auto* done = HMAC(hash_of(algorithm.hash), key.data(), static_cast<int>(key.size()),
                            as_bytes(label).data(), label.size(), mac.data(), &size);
    OPENSSL_cleanse(key.data(), key.size());
    return done != nullptr ? to_base64(Bytes{mac}.first(size)) : std::string{};
}

std::optional<std::uint64_t> sqn_of_auts(const MilenageSecret& secret, std::string_view nonce,
                                         std::string_view auts) {
    std::array<std::uint8_t, 256> challenge{};
    std::array<std::uint8_t, 14> octets{}; // [3GPP TS 33.102 §6.3.3] SQN hidden, MAC-S
    const auto size = decode_base64(nonce, challenge);
    if (!size || *size < 32 || decode_base64(auts, octets) != octets.size()) {
        return std::nullopt;
    }
    MilenageInput input;
    std::copy_n(challenge.begin(), 16, input.rand.begin());
    std::copy_n(octets.begin(), 6, input.sqn.begin());
    input.sqn = hidden(input.sqn, milenage(secret, input).ak_resync); // f5* needs RAND alone
    const auto values = milenage(secret, input);
    const bool proved =
        CRYPTO_memcmp(values.mac_s.data(), octets.data() + 6, values.mac_s.size()) == 0;
    return proved ? std::optional{number_of(input.sqn)} : std::nullopt;
}

} // namespace cw::crypto
