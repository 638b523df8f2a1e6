#include "capture/tls/gcm.hpp"

#include <new>

#include <openssl/crypto.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cw::capture::tls {

#if defined(__x86_64__)

namespace {

// Compiled for processors with AES instructions, whatever the rest of the program is compiled for.
#define CW_WITH_AES __attribute__((target("aes,sse4.1")))

CW_WITH_AES inline __m128i load(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

CW_WITH_AES inline void store(void* to, __m128i block) {
    _mm_storeu_si128(static_cast<__m128i*>(to), block);
}

// The next four words of the key schedule: each is the one four before it, with the one before it
// [FIPS 197 §5.2]; `word` stands in all four lanes.
CW_WITH_AES inline __m128i next_words(__m128i earlier, __m128i word) {
    earlier = _mm_xor_si128(earlier, _mm_slli_si128(earlier, 4));
    earlier = _mm_xor_si128(earlier, _mm_slli_si128(earlier, 8));
    return _mm_xor_si128(earlier, word);
}

// The round constant is part of the instruction.
template <int constant>
CW_WITH_AES __m128i rotated(__m128i key) {
    return _mm_shuffle_epi32(_mm_aeskeygenassist_si128(key, constant), 0xff);
}

CW_WITH_AES inline __m128i substituted(__m128i key) {
    return _mm_shuffle_epi32(_mm_aeskeygenassist_si128(key, 0), 0xaa);
}

CW_WITH_AES void expand_128(const std::uint8_t* key, Gcm::Schedule& out) {
    auto k = load(key);
    auto* at = out.round_keys;
    store(*at++, k);
    store(*at++, k = next_words(k, rotated<0x01>(k)));
    store(*at++, k = next_words(k, rotated<0x02>(k)));
    store(*at++, k = next_words(k, rotated<0x04>(k)));
    store(*at++, k = next_words(k, rotated<0x08>(k)));
    store(*at++, k = next_words(k, rotated<0x10>(k)));
    store(*at++, k = next_words(k, rotated<0x20>(k)));
    store(*at++, k = next_words(k, rotated<0x40>(k)));
    store(*at++, k = next_words(k, rotated<0x80>(k)));
    store(*at++, k = next_words(k, rotated<0x1b>(k)));
    store(*at++, next_words(k, rotated<0x36>(k)));
    out.rounds = 10;
}

CW_WITH_AES void expand_256(const std::uint8_t* key, Gcm::Schedule& out) {
    auto a = load(key);
    auto b = load(key + 16);
    auto* at = out.round_keys;
    store(*at++, a);
    store(*at++, b);
    store(*at++, a = next_words(a, rotated<0x01>(b)));
    store(*at++, b = next_words(b, substituted(a)));
    store(*at++, a = next_words(a, rotated<0x02>(b)));
    store(*at++, b = next_words(b, substituted(a)));
    store(*at++, a = next_words(a, rotated<0x04>(b)));
    store(*at++, b = next_words(b, substituted(a)));
    store(*at++, a = next_words(a, rotated<0x08>(b)));
    store(*at++, b = next_words(b, substituted(a)));
    store(*at++, a = next_words(a, rotated<0x10>(b)));
    store(*at++, b = next_words(b, substituted(a)));
    store(*at++, a = next_words(a, rotated<0x20>(b)));
    store(*at++, b = next_words(b, substituted(a)));
    store(*at++, next_words(a, rotated<0x40>(b)));
    out.rounds = 14;
}

CW_WITH_AES void encrypt_block(const unsigned char in[16], unsigned char out[16], const void* key) {
    const auto& schedule = *static_cast<const Gcm::Schedule*>(key);
    auto block = _mm_xor_si128(load(in), load(schedule.round_keys[0]));
    for (int round = 1; round < schedule.rounds; ++round) {
        block = _mm_aesenc_si128(block, load(schedule.round_keys[round]));
    }
    store(out, _mm_aesenclast_si128(block, load(schedule.round_keys[schedule.rounds])));
}

// `in` XOR the encrypted counters from `first` on: the last 32 bits count [SP 800-38D §6.5]. Eight
// blocks at once, since an AES instruction takes several cycles and does not wait for another's.
CW_WITH_AES void counter_mode(const unsigned char* in, unsigned char* out, std::size_t blocks,
                              const void* key, const unsigned char first[16]) {
    constexpr int wide = 8;
    const auto& schedule = *static_cast<const Gcm::Schedule*>(key);
    const auto prefix = load(first);
    auto number = __builtin_bswap32(static_cast<std::uint32_t>(_mm_extract_epi32(prefix, 3)));
    while (blocks != 0) {
        const auto now = blocks < wide ? static_cast<int>(blocks) : wide;
        __m128i block[wide];
        const auto whitener = load(schedule.round_keys[0]);
        for (int i = 0; i < wide; ++i) {
            const auto count =
                static_cast<int>(__builtin_bswap32(number + static_cast<unsigned>(i)));
            block[i] = _mm_xor_si128(_mm_insert_epi32(prefix, count, 3), whitener);
        }
        for (int round = 1; round < schedule.rounds; ++round) {
            const auto round_key = load(schedule.round_keys[round]);
            for (int i = 0; i < wide; ++i) {
                block[i] = _mm_aesenc_si128(block[i], round_key);
            }
        }
        const auto last = load(schedule.round_keys[schedule.rounds]);
        for (int i = 0; i < wide; ++i) {
            block[i] = _mm_aesenclast_si128(block[i], last);
        }
        for (int i = 0; i < now; ++i) {
            store(out + i * 16, _mm_xor_si128(block[i], load(in + i * 16)));
        }
        in += now * 16;
        out += now * 16;
        number += static_cast<std::uint32_t>(now);
        blocks -= static_cast<std::size_t>(now);
    }
}

#undef CW_WITH_AES

} // namespace

bool Gcm::available() {
    static const bool has = __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1");
    return has;
}

Gcm::Gcm(Bytes key) {
    if (key.size() == 32) {
        expand_256(key.data(), schedule_);
    } else {
        expand_128(key.data(), schedule_);
    }
    context_.reset(CRYPTO_gcm128_new(&schedule_, encrypt_block));
    if (!context_) {
        throw std::bad_alloc();
    }
}

bool Gcm::open(const std::uint8_t* nonce, Bytes additional, Bytes sealed, Bytes tag,
               std::uint8_t* out) {
    auto* context = context_.get();
    CRYPTO_gcm128_setiv(context, nonce, nonce_size);
    return (additional.empty() ||
            CRYPTO_gcm128_aad(context, additional.data(), additional.size()) == 0) &&
           CRYPTO_gcm128_decrypt_ctr32(context, sealed.data(), out, sealed.size(), counter_mode) ==
               0 &&
           CRYPTO_gcm128_finish(context, tag.data(), tag.size()) == 0;
}

#else

bool Gcm::available() {
    return false;
}

Gcm::Gcm(Bytes /*key*/) {}

bool Gcm::open(const std::uint8_t* /*nonce*/, Bytes /*additional*/, Bytes /*sealed*/, Bytes /*tag*/,
               std::uint8_t* /*out*/) {
    return false;
}

#endif

Gcm::~Gcm() {
    OPENSSL_cleanse(&schedule_, sizeof schedule_);
}

void Gcm::Free::operator()(GCM128_CONTEXT* context) const {
    CRYPTO_gcm128_release(context); // wipes it
}

} // namespace cw::capture::tls
