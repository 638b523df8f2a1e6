// A fast 64-bit hash of bytes, for tables and for telling copies of a message apart. Not
// cryptographic: whoever must resist an attacker gives a random seed.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace cw {

// Folded 64×64→128-bit product: each output bit depends on every input bit.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const auto product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed = 0) {
    constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15ULL;
    constexpr std::uint64_t k1 = 0xd1b54a32d192ed03ULL;
    const auto load = [](const char* p, std::size_t n) {
        std::uint64_t word = 0;
        std::memcpy(&word, p, n);
        return word;
    };
    const char* p =
        bytes.data() != nullptr ? bytes.data() : ""; // memcpy wants a place even for none
    auto left = bytes.size();
    auto h = seed ^ k0;
    if (left >= 64) { // four chains side by side: the products need not wait for each other
        auto h1 = h ^ k1;
        auto h2 = h + k1;
        auto h3 = h - k1;
        for (; left >= 64; p += 64, left -= 64) {
            h = fold_multiply(load(p, 8) ^ k1, load(p + 8, 8) ^ h);
            h1 = fold_multiply(load(p + 16, 8) ^ k1, load(p + 24, 8) ^ h1);
            h2 = fold_multiply(load(p + 32, 8) ^ k1, load(p + 40, 8) ^ h2);
            h3 = fold_multiply(load(p + 48, 8) ^ k1, load(p + 56, 8) ^ h3);
        }
        h = fold_multiply(h ^ h1, k0 ^ h2) ^ h3;
    }
    for (; left >= 16; p += 16, left -= 16) {
        h = fold_multiply(load(p, 8) ^ k1, load(p + 8, 8) ^ h);
    }
    // Two words that overlap hold what is left, so that no copy is of a size unknown here; the size
    // that goes in at the end tells apart what this makes alike.
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    if (left >= 8) {
        first = load(p, 8);
        last = load(p + left - 8, 8);
    } else if (left >= 4) {
        first = load(p, 4);
        last = load(p + left - 4, 4);
    } else if (left > 0) {
        first = load(p, 1) | load(p + left / 2, 1) << 8;
        last = load(p + left - 1, 1);
    }
    h = fold_multiply(first ^ k1, last ^ h);
    return fold_multiply(h ^ bytes.size(), k0);
}

} // namespace cw
