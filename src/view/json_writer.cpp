#include "view/json_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/figures.hpp"

namespace cw::view {
namespace {

// The `n` characters from `p` on, from 1 to 8, as they stand in memory; behind them zeros.
std::uint64_t load_up_to_eight(const char* p, std::size_t n) {
    const auto load = [p](auto part, std::size_t at) {
        std::memcpy(&part, p + at, sizeof part);
        return std::uint64_t{part};
    };
    if (n == 8) {
        return load(std::uint64_t{}, 0);
    }
    if constexpr (std::endian::native == std::endian::big) {
        std::uint64_t word = 0;
        std::memcpy(&word, p, n);
        return word;
    }
    if (n >= 4) { // two loads that overlap
        return load(std::uint32_t{}, 0) | load(std::uint32_t{}, n - 4) << (8 * (n - 4));
    }
    if (n >= 2) {
        return load(std::uint16_t{}, 0) | load(std::uint16_t{}, n - 2) << (8 * (n - 2));
    }
    return load(std::uint8_t{}, 0);
}

// How many of the eight characters in `word` stand for themselves in a JSON string, as far as the
// first that does not.
std::size_t plain_of(std::uint64_t word) {
    constexpr std::uint64_t ones = 0x0101'0101'0101'0101ULL;
    constexpr std::uint64_t highs = 0x80 * ones;
    if constexpr (std::endian::native == std::endian::big) {
        word = __builtin_bswap64(word);
    }
    // The high bit of a byte is set where it is below 0x20, from 0x7f on, a quote or a backslash.
    const auto is_zero = [](std::uint64_t w) { return (w - ones) & ~w; };
    const auto special = ((word - 0x20 * ones) | word | (word + ones) |
                          is_zero(word ^ ('"' * ones)) | is_zero(word ^ ('\\' * ones))) &
                         highs;
    return special == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(special)) / 8;
}

char* write_escaped(char* at, char32_t code) {
    constexpr std::string_view hex = "0123456789abcdef";
    constexpr std::string_view short_forms = "\"\"\\\\\nn\rr\tt"; // a character, its letter
    *at++ = '\\';
    for (std::size_t i = 0; i < short_forms.size(); i += 2) {
        if (code == static_cast<char32_t>(short_forms[i])) {
            *at++ = short_forms[i + 1];
            return at;
        }
    }
    *at++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) {
        *at++ = hex[code >> shift & 0xf];
    }
    return at;
}

// What is not plain ASCII: escapes, and code points of several bytes, whose bytes stand at `from`.
char* write_special(char* at, const CodePoint& point, const char* from) {
    // C1 controls and DEL are legal in JSON, but a terminal may obey them.
    if (point.code < 0xa0) {
        return write_escaped(at, point.code);
    }
    // So are characters that reorder or hide their neighbours: whoever looks at the JSON, or at
    // what a program prints of it, must not be shown another text than was sent.
    if (is_deceptive(point.code)) {
        if (point.code < 0x10000) {
            return write_escaped(at, point.code);
        }
        const auto rest = point.code - 0x10000; // a surrogate pair [RFC 8259 §7]
        at = write_escaped(at, 0xd800 + (rest >> 10));
        return write_escaped(at, 0xdc00 + (rest & 0x3ff));
    }
    return point.valid ? std::copy_n(from, point.size, at) : put(at, "\xef\xbf\xbd"); // U+FFFD
}

#if defined(__SSE2__)
// Which of sixteen characters do not stand for themselves in a JSON string: those have a bit each
// in _mm_movemask_epi8() of it.
__m128i special_of(__m128i chunk) {
    // As signed numbers, what is no ASCII is below 0x20, too.
    auto special = _mm_cmplt_epi8(chunk, _mm_set1_epi8(0x20));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(chunk, _mm_set1_epi8('"')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\')));
    return _mm_or_si128(special, _mm_cmpeq_epi8(chunk, _mm_set1_epi8(0x7f)));
}
#endif

// Copies `text`, and says whether all of it stands for itself in a JSON string; otherwise what is
// at `at` means nothing. The last words overlap those before them, so up to the end none is short.
bool copy_plain(char* at, std::string_view text) {
    const auto* p = text.data();
    const auto n = text.size();
#if defined(__SSE2__)
    if (n >= 16) {
        auto special = _mm_setzero_si128();
        const auto step = [&](std::size_t i) {
            const auto chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(at + i), chunk);
            special = _mm_or_si128(special, special_of(chunk));
        };
        for (std::size_t i = 0; i + 16 < n; i += 16) {
            step(i);
        }
        step(n - 16);
        return _mm_movemask_epi8(special) == 0;
    }
#endif
    if (n < 8) {
        const auto word = n == 0 ? 0 : load_up_to_eight(p, n);
        std::memcpy(at, &word, sizeof word); // there is room for eight more
        return n == 0 || plain_of(word) >= n;
    }
    bool plain = true;
    const auto step = [&](std::size_t i) {
        const auto word = load_up_to_eight(p + i, 8);
        std::memcpy(at + i, &word, sizeof word);
        plain = plain && plain_of(word) == 8;
    };
    for (std::size_t i = 0; i + 8 < n; i += 8) {
        step(i);
    }
    step(n - 8);
    return plain;
}

// A string that holds what is not plain.
char* put_escaped(char* at, std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
#if defined(__SSE2__)
        for (; text.size() - i >= 16; i += 16, at += 16) {
            const auto chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
            if (_mm_movemask_epi8(special_of(chunk)) != 0) {
                break;
            }
            _mm_storeu_si128(reinterpret_cast<__m128i*>(at), chunk);
        }
        if (i == text.size()) {
            break;
        }
#endif
        // Eight are copied, and as many kept as are plain.
        const auto left = std::min<std::size_t>(text.size() - i, 8);
        const auto word = load_up_to_eight(text.data() + i, left);
        const auto n = std::min(plain_of(word), left);
        std::memcpy(at, &word, sizeof word);
        at += n;
        i += n;
        if (n == left) {
            continue;
        }
        const auto point = decode_utf8(text, i);
        at = write_special(at, point, text.data() + i);
        i += point.size;
    }
    return at;
}

} // namespace

void JsonWriter::grow(std::size_t more) {
    const auto capacity = std::max(capacity_ * 2, size_ + more + 1024);
    auto data = std::make_unique_for_overwrite<char[]>(capacity);
    std::copy_n(data_.get(), size_, data.get());
    data_ = std::move(data);
    capacity_ = capacity;
}

void JsonWriter::any_key(std::string_view name) {
    value(name);
    auto* at = data_.get() + size_;
    *at++ = ':'; // value() left room for it
    end(at);
    comma_ = false;
}

char* put_string(char* at, std::string_view text) {
    *at++ = '"';
    at = copy_plain(at, text) ? at + text.size() : put_escaped(at, text);
    *at++ = '"';
    return at;
}

void JsonWriter::value(std::string_view text) {
    // One character more, for the colon of any_key().
    end(put_string(separate(text.size() * longest_escape + 11), text));
}

void JsonWriter::value(std::uint64_t n) {
    end(write_number(separate(20), n));
}

void JsonWriter::value(std::int64_t n) {
    const fmt::format_int text{n};
    end(std::copy_n(text.data(), text.size(), separate(20)));
}

void JsonWriter::value(double d, int places) {
    end(write_decimal(separate(64), d, places));
}

} // namespace cw::view
