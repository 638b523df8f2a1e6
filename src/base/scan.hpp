// Finding the few bytes that delimit text: sixteen bytes a step where SSE2 is (every x86-64), eight
// a step elsewhere. None of these reads at or past `end`.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cw {

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
    const auto hits_in = [](__m128i chunk) {
        auto hits = _mm_setzero_si128();
        ((hits = _mm_or_si128(hits, _mm_cmpeq_epi8(chunk, _mm_set1_epi8(wanted)))), ...);
        return static_cast<unsigned>(_mm_movemask_epi8(hits));
    };
    const auto* const begin = p;
    while (end - p >= 16) {
        const auto chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        if (const auto hits = hits_in(chunk); hits != 0) {
            return p + std::countr_zero(hits);
        }
        p += 16;
    }
    // What is left in one step, with some before it that are not wanted, as is known by now.
    if (end - begin >= 16) {
        const auto chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(end - 16));
        const auto hits = hits_in(chunk);
        return hits == 0 ? end : end - 16 + std::countr_zero(hits);
    }
    if (end - p >= 8) {
        const auto first = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
        const auto last = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(end - 8));
        if (const auto hits = hits_in(first) & 0xffU; hits != 0) {
            return p + std::countr_zero(hits);
        }
        const auto hits = hits_in(last) & 0xffU;
        return hits == 0 ? end : end - 8 + std::countr_zero(hits);
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

// Is one of `wanted` in `text`?
template <char... wanted>
inline bool has_any(std::string_view text) {
    const auto* end = text.data() + text.size();
    return find_first<wanted...>(text.data(), end) != end;
}

// Past the letters, digits, "-", "." and "_" at the front of [p, end): what most tokens, hosts and
// users are made of. May stop early, so the caller goes on one by one.
inline const char* skip_plain(const char* p, const char* end) {
#if defined(__SSE2__)
    const auto misses_in = [](__m128i chunk) {
        // c in [low, low + span] exactly when c - low, unsigned, is at most span.
        const auto within = [](__m128i c, char low, char span) {
            const auto distance = _mm_sub_epi8(c, _mm_set1_epi8(low));
            return _mm_cmpeq_epi8(_mm_min_epu8(distance, _mm_set1_epi8(span)), distance);
        };
        const auto letters = within(_mm_or_si128(chunk, _mm_set1_epi8(0x20)), 'a', 25);
        const auto others = _mm_or_si128(within(chunk, '0', 9), within(chunk, '-', 1));
        const auto hits =
            _mm_or_si128(_mm_or_si128(letters, others), _mm_cmpeq_epi8(chunk, _mm_set1_epi8('_')));
        return ~static_cast<unsigned>(_mm_movemask_epi8(hits));
    };
    while (end - p >= 16) {
        const auto chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        if (const auto misses = misses_in(chunk) & 0xffffU; misses != 0) {
            return p + std::countr_zero(misses);
        }
        p += 16;
    }
    if (end - p >= 8) {
        const auto chunk = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
        if (const auto misses = misses_in(chunk) & 0xffU; misses != 0) {
            return p + std::countr_zero(misses);
        }
        p += 8;
    }
#else
    static_cast<void>(end);
#endif
    return p;
}

} // namespace cw
