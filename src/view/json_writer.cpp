#include "view/json_writer.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/figures.hpp"

namespace cw::view {
namespace {

// Characters that stand for themselves in a JSON string.
constexpr std::array<bool, 256> make_plain() {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x20; c < 0x7f; ++c) {
        plain[c] = c != '"' && c != '\\';
    }
    return plain;
}
constexpr auto plain = make_plain();

// No byte becomes longer than "\u001b".
constexpr std::size_t longest_escape = 6;

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

// What is not plain ASCII: escapes, and code points of several bytes.
char* write_special(char* at, const CodePoint& point) {
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
    std::string utf8; // short: no allocation
    append_utf8(utf8, point.code);
    return std::copy(utf8.begin(), utf8.end(), at);
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

void JsonWriter::value(std::string_view text) {
    auto* at = separate(text.size() * longest_escape + 3);
    *at++ = '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<std::uint8_t>(text[i]);
        if (plain[byte]) {
            *at++ = text[i++];
            continue;
        }
        const auto point = decode_utf8(text, i);
        at = write_special(at, point);
        i += point.size;
    }
    *at++ = '"';
    end(at);
}

void JsonWriter::value(std::uint64_t n) {
    end(write_number(separate(20), n));
}

void JsonWriter::value(std::int64_t n) {
    const fmt::format_int text{n};
    end(std::copy_n(text.data(), text.size(), separate(20)));
}

void JsonWriter::value(double d, int places) {
    std::string text;
    append_decimal(text, d, places);
    end(std::copy(text.begin(), text.end(), separate(text.size())));
}

} // namespace cw::view
