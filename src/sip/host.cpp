#include "sip/host.hpp"

#include <array>

namespace cw::sip {
namespace {

bool is_ipv6_text(std::string_view text) {
    for (const auto c : text) {
        if (!chars::is(c, chars::Hex) && c != ':' && c != '.') {
            return false;
        }
    }
    return text.find(':') != std::string_view::npos;
}

} // namespace

Result<HostPort> parse_host_port(Cursor& cursor, bool allow_white) {
    HostPort out;
    if (cursor.peek() == '[') {
        const auto* from = cursor.at();
        const auto inside = cursor.take_until<']'>().substr(1);
        if (!cursor.eat(']') || !is_ipv6_text(inside)) {
            return fail(Code::Malformed, 0, "not an IPv6 address in brackets");
        }
        out.text = cursor.since(from);
    } else {
        out.text = cursor.take(chars::Host);
        if (out.text.empty()) {
            return fail(Code::Malformed, 0, "no host");
        }
    }
    if (allow_white ? !cursor.eat_separator(':') : !cursor.eat(':')) {
        return out;
    }
    if (const auto port = cursor.number(65'535)) {
        out.port = static_cast<std::uint16_t>(*port);
    } else if (chars::is(cursor.peek(), chars::Digit)) {
        return fail(Code::Malformed, 0, "a port beyond 65535");
    } else if (!cursor.done() && !chars::is(cursor.peek(), chars::White) && cursor.peek() != ';' &&
               cursor.peek() != '?' && cursor.peek() != ',') {
        return fail(Code::Malformed, 0, "a port that is not a number");
    }
    if (out.port == 0) {
        out.quirk = "a colon without a port";
    }
    return out;
}

std::optional<IpAddress> host_to_address(std::string_view host) {
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    if (!host.empty() && chars::is(host.back(), chars::Alpha) && !has_any<':'>(host)) {
        return std::nullopt; // a name, as most are
    }
    const auto colons = host.find(":::");
    if (colons == std::string_view::npos) {
        return IpAddress::parse(host);
    }
    std::array<char, 64> buffer{};
    if (host.size() > buffer.size()) {
        return std::nullopt;
    }
    const auto before = host.copy(buffer.data(), colons);
    const auto after = host.substr(colons + 1).copy(buffer.data() + before, buffer.size() - before);
    return IpAddress::parse({buffer.data(), before + after});
}

} // namespace cw::sip
