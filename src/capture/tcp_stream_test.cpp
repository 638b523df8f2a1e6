#include "capture/tcp_stream.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cw::capture {
namespace {

// Writes down what a stream delivers; a gap of n bytes stands as "[n]".
struct Recorder : TcpStream::Sink {
    void on_bytes(Bytes bytes, const Datagram& by) override {
        text += as_text(bytes);
        delivered += bytes.size();
        frames.push_back(by.frame);
        last = bytes.data();
        if (stream != nullptr) {
            stream->ignore();
        }
    }
    void on_gap(std::uint64_t missing, const Datagram& /*by*/) override {
        text += "[" + std::to_string(missing) + "]";
        gaps += missing;
    }

    std::string text;
    std::vector<std::uint32_t> frames;
    std::uint64_t delivered = 0;
    std::uint64_t gaps = 0;
    const std::uint8_t* last = nullptr;
    TcpStream* stream = nullptr; // to be ignored at the first bytes
};

Datagram segment(std::uint32_t sequence, std::string_view payload, std::uint8_t flags = 16,
                 Instant time = {1}) {
    Datagram d;
    d.protocol = Protocol::Tcp;
    d.time = time;
    d.tcp_sequence = sequence;
    d.tcp_flags = flags;
    d.payload = as_bytes(payload);
    return d;
}

Datagram acknowledgement(std::uint32_t number, Instant time) {
    auto d = segment(0, "", tcp_flag::ack, time);
    d.tcp_acknowledged = number;
    return d;
}

constexpr std::uint8_t syn = tcp_flag::syn;
constexpr std::uint8_t fin = tcp_flag::fin | tcp_flag::ack;

TEST(TcpStream, DeliversInOrderSegmentsWithoutCopyingThem) {
    TcpStream stream;
    Recorder out;
    const std::string_view payload = "INVITE";
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(100, payload), out);
    EXPECT_EQ(out.last, as_bytes(payload).data());
    stream.on_segment(segment(106, " sip:"), out);
    EXPECT_EQ(out.text, "INVITE sip:");
    EXPECT_TRUE(stream.syn_seen());
    EXPECT_EQ(stream.held_bytes(), 0U);
}

TEST(TcpStream, PutsReorderedSegmentsBackInOrder) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(106, "ghi"), out);
    stream.on_segment(segment(103, "def"), out);
    EXPECT_EQ(out.text, "");
    EXPECT_EQ(stream.held_bytes(), 6U);
    stream.on_segment(segment(100, "abc"), out);
    EXPECT_EQ(out.text, "abcdefghi");
    EXPECT_EQ(stream.held_bytes(), 0U);
}

TEST(TcpStream, NamesTheSegmentThatBroughtEachPiece) {
    TcpStream stream;
    Recorder out;
    auto late = segment(103, "def");
    late.frame = 7;
    auto first = segment(100, "abc");
    first.frame = 9;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(late, out);
    stream.on_segment(first, out);
    EXPECT_EQ(out.frames, (std::vector<std::uint32_t>{9, 7}));
}

TEST(TcpStream, DropsRetransmissionsAndKeepAliveProbes) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(100, "abc"), out);
    stream.on_segment(segment(100, "abc"), out);
    stream.on_segment(segment(102, "X"), out); // keep-alive: one byte before the next
    stream.on_segment(segment(102, ""), out);
    stream.on_segment(segment(101, "bcdef"), out); // sent again in other pieces
    EXPECT_EQ(out.text, "abcdef");
}

TEST(TcpStream, KeepsTheFirstCopyOfOverlappingBytes) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(103, "de"), out);
    stream.on_segment(segment(107, "hi"), out);
    stream.on_segment(segment(101, "BCDEFGHIJK"), out); // only B, C, F, G, J and K are new
    stream.on_segment(segment(100, "a!"), out);
    EXPECT_EQ(out.text, "aBCdeFGhiJK");
}

