// AES-GCM for many short records, by the processor's instructions for AES and for products without
// carries [NIST SP 800-38D]. Opening one with OpenSSL's EVP takes 4,300 instructions, of which
// 2,700 are its own way to the cipher; see docs/decisions/0009-ghash.md.
//
// For reading only: the keys are known to who reads, so that time may tell about them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace cw::capture::tls {

// One key. Wiped on destruction.
class Gcm {
  public:
    static constexpr std::size_t nonce_size = 12;

    // Whether this processor has what this needs; where it has not, EVP opens the records.
    static bool available();

    // `key` has 16 or 32 bytes, AES-128 or AES-256. Only where available().
    explicit Gcm(Bytes key);
    ~Gcm();
    Gcm(const Gcm&) = delete;
    Gcm& operator=(const Gcm&) = delete;

    // Decrypts `sealed` to `out`, which has room for that in whole blocks of 16 bytes and may not
    // overlap it. False when `tag` is not that of the additional data and the ciphertext: what is
    // in `out` must not be used then. `nonce` has nonce_size bytes; the tag 16, or its first ones.
    bool open(const std::uint8_t* nonce, Bytes additional, Bytes sealed, Bytes tag,
              std::uint8_t* out);

    // The round keys of AES, the first one being the key itself.
    struct alignas(16) Schedule {
        std::uint8_t round_keys[15][16];
        int rounds;
    };
    // The hash key to the power of 9, 8, … 1: as many blocks are hashed with one reduction.
    struct alignas(16) Powers {
        static constexpr std::size_t count = 9;
        std::uint8_t of[count][16];
    };

  private:
    Schedule schedule_;
    Powers powers_;
};

} // namespace cw::capture::tls
