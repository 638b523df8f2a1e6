#include "capture/tls/gcm.hpp"

#include <algorithm>
#include <cstring>

#include <openssl/crypto.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cw::capture::tls {

#if defined(__x86_64__)

namespace {

// Compiled for processors with these instructions, whatever the rest of the program is compiled
// for.
#define CW_WITH_AES __attribute__((target("aes,pclmul,avx")))

constexpr std::size_t block_size = 16;
constexpr std::size_t wide = 8; // blocks at once: no instruction then waits for the one before it

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

// --- counter mode

CW_WITH_AES inline __m128i encrypted(__m128i block, const Gcm::Schedule& schedule) {
    block = _mm_xor_si128(block, load(schedule.round_keys[0]));
    for (int round = 1; round < schedule.rounds; ++round) {
        block = _mm_aesenc_si128(block, load(schedule.round_keys[round]));
    }
    return _mm_aesenclast_si128(block, load(schedule.round_keys[schedule.rounds]));
}

// The last octet first: so numbers stand in GCM's blocks, and the bits of GHASH's polynomials.
CW_WITH_AES inline __m128i reversed(__m128i block) {
    return _mm_shuffle_epi8(block,
                            _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

CW_WITH_AES inline __m128i first_words(int words) {
    return _mm_set_epi32(0, 0, 0, words);
}

// Eight blocks from `in`, XOR the encrypted counters from `counter` on, which is reversed: its
// first 32 bits count, and wrap [SP 800-38D §6.5].
CW_WITH_AES inline void counter_mode(const std::uint8_t* in, std::uint8_t* out, __m128i counter,
                                     const Gcm::Schedule& schedule) {
    __m128i block[wide];
    const auto whitener = load(schedule.round_keys[0]);
#pragma GCC unroll 8
    for (auto& b : block) {
        b = _mm_xor_si128(reversed(counter), whitener);
        counter = _mm_add_epi32(counter, first_words(1));
    }
    for (int round = 1; round < schedule.rounds; ++round) {
        const auto round_key = load(schedule.round_keys[round]);
#pragma GCC unroll 8
        for (auto& b : block) {
            b = _mm_aesenc_si128(b, round_key);
        }
    }
    const auto last = load(schedule.round_keys[schedule.rounds]);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < wide; ++i) {
        const auto stream = _mm_aesenclast_si128(block[i], last);
        store(out + i * block_size, _mm_xor_si128(stream, load(in + i * block_size)));
    }
}

// --- GHASH [SP 800-38D §6.3, §6.4]
//
// The bits of a block are the coefficients of a polynomial, the first bit that of x^0. In a
// register they stand the other way round, and the product of two such registers stands one bit too
// low. The hash key is kept times x, which puts that right. What is above x^127 is then folded by
// the field's 1 + x + x^2 + x^7 + x^128, whose low coefficients, reversed, are 0xc2 << 56: 64 bits
// at a time (Gueron and Kounavis, "Intel Carry-Less Multiplication Instruction and its Usage for
// Computing the GCM Mode").

// The sum of products of two blocks each, 256 bits; `middle` overlaps the halves.
struct Product {
    __m128i low;
    __m128i middle;
    __m128i high;
};

CW_WITH_AES inline void add_product(Product& sum, __m128i a, __m128i b) {
    sum.low = _mm_xor_si128(sum.low, _mm_clmulepi64_si128(a, b, 0x00));
    sum.high = _mm_xor_si128(sum.high, _mm_clmulepi64_si128(a, b, 0x11));
    const auto middle =
        _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));
    sum.middle = _mm_xor_si128(sum.middle, middle);
}

CW_WITH_AES inline __m128i reduced(const Product& product) {
    const auto field = _mm_set_epi64x(0, static_cast<std::int64_t>(0xc200'0000'0000'0000));
    const auto fold = [field](__m128i low) CW_WITH_AES {
        return _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, field, 0x00));
    };
    const auto low = _mm_xor_si128(product.low, _mm_slli_si128(product.middle, 8));
    const auto high = _mm_xor_si128(product.high, _mm_srli_si128(product.middle, 8));
    return _mm_xor_si128(high, fold(fold(low)));
}