TEST(TcpStream, CrossesTheEndOfSequenceSpace) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(0xfffffffdU, "", syn), out);
    stream.on_segment(segment(4, "ghi"), out);
    stream.on_segment(segment(0xfffffffeU, "abc"), out); // positions fffffffe, ffffffff and 0
    stream.on_segment(segment(1, "def"), out);
    EXPECT_EQ(out.text, "abcdefghi");
}

TEST(TcpStream, BeginsAtTheFirstDataWhenTheSynIsMissing) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, ""), out);  // an acknowledgement tells no position for certain
    stream.on_segment(segment(99, "X"), out); // nor does what may be a keep-alive probe
    EXPECT_FALSE(stream.started());
    stream.on_segment(segment(100, "abc"), out);
    stream.on_segment(segment(103, "def"), out);
    EXPECT_EQ(out.text, "abcdef");
    EXPECT_FALSE(stream.syn_seen());
}

TEST(TcpStream, TakesTheDataOfASynAndNotTheTextOfAReset) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "abc", syn), out);
    stream.on_segment(segment(103, "def"), out);
    stream.on_segment(segment(106, "go away", tcp_flag::rst), out);
    EXPECT_EQ(out.text, "abcdef");
    EXPECT_TRUE(stream.reset());
}

TEST(TcpStream, IsFinishedWhenEverythingBeforeTheFinCame) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(103, "def", fin), out);
    EXPECT_FALSE(stream.finished());
    stream.on_segment(segment(100, "abc"), out);
    EXPECT_TRUE(stream.finished());
    stream.on_peer_segment(acknowledgement(107, {1}), out); // acknowledges the FIN too
    stream.flush(out);
    EXPECT_EQ(out.text, "abcdef");
}

