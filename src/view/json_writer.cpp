#include "view/json_writer.hpp"

#include <array>
#include <cmath>

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

void append_escaped(std::string& out, char32_t code) {
    constexpr std::string_view hex = "0123456789abcdef";
    switch (code) {
    case '"':
        out += "\\\"";
        return;
    case '\\':
        out += "\\\\";
        return;
    case '\n':
        out += "\\n";
        return;
    case '\r':
        out += "\\r";
        return;
    case '\t':
        out += "\\t";
        return;
    default:
        out += "\\u00";
        out += hex[code >> 4 & 0xf];
        out += hex[code & 0xf];
    }
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        auto end = at;
        while (end < text.size() && plain[static_cast<std::uint8_t>(text[end])]) {
            ++end;
        }
        out.append(text, at, end - at);
        at = end;
        if (at == text.size()) {
            break;
        }
        const auto point = decode_utf8(text, at);
        at += point.size;
        // C1 controls and DEL are legal in JSON, but a terminal may obey them.
        if (point.code < 0xa0) {
            append_escaped(out, point.code);
        } else {
            append_utf8(out, point.code);
        }
    }
    out += '"';
}

void JsonWriter::separate() {
    if (comma_) {
        out_ += ',';
    }
    if (line_) {
        out_ += '\n';
        line_ = false;
    }
}

void JsonWriter::open(char bracket) {
    separate();
    out_ += bracket;
    comma_ = false;
}

void JsonWriter::close(char bracket) {
    if (line_) {
        out_ += '\n';
        line_ = false;
    }
    out_ += bracket;
    comma_ = true;
}

void JsonWriter::key(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
    comma_ = false;
}

void JsonWriter::any_key(std::string_view name) {
    value(name);
    out_ += ':';
    comma_ = false;
}

void JsonWriter::value(std::string_view text) {
    separate();
    append_json_string(out_, text);
    comma_ = true;
}

void JsonWriter::value(std::uint64_t n) {
    separate();
    append_number(out_, n);
    comma_ = true;
}

void JsonWriter::value(std::int64_t n) {
    separate();
    append_signed(out_, n);
    comma_ = true;
}

void JsonWriter::value(double d, int places) {
    separate();
    append_decimal(out_, d, places);
    comma_ = true;
}

void JsonWriter::raw(std::string_view json) {
    separate();
    out_ += json;
    comma_ = true;
}

void JsonWriter::member_or_null(std::string_view name, std::string_view text) {
    key(name);
    if (text.empty()) {
        null();
    } else {
        value(text);
    }
}

} // namespace cw::view
