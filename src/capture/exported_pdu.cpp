// Wireshark's "Export PDUs": what its dissectors handed up, with tags that say from where.
#include "capture/decapsulate.hpp"
#include "capture/exported_message.hpp"
#include "capture/recognise.hpp"

namespace cw::capture {
namespace {

namespace tag {
constexpr std::uint16_t end = 0;
constexpr std::uint16_t dissector = 12;
constexpr std::uint16_t heuristic_dissector = 13;
constexpr std::uint16_t dissector_table = 14;
constexpr std::uint16_t ipv4_source = 20;
constexpr std::uint16_t ipv4_destination = 21;
constexpr std::uint16_t ipv6_source = 22;
constexpr std::uint16_t ipv6_destination = 23;
constexpr std::uint16_t port_type = 24;
constexpr std::uint16_t source_port = 25;
constexpr std::uint16_t destination_port = 26;
constexpr std::uint16_t column = 33; // what Wireshark shows as the protocol
} // namespace tag

// Values of the port type.
namespace port_type {
constexpr std::uint32_t sctp = 1;
constexpr std::uint32_t tcp = 2;
constexpr std::uint32_t udp = 3;
} // namespace port_type

struct Tags {
    std::string_view dissector; // "sip", or a table that leads to one: "udp.port"
    std::uint32_t port_type = 0;
    std::string_view column;
};

std::string_view padded_text(Bytes value) {
    const auto text = as_text(value);
    return text.substr(0, text.find('\0'));
}

void take_address(IpAddress& into, Bytes value) {
    if (value.size() == 4) {
        into = IpAddress::v4(value.data());
    } else if (value.size() == 16) {
        into = IpAddress::v6(value.data());
    }
}

std::uint32_t number(Bytes value) {
    return value.size() == 4 ? load_be32(value.data()) : 0;
}

void take_tag(Tags& tags, Datagram& out, std::uint16_t kind, Bytes value) {
    switch (kind) {
    case tag::dissector:
    case tag::heuristic_dissector:
    case tag::dissector_table:
        tags.dissector = padded_text(value);
        break;
    case tag::column:
        tags.column = padded_text(value);
        break;
    case tag::ipv4_source:
    case tag::ipv6_source:
        take_address(out.source.address, value);
        break;
    case tag::ipv4_destination:
    case tag::ipv6_destination:
        take_address(out.destination.address, value);
        break;
    case tag::port_type:
        tags.port_type = number(value);
        break;
    case tag::source_port:
        out.source.port = static_cast<std::uint16_t>(number(value));
        break;
    case tag::destination_port:
        out.destination.port = static_cast<std::uint16_t>(number(value));
        break;
    default:
        break;
    }
}

// As we say it, when it was we who exported the message; Wireshark tells what carried its
// transport.
sip::Transport transport_of(const Tags& tags) {
    for (const auto transport : {sip::Transport::Tls, sip::Transport::Ws, sip::Transport::Wss}) {
        if (tags.column == exported_column(transport)) {
            return transport;
        }
    }
    return tags.port_type == port_type::sctp  ? sip::Transport::Sctp
           : tags.port_type == port_type::tcp ? sip::Transport::Tcp
                                              : sip::Transport::Udp;
}

} // namespace

void Decapsulator::exported_pdu(Frame& frame, Bytes bytes) {
    Reader r{bytes};
    Tags tags;
    for (;;) {
        const auto kind = r.be16();
        const auto value = r.vec16();
        if (!r.ok()) {
            return ignored_.add("exported pdu malformed");
        }
        if (kind == tag::end) {
            break;
        }
        take_tag(tags, frame.out, kind, value);
    }
    if (!enter(frame)) {
        return;
    }
    const auto name = tags.dissector;
    if (name == "sip" || name.starts_with("sip.") || name == "sip_tcp" || name == "sip_udp") {
        frame.out.carried_over = transport_of(tags);
        return emit(frame, Protocol::Sip, r.rest());
    }
    if (name == "ip" || name == "ipv6") {
        return raw_ip(frame, r.rest());
    }
    if (name == "eth" || name.starts_with("eth_")) {
        return ethernet(frame, r.rest());
    }
    if (tags.port_type == port_type::udp) {
        return emit(frame, Protocol::Udp, r.rest());
    }
    if (looks_like_sip(as_text(r.rest()))) {
        frame.out.carried_over = transport_of(tags);
        return emit(frame, Protocol::Sip, r.rest());
    }
    ignored_.add_named("exported pdu", name);
}

} // namespace cw::capture
