// The shortest way over a header line that is as nearly all are: the name of a header that has an
// id, of at most 15 letters and spelled as its RFC does, a colon right behind it, a value with no
// control characters and no blanks around it but one after the colon, CRLF, and no fold.
// message.cpp reads whatever is different. RFC 3261 §7.3.1. Where SSE2 is; elsewhere no line is
// usual.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sip/header.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cw::sip::usual {

inline constexpr std::size_t most_read = 16; // bytes at a time

// A name with the colon behind it.
struct alignas(most_read) Name {
    std::array<char, most_read> text{};
};

// By id; as many as a byte can tell, so that no index is beyond.
inline constexpr auto names = [] {
    std::array<Name, 256> table{};
    constexpr std::array<std::string_view, header_id_count> spelled{
        "",
#define CW_SIP_HEADER(id, name, compact, list, rfc) name,
#include "sip/headers.def"
#undef CW_SIP_HEADER
    };
    for (std::size_t id = 1; id < spelled.size(); ++id) {
        const auto name = spelled[id];
        if (name.size() < most_read) {
            name.copy(table[id].text.data(), name.size());
            table[id].text[name.size()] = ':';
        }
    }
    return table;
}();

// Of the length of a name, its first two letters and the four before its colon, which no two names
// have all in common. Of "To" the four are CR LF T o.
constexpr std::uint64_t key_of(std::size_t length, std::uint64_t first, std::uint64_t last) {
    return (first << 32U | last) + length;
}

inline constexpr unsigned slot_bits = 10;
constexpr std::size_t slot_of(std::uint64_t key, std::uint64_t factor) {
    return static_cast<std::size_t>(key * factor >> (64U - slot_bits));
}

// For each slot the id whose name is there, with a factor that puts no two into one slot: found by
// the compiler among as many as it takes, which is some hundred.
struct Slots {
    std::uint64_t factor = 0;
    std::array<std::uint8_t, std::size_t{1} << slot_bits> ids{};
};
static_assert(header_id_count <= 256);

constexpr std::uint64_t key_of(std::string_view name) {
    const auto word = [](std::string_view text) {
        std::uint64_t w = 0;
        for (std::size_t i = text.size(); i > 0; --i) {
            w = w << 8U | static_cast<std::uint8_t>(text[i - 1]);
        }
        return w;
    };
    constexpr std::string_view line_end = "\r\n";
    const auto n = name.size();
    const auto last = n >= 4 ? word(name.substr(n - 4))
                             : word(line_end.substr(n - 2)) | word(name) << 8U * (4 - n);
    return key_of(n, word(name.substr(0, 2)), last);
}

inline constexpr auto slots = [] {
    std::array<std::uint64_t, header_id_count> keys{};
    for (std::size_t id = 1; id < keys.size(); ++id) {
        const auto& text = names[id].text;
        std::size_t length = 0; // by hand: with UBSan, g++ 12 does not take find() for constant
        while (length < text.size() && text[length] != ':') {
            ++length;
        }
        keys[id] = length < text.size() ? key_of({text.data(), length}) : 0;
    }
    Slots table{.factor = 0x9e3779b97f4a7c15ULL};
    for (bool apart = false; !apart; table.factor += apart ? 0 : 0x5851f42d4c957f2eULL) {
        table.ids = {};
        apart = true;
        for (std::size_t id = 1; id < keys.size() && apart; ++id) {
            if (keys[id] != 0) {
                auto& slot = table.ids[slot_of(keys[id], table.factor)];
                apart = slot == 0;
                slot = static_cast<std::uint8_t>(id);
            }
        }
    }
    return table;
}();

struct Line {
    HeaderId id = HeaderId::Other;
    std::size_t name_length = 0;
    const char* value = nullptr;
    const char* end = nullptr; // of the value; the next line begins two bytes behind
};

#if defined(__SSE2__)

// A bit for each byte that is CR, LF or less, at which a value ends or is not usual.
inline unsigned stops_in(__m128i chunk) {
    const auto above = _mm_subs_epu8(chunk, _mm_set1_epi8('\r')); // 0 where it is not above
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(above, _mm_setzero_si128())));
}
inline __m128i chunk_at(const char* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline unsigned first_bit(unsigned bits) { // which must not be 0
    return static_cast<unsigned>(std::countr_zero(bits));
}
template <class Word>
Word load(const char* p) {
    Word word{};
    std::memcpy(&word, p, sizeof word);
    return word;
}

// The first such byte of [p, end), `end` when there is none. Sixteen bytes before `end` are
// readable.
inline const char* find_stop(const char* p, const char* end) {
    const auto* const last = end - most_read;
    for (; p <= last; p += most_read) {
        if (const auto stops = stops_in(chunk_at(p)); stops != 0) {
            return p + first_bit(stops);
        }
    }
    const auto stops = stops_in(chunk_at(last)) >> static_cast<unsigned>(p - last);
    return stops != 0 ? p + first_bit(stops) : end;
}

// Reads the line that begins at `p`; false: it is not usual. Three bytes before `p` are readable.
inline bool read_line(const char* p, const char* end, Line& line) {
    if (end - p <= std::ptrdiff_t{most_read}) {
        return false;
    }
    const auto chunk = chunk_at(p);
    const auto colons = _mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8(':')));
    const std::size_t length = first_bit(static_cast<unsigned>(colons) | 1U << most_read);
    const auto key = key_of(length, load<std::uint16_t>(p), load<std::uint32_t>(p + length - 4));
    const auto id = slots.ids[slot_of(key, slots.factor)];
    const auto name = _mm_load_si128(reinterpret_cast<const __m128i*>(names[id].text.data()));
    const auto same = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, name)));
    if (first_bit(~same) <= length) {
        return false;
    }
    const auto* value = p + length + 1;
    if (*value == ' ') {
        ++value;
    }
    const auto stops = stops_in(chunk);
    const auto* stop = stops != 0 ? p + first_bit(stops) : find_stop(p + most_read, end);
    if (end - stop < 3 || load<std::uint16_t>(stop) != load<std::uint16_t>("\r\n") ||
        stop[-1] == ' ' || (static_cast<std::uint8_t>(stop[2]) <= ' ' && stop[2] != '\r') ||
        static_cast<std::uint8_t>(*value) <= ' ') {
        return false;
    }
    line = {static_cast<HeaderId>(id), length, value, stop};
    return true;
}

#else

inline bool read_line(const char*, const char*, Line&) {
    return false;
}

#endif

} // namespace cw::sip::usual
