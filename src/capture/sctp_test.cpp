#include "capture/sctp.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cw::capture {
namespace {

struct Recorder : SctpStream::Sink {
    void on_message(std::uint16_t stream, Bytes message, bool truncated,
                    const Datagram& /*by*/) override {
        messages.push_back(std::to_string(stream) + (truncated ? "~" : ":") +
                           std::string(as_text(message)));
    }
    void on_lost(std::uint64_t bytes) override { lost += bytes; }

    std::vector<std::string> messages;
    std::uint64_t lost = 0;
};

std::string be(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) {
        out += static_cast<char>((value >> (8 * i)) & 255);
    }
    return out;
}

std::string chunk(std::uint8_t type, std::uint8_t flags, const std::string& value) {
    auto out = be(type, 1) + be(flags, 1) + be(value.size() + 4, 2) + value;
    out.resize((out.size() + 3) / 4 * 4);
    return out;
}

constexpr std::uint8_t whole = 3;
constexpr std::uint8_t first = 2;
constexpr std::uint8_t middle = 0;
constexpr std::uint8_t last = 1;

std::string data(std::uint32_t tsn, std::uint16_t stream, std::uint8_t flags,
                 const std::string& text) {
    return chunk(0, flags, be(tsn, 4) + be(stream, 2) + be(7, 2) + be(0, 4) + text);
}

std::string i_data(std::uint32_t tsn, std::uint32_t message, std::uint32_t place,
                   std::uint8_t flags, const std::string& text) {
    return chunk(64, flags,
                 be(tsn, 4) + be(5, 2) + be(0, 2) + be(message, 4) + be(place, 4) + text);
}

void feed(SctpStream& stream, Recorder& out, std::string_view chunks, bool truncated = false) {
    Datagram packet;
    packet.protocol = Protocol::Sctp;
    packet.payload = as_bytes(chunks);
    packet.truncated = truncated;
    stream.on_chunks(packet, out);
}

TEST(SctpStream, HandsOnEachUserMessageOfAPacket) {
    SctpStream stream;
    Recorder out;
    feed(stream, out,
         chunk(3, 0, std::string(12, 'x')) + data(1, 0, whole, "BYE") + data(2, 9, whole, "ACK!"));
    EXPECT_EQ(out.messages, (std::vector<std::string>{"0:BYE", "9:ACK!"}));
}

TEST(SctpStream, DropsRetransmittedChunksEvenAcrossTheWrap) {
    SctpStream stream;
    Recorder out;
    feed(stream, out, data(0xffffffffU, 0, whole, "a") + data(0, 0, whole, "b"));
    feed(stream, out, data(0, 0, whole, "b") + data(0xffffffffU, 0, whole, "a"));
    feed(stream, out, data(5, 0, whole, "f") + data(3, 0, whole, "d") + data(3, 0, whole, "d"));
    feed(stream, out, data(10'000, 0, whole, "z") + data(3, 0, whole, "d"));
    EXPECT_EQ(out.messages, (std::vector<std::string>{"0:a", "0:b", "0:f", "0:d", "0:z"}));
}

TEST(SctpStream, JoinsFragmentsInAnyOrder) {
    std::vector<std::string> chunks{
        data(0xfffffffeU, 1, first, "IN"),
        data(0xffffffffU, 1, middle, "VI"),
        data(0, 1, last, "TE"),
        data(1, 2, whole, "OK"),
        data(2, 1, first, "B"),
        data(3, 1, last, "YE"),
    };
    std::ranges::sort(chunks);
    do {
        SctpStream stream;
        Recorder out;
        for (const auto& c : chunks) {
            feed(stream, out, c + c);
        }
        std::ranges::sort(out.messages);
        ASSERT_EQ(out.messages, (std::vector<std::string>{"1:BYE", "1:INVITE", "2:OK"}));
        ASSERT_EQ(stream.held_bytes(), 0U);
    } while (std::ranges::next_permutation(chunks).found);
}

TEST(SctpStream, JoinsInterleavedMessages) {
    SctpStream stream;
    Recorder out;
    feed(stream, out,
         i_data(1, 70, 0, first, "IN") + i_data(2, 71, 0, first, "BY") +
             i_data(3, 70, 1, middle, "VI") + i_data(4, 71, 1, last, "E") +
             i_data(5, 70, 2, last, "TE") + i_data(6, 72, 0, whole, "ACK"));
    EXPECT_EQ(out.messages, (std::vector<std::string>{"5:BYE", "5:INVITE", "5:ACK"}));
}

TEST(SctpStream, BeginsAnewWithANewInit) {
    SctpStream stream;
    Recorder out;
    const auto init = [](std::uint32_t tsn) {
        return chunk(1, 0, be(1, 4) + be(65535, 4) + be(10, 2) + be(10, 2) + be(tsn, 4));
    };
    feed(stream, out, init(100));
    feed(stream, out, data(100, 0, whole, "a") + init(100) + data(100, 0, whole, "a"));
    feed(stream, out, chunk(6, 0, ""));
    EXPECT_TRUE(stream.closed());
    feed(stream, out, init(90));
    feed(stream, out, data(90, 0, whole, "b"));
    EXPECT_EQ(out.messages, (std::vector<std::string>{"0:a", "0:b"}));
    EXPECT_FALSE(stream.closed());
}

TEST(SctpStream, MarksWhatSnaplenCut) {
    SctpStream stream;
    Recorder out;
    const auto text = data(1, 0, whole, "INVITE sip:");
    feed(stream, out, std::string_view{text}.substr(0, 22), true);
    EXPECT_EQ(out.messages, std::vector<std::string>{"0~INVITE"});
    feed(stream, out, std::string_view{text}.substr(0, 22)); // not cut, so the length is wrong
    EXPECT_EQ(out.messages.size(), 1U);
    EXPECT_EQ(stream.malformed(), 22U);
}

TEST(SctpStream, HoldsABoundedNumberOfFragments) {
    SctpStream stream;
    Recorder out;
    const std::string text(1000, 'x');
    for (std::uint32_t tsn = 1; tsn < 10'000; ++tsn) {
        feed(stream, out, data(tsn, 0, middle, text));
        ASSERT_LE(stream.held_bytes(), SctpStream::max_held_bytes);
    }
    EXPECT_EQ(out.lost + stream.held_bytes(), 9'999'000U);
    stream.flush(out);
    EXPECT_EQ(out.lost, 9'999'000U);
}

TEST(SctpStream, SurvivesAnyBytes) {
    for (std::uint32_t seed = 0; seed < 2000; ++seed) {
        std::mt19937 random(seed);
        const auto number = [&] { return static_cast<std::uint32_t>(random()); };
        auto text = data(number(), 0, static_cast<std::uint8_t>(random()), "abc") +
                    i_data(number(), 1, number(), static_cast<std::uint8_t>(random()), "abc") +
                    chunk(1, 0, "short");
        text[random() % text.size()] = static_cast<char>(random());
        text.resize(random() % (text.size() + 1));
        const std::vector<char> exact(text.begin(), text.end());
        SctpStream stream;
        Recorder out;
        feed(stream, out, {exact.data(), exact.size()}, random() % 2 == 0);
        EXPECT_LE(out.messages.size(), 2U);
    }
}

} // namespace
} // namespace cw::capture
