#include "capture/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace cw::capture {
namespace {

using Found = ProxyHeader::Found;

// "the CRLF sequence […] 107 characters […] worst case" [§2.1]
constexpr std::size_t longest_line = 107;
constexpr std::array<std::string_view, 3> lines{"PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN"};
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12}; // [§2.2]
constexpr std::size_t fixed = 16; // with version and command, family, length
// A length is 16 bits; what balancers add to the addresses (TLS facts, names) are some 100 bytes.
constexpr std::size_t largest = 4096;

bool begin_alike(std::string_view a, std::string_view b) {
    const auto size = std::min(a.size(), b.size());
    return a.substr(0, size) == b.substr(0, size);
}

} // namespace

ProxyHeader find_proxy_header(Bytes first_bytes) {
    const auto text = as_text(first_bytes);
    if (std::ranges::any_of(lines, [&](auto line) { return begin_alike(text, line); })) {
        const auto end = text.substr(0, longest_line).find("\r\n");
        if (end != std::string_view::npos) {
            return {Found::Whole, end + 2};
        }
        return {text.size() < longest_line ? Found::Part : Found::None};
    }
    // Two line ends alone are a keep-alive of SIP [RFC 5626 §3.5.1].
    if (text.size() > 4 && begin_alike(text, signature)) {
        if (text.size() < fixed) {
            return {Found::Part};
        }
        const auto size = fixed + load_be16(first_bytes.data() + 14);
        const bool known = (first_bytes[12] & 0xf0) == 0x20 && (first_bytes[12] & 0x0f) <= 1;
        if (!known || size > largest) {
            return {};
        }
        return size <= text.size() ? ProxyHeader{Found::Whole, size} : ProxyHeader{Found::Part};
    }
    return {};
}

} // namespace cw::capture
