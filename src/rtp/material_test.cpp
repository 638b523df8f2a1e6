// The streams of real captures against what was sent and what others measured.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <openssl/evp.h>

#include "rtp/heuristic.hpp"
#include "rtp/packet.hpp"
#include "rtp/payload_types.hpp"
#include "rtp/srtp.hpp"
#include "rtp/stream.hpp"

namespace cw::rtp {
namespace {

std::uint32_t little32(const std::uint8_t* p) {
    return __builtin_bswap32(load_be32(p));
}

// Calls use(time, payload) for each UDP datagram in a little-endian microsecond pcap of Ethernet or
// raw IPv4 frames: as much of a reader as this test needs.
template <class Use>
void each_datagram(const std::vector<std::uint8_t>& file, Use use) {
    const std::size_t link = file[20] == 1 ? 14 : 0;
    for (std::size_t at = 24; at + 16 <= file.size();) {
        const auto* record = file.data() + at;
        const std::size_t size = little32(record + 8);
        if (size > file.size() - at - 16) {
            return;
        }
        const Bytes ip = Bytes{record + 16, size}.subspan(link);
        const Instant time{little32(record) * 1'000'000'000LL + little32(record + 4) * 1000LL};
        const std::size_t header = (ip[0] & 0x0fU) * 4U;
        if (ip.size() > header + 8 && ip[0] >> 4 == 4 && ip[9] == 17) {
            use(time, ip.subspan(header + 8));
        }
        at += 16 + size;
    }
}

std::vector<std::uint8_t> material(const std::string& name) {
    std::ifstream in{std::string{CALLWRIGHT_SHARED_DIR "/material/captures/"} + name,
                     std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

// By SSRC; only packets that a Recogniser was sure of.
std::map<std::uint32_t, StreamStats> streams_of(const std::vector<std::uint8_t>& file) {
    std::map<std::uint32_t, StreamStats> streams;
    Recogniser recogniser;
    each_datagram(file, [&](Instant time, Bytes payload) {
        if (!recogniser.add(payload, time)) {
            return;
        }
        const auto packet = parse(payload);
        auto& stream = streams[packet->ssrc];
        for (const auto& held : recogniser.held()) {
            stream.add(held);
        }
        const auto* type = static_payload_type(packet->payload_type);
        stream.add({.time = time,
                    .timestamp = packet->timestamp,
                    .clock = type == nullptr ? 0 : type->clock,
                    .sequence = packet->sequence,
                    .payload_type = packet->payload_type,
                    .marker = packet->marker});
    });
    return streams;
}

TEST(Material, AnUndisturbedCallHasBothStreamsWhole) {
    const auto file = material("lab/udp_rtp.pcap");
    if (file.empty()) {
        GTEST_SKIP() << "the shared captures are not here";
    }
    const auto streams = streams_of(file);
    ASSERT_EQ(streams.size(), 2U);
    const auto& there = streams.at(0x61b36857);
    EXPECT_EQ(there.packets(), 350U);
    EXPECT_EQ(there.lost(), 0);
    EXPECT_NEAR(there.max_jitter_ms(), 1.983, 0.001);
    EXPECT_NEAR(there.mean_jitter_ms(), 1.077, 0.001);
    EXPECT_NEAR(there.longest_gap().milliseconds(), 25.362, 0.001);
    const auto& back = streams.at(0x25d7dacc);
    EXPECT_EQ(back.packets(), 350U);
    EXPECT_NEAR(back.max_jitter_ms(), 1.638, 0.001);
}

TEST(Material, SeventeenDroppedPacketsAreMissingThoughSixDuplicatesHideThemFromTheRfcCount) {
    const auto file = material("lab-derived/rtp_loss17_dup.pcap");
    if (file.empty()) {
        GTEST_SKIP() << "the shared captures are not here";
    }
    const auto streams = streams_of(file);
    const auto& stream = streams.at(0x25d7dacc);
    EXPECT_EQ(stream.packets(), 339U);
    EXPECT_EQ(stream.missing(), 17U);
    EXPECT_EQ(stream.duplicates(), 6U);
    EXPECT_EQ(stream.lost(), 11);
    EXPECT_EQ(stream.expected(), 350U);
    EXPECT_NEAR(stream.max_jitter_ms(), 1.590, 0.001);
    EXPECT_NEAR(stream.longest_gap().milliseconds(), 159.376, 0.001) << "the burst of seven";
}

std::vector<std::uint8_t> hex(std::string_view text) {
    const auto digit = [](char c) {
        return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
    };
    std::vector<std::uint8_t> out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4U | digit(text[i + 1])));
    }
    return out;
}

// A stream of SRTP between two phones: its key, by a=crypto or by DTLS, and what was said in it.
struct ProtectedStream {
    const char* file;
    std::uint32_t ssrc;
    std::string_view key;
    std::size_t packets;
    std::string_view payload_sha256; // of all payloads, one behind the other
};
constexpr std::array<ProtectedStream, 4> protected_streams{{
    {"lab/tcp_sdes.pcap", 0x010234f3,
     "70c7f46f118b3dcd5908a91b40a57f1bdde83c94340e7192e0a262cad2e2", 351,
     "c5087832c16c2405526e8afc4e7fafafda02dfe3d75f0ca6b25dc281385a4f13"},
    {"lab/tcp_sdes.pcap", 0x4fefda73,
     "1fa90134b488384930a72c60f7c368fe589eeed4ec6e4763c5dd30820726", 348,
     "46de1fa2f591428a888bc8f47800ede9bd00f2ce75b7b830979b19c69234a74d"},
    {"lab/udp_dtls-srtp.pcap", 0x5d2a6cab,
     "a8d25bb99bdea1f5aad82589d2d0d63b09b01e811f2ac486b9d9606517d3", 350,
     "e82594965d85e43ff2ba35810ac5071a199aadcd82b88d071e2206a6dde13e1e"},
    {"lab/udp_dtls-srtp.pcap", 0x82825e5e,
     "b422e7d171ae91e5ec71585e7d2cd9a374f533064af9f16583df243dae28", 350,
     "e82594965d85e43ff2ba35810ac5071a199aadcd82b88d071e2206a6dde13e1e"},
}};

TEST(Material, WhatPhonesProtectedWithSrtpOpens) {
    for (const auto& stream : protected_streams) {
        const auto file = material(stream.file);
        if (file.empty()) {
            GTEST_SKIP() << "no ../shared/material";
        }
        SrtpParameters keys{.suite = SrtpSuite::AesCm128Sha1_80, .keys = {SrtpMasterKey{}}};
        keys.keys[0].secret = SrtpSecret{hex(stream.key)};
        auto session = SrtpSession::make(SrtpSession::Way::Receive, keys);
        ASSERT_TRUE(session);
        std::vector<std::uint8_t> said;
        std::size_t packets = 0;
        each_datagram(file, [&](Instant, Bytes payload) {
            const auto packet = parse(payload);
            if (demultiplex(payload) != Kind::Rtp || !packet || packet->ssrc != stream.ssrc) {
                return;
            }
            std::vector<std::uint8_t> octets(payload.begin(), payload.end());
            ASSERT_TRUE(session->unprotect(octets));
            const auto clear = parse(octets)->payload;
            said.insert(said.end(), clear.begin(), clear.end());
            ++packets;
        });
        EXPECT_EQ(packets, stream.packets);
        std::array<unsigned char, 32> digest{};
        unsigned size = 0;
        ASSERT_EQ(EVP_Digest(said.data(), said.size(), digest.data(), &size, EVP_sha256(), nullptr),
                  1);
        EXPECT_EQ(std::vector<std::uint8_t>(digest.begin(), digest.end()),
                  hex(stream.payload_sha256))
            << stream.file;
    }
}

} // namespace
} // namespace cw::rtp