CW_WITH_AES inline Product nothing() {
    return {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
}

CW_WITH_AES inline __m128i times_x(__m128i a) {
    const auto carries = _mm_srli_epi64(a, 63);
    const auto shifted = _mm_or_si128(_mm_slli_epi64(a, 1), _mm_slli_si128(carries, 8));
    const auto field = _mm_set_epi64x(static_cast<std::int64_t>(0xc200'0000'0000'0000), 1);
    return _mm_extract_epi64(carries, 1) != 0 ? _mm_xor_si128(shifted, field) : shifted;
}

CW_WITH_AES void raise_hash_key(const Gcm::Schedule& schedule, Gcm::Powers& out) {
    const auto key = times_x(reversed(encrypted(_mm_setzero_si128(), schedule)));
    auto power = key;
    store(out.of[Gcm::Powers::count - 1], power);
    for (auto at = Gcm::Powers::count - 1; at-- != 0;) {
        auto product = nothing();
        add_product(product, power, key);
        power = reduced(product);
        store(out.of[at], power);
    }
}

// The hash after `blocks` more blocks, at least one and at most as many as there are powers.
CW_WITH_AES inline __m128i hashed(__m128i hash, const std::uint8_t* in, std::size_t blocks,
                                  const Gcm::Powers& powers) {
    const auto* power = powers.of[Gcm::Powers::count - blocks];
    auto sum = nothing();
    // Note: unrolled as a whole, GCC 12 computes all products before it adds them, and has no room.
#pragma GCC unroll 2
    for (std::size_t at = 0; at < blocks * block_size; at += block_size) {
        add_product(sum, _mm_xor_si128(hash, reversed(load(in + at))), load(power + at));
        hash = _mm_setzero_si128();
    }
    return reduced(sum);
}

// --- one record

// `data`, at most a block, filled up with zeros. In registers: what is read 16 bytes wide right
// after it was written in smaller pieces has to wait for them.
CW_WITH_AES inline __m128i padded(Bytes data) {
    // Two loads that overlap hold any number of bytes from four to eight.
    const auto word = [](Bytes from) {
        std::uint64_t out = 0;
        const auto size = from.size();
        if (size >= 4) {
            std::uint32_t first = 0;
            std::uint32_t last = 0;
            std::memcpy(&first, from.data(), 4);
            std::memcpy(&last, from.data() + size - 4, 4);
            return static_cast<std::int64_t>(first | std::uint64_t{last} << (8 * (size - 4)));
        }
        for (std::size_t i = 0; i < size; ++i) {
            out |= std::uint64_t{from[i]} << (8 * i);
        }
        return static_cast<std::int64_t>(out);
    };
    const auto low = std::min<std::size_t>(data.size(), 8);
    return _mm_set_epi64x(word(data.subspan(low)), word(data.first(low)));
}

CW_WITH_AES bool open_with(const Gcm::Schedule& schedule, const Gcm::Powers& powers,
                           const std::uint8_t* nonce, Bytes additional, Bytes sealed, Bytes tag,
                           std::uint8_t* out) {
    const auto lengths = _mm_set_epi64x(static_cast<std::int64_t>(additional.size() * 8),
                                        static_cast<std::int64_t>(sealed.size() * 8));
    // The counter starts with 1 [§7.1, step 2], which is for the tag.
    const auto first = _mm_insert_epi32(padded({nonce, Gcm::nonce_size}), 0x0100'0000, 3);
    auto counter = _mm_add_epi32(reversed(first), first_words(1));
    auto hash = _mm_setzero_si128();
    alignas(16) std::uint8_t rest[(wide + 1) * block_size];
    while (!additional.empty()) {
        const auto now = std::min(additional.size(), block_size);
        store(rest, padded(additional.first(now)));
        hash = hashed(hash, rest, 1, powers);
        additional = additional.subspan(now);
    }
    while (sealed.size() >= wide * block_size) {
        hash = hashed(hash, sealed.data(), wide, powers);
        counter_mode(sealed.data(), out, counter, schedule);
        counter = _mm_add_epi32(counter, first_words(wide));
        sealed = sealed.subspan(wide * block_size);
        out += wide * block_size;
    }
    // What is left, filled up with zeros to whole blocks, and the block with the lengths.
    std::size_t size = 0;
    for (; sealed.size() - size >= block_size; size += block_size) {
        store(rest + size, load(sealed.data() + size));
    }
    if (size != sealed.size()) {
        store(rest + size, padded(sealed.subspan(size)));
        size += block_size;
    }
    store(rest + size, reversed(lengths));
    hash = hashed(hash, rest, size / block_size + 1, powers);
    if (size != 0) {
        counter_mode(rest, rest, counter, schedule);
        for (std::size_t at = 0; at != size; at += block_size) {
            store(out + at, load(rest + at));
        }
    }
    alignas(16) std::uint8_t expected[block_size];
    store(expected, _mm_xor_si128(reversed(hash), encrypted(first, schedule)));
    return !tag.empty() && tag.size() <= block_size &&
           std::memcmp(expected, tag.data(), tag.size()) == 0;
}

#undef CW_WITH_AES

} // namespace

bool Gcm::available() {
    static const bool has = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
                            __builtin_cpu_supports("avx");
    return has;
}

Gcm::Gcm(Bytes key) {
    if (key.size() == 32) {
        expand_256(key.data(), schedule_);
    } else {
        expand_128(key.data(), schedule_);
    }
    raise_hash_key(schedule_, powers_);
}

bool Gcm::open(const std::uint8_t* nonce, Bytes additional, Bytes sealed, Bytes tag,
               std::uint8_t* out) {
    return open_with(schedule_, powers_, nonce, additional, sealed, tag, out);
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
    OPENSSL_cleanse(&powers_, sizeof powers_);
}

} // namespace cw::capture::tls
