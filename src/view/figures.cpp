#include "view/figures.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace cw::view {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t minute_length_ns = 60 * second_ns;
constexpr std::int64_t day_ns = 86'400 * second_ns;

struct DayAndRest {
    std::int64_t day;
    std::int64_t ns;
};

DayAndRest split(Instant t) {
    auto day = t.ns / day_ns;
    auto ns = t.ns % day_ns;
    if (ns < 0) {
        --day;
        ns += day_ns;
    }
    return {day, ns};
}

// "00", "01" … "99".
constexpr auto pairs = [] {
    std::array<char, 200> text{};
    for (std::size_t n = 0; n < 100; ++n) {
        text[2 * n] = static_cast<char>('0' + n / 10);
        text[2 * n + 1] = static_cast<char>('0' + n % 10);
    }
    return text;
}();

char* write_pair(char* at, std::uint64_t n) {
    std::memcpy(at, pairs.data() + 2 * n, 2);
    return at + 2;
}

char* write_three(char* at, std::uint64_t n) {
    *at++ = static_cast<char>('0' + n / 100);
    return write_pair(at, n % 100);
}

char* write_clock(char* at, std::int64_t ns) {
    const auto s = static_cast<std::uint64_t>(ns) / 1'000'000'000;
    at = write_pair(at, s / 3600);
    *at++ = ':';
    at = write_pair(at, s / 60 % 60);
    *at++ = ':';
    return write_pair(at, s % 60);
}

char* write_v4(char* at, const std::uint8_t* octets) {
    for (int i = 0; i < 4; ++i) {
        if (i > 0) {
            *at++ = '.';
        }
        at = write_number(at, octets[i]);
    }
    return at;
}

std::string_view without_scheme(std::string_view uri) {
    const auto colon = uri.find(':');
    const auto at = uri.find('@');
    if (colon == std::string_view::npos || colon > at || colon > 4) {
        return uri; // "host:port", or no scheme that we know the length of
    }
    const auto scheme = uri.substr(0, colon);
    return scheme == "sip" || scheme == "sips" || scheme == "tel" || scheme == "im" ||
                   scheme == "pres"
               ? uri.substr(colon + 1)
               : uri;
}

} // namespace

void TimeWriter::learn_day(std::int64_t day) {
    const auto text = to_rfc3339(Instant{day * day_ns});
    const auto size = std::min(text.find('T'), sizeof date_);
    std::copy_n(text.begin(), size, date_);
    date_size_ = static_cast<std::uint8_t>(size);
    day_ = day;
}

void TimeWriter::append_date(std::string& out, Instant t) {
    const auto day = split(t).day;
    if (day != day_) {
        learn_day(day);
    }
    out.append(date_, date_size_);
}

void TimeWriter::learn_minute(Instant t) {
    auto minute = t.ns / minute_length_ns;
    minute -= t.ns % minute_length_ns < 0 ? 1 : 0;
    minute_ns_ = minute * minute_length_ns;
    const auto [day, ns] = split(Instant{minute_ns_});
    if (day != day_) {
        learn_day(day);
    }
    auto* at = std::copy_n(date_, date_size_, date_and_minute_);
    *at++ = 'T';
    at = write_clock(at, ns) - 2; // without the seconds
    date_and_minute_size_ = static_cast<std::uint8_t>(at - date_and_minute_);
}

