// The packets that calls are made of, out of the captures that they were read from, as a pcapng
// file: as they were captured, with the secrets that open them. So the file reads back as the
// calls were: over TLS, with its handshakes, its media and its lost bytes.
//
// Packets of a connection are kept whole, since TLS cannot be opened in part: what else went over
// it is in the file, too, and is counted. Single-threaded.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "capture/decapsulate.hpp"
#include "capture/packet_source.hpp"
#include "cli/reading.hpp"
#include "crypto/key_log.hpp"
#include "flow/call.hpp"
#include "view/report.hpp"

namespace cw::cli {

class SavedPackets final : private capture::DatagramSink {
  public:
    // `reading` is over; it must outlive this.
    explicit SavedPackets(const Reading& reading)
        : keys_(reading.keys()), files_(reading.files()) {}
    SavedPackets(const SavedPackets&) = delete;
    SavedPackets& operator=(const SavedPackets&) = delete;

    // A call as it was read, not redacted.
    void want(const flow::Call& call);
    // Reads the captures again and writes what is wanted; once, after all want().
    std::expected<void, ReadFailure> write(const view::Sink& sink);
    // After write(): what a person should know of the file, a line each; empty: nothing.
    [[nodiscard]] std::vector<std::string> remarks() const;

  private:
    // Stretches of time, which may overlap until they are settled.
    class Times {
      public:
        void add(Instant from, Instant until) { spans_.emplace_back(from, until); }
        void settle();
        [[nodiscard]] bool contains(Instant time) const;

      private:
        std::vector<std::pair<Instant, Instant>> spans_;
    };
    using Ends = std::pair<Endpoint, Endpoint>; // the smaller first
    struct Held { // a packet that gave no datagram: a fragment, or nothing of ours
        capture::Packet packet;
        std::string bytes;
    };

    static std::uint64_t key(std::uint16_t input, std::uint32_t frame) {
        return std::uint64_t{input} << 32 | frame;
    }
    static Ends ends_of(const Endpoint& a, const Endpoint& b) {
        return a < b ? Ends{a, b} : Ends{b, a};
    }
    [[nodiscard]] std::expected<capture::MergedSource, ReadFailure> open() const;
    void want_media(const flow::Call& call);
    void want_media_at(const Endpoint& at, Instant from, Instant until);
    void on_datagram(const capture::Datagram& datagram) override;
    [[nodiscard]] bool is_wanted(const capture::Datagram& datagram) const;
    void take(const capture::Packet& packet);
    void put(const capture::Packet& packet, Bytes bytes);
    void take_fragments(const capture::Datagram& last, bool keep);
    void hold(const capture::Packet& packet);
    void put_secrets_for(const capture::Datagram& datagram);
    void put_secrets_of_late(const flow::Connection& connection);

    const crypto::KeyRing& keys_;
    const std::vector<std::string>& files_;
    boost::unordered_flat_set<std::uint64_t> frames_; // of messages that no connection carried
    bool carried_ = false;                            // some of them may have come in a stream
    std::map<Ends, Times> connections_;
    boost::unordered_flat_map<Endpoint, Times> media_;
    // By number: each once.
    std::map<std::uint32_t, flow::Connection> seen_;
    std::uint64_t messages_ = 0; // of the calls, over connections
    // While it writes.
    std::string out_;
    capture::Decapsulator decapsulator_;
    const capture::Packet* packet_ = nullptr;
    bool finding_carriers_ = false;
    bool any_ = false;  // the packet gave a datagram
    bool keep_ = false; // and it is wanted
    std::deque<Held> held_;
    std::size_t held_bytes_ = 0;
    std::map<std::tuple<std::uint16_t, std::uint16_t, std::uint32_t>, std::uint32_t> interfaces_;
    boost::unordered_flat_set<std::uint32_t> told_; // entries of keys_
    std::uint64_t without_secrets_ = 0;             // connections that need more than the file has
};

} // namespace cw::cli
