// Writes Ethernet frames with IPv4 and UDP or TCP to a pcap file. Checksums are left at zero.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace bench {

struct Address {
    std::uint32_t ip = 0;
    std::uint16_t port = 0;

    [[nodiscard]] std::string host() const {
        std::array<char, 16> text{};
        std::snprintf(text.data(), text.size(), "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255,
                      ip >> 8 & 255, ip & 255);
        return text.data();
    }
    [[nodiscard]] std::string text() const { return host() + ":" + std::to_string(port); }
};

class PcapWriter {
  public:
    static constexpr std::uint8_t fin = 1;
    static constexpr std::uint8_t syn = 2;
    static constexpr std::uint8_t push = 8;
    static constexpr std::uint8_t ack = 16;

    explicit PcapWriter(const std::string& path) : file_(std::fopen(path.c_str(), "wb")) {
        if (file_ == nullptr) {
            std::perror(path.c_str());
            std::exit(2);
        }
        std::setvbuf(file_, nullptr, _IOFBF, 1 << 20);
        const std::array<std::uint32_t, 6> header = {0xa1b2c3d4, 0x0004'0002, 0, 0, 262'144, 1};
        write(header.data(), sizeof header);
    }
    ~PcapWriter() {
        if (std::fclose(file_) != 0) {
            std::perror("pcap");
            std::_Exit(2);
        }
    }
    PcapWriter(const PcapWriter&) = delete;
    PcapWriter& operator=(const PcapWriter&) = delete;

    // `at` in microseconds since the beginning of the capture.
    void udp(std::int64_t at, const Address& from, const Address& to, std::string_view payload) {
        start(at, from, to, 17, 8 + payload.size());
        put16(static_cast<std::uint16_t>(8 + payload.size()));
        put16(0);
        finish(payload);
    }
    void tcp(std::int64_t at, const Address& from, const Address& to, std::uint32_t sequence,
             std::uint32_t acknowledged, std::uint8_t flags, std::string_view payload) {
        start(at, from, to, 6, 20 + payload.size());
        put32(sequence);
        put32(acknowledged);
        put16(static_cast<std::uint16_t>(0x5000U | flags));
        put16(0xffff); // window
        put32(0);      // checksum, urgent pointer
        finish(payload);
    }
    [[nodiscard]] std::uint64_t packets() const { return packets_; }

  private:
    static constexpr std::int64_t epoch_s = 1'750'000'000;
    static constexpr std::size_t ip_header = 20;
    static constexpr std::size_t ethernet_header = 14;

    // Record header, Ethernet, IPv4, and the two ports that UDP and TCP begin with.
    void start(std::int64_t at, const Address& from, const Address& to, std::uint8_t protocol,
               std::size_t transport_size) {
        used_ = 0;
        const auto size = static_cast<std::uint32_t>(ethernet_header + ip_header + transport_size);
        const std::array<std::uint32_t, 4> record = {
            static_cast<std::uint32_t>(epoch_s + at / 1'000'000),
            static_cast<std::uint32_t>(at % 1'000'000), size, size};
        write(record.data(), sizeof record);
        put32(0x02000000);
        put16(2);
        put32(0x02000000);
        put16(1);
        put16(0x0800);
        put16(0x4500);
        put16(static_cast<std::uint16_t>(ip_header + transport_size));
        put16(++identification_);
        put16(0x4000); // don't fragment
        put16(static_cast<std::uint16_t>(64U << 8 | protocol));
        put16(0);
        put32(from.ip);
        put32(to.ip);
        put16(from.port);
        put16(to.port);
    }
    void finish(std::string_view payload) {
        write(head_.data(), used_);
        write(payload.data(), payload.size());
        ++packets_;
    }
    void put16(std::uint16_t value) {
        head_[used_++] = static_cast<std::uint8_t>(value >> 8);
        head_[used_++] = static_cast<std::uint8_t>(value);
    }
    void put32(std::uint32_t value) {
        put16(static_cast<std::uint16_t>(value >> 16));
        put16(static_cast<std::uint16_t>(value));
    }
    void write(const void* data, std::size_t size) {
        if (std::fwrite(data, 1, size, file_) != size) {
            std::perror("pcap");
            std::exit(2);
        }
    }

    std::FILE* file_;
    std::array<std::uint8_t, 64> head_{};
    std::size_t used_ = 0;
    std::uint16_t identification_ = 0;
    std::uint64_t packets_ = 0;
};

} // namespace bench