char* TimeWriter::write_rfc3339(char* at, Instant t) {
    const auto since = [&] { // unsigned: what lies before the minute is far behind it
        return static_cast<std::uint64_t>(t.ns) - static_cast<std::uint64_t>(minute_ns_);
    };
    if (since() >= static_cast<std::uint64_t>(minute_length_ns)) {
        learn_minute(t);
    }
    std::memcpy(at, date_and_minute_, sizeof date_and_minute_); // of a fixed size, which is cheaper
    at += date_and_minute_size_;
    const auto us = static_cast<std::uint32_t>(since() / 1000);
    at = write_pair(at, us / 1'000'000);
    *at++ = '.';
    at = write_pair(at, us / 10'000 % 100);
    at = write_pair(at, us / 100 % 100);
    at = write_pair(at, us % 100);
    *at++ = 'Z';
    return at;
}

void TimeWriter::append_rfc3339(std::string& out, Instant t) {
    std::array<char, most> buffer;
    out.append(buffer.data(), write_rfc3339(buffer.data(), t));
}

void append_time_of_day(std::string& out, Instant t, bool milliseconds) {
    const auto ns = split(t).ns;
    std::array<char, 16> buffer;
    auto* at = write_clock(buffer.data(), ns);
    if (milliseconds) {
        *at++ = '.';
        at = write_three(at, static_cast<std::uint64_t>(ns) % 1'000'000'000 / 1'000'000);
    }
    out.append(buffer.data(), at);
}

char* write_long_number(char* at, std::uint64_t n) {
    if (n < 10) {
        return write_number(at, n);
    }
    if (n < 100) {
        return write_pair(at, n);
    }
    if (n < 1000) {
        return write_three(at, n);
    }
    if (n < 10'000) {
        return write_pair(write_pair(at, n / 100), n % 100);
    }
    if (n < 1'000'000) {
        at = n < 100'000 ? write_number(at, n / 10'000) : write_pair(at, n / 10'000);
        return write_pair(write_pair(at, n / 100 % 100), n % 100);
    }
    const fmt::format_int text{n};
    return std::copy_n(text.data(), text.size(), at);
}

void append_number(std::string& out, std::uint64_t n) {
    const fmt::format_int text{n};
    out.append(text.data(), text.size());
}

void append_signed(std::string& out, std::int64_t n) {
    const fmt::format_int text{n};
    out.append(text.data(), text.size());
}

void append_grouped(std::string& out, std::uint64_t n) {
    const fmt::format_int text{n};
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i > 0 && (text.size() - i) % 3 == 0) {
            out += ',';
        }
        out += text.data()[i];
    }
}

namespace {

// The same as std::to_chars() would, for what figures mostly are. Returns where it ends, or nullptr
// where rounding hangs on digits that a double only just holds.
char* write_short_decimal(char* at, double value, int places) {
    constexpr std::array<std::uint32_t, 4> powers{1, 10, 100, 1000};
    constexpr double largest = 1e9;
    constexpr double in_doubt = 1e-3; // from a half; multiplying errs by 1e-7 at most
    if (places < 1 || places >= static_cast<int>(powers.size()) || !(value >= 0)) {
        return nullptr;
    }
    const auto power = powers[static_cast<std::size_t>(places)];
    const auto scaled = value * power;
    if (std::signbit(value) || scaled > largest) {
        return nullptr;
    }
    auto whole = static_cast<std::uint64_t>(scaled);
    const auto rest = scaled - static_cast<double>(whole);
    if (std::fabs(rest - 0.5) < in_doubt) {
        return nullptr;
    }
    whole += rest > 0.5 ? 1 : 0;
    at = write_number(at, whole / power);
    *at++ = '.';
    auto digits = whole % power;
    for (auto unit = power / 10; unit > 0; unit /= 10) {
        *at++ = static_cast<char>('0' + digits / unit);
        digits %= unit;
    }
    return at;
}

} // namespace

char* write_decimal(char* at, double value, int places) {
    if (auto* end = write_short_decimal(at, value, places); end != nullptr) {
        return end;
    }
    if (!std::isfinite(value) || std::fabs(value) > 1e30) {
        *at++ = '0';
        return at;
    }
    constexpr std::size_t most = 64;
    const auto [end, error] = std::to_chars(at, at + most, value, std::chars_format::fixed, places);
    return error == std::errc{} ? end : at;
}

