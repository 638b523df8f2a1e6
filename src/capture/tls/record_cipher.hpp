// Opens protected records: AEAD [RFC 5246 §6.2.3.3, RFC 8446 §5.2], CBC with HMAC in both orders
// [RFC 5246 §6.2.3.2, RFC 7366], stream and NULL with HMAC. Nothing comes out that was not
// authenticated.
//
// An OpenSSL cipher context is 1.2 kB with its key set, and setting the key costs half as much as
// opening a record. So connections keep only their keys, and a pool keeps the contexts of those
// that were busy last. A pool belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <openssl/evp.h>
#include <openssl/types.h>

#include "base/bytes.hpp"
#include "capture/tls/gcm.hpp"
#include "capture/tls/key_schedule.hpp"
#include "capture/tls/suite.hpp"

namespace cw::capture::tls {

namespace content {
inline constexpr std::uint8_t change_cipher_spec = 20;
inline constexpr std::uint8_t alert = 21;
inline constexpr std::uint8_t handshake = 22;
inline constexpr std::uint8_t application_data = 23;
} // namespace content

inline constexpr std::size_t record_header_size = 5;
// "The length MUST NOT exceed 2^14 + 2048" [RFC 5246 §6.2.3]
inline constexpr std::size_t largest_record = (std::size_t{1} << 14) + 2048;

// One record; views of the bytes that it came in.
struct Record {
    std::uint8_t type = 0;
    std::uint16_t version = 0; // as its header has it
    Bytes header;              // 5 bytes
    Bytes body;
};

struct FreeCipher {
    void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

// What one direction is protected with. Wiped on destruction.
struct DirectionKeys {
    DirectionKeys() = default;
    DirectionKeys(const DirectionKeys&) = delete;
    DirectionKeys& operator=(const DirectionKeys&) = delete;
    ~DirectionKeys();

    const Suite* suite = nullptr;
    std::uint16_t version = 0;
    bool encrypt_then_mac = false;
    bool iv_lost = false; // TLS 1.0 CBC: the record before was lost, and the next one's IV with it
    std::array<std::uint8_t, 32> key{};
    std::array<std::uint8_t, 16> iv{};     // of TLS 1.0 CBC: the last block of the last record
    std::array<std::uint8_t, 48> secret{}; // the MAC key; in TLS 1.3 the traffic secret
    CipherContext stream;                  // RC4: its state is its place in the stream

    std::uint64_t nonce_offset = 0; // explicit nonce minus sequence number, of the last record
    std::uint32_t slot = 0;         // of the pool
    std::uint64_t id = 0;
};

struct Opened {
    std::uint8_t type = 0; // in TLS 1.3 the inner type
    Bytes plaintext;       // valid until the next call of the pool
    bool headless = false; // authentic, but without its IV: no plaintext is given
};

class CipherPool {
  public:
    static constexpr std::size_t most_contexts = 4096;

    CipherPool();
    ~CipherPool();

    // False when OpenSSL here lacks the suite's cipher or hash, or the suite is unknown to us.
    bool supports(const Suite& suite);

    // Opens `record` as number `sequence` of its direction; nothing when it does not authenticate.
    // Failing changes nothing, except for RC4, whose place in the stream is then lost.
    std::optional<Opened> open(DirectionKeys& keys, std::uint64_t sequence, const Record& record);

    // The sequence number that `record` was protected with, whatever it was: AES-GCM of TLS 1.3
    // only, where the tag tells the nonce to who has the key. Nothing when the key does not fit.
    std::optional<std::uint64_t> find_sequence(const DirectionKeys& keys, const Record& record);
    static bool can_find_sequence(const DirectionKeys& keys);

    // TLS 1.2 with explicit nonces that count up, as nearly all do: the number that follows from
    // the last record that was opened. Only a guess.
    static std::optional<std::uint64_t> guess_sequence(const DirectionKeys& keys,
                                                       const Record& record);

    Hasher& hasher() { return hasher_; }

  private:
    struct Slot {
        std::unique_ptr<Gcm> gcm; // AES-GCM, where Gcm::available()
        CipherContext context;    // what else there is
        std::uint64_t owner = 0;
        std::uint8_t bulk = 0;
        bool used = false;
    };
    struct Cipher {
        std::unique_ptr<EVP_CIPHER, FreeCipher> cipher;
        bool fetched = false;
    };

    EVP_CIPHER* cipher_of(std::uint8_t bulk);
    // The slot of these keys, if they have one still.
    Slot* slot_of(const DirectionKeys& keys);
    Slot& take_slot(DirectionKeys& keys);
    EVP_CIPHER_CTX* context_for(DirectionKeys& keys);
    Gcm& gcm_for(DirectionKeys& keys);
    bool open_by_evp(DirectionKeys& keys, const std::uint8_t* nonce, Bytes additional, Bytes sealed,
                     Bytes tag);
    std::optional<Opened> open_aead(DirectionKeys& keys, std::uint64_t sequence,
                                    const Record& record);
    std::optional<Opened> open_cbc(DirectionKeys& keys, std::uint64_t sequence,
                                   const Record& record);
    std::optional<Opened> open_stream(DirectionKeys& keys, std::uint64_t sequence,
                                      const Record& record);
    bool mac_fits(const DirectionKeys& keys, std::uint64_t sequence, const Record& record,
                  Bytes data_a, Bytes data_b, Bytes mac);

    Hasher hasher_;
    std::array<Cipher, bulk_kinds> ciphers_;
    std::vector<Slot> slots_;
    std::size_t hand_ = 0; // of the clock that chooses whom to evict
    std::uint64_t last_id_ = 0;
    std::vector<std::uint8_t> scratch_;
    std::vector<std::uint8_t> probe_; // for find_sequence
    CipherContext probe_gcm_;
    CipherContext probe_block_;
    OSSL_LIB_CTX* legacy_ = nullptr; // made when a legacy cipher is asked for
    OSSL_PROVIDER* legacy_provider_ = nullptr;
};

} // namespace cw::capture::tls