TEST(TcpStream, TellsAConnectionThatUsesThePortsAgain) {
    TcpStream stream;
    Recorder out;
    EXPECT_FALSE(stream.starts_new_connection(segment(5, "", syn)));
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(100, "abc"), out);
    EXPECT_FALSE(stream.starts_new_connection(segment(99, "", syn)));
    EXPECT_TRUE(stream.starts_new_connection(segment(700, "", syn)));
    EXPECT_FALSE(stream.starts_new_connection(segment(700, "x")));

    TcpStream without_syn;
    without_syn.on_segment(segment(100, "abc"), out);
    EXPECT_FALSE(without_syn.starts_new_connection(segment(99, "", syn))); // its own, late
    EXPECT_TRUE(without_syn.starts_new_connection(segment(900'000, "", syn)));
}

TEST(TcpStream, ReportsAcknowledgedBytesItNeverSawAsAGap) {
    TcpStream stream;
    Recorder out;
    const Instant start{1'000'000'000};
    stream.on_segment(segment(99, "", syn, start), out);
    stream.on_segment(segment(100, "abc", 16, start), out);
    stream.on_segment(segment(113, "xyz", 16, start), out);
    stream.on_peer_segment(acknowledgement(116, start), out);
    EXPECT_EQ(out.text, "abc"); // the ten bytes may still be late in the capture
    stream.on_peer_segment(acknowledgement(116, start + milliseconds(101)), out);
    EXPECT_EQ(out.text, "abc[10]xyz");
}

TEST(TcpStream, TakesOneAcknowledgedByteAfterTheEndForTheFin) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(100, "abc"), out);
    stream.on_peer_segment(acknowledgement(104, {1}), out);
    stream.flush(out);
    EXPECT_EQ(out.text, "abc");
}

TEST(TcpStream, LetsBytesComeShortlyAfterTheirAcknowledgement) {
    TcpStream stream;
    Recorder out;
    const Instant start{1'000'000'000};
    stream.on_segment(segment(99, "", syn, start), out);
    stream.on_peer_segment(acknowledgement(103, start), out);
    stream.on_segment(segment(100, "abc", 16, start + milliseconds(2)), out);
    stream.on_peer_segment(acknowledgement(103, start + seconds(1)), out);
    stream.flush(out);
    EXPECT_EQ(out.text, "abc");
}

TEST(TcpStream, GivesAHoleUpAfterFiveSeconds) {
    TcpStream stream;
    Recorder out;
    const Instant start{1'000'000'000};
    stream.on_segment(segment(99, "", syn, start), out);
    stream.on_segment(segment(104, "efg", 16, start), out);
    stream.on_segment(segment(107, "hij", 16, start + seconds(5)), out);
    EXPECT_EQ(out.text, "");
    stream.on_segment(segment(110, "klm", 16, start + seconds(5) + milliseconds(1)), out);
    EXPECT_EQ(out.text, "[4]efghijklm");
}

TEST(TcpStream, GivesAHoleUpWhenTooMuchWaitsBehindIt) {
    TcpStream stream;
    Recorder out;
    const std::string big(1400, 'x');
    stream.on_segment(segment(99, "", syn), out);
    for (std::uint32_t i = 1; i <= 200; ++i) {
        stream.on_segment(segment(100 + i * 1400, big), out);
        EXPECT_LE(stream.held_bytes(), TcpStream::max_held_bytes);
    }
    EXPECT_EQ(out.gaps, 1400U);
    EXPECT_EQ(out.delivered, 200U * 1400U);

    TcpStream small;
    Recorder pieces;
    small.on_segment(segment(99, "", syn), pieces);
    for (std::uint32_t i = 1; i <= 2000; ++i) {
        small.on_segment(segment(100 + i * 2, "y"), pieces);
        EXPECT_LE(small.held_bytes(), TcpStream::max_held_segments);
    }
    EXPECT_GE(pieces.delivered, 2000U - TcpStream::max_held_segments);
}

TEST(TcpStream, ReportsBytesCutBySnaplenAsAGap) {
    TcpStream stream;
    Recorder out;
    auto cut = segment(100, "abc");
    cut.missing = 7;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(cut, out);
    stream.on_segment(segment(110, "xyz"), out);
    EXPECT_EQ(out.text, "abc[7]xyz");

    cut = segment(116, "DEF");
    cut.missing = 2;
    stream.on_segment(cut, out); // waits with its missing bytes
    stream.on_segment(segment(113, "..."), out);
    EXPECT_EQ(out.text, "abc[7]xyz...DEF[2]");
}

TEST(TcpStream, IgnoresASegmentFarOffUnlessAnotherContinuesIt) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(100, "abc"), out);
    stream.on_segment(segment(900'000'000, "forged"), out);
    stream.on_segment(segment(103, "def"), out);
    EXPECT_EQ(out.text, "abcdef");

    stream.on_segment(segment(900'000'000, "lost"), out);
    stream.on_segment(segment(900'000'004, "here"), out);
    stream.on_segment(segment(900'000'008, "again"), out);
    EXPECT_EQ(out.text, "abcdef[899999898]hereagain");
}

TEST(TcpStream, DropsEverythingOnceIgnored) {
    TcpStream stream;
    Recorder out;
    out.stream = &stream;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(106, "ghi"), out);
    stream.on_segment(segment(103, "def"), out);
    stream.on_segment(segment(100, "abc"), out); // the sink ignores the stream here
    stream.on_segment(segment(109, "jkl"), out);
    stream.flush(out);
    EXPECT_EQ(out.text, "abc");
    EXPECT_EQ(stream.held_bytes(), 0U);
}

TEST(TcpStream, ReportsTheMissingEndAtTheEndOfTheCapture) {
    TcpStream stream;
    Recorder out;
    stream.on_segment(segment(99, "", syn), out);
    stream.on_segment(segment(105, "fgh"), out);
    stream.on_segment(segment(112, "", fin), out);
    stream.flush(out);
    EXPECT_EQ(out.text, "[5]fgh[4]");
}

