#include "capture/decapsulate.hpp"

#include <algorithm>

namespace cw::capture {
namespace {

constexpr int deepest = 16;

} // namespace

void Decapsulator::unwrap(const Packet& packet, DatagramSink& sink) {
    if (!fragments_.idle()) {
        while (auto incomplete = fragments_.expire(packet.time)) {
            give_up(std::move(incomplete), sink);
        }
    }
    Frame frame{sink, {}, 0, 0, 0};
    frame.out.time = packet.time;
    frame.out.frame = packet.frame;
    frame.out.input = packet.input;
    frame.place = static_cast<std::uint32_t>(packet.input) << 16 | packet.interface;
    const auto held = static_cast<std::uint32_t>(packet.data.size());
    frame.cut = packet.original_length > held ? packet.original_length - held : 0;
    link(frame, packet.link_type, packet.data);
}

void Decapsulator::finish(DatagramSink& sink) {
    while (auto incomplete = fragments_.flush()) {
        give_up(std::move(incomplete), sink);
    }
}

void Decapsulator::give_up(std::optional<Reassembled> incomplete, DatagramSink& sink) {
    Frame frame{sink, {}, 0, 0, 0};
    frame.out.time = incomplete->time;
    frame.out.frame = incomplete->frame;
    frame.out.input = incomplete->input;
    frame.out.ip_id = static_cast<std::uint16_t>(incomplete->key.id);
    frame.out.source.address = incomplete->key.source;
    frame.out.destination.address = incomplete->key.destination;
    frame.place = incomplete->key.place;
    // Note: where the last fragment did not come the length is not known, but that it is not the
    // whole is; the length in a UDP header corrects this.
    frame.cut = std::max<std::uint32_t>(incomplete->missing, 1);
    ip_payload(frame, incomplete->protocol, incomplete->bytes);
}

bool Decapsulator::enter(Frame& frame) {
    if (++frame.depth > deepest) {
        ignored_.add("nested too deep");
        return false;
    }
    return true;
}

} // namespace cw::capture
