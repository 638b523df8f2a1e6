#include "capture/exported_message.hpp"

namespace cw::capture {
namespace {

void put_be16(std::string& out, std::size_t n) {
    out += static_cast<char>(n >> 8);
    out += static_cast<char>(n);
}

void put_tag(std::string& out, std::uint16_t kind, std::string_view value) {
    put_be16(out, kind);
    put_be16(out, value.size());
    out += value;
}

void put_number_tag(std::string& out, std::uint16_t kind, std::uint32_t n) {
    put_be16(out, kind);
    put_be16(out, 4);
    put_be16(out, n >> 16);
    put_be16(out, n & 0xffff);
}

void put_address(std::string& out, const IpAddress& address, bool destination) {
    const std::string_view octets{reinterpret_cast<const char*>(address.octets.data()), 16};
    if (address.is_v4()) {
        put_tag(out, destination ? 21 : 20, octets.substr(12));
    } else {
        put_tag(out, destination ? 23 : 22, octets);
    }
}

} // namespace

std::string_view exported_column(sip::Transport transport) {
    using sip::Transport;
    return transport == Transport::Tls   ? "SIP/TLS"
           : transport == Transport::Ws  ? "SIP/WS"
           : transport == Transport::Wss ? "SIP/WSS"
                                         : "";
}

void append_exported_message(std::string& out, const Endpoint& source, const Endpoint& destination,
                             sip::Transport transport, std::string_view message) {
    using sip::Transport;
    put_tag(out, 12, std::string_view{"sip\0", 4}); // dissector, padded to four
    put_address(out, source.address, false);
    put_address(out, destination.address, true);
    const std::uint32_t carrier = transport == Transport::Udp || transport == Transport::Hep ? 3
                                  : transport == Transport::Sctp                             ? 1
                                                                                             : 2;
    put_number_tag(out, 24, carrier);
    put_number_tag(out, 25, source.port);
    put_number_tag(out, 26, destination.port);
    if (const auto column = exported_column(transport); !column.empty()) {
        std::string padded{column};
        padded.resize((column.size() + 3) / 4 * 4);
        put_tag(out, 33, padded);
    }
    put_tag(out, 0, {});
    out += message;
}

} // namespace cw::capture
