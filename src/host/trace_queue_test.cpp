#include "host/trace_queue.hpp"

#include <gtest/gtest.h>

#include <poll.h>

#include <string>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "capture/byte_source.hpp"
#include "capture/pcapng.hpp"
#include "host/trace_file.hpp"

namespace {

using namespace cw;
using namespace cw::host;

std::string packet(std::string_view payload) {
    std::string out;
    put_udp(out, {1}, *parse_endpoint("192.0.2.1:5060", 0), *parse_endpoint("192.0.2.2:5060", 0),
            as_bytes(payload));
    return out;
}

struct Read {
    std::vector<std::size_t> packets; // their sizes
    std::string secrets;
};

Read read_pcapng(const std::string& bytes) {
    Read out;
    auto source = capture::ByteSource::from_memory(as_bytes(bytes));
    if (!source) {
        return out;
    }
    capture::FileNotes notes;
    capture::PcapngReader reader{**source, notes};
    capture::Packet packet;
    while (reader.next(packet)) {
        out.packets.push_back(packet.data.size());
    }
    for (const auto& text : notes.secrets) {
        out.secrets += text;
    }
    return out;
}

bool is_readable(const TraceQueue& queue) {
    pollfd one{queue.descriptor(), POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

TEST(TraceQueue, GivesWhatCameInItsOrderAsAPcapngFile) {
    const auto queue = TraceQueue::create();
    ASSERT_TRUE(queue) << queue.error();
    std::string taken = "what was there before";
    EXPECT_FALSE(is_readable(**queue));
    (*queue)->take(taken);
    EXPECT_EQ(taken, "");
    (*queue)->add_secret("CLIENT_RANDOM 00 11");
    (*queue)->append(packet("a") + packet("bcd"));
    (*queue)->append(packet("efghi"));
    EXPECT_TRUE(is_readable(**queue));
    (*queue)->take(taken);
    EXPECT_FALSE(is_readable(**queue));
    const auto read = read_pcapng(taken);
    EXPECT_EQ(read.packets, (std::vector<std::size_t>{29, 31, 33})); // with IP and UDP headers
    EXPECT_EQ(read.secrets, "CLIENT_RANDOM 00 11\n");
    (*queue)->append(packet("again")); // begins a file anew
    (*queue)->take(taken);
    EXPECT_EQ(read_pcapng(taken).packets.size(), 1U);
}

TEST(TraceQueue, DropsAndCountsWhatIsMoreThanItMayHoldAndStillTakesSecrets) {
    const auto queue = TraceQueue::create(2000);
    ASSERT_TRUE(queue);
    const auto some = packet(std::string(200, 'x')) + packet("y");
    std::size_t kept = 0;
    for (int i = 0; i < 10; ++i) {
        const auto lost = (*queue)->lost();
        (*queue)->append(some);
        kept += (*queue)->lost() == lost ? 2 : 0;
        EXPECT_EQ(((*queue)->lost() - lost) % 2, 0U) << "both, or none";
    }
    EXPECT_EQ((*queue)->lost() + kept, 20U);
    EXPECT_GT((*queue)->lost(), 0U);
    (*queue)->add_secret("CLIENT_RANDOM 00 11");
    std::string taken;
    (*queue)->take(taken);
    EXPECT_LE(taken.size(), 2500U);
    const auto read = read_pcapng(taken);
    EXPECT_EQ(read.packets.size(), kept);
    EXPECT_EQ(read.secrets, "CLIENT_RANDOM 00 11\n");
    (*queue)->append(some); // there is room again
    EXPECT_EQ((*queue)->lost() + kept, 20U);
}

TEST(TraceQueue, TakesFromManyThreadsWithoutLosingAny) {
    const auto queue = TraceQueue::create();
    ASSERT_TRUE(queue);
    constexpr std::size_t each = 2000;
    std::vector<std::thread> shards;
    for (int n = 0; n < 3; ++n) {
        shards.emplace_back([&] {
            const auto one = packet("abc");
            for (std::size_t i = 0; i < each; ++i) {
                (*queue)->append(one);
            }
        });
    }
    std::size_t seen = 0;
    std::string taken;
    while (seen < 3 * each) {
        pollfd wait{(*queue)->descriptor(), POLLIN, 0};
        ASSERT_EQ(::poll(&wait, 1, 60'000), 1) << seen;
        (*queue)->take(taken);
        seen += read_pcapng(taken).packets.size();
    }
    for (auto& shard : shards) {
        shard.join();
    }
    EXPECT_EQ(seen, 3 * each);
    EXPECT_EQ((*queue)->lost(), 0U);
}

} // namespace
