#include "net/fingerprint.hpp"

#include <array>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/text.hpp"

namespace cw::net {
namespace {

struct Hash {
    std::string_view name;
    std::size_t size;
};
constexpr std::array<Hash, 3> hashes{{{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}}};

const EVP_MD* openssl_hash(FingerprintHash hash) {
    switch (hash) {
    case FingerprintHash::Sha256:
        return EVP_sha256();
    case FingerprintHash::Sha384:
        return EVP_sha384();
    case FingerprintHash::Sha512:
        return EVP_sha512();
    }
    return EVP_sha256();
}

constexpr bool is_hex(char c) {
    return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}
constexpr char upper(char c) {
    return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
}

} // namespace

std::string fingerprint_of(const X509* certificate, FingerprintHash hash) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned size = 0;
    if (X509_digest(certificate, openssl_hash(hash), octets.data(), &size) != 1) {
        return {};
    }
    std::string out{hashes[static_cast<std::size_t>(hash)].name};
    for (unsigned i = 0; i < size; ++i) {
        out += i == 0 ? ' ' : ':';
        out += "0123456789ABCDEF"[octets.at(i) >> 4U];
        out += "0123456789ABCDEF"[octets.at(i) & 15U];
    }
    return out;
}

std::optional<Fingerprint> parse_fingerprint(std::string_view text) {
    const auto space = text.find(' ');
    const auto name = text.substr(0, space);
    const auto value = space == std::string_view::npos ? "" : trim(text.substr(space));
    for (std::size_t i = 0; i < hashes.size(); ++i) {
        if (!iequals(hashes.at(i).name, name) || value.size() != 3 * hashes.at(i).size - 1) {
            continue;
        }
        Fingerprint out{static_cast<FingerprintHash>(i), std::string{hashes.at(i).name} + " "};
        for (std::size_t at = 0; at < value.size(); ++at) {
            const bool right = at % 3 == 2 ? value[at] == ':' : is_hex(value[at]);
            if (!right) {
                return std::nullopt;
            }
            out.text += upper(value[at]);
        }
        return out;
    }
    return std::nullopt;
}

} // namespace cw::net
