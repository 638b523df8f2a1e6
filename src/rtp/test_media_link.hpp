// Two media sessions and the network between them, on a virtual clock: packets arrive after a delay
// that a test chooses one by one, or not at all. For tests.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "rtp/media_session.hpp"

namespace cw::rtp {

inline Endpoint test_endpoint(std::uint8_t host, std::uint16_t port) {
    const std::array<std::uint8_t, 4> octets{192, 0, 2, host};
    return {IpAddress::v4(octets.data()), port};
}

struct MediaLink {
    struct Flight {
        bool to_bob = true;
        MediaPacket packet;
        Endpoint from;
    };

    Endpoint alice_at = test_endpoint(1, 4000);
    Endpoint bob_at = test_endpoint(2, 5000);
    MediaSession alice{{.ssrc = 0xa11ce, .first_sequence = 100, .cname = "alice@example.com"}};
    MediaSession bob{{.ssrc = 0xb0b, .first_sequence = 0xffff, .cname = "bob@example.com"}};
    Instant now{1'700'000'000'000'000'000};
    std::multimap<Instant, Flight> flying;
    std::vector<Flight> seen; // everything that was sent
    // How long a packet travels; nothing: it is lost.
    std::function<std::optional<Duration>(const Flight&)> delay = [](const Flight&) {
        return std::optional{milliseconds(5)};
    };

    // What each of them has after a plain offer and answer.
    [[nodiscard]] MediaSettings settings_towards(const Endpoint& peer) const {
        MediaSettings out;
        out.remote = peer;
        out.remote_rtcp = {peer.address, static_cast<std::uint16_t>(peer.port + 1)};
        out.event_type = std::uint8_t{101};
        return out;
    }
    [[nodiscard]] MediaSettings for_alice() const { return settings_towards(bob_at); }
    [[nodiscard]] MediaSettings for_bob() const { return settings_towards(alice_at); }

    void send(MediaSession& from, std::vector<MediaPacket>& packets) {
        const bool to_bob = &from == &alice;
        for (auto& packet : packets) {
            auto source = to_bob ? alice_at : bob_at;
            source.port =
                static_cast<std::uint16_t>(source.port + (packet.from_rtcp_socket ? 1 : 0));
            Flight flight{to_bob, std::move(packet), source};
            seen.push_back(flight);
            if (const auto time = delay(flight)) {
                flying.emplace(now + *time, std::move(flight));
            }
        }
        packets.clear();
    }

    void deliver(const Flight& flight) {
        // Only who is at the address gets it.
        const auto& at = flight.to_bob ? bob_at : alice_at;
        const auto& to = flight.packet.to;
        if (to == at || (to.address == at.address && to.port == at.port + 1)) {
            (flight.to_bob ? bob : alice).receive(flight.packet.bytes, flight.from, now);
        }
    }

    void run(Duration time) {
        const auto end = now + time;
        std::vector<MediaPacket> out;
        while (true) {
            auto next = std::min(alice.next_deadline(), bob.next_deadline());
            if (!flying.empty()) {
                next = std::min(next, flying.begin()->first);
            }
            if (next > end) {
                now = end;
                return;
            }
            now = std::max(now, next);
            while (!flying.empty() && flying.begin()->first <= now) {
                const auto flight = std::move(flying.begin()->second);
                flying.erase(flying.begin());
                deliver(flight);
            }
            alice.advance(now, out);
            send(alice, out);
            bob.advance(now, out);
            send(bob, out);
        }
    }
};

} // namespace cw::rtp
