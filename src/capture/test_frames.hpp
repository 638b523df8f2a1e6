// Makes frames and capture files byte by byte, for the tests of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "capture/decapsulate.hpp"

namespace cw::capture::made {

using Octets = std::vector<std::uint8_t>;

inline Octets operator+(Octets a, const Octets& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
inline Octets text(std::string_view s) {
    return {s.begin(), s.end()};
}
inline Octets zeros(std::size_t n) {
    return Octets(n);
}
inline Octets u8(std::uint32_t n) {
    return {static_cast<std::uint8_t>(n)};
}
inline Octets be16(std::uint32_t n) {
    return u8(n >> 8) + u8(n);
}
inline Octets be32(std::uint32_t n) {
    return be16(n >> 16) + be16(n);
}
inline Octets le16(std::uint32_t n) {
    return u8(n) + u8(n >> 8);
}
inline Octets le32(std::uint32_t n) {
    return le16(n) + le16(n >> 16);
}
inline Octets hex(std::string_view digits) {
    Octets out;
    int high = -1;
    for (const auto c : digits) {
        const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (value >= 0 && high >= 0) {
            out.push_back(static_cast<std::uint8_t>(high * 16 + value));
        }
        high = value < 0 ? high : high < 0 ? value : -1;
    }
    return out;
}

inline Octets ethernet(std::uint32_t type, const Octets& inside) {
    return hex("020000000002 020000000001") + be16(type) + inside;
}
inline Octets udp(std::uint32_t from, std::uint32_t to, const Octets& payload) {
    return be16(from) + be16(to) + be16(static_cast<std::uint32_t>(payload.size()) + 8) + be16(0) +
           payload;
}
inline Octets tcp(std::uint32_t from, std::uint32_t to, std::uint32_t sequence,
                  const Octets& payload) {
    return be16(from) + be16(to) + be32(sequence) + be32(77) + hex("5018 ffff 0000 0000") + payload;
}

struct V4 {
    std::uint32_t protocol = 17;
    std::uint32_t id = 1;
    std::uint32_t offset = 0; // in bytes
    bool more = false;
    std::string_view source = "0a000001";
    std::string_view destination = "0a000002";
};
inline Octets ipv4(const V4& h, const Octets& payload) {
    return hex("4500") + be16(static_cast<std::uint32_t>(payload.size()) + 20) + be16(h.id) +
           be16(h.offset / 8 | (h.more ? 0x2000U : 0U)) + u8(64) + u8(h.protocol) + be16(0) +
           hex(h.source) + hex(h.destination) + payload;
}
inline Octets ipv6(std::uint32_t next, const Octets& payload) {
    return hex("60000000") + be16(static_cast<std::uint32_t>(payload.size())) + u8(next) + u8(64) +
           hex("20010db8000000000000000000000001 20010db8000000000000000000000002") + payload;
}
inline Octets call() { // what the tests look for inside everything
    return ipv4({}, udp(5060, 5070, text("hello")));
}

inline Octets pcap_header(std::uint32_t link_type) {
    return le32(0xa1b2c3d4) + hex("0200 0400 00000000 00000000 00000400") + le32(link_type);
}
inline Octets pcap_record(std::uint32_t second, const Octets& frame) {
    const auto n = static_cast<std::uint32_t>(frame.size());
    return le32(second) + le32(250'000) + le32(n) + le32(n) + frame;
}

// Unwraps frames and keeps what comes out, one line each: "udp 10.0.0.1:5060 > 10.0.0.2:5070
// hello", with "-n" at the end when n bytes are missing.
class Bench final : public DatagramSink {
  public:
    explicit Bench(std::uint32_t link_type) { packet_.link_type = link_type; }

    std::string frame(const Octets& bytes, std::uint32_t cut = 0, std::int64_t at_seconds = 1) {
        out_.clear();
        // A copy of the exact size, so that AddressSanitizer sees a byte read too far.
        const Octets exact = bytes;
        packet_.time = Instant{} + seconds(at_seconds);
        ++packet_.frame;
        packet_.data = exact;
        packet_.original_length = static_cast<std::uint32_t>(exact.size()) + cut;
        decapsulator_.unwrap(packet_, *this);
        return out_;
    }
    std::string finish() {
        out_.clear();
        decapsulator_.finish(*this);
        return out_;
    }
    std::string ignored() const {
        std::string all;
        for (const auto& entry : decapsulator_.ignored().entries()) {
            all += (all.empty() ? "" : ", ") + entry.name + " " + std::to_string(entry.count);
        }
        return all;
    }
    void on_datagram(const Datagram& d) override {
        static constexpr const char* names[] = {"udp", "tcp", "sctp", "hep", "sip"};
        out_ += (out_.empty() ? "" : "\n") + std::string{names[static_cast<int>(d.protocol)]} +
                " " + to_string(d.source) + " > " + to_string(d.destination) + " ";
        out_ += as_text(d.payload);
        if (d.missing != 0) {
            out_ += "-" + std::to_string(d.missing);
        }
        last = d;
        last.payload = {}; // valid during the call only
    }

    Datagram last;

  private:
    Packet packet_;
    Decapsulator decapsulator_;
    std::string out_;
};

} // namespace cw::capture::made
