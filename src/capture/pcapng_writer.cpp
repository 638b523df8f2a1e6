#include "capture/pcapng_writer.hpp"

namespace cw::capture {
namespace {

constexpr std::uint32_t section_header = 0x0a0d0d0a;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t enhanced_packet = 6;
constexpr std::uint32_t decryption_secrets = 10;
constexpr std::uint32_t tls_key_log = 0x544c534b;

template <class T>
void put_number(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) {
        out += static_cast<char>(value >> (8 * i));
    }
}

// Opens a block; close_block() writes its lengths.
std::size_t open_block(std::string& out, std::uint32_t type) {
    const auto at = out.size();
    put_number(out, type);
    put_number(out, std::uint32_t{0});
    return at;
}
void close_block(std::string& out, std::size_t at) {
    out.append((4 - (out.size() - at) % 4) % 4, '\0');
    const auto total = static_cast<std::uint32_t>(out.size() - at + 4);
    put_number(out, total);
    std::string length;
    put_number(length, total);
    out.replace(at + 4, 4, length);
}

void put_option(std::string& out, std::uint16_t code, std::string_view value) {
    put_number(out, code);
    put_number(out, static_cast<std::uint16_t>(value.size()));
    out.append(value).append((4 - value.size() % 4) % 4, '\0');
}

} // namespace

void put_section(std::string& out) {
    const auto at = open_block(out, section_header);
    put_number(out, std::uint32_t{0x1a2b3c4d});
    put_number(out, std::uint16_t{1});
    put_number(out, std::uint16_t{0});
    put_number(out, ~std::uint64_t{0}); // a section of unknown length
    close_block(out, at);
}

void put_interface(std::string& out, std::uint16_t link_type, std::string_view name) {
    constexpr std::uint16_t if_name = 2;
    constexpr std::uint16_t if_tsresol = 9;
    const auto at = open_block(out, interface_description);
    put_number(out, link_type);
    put_number(out, std::uint16_t{0});
    put_number(out, std::uint32_t{0}); // no snap length
    if (!name.empty()) {
        put_option(out, if_name, name);
    }
    put_option(out, if_tsresol, "\x09"); // nanoseconds
    put_option(out, 0, {});
    close_block(out, at);
}

void put_packet(std::string& out, std::uint32_t interface, Instant time, Bytes packet,
                std::size_t original_length) {
    const auto at = open_block(out, enhanced_packet);
    put_number(out, interface);
    put_number(out, static_cast<std::uint32_t>(static_cast<std::uint64_t>(time.ns) >> 32));
    put_number(out, static_cast<std::uint32_t>(time.ns));
    put_number(out, static_cast<std::uint32_t>(packet.size()));
    put_number(out, static_cast<std::uint32_t>(original_length));
    out.append(as_text(packet));
    close_block(out, at);
}

void put_secrets(std::string& out, std::string_view lines) {
    const auto at = open_block(out, decryption_secrets);
    put_number(out, tls_key_log);
    put_number(out, static_cast<std::uint32_t>(lines.size()));
    out.append(lines);
    close_block(out, at);
}

} // namespace cw::capture
