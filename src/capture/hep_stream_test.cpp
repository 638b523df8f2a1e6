#include "capture/hep_stream.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cw::capture {
namespace {

struct Recorder : HepStream::Sink {
    void on_hep(Bytes packet, const Datagram& /*by*/) override {
        packets.emplace_back(as_text(packet));
    }
    void on_junk(std::uint64_t bytes) override { junk += bytes; }

    std::vector<std::string> packets;
    std::uint64_t junk = 0;
};

std::string hep(const std::string& rest) {
    const auto size = rest.size() + 6;
    return "HEP3" + std::string{static_cast<char>(size >> 8), static_cast<char>(size & 255)} + rest;
}

TEST(HepStream, CutsPacketsHoweverTheyArrive) {
    const auto text = hep("one") + hep(std::string(700, 'x')) + hep("");
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{5}, text.size()}) {
        HepStream stream;
        Recorder out;
        for (std::size_t at = 0; at < text.size(); at += chunk) {
            stream.on_bytes(as_bytes(std::string_view{text}.substr(at, chunk)), {}, out);
        }
        EXPECT_EQ(out.packets, (std::vector{hep("one"), hep(std::string(700, 'x')), hep("")}));
        EXPECT_EQ(out.junk, 0U);
        EXPECT_EQ(stream.held_bytes(), 0U);
    }
}

TEST(HepStream, FindsTheNextPacketAfterJunkAndAfterAGap) {
    const auto text = "xxHEHE" + hep("one") + std::string("HEP3\0\5", 6) + hep("two");
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{4}, text.size()}) {
        HepStream stream;
        Recorder out;
        for (std::size_t at = 0; at < text.size(); at += chunk) {
            stream.on_bytes(as_bytes(std::string_view{text}.substr(at, chunk)), {}, out);
        }
        EXPECT_EQ(out.packets, (std::vector{hep("one"), hep("two")})) << chunk;
        EXPECT_EQ(out.junk, 12U);
        stream.on_bytes(as_bytes("HEP3\x01"), {}, out);
        stream.on_gap(out);
        stream.on_bytes(as_bytes(text), {}, out);
        EXPECT_EQ(out.packets.size(), 4U);
        EXPECT_EQ(out.junk, 12U + 5U + 12U);
    }
}

TEST(HepStream, IsToldByItsFirstBytes) {
    EXPECT_TRUE(looks_like_hep3(as_bytes(hep(""))));
    EXPECT_FALSE(looks_like_hep3(as_bytes("HEP3")));
    EXPECT_FALSE(looks_like_hep3(as_bytes(std::string_view{"HEP3\0\5", 6})));
    EXPECT_FALSE(looks_like_hep3(as_bytes("HEP2xxxx")));
}

} // namespace
} // namespace cw::capture
