// Finding the few bytes that delimit SIP: sixteen bytes a step where SSE2 is (every x86-64), eight
// a step elsewhere. None of these reads at or past `end`.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cw::sip {

namespace detail {

// A byte of the result has its highest bit set where that byte of `word` is zero. Only the lowest
// such bit is exact, which is all that a search for the first one needs.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
    return (word - 0x0101'0101'0101'0101ULL) & ~word & 0x8080'8080'8080'8080ULL;
}
constexpr std::uint64_t spread(char c) {
    return static_cast<std::uint8_t>(c) * 0x0101'0101'0101'0101ULL;
}

} // namespace detail

// The first byte of [p, end) that is one of `wanted`; `end` when there is none.
template <char... wanted>
inline const char* find_first(const char* p, const char* end) {
#if defined(__SSE2__)
    while (end - p >= 16) {
        const auto chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        auto hits = _mm_setzero_si128();
        ((hits = _mm_or_si128(hits, _mm_cmpeq_epi8(chunk, _mm_set1_epi8(wanted)))), ...);
        if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hits)); mask != 0) {
            return p + std::countr_zero(mask);
        }
        p += 16;
    }
#else
    if constexpr (std::endian::native == std::endian::little) {
        while (end - p >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, p, 8);
            const auto hits = (detail::zero_bytes(word ^ detail::spread(wanted)) | ...);
            if (hits != 0) {
                return p + std::countr_zero(hits) / 8;
            }
            p += 8;
        }
    }
#endif
    while (p != end && ((*p != wanted) && ...)) {
        ++p;
    }
    return p;
}

} // namespace cw::sip
