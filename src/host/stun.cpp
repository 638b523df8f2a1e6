#include "host/stun.hpp"

#include <span>

namespace cw::host {
namespace {

constexpr std::uint32_t magic_cookie = 0x2112a442;
constexpr std::uint16_t binding_request = 0x0001;
constexpr std::uint16_t binding_success = 0x0101;
constexpr std::uint16_t binding_error = 0x0111;
constexpr std::uint16_t error_code = 0x0009;
constexpr std::uint16_t unknown_attributes = 0x000a;
constexpr std::uint16_t xor_mapped_address = 0x0020;
constexpr std::size_t most_unknown = 16;

void put16(std::string& out, std::uint32_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value);
}

// Type, length and the 16 octets of cookie and transaction.
std::string message(std::uint16_t type, Bytes cookie_and_transaction, std::string_view attributes) {
    std::string out;
    put16(out, type);
    put16(out, static_cast<std::uint32_t>(attributes.size()));
    out.append(as_text(cookie_and_transaction)).append(attributes);
    return out;
}

std::string mapped(Bytes cookie_and_transaction, const Endpoint& from) {
    const bool v4 = from.address.is_v4();
    const auto octets = std::span{from.address.octets}.subspan(v4 ? 12 : 0);
    std::string out;
    put16(out, xor_mapped_address);
    put16(out, static_cast<std::uint32_t>(4 + octets.size()));
    put16(out, v4 ? 1 : 2);
    put16(out, from.port ^ (magic_cookie >> 16));
    for (std::size_t i = 0; i < octets.size(); ++i) {
        out += static_cast<char>(octets[i] ^ cookie_and_transaction[i]);
    }
    return out;
}

// [RFC 5389 §7.3.1] An attribute below 0x8000 that is not understood has to be refused, by name.
std::string unknown(std::span<const std::uint16_t> types) {
    constexpr std::string_view reason = "Unknown Attribute"; // 17 octets and 3 of padding
    std::string out;
    put16(out, error_code);
    put16(out, 4 + reason.size());
    put16(out, 0);
    put16(out, 4 << 8 | 20);
    out.append(reason).append(3, '\0');
    put16(out, unknown_attributes);
    put16(out, static_cast<std::uint32_t>(types.size() * 2));
    for (const auto type : types) {
        put16(out, type);
    }
    return out.append(types.size() % 2 * 2, '\0');
}

} // namespace

std::string stun_answer(Bytes request, const Endpoint& from) {
    Reader reader{request};
    const auto type = reader.be16();
    const auto length = reader.be16();
    const auto cookie_and_transaction = reader.take(16);
    if (!reader.ok() || type != binding_request || length != reader.left() || length % 4 != 0 ||
        load_be32(cookie_and_transaction.data()) != magic_cookie) {
        return {};
    }
    std::array<std::uint16_t, most_unknown> refused{};
    std::size_t count = 0;
    while (reader.left() > 0) {
        const auto attribute = reader.be16();
        const std::size_t size = reader.be16();
        reader.skip((size + 3) / 4 * 4);
        // Comprehension-required, other than USERNAME, MESSAGE-INTEGRITY, REALM and NONCE, which
        // have no meaning where nobody is authenticated.
        const bool known = attribute == 0x0006 || attribute == 0x0008 || attribute == 0x0014 ||
                           attribute == 0x0015;
        if (attribute < 0x8000 && !known && count < refused.size()) {
            refused[count++] = attribute;
        }
    }
    if (!reader.ok()) {
        return {};
    }
    if (count > 0) {
        return message(binding_error, cookie_and_transaction, unknown({refused.data(), count}));
    }
    return message(binding_success, cookie_and_transaction, mapped(cookie_and_transaction, from));
}

} // namespace cw::host