void append_decimal(std::string& out, double value, int places) {
    std::array<char, 64> buffer;
    const auto* end = write_decimal(buffer.data(), value, places);
    out.append(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
}

void append_address(std::string& out, const IpAddress& a) {
    if (!a.is_v4()) {
        out += to_string(a);
        return;
    }
    std::array<char, 16> buffer;
    out.append(buffer.data(), write_v4(buffer.data(), a.octets.data() + 12));
}

char* write_endpoint(char* at, const Endpoint& e) {
    if (e.address.is_v4()) {
        at = write_v4(at, e.address.octets.data() + 12);
    } else {
        const auto text = to_string(e.address);
        *at++ = '[';
        at = std::copy(text.begin(), text.end(), at);
        *at++ = ']';
    }
    *at++ = ':';
    return write_number(at, e.port);
}

void append_endpoint(std::string& out, const Endpoint& e) {
    if (!e.address.is_v4()) {
        out += '[';
        append_address(out, e.address);
        out += "]:";
        append_number(out, e.port);
        return;
    }
    std::array<char, 24> text; // "255.255.255.255:65535"
    auto* at = text.data();
    const auto number = [&](unsigned n) { at = std::to_chars(at, text.end(), n).ptr; };
    for (std::size_t i = 12; i < 16; ++i) {
        number(e.address.octets[i]);
        *at++ = i < 15 ? '.' : ':';
    }
    number(e.port);
    out.append(text.data(), static_cast<std::size_t>(at - text.data()));
}

void append_duration(std::string& out, Duration d) {
    auto s = d.seconds();
    if (s < 0) {
        out += '-';
        s = -s;
    }
    if (s < 0.0009995) {
        append_decimal(out, s * 1e6, 0);
        out += " µs";
    } else if (s < 0.9995) {
        append_decimal(out, s * 1e3, 0);
        out += " ms";
    } else if (s < 99.95) {
        append_decimal(out, s, 1);
        out += " s";
    } else if (s < 600) {
        append_decimal(out, s, 0);
        out += " s";
    } else if (s < 7200) {
        append_decimal(out, s / 60, 0);
        out += " min";
    } else if (s < 172'800) {
        append_decimal(out, s / 3600, 1);
        out += " h";
    } else {
        append_decimal(out, s / 86'400, 0);
        out += " d";
    }
}

void append_size(std::string& out, std::uint64_t bytes) {
    if (bytes < 1000) {
        append_number(out, bytes);
        out += " B";
        return;
    }
    constexpr std::array<std::string_view, 4> units{" kB", " MB", " GB", " TB"};
    auto value = static_cast<double>(bytes) / 1000;
    std::size_t unit = 0;
    while (value >= 999.5 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    append_decimal(out, value, value < 9.95 ? 1 : 0);
    out += units[unit];
}

std::string short_cipher(std::string_view cipher) {
    auto name = cipher;
    if (const auto with = name.find("_WITH_"); with != std::string_view::npos) {
        name.remove_prefix(with + 6);
    } else if (name.starts_with("TLS_")) {
        name.remove_prefix(4);
    }
    if (const auto hash = name.rfind("_SHA"); hash != std::string_view::npos) {
        name = name.substr(0, hash);
    }
    std::string out{name};
    std::replace(out.begin(), out.end(), '_', '-');
    return out;
}

std::string short_version(std::string_view version) {
    const auto v = version.find('v');
    if (v == std::string_view::npos) {
        return std::string{version};
    }
    return std::string{version.substr(0, v)}.append(" ").append(version.substr(v + 1));
}

std::string_view upper_name(flow::Transport transport) {
    switch (transport) {
    case flow::Transport::Udp:
        return "UDP";
    case flow::Transport::Tcp:
        return "TCP";
    case flow::Transport::Tls:
        return "TLS";
    case flow::Transport::Ws:
        return "WS";
    case flow::Transport::Wss:
        return "WSS";
    case flow::Transport::Sctp:
        return "SCTP";
    case flow::Transport::Hep:
        return "HEP";
    }
    return "?";
}

std::string_view address_of_record(std::string_view uri) {
    const auto rest = without_scheme(uri);
    // Parameters begin after the host; a semicolon in the user part belongs to it.
    const auto at = rest.find('@');
    const auto end = rest.find_first_of(";?>", at == std::string_view::npos ? 0 : at);
    return rest.substr(0, end);
}

} // namespace cw::view
