// For tests: hears what a Connection tells, and feeds it what peers sent.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "capture/tls/connection.hpp"
#include "capture/tls/test_peers.hpp"

namespace cw::capture::tls::test {

struct Listener : Sink {
    void on_plaintext(Side from, Bytes data, const Datagram& by) override {
        heard[index_of(from)] += as_text(data);
        frames.push_back(by.frame);
    }
    void on_plaintext_gap(Side from, std::uint64_t bytes, const Datagram& /*by*/) override {
        heard[index_of(from)] += "<gap>";
        ++gaps[index_of(from)];
        missing += bytes;
    }
    void on_event(const Event& event, const Datagram& /*by*/) override {
        static constexpr std::array names{"ClientHello", "HelloRetry", "ServerHello", "Certificate",
                                          "Finished",    "Alert",      "CloseNotify", "KeyUpdate",
                                          "EarlyData",   "Trouble"};
        events.emplace_back(names.at(event.index()));
        if (const auto* trouble = std::get_if<Trouble>(&event)) {
            reason = trouble->reason;
        }
        if (const auto* hello = std::get_if<ClientHello>(&event)) {
            sni = hello->sni;
            psk = hello->psk;
            early_data = hello->early_data;
        }
        if (const auto* alert = std::get_if<AlertSeen>(&event)) {
            alerts.emplace_back(alert->name);
        }
    }
    [[nodiscard]] std::size_t count(std::string_view event) const {
        return static_cast<std::size_t>(std::ranges::count(events, event));
    }

    std::array<std::string, 2> heard;
    std::array<int, 2> gaps{};
    std::uint64_t missing = 0;
    std::vector<std::string> events;
    std::vector<std::string> alerts;
    std::vector<std::uint32_t> frames;
    std::string reason;
    std::string sni;
    bool psk = false;
    bool early_data = false;
};

// A connection with all that it needs.
struct Tap {
    explicit Tap(std::string_view key_log) {
        ring.add_text(key_log, "keys");
        by.time = Instant{1'000'000'000};
    }

    void feed(Side from, std::string_view bytes, std::size_t chunk = SIZE_MAX) {
        while (!bytes.empty()) {
            const auto part = bytes.substr(0, std::min(chunk, bytes.size()));
            // A copy of its own size, so that a byte read too far is found.
            const std::vector<std::uint8_t> copy(part.begin(), part.end());
            ++by.frame;
            connection.on_bytes(from, copy, by, listener);
            bytes.remove_prefix(part.size());
        }
    }
    void feed(const Peers& peers, std::size_t chunk = SIZE_MAX) {
        for (const auto& piece : peers.wire()) {
            feed(piece.from, piece.bytes, chunk);
        }
    }
    void gap(Side from, std::uint64_t missing) {
        ++by.frame;
        connection.on_gap(from, missing, by, listener);
    }
    void finish() { connection.finish(listener); }
    [[nodiscard]] flow::Connection described() const {
        flow::Connection out;
        connection.describe(out);
        return out;
    }

    crypto::KeyRing ring;
    SessionCache sessions;
    Datagram by;
    Listener listener;
    Connection connection{ring, sessions};
};

} // namespace cw::capture::tls::test
