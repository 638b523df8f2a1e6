#include "capture/recognise.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.hpp"
#include "sip/method.hpp"

namespace cw::capture {

namespace {

// token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
// [RFC 3261 §25.1]
constexpr auto token_table = [] {
    std::array<bool, 256> table{};
    for (const char c : std::string_view{"-.!%*_+`'~"}) {
        table[static_cast<unsigned char>(c)] = true;
    }
    for (int c = 0; c < 128; ++c) {
        const auto as_char = static_cast<char>(c);
        table[static_cast<std::size_t>(c)] =
            table[static_cast<std::size_t>(c)] || is_alpha(as_char) || is_digit(as_char);
    }
    return table;
}();

bool is_token(char c) {
    return token_table[static_cast<unsigned char>(c)];
}

// Longer than any method in use; what is longer is rather base64 or binary.
constexpr std::size_t max_method = 128;

std::size_t token_size(std::string_view text) {
    std::size_t size = 0;
    while (size < text.size() && size <= max_method && is_token(text[size])) {
        ++size;
    }
    return size;
}

std::string_view without_blanks_before(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    return text;
}

std::string_view without_blanks_after(std::string_view text) {
    while (!text.empty() && (is_blank(text.back()) || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    return text;
}

// "SIP/2.0"; case does not count, nor the number [RFC 3261 §7.1].
bool is_sip_version(std::string_view text) {
    const auto folded = [](const char* at) {
        std::uint32_t word = 0;
        std::memcpy(&word, at, sizeof word);
        return word | 0x2020'2020U; // leaves the slash, which is looked at by itself
    };
    return text.size() == 7 && text[3] == '/' && folded(text.data()) == folded("SIP/") &&
           is_digit(text[4]) && text[5] == '.' && is_digit(text[6]);
}

// "SIP/2.0 2": what a response has at least.
bool is_status_line(std::string_view line) {
    if (line.size() < 9 || !is_sip_version(line.substr(0, 7)) || !is_blank(line[7])) {
        return false;
    }
    const auto code = without_blanks_before(line.substr(8));
    return !code.empty() && is_digit(code.front());
}

// What follows the method of a request, up to the URI; empty when there is no method.
std::string_view after_method(std::string_view line) {
    const auto size = token_size(line);
    if (size == 0 || size > max_method || size == line.size() || !is_blank(line[size])) {
        return {};
    }
    return without_blanks_before(line.substr(size));
}

bool begins_like_sip_uri(std::string_view uri) {
    if (uri.starts_with('<')) {
        uri.remove_prefix(1);
    }
    return istarts_with(uri, "sip:") || istarts_with(uri, "sips:") || istarts_with(uri, "tel:");
}

// A request without its version, or with a damaged one: a method of SIP, and a URI of SIP.
bool is_broken_request_line(std::string_view line) {
    return begins_like_sip_uri(after_method(line)) &&
           sip::method_of(line.substr(0, token_size(line))) != sip::Method::Other;
}

// A whole request line whose method is longer than a stream would be searched for.
bool has_long_method(std::string_view line) {
    line = without_blanks_after(line);
    const auto method = std::ranges::find_if_not(line, is_token) - line.begin();
    const auto uri = without_blanks_before(line.substr(static_cast<std::size_t>(method)));
    return static_cast<std::size_t>(method) > max_method && begins_like_sip_uri(uri) &&
           line.size() >= 8 && is_sip_version(line.substr(line.size() - 7));
}

bool is_record_header(const std::uint8_t* header) {
    constexpr std::uint16_t max_record = (1 << 14) + 2048; // [RFC 5246 §6.2.3]
    const auto length = load_be16(header + 3);
    return header[0] >= 20 && header[0] <= 23 && header[1] == 3 && header[2] <= 4 && length > 0 &&
           length <= max_record;
}

} // namespace

bool is_sip_start_line(std::string_view line) {
    line = without_blanks_after(line);
    if (line.size() < 9) {
        return false;
    }
    if (is_status_line(line)) {
        return true;
    }
    if (!is_sip_version(line.substr(line.size() - 7)) || !is_blank(line[line.size() - 8])) {
        return false;
    }
    const auto uri = after_method(without_blanks_after(line.substr(0, line.size() - 8)));
    return !uri.empty() && (is_alpha(uri.front()) || uri.front() == '<');
}

bool can_begin_sip_start_line(std::string_view beginning) {
    const auto size = token_size(beginning);
    if (size == beginning.size() || size > max_method) {
        return size <= max_method;
    }
    if (beginning[size] == '/') {
        return iequals(beginning.substr(0, size), "SIP");
    }
    return size > 0 && is_blank(beginning[size]);
}

std::size_t glued_sip_start_line(std::string_view line) {
    line = without_blanks_after(line);
    if (const auto at = line.find("SIP/2.0 ", 1); at != std::string_view::npos) {
        return is_status_line(line.substr(at)) ? at : 0;
    }
    if (line.size() < 9 || !is_sip_version(line.substr(line.size() - 7)) ||
        !is_blank(line[line.size() - 8])) {
        return 0;
    }
    auto before = without_blanks_after(line.substr(0, line.size() - 8));
    const auto uri = before.find_last_of(" \t");
    if (uri == std::string_view::npos || !begins_like_sip_uri(before.substr(uri + 1))) {
        return 0;
    }
    before = without_blanks_after(before.substr(0, uri));
    for (auto m = static_cast<int>(sip::Method::Invite); m < static_cast<int>(sip::Method::Other);
         ++m) {
        const auto name = sip::to_string(static_cast<sip::Method>(m));
        if (before.size() > name.size() && before.ends_with(name)) {
            return before.size() - name.size(); // no method ends with another one
        }
    }
    return 0;
}

bool looks_like_sip(std::string_view first_bytes) {
    while (!first_bytes.empty() && (first_bytes.front() == '\r' || first_bytes.front() == '\n')) {
        first_bytes.remove_prefix(1);
    }
    // Most traffic is none: its first byte tells.
    if (first_bytes.size() < 9 || !is_token(first_bytes.front())) {
        return false;
    }
    const auto end = first_bytes.find('\n');
    if (end != std::string_view::npos) {
        const auto line = first_bytes.substr(0, end);
        return is_sip_start_line(line) || is_broken_request_line(line) || has_long_method(line);
    }
    return is_status_line(first_bytes) || begins_like_sip_uri(after_method(first_bytes));
}

bool looks_like_tls(Bytes first_bytes) {
    constexpr std::size_t header_size = 5;
    if (first_bytes.size() < header_size || !is_record_header(first_bytes.data())) {
        return false;
    }
    const auto next = header_size + load_be16(first_bytes.data() + 3);
    return first_bytes.size() < next + header_size || is_record_header(first_bytes.data() + next);
}

} // namespace cw::capture
