#include "host/trace_file.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

using namespace cw;
using namespace cw::host;

class TraceFileTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "callwright-trace-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        path_ = folder_ / "trace.pcapng";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    [[nodiscard]] std::string bytes() const {
        std::ifstream file{path_, std::ios::binary};
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
    std::filesystem::path folder_;
    std::string path_;
};

std::string hex(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        out += digits[static_cast<unsigned char>(c) >> 4];
        out += digits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

// Every block says its length at both ends, and is padded to four octets.
void expect_whole_blocks(std::string_view file) {
    while (!file.empty()) {
        ASSERT_GE(file.size(), 12U);
        std::uint32_t length = 0;
        std::memcpy(&length, file.data() + 4, 4);
        ASSERT_EQ(length % 4, 0U);
        ASSERT_LE(length, file.size());
        EXPECT_EQ(file.substr(length - 4, 4), file.substr(4, 4));
        file.remove_prefix(length);
    }
}

TEST_F(TraceFileTest, IsReadableByItsOwnerAlone) {
    std::ofstream{path_} << "what was there before";
    std::filesystem::permissions(path_, std::filesystem::perms::all);
    const auto file = TraceFile::create(path_);
    ASSERT_TRUE(file) << file.error();
    struct stat info{};
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_TRUE(bytes().starts_with("\x0a\x0d\x0d\x0a"));
}

TEST_F(TraceFileTest, SaysWhereItCannotBeWritten) {
    const auto file = TraceFile::create("/nowhere/trace.pcapng");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error(), "/nowhere/trace.pcapng: No such file or directory");
}

TEST_F(TraceFileTest, HoldsWholeBlocksWhateverTheirLength) {
    const auto file = TraceFile::create(path_);
    ASSERT_TRUE(file);
    std::string blocks;
    for (std::size_t size = 0; size < 9; ++size) {
        put_udp(blocks, {1}, *parse_endpoint("192.0.2.1:5060", 0),
                *parse_endpoint("192.0.2.2:5060", 0),
                as_bytes(std::string_view{"abcdefghi", size}));
        (*file)->add_secret(std::string(size, 'x'));
    }
    (*file)->append(blocks);
    expect_whole_blocks(bytes());
}

// Octets and checksums as Wireshark finds them right.
TEST_F(TraceFileTest, MakesPacketsWithRightChecksums) {
    std::string block;
    put_udp(block, {0x0102030405060708}, *parse_endpoint("192.0.2.1:5060", 0),
            *parse_endpoint("192.0.2.2:5061", 0), as_bytes("abc"));
    EXPECT_EQ(hex(block), "0600000040000000" // type, length
                          "00000000"         // interface
                          "0403020108070605" // time
                          "1f0000001f000000" // captured, original
                          "4500001f000040004011b6cac0000201c0000202"
                          "13c413c5000b8fe8"
                          "61626300"
                          "40000000");
}

TEST_F(TraceFileTest, MakesIpv6PacketsToo) {
    std::string block;
    TcpPacket packet;
    packet.from = *parse_endpoint("[2001:db8::1]:5061", 0);
    packet.to = *parse_endpoint("[2001:db8::2]:40000", 0);
    packet.sequence = 7;
    packet.flags.syn = true;
    put_tcp(block, {1}, packet);
    EXPECT_EQ(hex(block).substr(56, 80), "6000000000140640"
                                         "20010db8000000000000000000000001"
                                         "20010db8000000000000000000000002");
    EXPECT_EQ(hex(block).substr(136, 40), "13c59c40"
                                          "00000007"
                                          "00000000"
                                          "5012ffff"
                                          "a4510000");
}

} // namespace
