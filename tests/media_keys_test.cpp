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

#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

#include "facts.hpp"
#include "flow/media_tap.hpp"
#include "reading.hpp"

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

boost::json::value read_truth() {
    std::ifstream in{captures_folder() + "/srtp_truth.json"};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    return text.empty() ? boost::json::value{} : boost::json::parse(text);
}

std::string keys_of(const std::string& capture) {
    const auto log = capture.substr(0, capture.rfind('.')) + ".keylog";
    return std::ifstream{log} ? log : std::string{};
}

TEST(MediaKeys, EveryPacketOfTheLabIsAuthenticAndSaysWhatWasSent) {
    const auto truth = captures_folder().empty() ? boost::json::value{} : read_truth();
    if (!truth.is_array()) {
        GTEST_SKIP() << "no ../shared/material";
    }
    std::size_t streams = 0;
    for (const auto& file : truth.as_array()) {
        const auto path =
            fmt::format("{}/lab/{}", captures_folder(), file.at("file").as_string().c_str());
        Payloads payloads;
        const auto reading = read_capture(path, keys_of(path), &payloads);
        ASSERT_NE(reading, nullptr) << path;
        std::map<StreamName, flow::MediaStream> seen;
        for (const auto& call : reading->calls()) {
            for (const auto& s : call.streams) {
                seen[{to_string(s.source), to_string(s.destination),
                      fmt::format("0x{:08x}", s.ssrc)}] = s;
                EXPECT_EQ(call.text(s.suite), "AES_CM_128_HMAC_SHA1_80") << path;
                EXPECT_EQ(call.text(s.srtp_problem), "") << path;
            }
        }
        for (const auto& expected : file.at("streams").as_array()) {
            const StreamName name{expected.at("src").as_string().c_str(),
                                  expected.at("dst").as_string().c_str(),
                                  expected.at("ssrc").as_string().c_str()};
            ++streams;
            const auto& stream = seen[name];
            EXPECT_EQ(stream.packets, expected.at("packets").to_number<std::uint64_t>()) << path;
            EXPECT_EQ(stream.opening.opened, expected.at("auth_ok").to_number<std::uint64_t>());
            EXPECT_EQ(stream.opening.failed, 0U);
            const bool dtls = !file.at("dtls_srtp").as_array().empty();
            EXPECT_EQ(stream.opening.by, dtls ? flow::KeyExchange::Dtls : flow::KeyExchange::Sdes);
            EXPECT_EQ(hex_of(payloads.said[name]), expected.at("payload_sha256").as_string())
                << path << " " << std::get<2>(name);
        }
    }
    EXPECT_EQ(streams, 12U);
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

} // namespace
} // namespace cw::test
