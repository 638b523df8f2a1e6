#include "capture/sip_stream.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cw::capture {
namespace {

// Writes down what a stream hands on; a truncated message has "~" before it.
struct Recorder : SipStream::Sink {
    void on_message(std::string_view message, bool truncated, const Datagram& by) override {
        messages.push_back((truncated ? "~" : "") + std::string(message));
        frames.push_back(by.frame);
        last = message.data();
    }
    void on_junk(std::uint64_t bytes) override { junk += bytes; }

    std::vector<std::string> messages;
    std::vector<std::uint32_t> frames;
    const char* last = nullptr;
    std::uint64_t junk = 0;
};

Datagram by_frame(std::uint32_t frame) {
    Datagram by;
    by.frame = frame;
    return by;
}

void feed(SipStream& stream, Recorder& out, std::string_view text, std::uint32_t frame = 1) {
    stream.on_bytes(as_bytes(text), by_frame(frame), out);
}

const std::string bye = "BYE sip:b@example.com SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n";
const std::string ok = "SIP/2.0 200 OK\r\nCall-ID: 1\r\nl: 5\r\n\r\nhello";
const std::string folded = "INFO sip:b@example.com SIP/2.0\r\nContent-Length :\r\n  3\r\n\r\nabc";

TEST(SipStream, HandsAWholeMessageOnWithoutCopyingIt) {
    SipStream stream;
    Recorder out;
    feed(stream, out, ok);
    ASSERT_EQ(out.messages, std::vector{ok});
    EXPECT_EQ(out.last, ok.data());
    EXPECT_EQ(stream.held_bytes(), 0U);
}

TEST(SipStream, FindsSeveralMessagesInAChunkAndOneOverMany) {
    const auto text = bye + ok + folded + ok;
    SipStream whole;
    Recorder at_once;
    feed(whole, at_once, text);
    EXPECT_EQ(at_once.messages, (std::vector{bye, ok, folded, ok}));

    SipStream split;
    Recorder bytewise;
    for (std::uint32_t i = 0; i < text.size(); ++i) {
        feed(split, bytewise, std::string_view{text}.substr(i, 1), i + 1);
    }
    EXPECT_EQ(bytewise.messages, at_once.messages);
    ASSERT_EQ(bytewise.frames.size(), 4U);
    EXPECT_EQ(bytewise.frames[0], bye.size()); // the frame that completed it
    EXPECT_EQ(bytewise.junk + at_once.junk, 0U);
}

TEST(SipStream, CountsKeepAlivesAndReportsNone) {
    SipStream stream;
    Recorder out;
    feed(stream, out, "\r\n\r\n");
    feed(stream, out, "\r\n" + bye + "\r\n\r");
    feed(stream, out, "\n" + ok);
    EXPECT_EQ(out.messages, (std::vector{bye, ok}));
    EXPECT_EQ(stream.blank_lines(), 5U);
    EXPECT_EQ(out.junk, 0U);
}

TEST(SipStream, SkipsWhatIsNoMessageUpToTheNextStartLine) {
    SipStream stream;
    Recorder out;
    const std::string junk = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n";
    const std::string without_length = "MESSAGE sip:b@example.com SIP/2.0\r\nCall-ID: 2\r\n\r\n";
    feed(stream, out, without_length + junk + ok + std::string("\x16\x03\x01\0\xff", 5));
    feed(stream, out, "more of that\n" + bye);
    EXPECT_EQ(out.messages, (std::vector{without_length, ok, bye}));
    EXPECT_EQ(out.junk, junk.size() + 5 + 13);
}

TEST(SipStream, FindsAStartLineBehindABodyWithoutLineEnd) {
    for (const std::string_view before : {"</xml>", "hello", "a=b c"}) {
        for (const auto& after : {bye, ok}) {
            const auto without_length =
                std::string("MESSAGE sip:b@example.com SIP/2.0\r\nCall-ID: 2\r\n\r\n");
            SipStream stream;
            Recorder out;
            feed(stream, out, without_length + std::string(before) + after + folded);
            EXPECT_EQ(out.messages, (std::vector{without_length, after, folded}));
            EXPECT_EQ(out.junk, before.size());

            SipStream gap;
            Recorder rest;
            gap.on_gap(0, rest);
            feed(gap, rest, std::string(before) + after + folded);
            EXPECT_EQ(rest.messages, (std::vector{after, folded}));
        }
    }
}

TEST(SipStream, GoesByTheFirstOfSeveralLengths) {
    SipStream stream;
    Recorder out;
    const std::string twice =
        "INFO sip:b@example.com SIP/2.0\r\nl: 2\r\nContent-Length: 900\r\n\r\nab";
    feed(stream, out, twice + ok);
    EXPECT_EQ(out.messages, (std::vector{twice, ok}));
}

TEST(SipStream, EndsAMessageThatLostItsBlankLineAtTheNextStartLine) {
    SipStream stream;
    Recorder out;
    const std::string open = "OPTIONS sip:b@example.com SIP/2.0\r\nSubject: x\r\n";
    feed(stream, out, open + ok + open + bye);
    EXPECT_EQ(out.messages, (std::vector{"~" + open, ok, "~" + open, bye}));
}

TEST(SipStream, ReportsAMessageCutByAGapAndGoesOnAtTheNext) {
    SipStream stream;
    Recorder out;
    feed(stream, out, ok.substr(0, 20), 3);
    stream.on_gap(12, out);
    // The rest of a request line, its headers, and a body that quotes a response.
    feed(stream, out, "VITE sip:b@example.com SIP/2.0\r\nCall-ID: 7\r\nl: 18\r\n\r\n");
    feed(stream, out, "SIP/2.0 200 OK\r\n\r\n" + bye);
    EXPECT_EQ(out.messages, (std::vector{"~" + ok.substr(0, 20), bye}));
    EXPECT_EQ(out.frames[0], 3U);
    EXPECT_GT(out.junk, 0U);
}

TEST(SipStream, TakesAMessageThatBeginsRightAfterAGap) {
    SipStream stream;
    Recorder out;
    stream.on_gap(0, out);
    feed(stream, out, bye);
    stream.on_gap(0, out);
    feed(stream, out, ok);
    stream.on_gap(0, out);
    feed(stream, out, "\r\nYAHOOREF sip:a@b SIP/2.0\r\nVia: x\r\n\r\n");
    ASSERT_EQ(out.messages.size(), 3U);
    EXPECT_EQ(out.junk, 0U);
}

TEST(SipStream, ReportsAnIncompleteMessageAtTheEnd) {
    SipStream stream;
    Recorder out;
    feed(stream, out, ok.substr(0, ok.size() - 1));
    stream.flush(out);
    EXPECT_EQ(out.messages, std::vector{"~" + ok.substr(0, ok.size() - 1)});
    feed(stream, out, "BYE sip:b@exam");
    stream.flush(out);
    EXPECT_EQ(out.messages.size(), 1U); // not even a start line
    EXPECT_EQ(out.junk, 14U);
}

TEST(SipStream, KeepsAPartOfAnOversizedBodyAndStaysInStep) {
    const std::string header =
        "MESSAGE sip:b@example.com SIP/2.0\r\nContent-Length: 3000000\r\n\r\n";
    const std::string body(3'000'000, 'x');
    for (const std::size_t chunk : {std::size_t{1000}, body.size() * 2}) {
        SipStream stream;
        Recorder out;
        const auto text = header + body + bye;
        for (std::size_t at = 0; at < text.size(); at += chunk) {
            feed(stream, out, std::string_view{text}.substr(at, chunk));
            EXPECT_LE(stream.held_bytes(), SipStream::max_header + SipStream::max_kept_body);
        }
        ASSERT_EQ(out.messages.size(), 2U);
        EXPECT_EQ(out.messages[0].size(), 1 + header.size() + SipStream::max_kept_body);
        EXPECT_EQ(out.messages[1], bye);
        EXPECT_EQ(out.junk, 0U);
    }
}

TEST(SipStream, TakesAnAbsurdContentLengthForDamage) {
    for (const std::string_view value : {"99999999999999999999999", "16777217"}) {
        SipStream stream;
        Recorder out;
        const auto header =
            "MESSAGE sip:b@example.com SIP/2.0\r\nContent-Length: " + std::string(value) +
            "\r\n\r\n";
        feed(stream, out, header + "junk\r\n" + bye);
        EXPECT_EQ(out.messages, (std::vector{"~" + header, bye}));
    }
    for (const std::string_view value : {"-1", "abc", "", "5x"}) {
        SipStream stream;
        Recorder out;
        const auto header =
            "MESSAGE sip:b@example.com SIP/2.0\r\nContent-Length: " + std::string(value) +
            "\r\n\r\n";
        feed(stream, out, header + bye);
        EXPECT_EQ(out.messages, (std::vector{header, bye})) << value;
    }
}

TEST(SipStream, EndsAHeaderWithoutEndAtItsBound) {
    SipStream stream;
    Recorder out;
    feed(stream, out, "INVITE sip:b@example.com SIP/2.0\r\nX: ");
    const std::string filler(1000, 'x');
    for (int i = 0; i < 200; ++i) {
        feed(stream, out, filler);
        EXPECT_LE(stream.held_bytes(), SipStream::max_header);
    }
    feed(stream, out, "\r\n" + bye);
    ASSERT_EQ(out.messages.size(), 2U);
    EXPECT_EQ(out.messages[0].size(), 1 + SipStream::max_header);
    EXPECT_EQ(out.messages[1], bye);
}

// Whatever the bytes are, chunks must not matter.
TEST(SipStream, GivesTheSameMessagesHoweverTheBytesAreCut) {
    const std::vector<std::string> parts{
        bye,
        ok,
        folded,
        "\r\n\r\n",
        "\r\n",
        "junk\r\n",
        "SIP/2.0 200 OK\r\n",
        "SIP/2.0 200 OK\r\n\r\n",
        "INVITE sip:x@y SIP/2.0\r\n",
        "l: 40\r\n",
        "Via: SIP/2.0/TCP host\r\n",
        "\r\n",
        std::string(300, 'A'),
        std::string(5000, ' '),
        "glued",
        std::string("\0\xff\n", 3),
        "NOTIFY sip:a@b SIP/2.0\nl: 2\n\nxy",
        "UPDATE sip:a@b SIP/2.0\r\nContent-Length: 18446744073709551616\r\n\r\n",
    };
    for (std::uint32_t seed = 0; seed < 500; ++seed) {
        std::mt19937 random(seed);
        std::string text;
        for (auto n = random() % 12; n > 0; --n) {
            text += parts[random() % parts.size()];
        }
        SipStream whole;
        Recorder expected;
        feed(whole, expected, text);
        whole.flush(expected);
        for (const std::size_t largest : {1, 3, 40}) {
            SipStream split;
            Recorder out;
            for (std::size_t at = 0; at < text.size();) {
                const auto size = 1 + random() % largest;
                feed(split, out, std::string_view{text}.substr(at, size));
                at += size;
            }
            split.flush(out);
            ASSERT_EQ(out.messages, expected.messages) << "seed " << seed << "\n" << text;
            ASSERT_EQ(out.junk, expected.junk) << "seed " << seed << "\n" << text;
            ASSERT_EQ(split.blank_lines(), whole.blank_lines());
        }
    }
}

// Messages travel in segments, some of which the capture lacks. Every message that is there whole
// must be found, whatever was lost before it.
TEST(SipStream, FindsEveryMessageThatIsThereWholeBetweenGaps) {
    for (std::uint32_t seed = 0; seed < 500; ++seed) {
        std::mt19937 random(seed);
        std::string text;
        std::vector<std::size_t> ends{0};
        for (int i = 0; i < 12; ++i) {
            const std::string body(random() % 60, 'b');
            text +=
                random() % 2 == 0 ? "SIP/2.0 200 OK\r\n" : "INVITE sip:b@example.com SIP/2.0\r\n";
            text += "Call-ID: " + std::to_string(i) +
                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
            ends.push_back(text.size());
        }
        SipStream stream;
        Recorder out;
        std::vector<bool> there(text.size(), true);
        for (std::size_t at = 0; at < text.size();) {
            const auto chunk = std::string_view{text}.substr(at, 1 + random() % 90);
            if (random() % 6 == 0) {
                stream.on_gap(chunk.size(), out);
                std::fill_n(there.begin() + static_cast<std::ptrdiff_t>(at), chunk.size(), false);
            } else {
                feed(stream, out, chunk);
            }
            at += chunk.size();
        }
        stream.flush(out);
        std::erase_if(out.messages, [](const std::string& m) { return m.starts_with('~'); });
        std::vector<std::string> expected;
        for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
            const auto begin = there.begin() + static_cast<std::ptrdiff_t>(ends[i]);
            const auto end = there.begin() + static_cast<std::ptrdiff_t>(ends[i + 1]);
            if (std::all_of(begin, end, [](bool b) { return b; })) {
                expected.push_back(text.substr(ends[i], ends[i + 1] - ends[i]));
            }
        }
        ASSERT_EQ(out.messages, expected) << "seed " << seed;
    }
}

} // namespace
} // namespace cw::capture
