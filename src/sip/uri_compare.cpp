// Equality of URIs [RFC 3261 §19.1.4].
#include "sip/uri.hpp"

#include <array>

#include "base/text.hpp"
#include "sip/host.hpp"
#include "sip/params.hpp"

namespace cw::sip {
namespace {

constexpr std::size_t max_compared = 64;

// One character of an escaped text: its value, and whether an escape hides a reserved one.
struct Unit {
    char value = 0;
    bool hides_reserved = false;

    bool operator==(const Unit&) const = default;
};

constexpr int hex_value(char c) {
    const auto lower = ascii_lower(c);
    return is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Unit take_unit(std::string_view& text) {
    const auto c = text.front();
    if (c == '%' && text.size() > 2 && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0) {
        const auto value = static_cast<char>(hex_value(text[1]) << 4 | hex_value(text[2]));
        text.remove_prefix(3);
        // "Characters other than those in the "reserved" set [...] are equivalent to their
        // ""%" HEX HEX" encoding." [RFC 3261 §19.1.4]
        const std::string_view reserved = ";/?:@&=+$,";
        return {value, reserved.find(value) != std::string_view::npos};
    }
    text.remove_prefix(1);
    return {c, false};
}

bool same_escaped(std::string_view a, std::string_view b, bool fold_case) {
    while (!a.empty() && !b.empty()) {
        auto x = take_unit(a);
        auto y = take_unit(b);
        if (fold_case) {
            x.value = ascii_lower(x.value);
            y.value = ascii_lower(y.value);
        }
        if (x != y) {
            return false;
        }
    }
    return a.empty() && b.empty();
}

bool same_host(std::string_view a, std::string_view b) {
    if (iequals(a, b)) {
        return true;
    }
    if (a.empty() || b.empty() || a.front() != '[' || b.front() != '[') {
        return false;
    }
    const auto x = host_to_address(a);
    return x && x == host_to_address(b); // two spellings of one IPv6 address
}

// Parameters that count even when only one of the two has them: leaving them out means a default,
// which "will not match a URI explicitly containing that component with its default value".
bool always_counts(std::string_view name) {
    constexpr std::array<std::string_view, 5> names{"transport", "user", "ttl", "method", "maddr"};
    for (const auto n : names) {
        if (iequals(name, n)) {
            return true;
        }
    }
    return false;
}

bool covers_params(std::string_view a, std::string_view b) {
    ParamCursor cursor{a};
    for (Param param; cursor.next(param);) {
        const auto other = find_param(b, param.name);
        if (other ? !same_escaped(param.value, *other, true) : always_counts(param.name)) {
            return false;
        }
    }
    return true;
}

std::string_view take_field(std::string_view& headers) {
    const auto field = headers.substr(0, headers.find('&'));
    headers.remove_prefix(field.size() < headers.size() ? field.size() + 1 : field.size());
    return field;
}

bool same_field(std::string_view a, std::string_view b) {
    const auto name_a = a.substr(0, a.find('='));
    const auto name_b = b.substr(0, b.find('='));
    return same_escaped(name_a, name_b, true) &&
           same_escaped(a.substr(name_a.size()), b.substr(name_b.size()), false);
}

bool covers_headers(std::string_view a, std::string_view b) {
    while (!a.empty()) {
        const auto field = take_field(a);
        bool found = false;
        for (auto rest = b; !rest.empty() && !found;) {
            found = same_field(field, take_field(rest));
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

bool has_too_many(const Uri& uri) {
    std::size_t separators = 0;
    for (const auto c : uri.params) {
        separators += c == ';' ? 1 : 0;
    }
    std::size_t fields = 0;
    for (const auto c : uri.headers) {
        fields += c == '&' ? 1 : 0;
    }
    return separators > max_compared || fields >= max_compared;
}

} // namespace

bool same_uri(const Uri& a, const Uri& b) {
    if (a.scheme != b.scheme || !iequals(a.scheme_text, b.scheme_text)) {
        return false;
    }
    if (a.opaque == b.opaque) {
        return true;
    }
    if ((a.scheme != Scheme::Sip && a.scheme != Scheme::Sips) || has_too_many(a) ||
        has_too_many(b)) {
        return false;
    }
    return a.has_user == b.has_user && same_escaped(a.user, b.user, false) &&
           same_escaped(a.password, b.password, false) && same_host(a.host, b.host) &&
           a.port == b.port && covers_params(a.params, b.params) &&
           covers_params(b.params, a.params) && covers_headers(a.headers, b.headers) &&
           covers_headers(b.headers, a.headers);
}

} // namespace cw::sip
