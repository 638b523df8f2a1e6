// SRTP of the lab captures, opened with the keys that the captures and their key logs tell, against
// what an independent script has computed: each packet authenticated, and the hash of what was
// said. Where the shared material is absent this is skipped.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "facts.hpp"
#include "flow/media_tap.hpp"
#include "program.hpp"
#include "reading.hpp"
#include "rtp/g711.hpp"

namespace cw::test {
namespace {

using StreamName = std::tuple<std::string, std::string, std::string>; // from, to, SSRC

std::string hex_of(std::string_view bytes) {
    std::array<unsigned char, 32> digest{};
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string out;
    for (const auto octet : digest) {
        out += fmt::format("{:02x}", octet);
    }
    return out;
}

// What was said, one payload behind the other.
struct Payloads final : flow::MediaTap {
    void on_media_packet(const flow::MediaPacket& packet) override {
        said[{to_string(packet.source), to_string(packet.destination),
              fmt::format("0x{:08x}", packet.ssrc)}] += as_text(packet.payload);
    }
    std::map<StreamName, std::string> said;
};

struct TrueStream {
    std::string file;
    StreamName name;
    std::uint64_t packets = 0;
    std::uint64_t authentic = 0;
    bool dtls = false;
    std::string payload_sha256;
};

// The value behind `"name": ` at or after `from`, which goes on behind it.
std::string take(const std::string& json, const std::string& name, std::size_t& from) {
    const auto key = json.find("\"" + name + "\"", from);
    if (key == std::string::npos) {
        return {};
    }
    const auto begin = json.find_first_not_of(" :\"", key + name.size() + 2);
    from = json.find_first_of("\",\n}", begin);
    return json.substr(begin, from - begin);
}

// The streams of srtp_truth.json, whose members stand in a fixed order.
std::vector<TrueStream> read_truth() {
    std::ifstream in{captures_folder() + "/srtp_truth.json"};
    const std::string json{std::istreambuf_iterator<char>{in}, {}};
    std::vector<TrueStream> streams;
    std::string file;
    for (std::size_t at = 0;;) {
        auto next_file = at;
        const auto found = take(json, "file", next_file);
        const auto source_at = json.find("\"src\"", at);
        if (source_at == std::string::npos) {
            return streams;
        }
        if (!found.empty() && next_file < source_at) {
            file = found;
            at = next_file;
            continue;
        }
        auto& stream = streams.emplace_back();
        stream.file = file;
        auto source = take(json, "src", at);
        auto destination = take(json, "dst", at);
        stream.name = {source, destination, take(json, "ssrc", at)};
        stream.packets = std::stoull(take(json, "packets", at));
        stream.authentic = std::stoull(take(json, "auth_ok", at));
        stream.dtls = take(json, "suite", at).starts_with("dtls");
        stream.payload_sha256 = take(json, "payload_sha256", at);
    }
}

std::string keys_of(const std::string& capture) {
    const auto log = capture.substr(0, capture.rfind('.')) + ".keylog";
    return std::ifstream{log} ? log : std::string{};
}

TEST(MediaKeys, EveryPacketOfTheLabIsAuthenticAndSaysWhatWasSent) {
    const auto truth = captures_folder().empty() ? std::vector<TrueStream>{} : read_truth();
    if (truth.empty()) {
        GTEST_SKIP() << "no ../shared/material";
    }
    EXPECT_EQ(truth.size(), 12U);
    for (const auto& expected : truth) {
        const auto path = fmt::format("{}/lab/{}", captures_folder(), expected.file);
        Payloads payloads;
        const auto reading = read_capture(path, keys_of(path), &payloads);
        ASSERT_NE(reading, nullptr) << path;
        bool found = false;
        for (const auto& call : reading->calls()) {
            for (const auto& s : call.streams) {
                if (StreamName{to_string(s.source), to_string(s.destination),
                               fmt::format("0x{:08x}", s.ssrc)} != expected.name) {
                    continue;
                }
                found = true;
                EXPECT_EQ(s.packets, expected.packets) << path;
                EXPECT_EQ(s.opening.opened, expected.authentic) << path;
                EXPECT_EQ(s.opening.failed, 0U) << path;
                EXPECT_EQ(s.opening.by,
                          expected.dtls ? flow::KeyExchange::Dtls : flow::KeyExchange::Sdes);
                EXPECT_EQ(call.text(s.suite), "AES_CM_128_HMAC_SHA1_80") << path;
                EXPECT_EQ(call.text(s.srtp_problem), "") << path;
            }
        }
        EXPECT_TRUE(found) << path;
        EXPECT_EQ(hex_of(payloads.said[expected.name]), expected.payload_sha256) << path;
    }
}

TEST(MediaKeys, WithoutItsKeyLogAStreamSaysWhyItStaysClosed) {
    const auto path = captures_folder() + "/lab/udp_dtls-srtp.pcap";
    Payloads payloads;
    const auto reading = captures_folder().empty() ? nullptr : read_capture(path, {}, &payloads);
    if (reading == nullptr) {
        GTEST_SKIP() << "no ../shared/material";
    }
    for (const auto& call : reading->calls()) {
        for (const auto& s : call.streams) {
            EXPECT_EQ(call.text(s.srtp), "DTLS-SRTP");
            EXPECT_EQ(s.opening.opened, 0U);
            EXPECT_TRUE(call.text(s.srtp_problem).starts_with("no key for client random "))
                << call.text(s.srtp_problem);
        }
    }
    EXPECT_TRUE(payloads.said.empty()) << "ciphertext is no audio";
}

using AudioFiles = cw::tests::InFolder;

TEST_F(AudioFiles, AreWhatWasSentSampleBySample) {
    const auto capture = captures_folder() + "/lab/tls13-aes256gcm_sdes.pcap";
    Payloads payloads;
    if (captures_folder().empty() ||
        read_capture(capture, keys_of(capture), &payloads) == nullptr) {
        GTEST_SKIP() << "no ../shared/material";
    }
    const auto command =
        fmt::format("read {} --keys {} --format list --audio sound", capture, keys_of(capture));
    const auto done = run(command);
    EXPECT_EQ(done.status, 0) << done.text;
    // The stream that lost nothing: 350 packets of 20 ms.
    const auto wav = cw::tests::content_of(path("sound/call-3-stream-1-PCMU.wav"));
    const auto& said = payloads.said[{"10.9.0.1:30090", "10.9.0.1:20098", "0xd617e31a"}];
    ASSERT_EQ(wav.size(), 44 + 2 * 350 * 160U) << done.text;
    for (std::size_t i = 0; i < said.size(); ++i) {
        const auto sample = static_cast<std::int16_t>(
            static_cast<unsigned char>(wav[44 + 2 * i]) |
            static_cast<unsigned>(static_cast<unsigned char>(wav[45 + 2 * i])) << 8U);
        ASSERT_EQ(sample, rtp::expand(rtp::Law::Mu, static_cast<std::uint8_t>(said[i]))) << i;
    }
    EXPECT_TRUE(cw::tests::contains(done.text, "call-3.wav: 7.0 s, 8000 Hz, stereo: left what "
                                               "sip:alice@lab.example said, right what it heard"))
        << done.text;

    const auto again = run(command);
    EXPECT_EQ(again.status, 1) << "nothing is overwritten";
    EXPECT_TRUE(cw::tests::contains(again.text, "was not overwritten")) << again.text;
    const auto closed = run(fmt::format("read {} --format list --audio closed", capture));
    EXPECT_EQ(closed.status, 0) << closed.text;
    EXPECT_TRUE(cw::tests::contains(closed.text, "SRTP, probably")) << closed.text;
    EXPECT_EQ(run(command + " --redact").status, 2);
}

} // namespace
} // namespace cw::test
