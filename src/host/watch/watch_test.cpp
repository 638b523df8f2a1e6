#include <algorithm>
#include <filesystem>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "capture/packet_source.hpp"
#include "host/watch/key_follower.hpp"
#include "host/watch/packet_ring.hpp"

namespace cw::host {
namespace {

class WatchFiles : public testing::Test {
  protected:
    WatchFiles() { std::filesystem::create_directories(folder_); }
    ~WatchFiles() override { std::filesystem::remove_all(folder_); }
    static void write_file(const std::string& path, std::string_view text,
                           std::ios::openmode mode = std::ios::app) {
        std::ofstream{path, mode} << text;
    }
    std::string folder_ = testing::TempDir() + "callwright-watch-" + std::to_string(::getpid());
    std::string path_ = folder_ + "/tls.keys";
};

std::string polled(KeyFollower& follower) {
    std::string all;
    follower.poll([&](std::string_view lines, const std::string&) { all += lines; });
    return all;
}

TEST_F(WatchFiles, AKeyLogIsFollowedAsItGrowsAndOnlyInWholeLines) {
    KeyFollower follower{{path_}};
    EXPECT_EQ("", polled(follower));
    ASSERT_EQ(1U, follower.problems().size()) << "it is not there yet";
    write_file(path_, "one\ntw");
    EXPECT_EQ("one\n", polled(follower));
    EXPECT_TRUE(follower.problems().empty());
    EXPECT_EQ("", polled(follower));
    write_file(path_, "o\nthree\n");
    EXPECT_EQ("two\nthree\n", polled(follower));
}

TEST_F(WatchFiles, AKeyLogThatWasEmptiedOrReplacedIsReadFromItsBeginning) {
    KeyFollower follower{{path_}};
    write_file(path_, "a long first line\n");
    EXPECT_EQ("a long first line\n", polled(follower));
    write_file(path_, "short\n", std::ios::trunc);
    EXPECT_EQ("short\n", polled(follower));
    write_file(path_ + ".new", "another\n");
    std::filesystem::rename(path_ + ".new", path_);
    EXPECT_EQ("another\n", polled(follower));
}

TEST_F(WatchFiles, ASocketTakesWholeMessagesOfManySendersAndBelongsToItsOwnerAlone) {
    const auto at = folder_ + "/keys.sock";
    const auto connected = [&] {
        net::Descriptor sender{::socket(AF_UNIX, SOCK_SEQPACKET, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::ranges::copy(at, address.sun_path);
        return ::connect(sender.get(), reinterpret_cast<const sockaddr*>(&address),
                         sizeof address) == 0
                   ? std::move(sender)
                   : net::Descriptor{};
    };
    const auto send = [](const net::Descriptor& to, std::string_view text) {
        return ::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(text.size());
    };
    {
        KeyFollower follower{{"unix:" + at}};
        ASSERT_TRUE(follower.open_sockets());
        EXPECT_EQ(std::filesystem::perms{0600}, std::filesystem::status(at).permissions());
        const auto one = connected();
        auto two = connected();
        ASSERT_TRUE(one.open() && two.open());
        EXPECT_TRUE(send(one, "a\nb\n"));
        EXPECT_TRUE(send(two, "c\n"));
        EXPECT_TRUE(send(two, "no end"));
        EXPECT_TRUE(send(two, std::string(60000, 'x') + "\n")); // cut, and so no line
        EXPECT_EQ("a\nb\nc\n", polled(follower));
        two.reset();
        EXPECT_TRUE(send(one, "d\n"));
        EXPECT_EQ("d\n", polled(follower));
        KeyFollower second{{"unix:" + at}};
        const auto refused = second.open_sockets();
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().find("another reader listens"), std::string::npos);
    }
    EXPECT_FALSE(std::filesystem::exists(at));
    write_file(at, "a file");
    KeyFollower third{{"unix:" + at}};
    EXPECT_FALSE(third.open_sockets());
    EXPECT_TRUE(std::filesystem::exists(at)) << "what is not ours stays";
    KeyFollower fourth{{"unix:" + std::string(200, 'x')}};
    EXPECT_FALSE(fourth.open_sockets());
}

TEST_F(WatchFiles, ARingKeepsTheLatestFilesAndEachOfThemStandsAlone) {
    auto ring = PacketRing::open(
        {.path = folder_ + "/calls.pcapng", .file_bytes = PacketRing::least_file, .files = 2},
        {{.link_type = 101, .name = "eth0"}});
    ASSERT_TRUE(ring) << ring.error();
    ring->add_secrets("CLIENT_RANDOM 00 00\n");
    const std::vector<std::uint8_t> packet(50'000, 0x45);
    for (int i = 0; i < 600; ++i) { // 30 MB: three full files and a part
        ring->add(0, Instant{seconds(1'700'000'000 + i).ns}, packet, 60'000);
    }
    EXPECT_EQ("", ring->flush());
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{folder_}) {
        names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    ASSERT_EQ((std::vector<std::string>{"calls-00003.pcapng", "calls-00004.pcapng"}), names);
    for (const auto& name : names) {
        auto source = capture::PacketSource::open(folder_ + "/" + name, 0);
        ASSERT_TRUE(source);
        const auto* first = (*source)->next();
        ASSERT_NE(nullptr, first);
        EXPECT_EQ(packet.size(), first->data.size());
        EXPECT_EQ(60'000U, first->original_length);
        EXPECT_EQ(101U, first->link_type);
        EXPECT_EQ((std::vector<std::string>{"CLIENT_RANDOM 00 00\n"}), (*source)->take_secrets());
    }
}

TEST_F(WatchFiles, WhereNothingCanBeWrittenTheNameIsSaid) {
    const auto ring = PacketRing::open({.path = folder_ + "/none/x.pcapng"}, {});
    ASSERT_FALSE(ring);
    EXPECT_EQ(folder_ + "/none/x.pcapng: No such file or directory", ring.error());
}

} // namespace
} // namespace cw::host
