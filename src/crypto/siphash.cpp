#include "crypto/siphash.hpp"

#include <array>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace cw::crypto {

SipHashKey derive_key(std::string_view secret, std::string_view purpose) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned length = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size(), out.data(),
         &length);
    SipHashKey key;
    std::memcpy(&key.low, out.data(), 8);
    std::memcpy(&key.high, out.data() + 8, 8);
    return key;
}

} // namespace cw::crypto
