#include "capture/packet_source.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using namespace made;

std::string open_problem(const Octets& file) {
    const auto source = PacketSource::open_memory(file);
    return source ? "" : describe_open_error("a.pcap", source.error());
}

TEST(PacketSource, SaysWhatIsWrongWithAFileThatIsNoCapture) {
    EXPECT_EQ(open_problem({}), "a.pcap: is empty");
    EXPECT_EQ(
        open_problem(text("hello, world")),
        "a.pcap: is not a capture file; pcap and pcapng, plain or in gzip or zstd, can be read");
    EXPECT_EQ(open_problem(text("CLIENT_RANDOM 00")),
              "a.pcap: is a TLS key log, not a capture: give it with --keys");
    EXPECT_TRUE(open_problem(text("-----BEGIN PRIVATE KEY-----")).contains("--keys"));
    const auto absent = PacketSource::open("/no/such/file", 0);
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code, Code::NotFound);
    EXPECT_EQ(describe_open_error("x", absent.error()), "x: no such file");
    const auto folder = PacketSource::open("/tmp", 0);
    ASSERT_FALSE(folder);
    EXPECT_EQ(describe_open_error("x", folder.error()), "x: is a directory, not a capture file");
}

TEST(PacketSource, NumbersPacketsAndKeepsTheirTimes) {
    const auto file = pcap_header(1) + pcap_record(9, zeros(5)) + pcap_record(7, zeros(6));
    auto source = PacketSource::open_memory(file, 3);
    ASSERT_TRUE(source);
    EXPECT_EQ((*source)->next()->frame, 1U);
    const auto* second = (*source)->next();
    EXPECT_EQ(second->frame, 2U);
    EXPECT_EQ(second->input, 3);
    EXPECT_EQ((*source)->next(), nullptr);
    EXPECT_EQ((*source)->next(), nullptr);
    EXPECT_EQ((*source)->packets(), 2U);
    EXPECT_EQ((*source)->first().ns, 7'250'000'000);
    EXPECT_EQ((*source)->last().ns, 9'250'000'000);
    EXPECT_EQ((*source)->bytes_read(), file.size());
}

TEST(PacketSource, ReadsNetworkMonitorFiles) {
    const auto frame = [](std::uint32_t micros, const Octets& data) {
        const auto n = static_cast<std::uint32_t>(data.size());
        return le32(micros) + le32(0) + le32(n) + le32(n) + data;
    };
    const auto frames = frame(1'000'000, zeros(60)) + frame(2'500'000, zeros(70));
    const auto table = 128 + static_cast<std::uint32_t>(frames.size());
    // 2005-07-17 15:39:20.500 and the frame table behind the frames
    const auto file = text("GMBU") + u8(0) + u8(2) + le16(1) + le16(2005) + le16(7) + le16(0) +
                      le16(17) + le16(15) + le16(39) + le16(20) + le16(500) + le32(table) +
                      le32(8) + zeros(96) + frames + le32(128) + le32(204);
    auto source = PacketSource::open_memory(file);
    ASSERT_TRUE(source);
    const auto* packet = (*source)->next();
    ASSERT_NE(packet, nullptr);
    EXPECT_EQ(to_rfc3339(packet->time), "2005-07-17T15:39:21.500000Z");
    EXPECT_EQ(packet->data.size(), 60U);
    ASSERT_NE((*source)->next(), nullptr);
    EXPECT_EQ((*source)->next(), nullptr);
    EXPECT_TRUE((*source)->problems().empty());
}

TEST(MergedSource, GoesByTimeAndKeepsTheOrderOfEachFile) {
    const auto a = pcap_header(1) + pcap_record(1, zeros(1)) + pcap_record(5, zeros(2)) +
                   pcap_record(4, zeros(3)) + pcap_record(9, zeros(4));
    const auto b = pcap_header(1) + pcap_record(1, zeros(5)) + pcap_record(4, zeros(6)) +
                   pcap_record(5, zeros(7));
    std::vector<std::unique_ptr<PacketSource>> sources;
    sources.push_back(std::move(*PacketSource::open_memory(a, 0)));
    sources.push_back(std::move(*PacketSource::open_memory(b, 1)));
    MergedSource merged{std::move(sources)};
    std::string order;
    while (const auto* packet = merged.next()) {
        order += std::to_string(packet->data.size());
        EXPECT_EQ(packet->input, packet->data.size() <= 4 ? 0 : 1);
    }
    EXPECT_EQ(order, "1562374");
    EXPECT_EQ(merged.bytes_read(), a.size() + b.size());
    EXPECT_EQ(merged.total_bytes(), a.size() + b.size());
    EXPECT_EQ(merged.next(), nullptr);
}

TEST(MergedSource, TakesOneFileAndNone) {
    const auto a = pcap_header(1) + pcap_record(1, zeros(1));
    std::vector<std::unique_ptr<PacketSource>> sources;
    sources.push_back(std::move(*PacketSource::open_memory(a, 0)));
    MergedSource one{std::move(sources)};
    EXPECT_NE(one.next(), nullptr);
    EXPECT_EQ(one.next(), nullptr);
    MergedSource none{{}};
    EXPECT_EQ(none.next(), nullptr);
}

// expected.tsv: file, set, origin, licence, packets…
TEST(Captures, HoldAsManyPacketsAsWiresharkCounts) {
    const std::filesystem::path folder{CALLWRIGHT_SHARED_DIR "/material/captures"};
    std::ifstream table{folder / "expected.tsv"};
    if (!table) {
        GTEST_SKIP() << "no " << folder;
    }
    std::string line;
    std::getline(table, line);
    int files = 0;
    while (std::getline(table, line)) {
        std::vector<std::string> columns;
        for (std::size_t at = 0; at != std::string::npos && columns.size() < 5;) {
            const auto tab = line.find('\t', at);
            columns.push_back(line.substr(at, tab - at));
            at = tab == std::string::npos ? tab : tab + 1;
        }
        ASSERT_EQ(columns.size(), 5U) << line;
        auto source = PacketSource::open((folder / columns[0]).string(), 0);
        ASSERT_TRUE(source) << describe_open_error(columns[0], source.error());
        Decapsulator decapsulator;
        Bench bench{0};
        while (const auto* packet = (*source)->next()) {
            decapsulator.unwrap(*packet, bench);
        }
        EXPECT_EQ(std::to_string((*source)->packets()), columns[4]) << columns[0];
        EXPECT_TRUE((*source)->problems().empty())
            << columns[0] << ": " << (*source)->problems().front();
        ++files;
    }
    EXPECT_GE(files, 196);
}

} // namespace
} // namespace cw::capture
