#include "sip/uri.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "sip/cursor.hpp"
#include "sip/host.hpp"

namespace cw::sip {
namespace {

constexpr int hex_value(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    const auto lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Characters of `classes` and well-formed escapes only?
bool is_escaped(std::string_view text, int classes) {
    const auto* plain_end = skip_plain(text.data(), text.data() + text.size());
    for (auto i = static_cast<std::size_t>(plain_end - text.data()); i < text.size(); ++i) {
        if (chars::is(text[i], classes)) {
            continue;
        }
        if (text[i] != '%' || text.size() - i < 3 || !chars::is(text[i + 1], chars::Hex) ||
            !chars::is(text[i + 2], chars::Hex)) {
            return false;
        }
        i += 2;
    }
    return true;
}

void note(Uri& uri, const char* quirk) {
    uri.quirk = uri.quirk != nullptr ? uri.quirk : quirk;
}

Scheme scheme_of(std::string_view text) {
    if (chars::is_word(text, "sip")) {
        return Scheme::Sip;
    }
    if (chars::is_word(text, "sips")) {
        return Scheme::Sips;
    }
    return chars::is_word(text, "tel") ? Scheme::Tel : Scheme::Other;
}

void split_user(Uri& uri, std::string_view userinfo) {
    uri.has_user = true;
    const auto* end = userinfo.data() + userinfo.size();
    const auto* colon = find_first<':'>(userinfo.data(), end);
    uri.user = userinfo.substr(0, static_cast<std::size_t>(colon - userinfo.data()));
    if (colon != end) {
        uri.password = userinfo.substr(uri.user.size() + 1);
        if (!is_escaped(uri.password, chars::Password)) {
            note(uri, "a character in the password that should be escaped");
        }
    }
    if (uri.user.empty()) {
        note(uri, "an empty user part");
    } else if (!is_escaped(uri.user, chars::User)) {
        note(uri, "a character in the user part that should be escaped");
    }
}

Result<void> parse_sip(Uri& uri) {
    auto text = uri.opaque;
    const auto* begin = text.data();
    const auto* end = begin + text.size();
    // "@" may stand unescaped nowhere else in a sip URI, so it tells where the host begins,
    // whatever
    // ";", "?" or "/" the user part holds [RFC 4475 §3.1.1.9].
    if (const auto* at = find_first<'@'>(begin, end); at != end) {
        const auto length = static_cast<std::size_t>(at - begin);
        split_user(uri, text.substr(0, length));
        text.remove_prefix(length + 1);
    }
    Cursor cursor{text};
    const auto host = parse_host_port(cursor, false);
    if (!host) {
        return std::unexpected(host.error());
    }
    uri.host = host->text;
    uri.port = host->port;
    if (host->quirk != nullptr) {
        note(uri, host->quirk);
    }
    if (cursor.peek() == ';') {
        const auto* from = cursor.at();
        cursor.take(chars::UriParam);
        const bool odd = !cursor.done() && cursor.peek() != '?';
        if (odd) {
            cursor.take_until<'?'>();
        }
        uri.params = cursor.since(from);
        if (odd && !is_escaped(uri.params, chars::UriParam)) {
            note(uri, "a character in the URI parameters that should be escaped");
        }
    }
    if (cursor.eat('?')) {
        uri.headers = cursor.rest();
        cursor.skip_all();
        if (!is_escaped(uri.headers, chars::UriHeader)) {
            note(uri, "a character in the URI headers that should be escaped");
        }
    }
    if (!cursor.done()) {
        return fail(Code::Malformed, static_cast<std::size_t>(cursor.at() - uri.text.data()),
                    "a URI goes on after its host");
    }
    return {};
}

void parse_tel(Uri& uri) {
    Cursor cursor{uri.opaque};
    uri.user = cursor.take_until<';'>();
    uri.has_user = true;
    uri.params = cursor.rest();
    const auto is_visual = [](char c) {
        return chars::is(c, chars::Hex) ||
               std::string_view{"+-.()*#"}.find(c) != std::string_view::npos;
    };
    for (const auto c : uri.user) {
        if (!is_visual(c)) {
            note(uri, "a tel URI with characters that no number has");
            break;
        }
    }
}

} // namespace

Result<void> parse_uri(std::string_view text, Uri& uri) {
    uri = {};
    uri.text = text;
    const auto* end = text.data() + text.size();
    const auto* colon = find_first<':'>(text.data(), end);
    uri.scheme_text = text.substr(0, static_cast<std::size_t>(colon - text.data()));
    const auto is_scheme_char = [](char c) {
        return chars::is(c, chars::Alpha | chars::Digit) || c == '+' || c == '-' || c == '.';
    };
    const auto scheme = scheme_of(uri.scheme_text);
    if (colon == end ||
        (scheme == Scheme::Other &&
         (!is_alpha(text.front()) || !std::ranges::all_of(uri.scheme_text, is_scheme_char)))) {
        return fail(Code::Malformed, 0, "a URI without a scheme");
    }
    uri.opaque = text.substr(uri.scheme_text.size() + 1);
    if (scheme == Scheme::Sip || scheme == Scheme::Sips) {
        if (const auto r = parse_sip(uri); !r) {
            return r;
        }
    } else if (scheme == Scheme::Tel) {
        parse_tel(uri);
    } else if (!chars::all(uri.opaque, chars::Generic)) {
        note(uri, "a character in the URI that should be escaped");
    }
    uri.scheme = scheme;
    return {};
}

Result<Uri> parse_uri(std::string_view text) {
    Result<Uri> result{std::in_place};
    if (const auto r = parse_uri(text, *result); !r) {
        result = std::unexpected(r.error());
    }
    return result;
}

std::optional<IpAddress> host_address(const Uri& uri) {
    return host_to_address(uri.host);
}

std::string unescape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && text.size() - i > 2) {
            const auto high = hex_value(text[i + 1]);
            const auto low = hex_value(text[i + 2]);
            if (high >= 0 && low >= 0) {
                out.push_back(static_cast<char>(high << 4 | low));
                i += 2;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

} // namespace cw::sip