// A stream of 20,000 bytes is cut at random, some segments are sent twice or cut otherwise the
// second time, and neighbours change places. What comes out must be the stream.
TEST(TcpStream, GivesTheSameBytesHoweverTheyAreCutRepeatedAndReordered) {
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](std::uint32_t below) {
            return static_cast<std::uint32_t>(random() % below);
        };
        std::string bytes(20'000, '\0');
        std::ranges::generate(bytes, [&] { return static_cast<char>('a' + pick(26)); });
        const auto first = static_cast<std::uint32_t>(0U - pick(20'000)); // so that most wrap
        std::vector<Datagram> segments;
        for (std::size_t at = 0; at < bytes.size();) {
            const auto size = std::min<std::size_t>(1 + pick(1400), bytes.size() - at);
            const auto sequence = first + static_cast<std::uint32_t>(at);
            segments.push_back(segment(sequence, std::string_view{bytes}.substr(at, size)));
            if (pick(5) == 0) {
                const auto back =
                    pick(static_cast<std::uint32_t>(std::min<std::size_t>(at, 900)) + 1);
                segments.push_back(segment(
                    sequence - back, std::string_view{bytes}.substr(at - back, 1 + pick(1400))));
            }
            at += size;
        }
        for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
            std::swap(segments[i], segments[std::min(i + pick(12), segments.size() - 1)]);
        }
        TcpStream stream;
        Recorder out;
        stream.on_segment(segment(first - 1, "", syn), out);
        for (const auto& s : segments) {
            stream.on_segment(s, out);
        }
        ASSERT_EQ(out.text, bytes) << "seed " << seed;
        ASSERT_EQ(stream.held_bytes(), 0U);
    }
}

// The capture lacks some segments, and holds the others nearly in order. Bytes and gaps must add up
// to the stream, and every byte stands where it was sent.
TEST(TcpStream, KeepsEveryByteInItsPlaceWhenSegmentsAreLost) {
    struct Placed : TcpStream::Sink {
        void on_bytes(Bytes bytes, const Datagram& /*by*/) override { text += as_text(bytes); }
        void on_gap(std::uint64_t missing, const Datagram& /*by*/) override {
            text += std::string(missing, '?');
        }
        std::string text;
    };
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        std::string bytes(30'000, '\0');
        std::ranges::generate(bytes, [&] { return static_cast<char>('a' + random() % 26); });
        auto expected = bytes;
        const auto first = static_cast<std::uint32_t>(0U - random() % 30'000);
        std::vector<Datagram> segments;
        Instant now{1'000'000'000};
        for (std::size_t at = 0; at < bytes.size();) {
            const auto size = std::min<std::size_t>(1 + random() % 1400, bytes.size() - at);
            now = now + milliseconds(static_cast<std::int64_t>(random() % 40));
            if (random() % 4 == 0) {
                std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(at), size, '?');
            } else {
                segments.push_back(segment(first + static_cast<std::uint32_t>(at),
                                           std::string_view{bytes}.substr(at, size), 16, now));
            }
            at += size;
        }
        for (std::size_t i = 0; i + 1 < segments.size(); i += 2) {
            if (random() % 3 == 0) {
                std::swap(segments[i].tcp_sequence, segments[i + 1].tcp_sequence);
                std::swap(segments[i].payload, segments[i + 1].payload);
            }
        }
        TcpStream stream;
        Placed out;
        stream.on_segment(segment(first - 1, "", syn), out);
        const auto end = first + static_cast<std::uint32_t>(bytes.size());
        for (const auto& s : segments) {
            stream.on_segment(s, out);
            // The receiver got everything up to here.
            const auto up_to = s.tcp_sequence + static_cast<std::uint32_t>(s.payload.size());
            stream.on_peer_segment(acknowledgement(up_to, s.time), out);
        }
        stream.on_segment(segment(end, "", fin, now), out);
        stream.flush(out);
        ASSERT_EQ(out.text, expected) << "seed " << seed;
    }
}

} // namespace
} // namespace cw::capture
