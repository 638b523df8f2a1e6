#include "capture/pcapng.hpp"

#include <gtest/gtest.h>

#include "capture/packet_source.hpp"
#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using namespace made;

// Writes blocks in either byte order.
struct Order {
    bool big = false;

    [[nodiscard]] Octets n16(std::uint32_t n) const { return big ? be16(n) : le16(n); }
    [[nodiscard]] Octets n32(std::uint32_t n) const { return big ? be32(n) : le32(n); }
    [[nodiscard]] Octets block(std::uint32_t type, Octets body) const {
        body.resize((body.size() + 3) & ~std::size_t{3});
        const auto total = n32(static_cast<std::uint32_t>(body.size()) + 12);
        return n32(type) + total + body + total;
    }
    [[nodiscard]] Octets section() const {
        return block(0x0a0d0d0a, n32(0x1a2b3c4d) + n16(1) + n16(0) + n32(~0U) + n32(~0U));
    }
    [[nodiscard]] Octets option(std::uint32_t code, Octets value) const {
        const auto length = static_cast<std::uint32_t>(value.size());
        value.resize((value.size() + 3) & ~std::size_t{3});
        return n16(code) + n16(length) + value;
    }
    [[nodiscard]] Octets interface(std::uint32_t link, const Octets& options = {},
                                   std::uint32_t snap = 0) const {
        return block(1, n16(link) + n16(0) + n32(snap) + options);
    }
    [[nodiscard]] Octets packet(std::uint32_t interface, std::uint64_t ticks,
                                const Octets& data) const {
        const auto length = static_cast<std::uint32_t>(data.size());
        return block(6, n32(interface) + n32(static_cast<std::uint32_t>(ticks >> 32)) +
                            n32(static_cast<std::uint32_t>(ticks)) + n32(length) + n32(length + 1) +
                            data);
    }
};

// "time in ns/captured of original/link/interface" of each packet, then the problems.
std::string read(const Octets& file) {
    auto source = PacketSource::open_memory(file);
    if (!source) {
        return source.error().what;
    }
    std::string all;
    while (const auto* packet = (*source)->next()) {
        all += std::to_string(packet->time.ns) + "/" + std::to_string(packet->data.size()) +
               " of " + std::to_string(packet->original_length) + "/" +
               std::to_string(packet->link_type) + "/" + std::to_string(packet->interface) + "; ";
    }
    for (const auto& problem : (*source)->problems()) {
        all += "! " + problem + "; ";
    }
    return all;
}

TEST(Pcapng, SectionsHaveTheirOwnOrderAndInterfaces) {
    const Order little{false};
    const Order big{true};
    EXPECT_EQ(read(little.section() + little.interface(1) + little.interface(101) +
                   little.packet(1, 7'000'001, zeros(5)) + big.section() + big.interface(113) +
                   big.packet(0, 8'000'002, zeros(6))),
              "7000001000/5 of 6/101/1; 8000002000/6 of 7/113/0; ");
}

TEST(Pcapng, InterfacesHaveTheirOwnClocks) {
    for (const auto& order : {Order{false}, Order{true}}) {
        const auto offset = order.big ? be32(0) + be32(100) : le32(100) + le32(0);
        EXPECT_EQ(read(order.section() + order.interface(1, order.option(9, u8(9))) +
                       order.interface(1, order.option(9, u8(0x80 | 10))) +
                       order.interface(1, order.option(14, offset) + order.option(0, {})) +
                       order.packet(0, 7'000'000'003, {}) + order.packet(1, 7 * 1024 + 512, {}) +
                       order.packet(2, 7'000'001, {})),
                  "7000000003/0 of 1/1/0; 7500000000/0 of 1/1/1; 107000001000/0 of 1/1/2; ");
    }
}

TEST(Pcapng, ClocksOfAnyResolutionStayInRange) {
    constexpr std::uint64_t all_ones = ~std::uint64_t{0};
    for (unsigned resolution = 0; resolution < 256; ++resolution) {
        for (const auto offset : {std::int64_t{0}, INT64_MAX, INT64_MIN}) {
            const Clock clock{static_cast<std::uint8_t>(resolution), offset};
            EXPECT_GE(clock.at(all_ones).ns, 0);
            EXPECT_GE(clock.at(0).ns, 0);
        }
    }
    EXPECT_EQ((Clock{0, 0}.at(5).ns), 5'000'000'000);
    EXPECT_EQ((Clock{12, 0}.at(5'000'000'001'999).ns), 5'000'000'001);
    EXPECT_EQ((Clock{0x80 | 32, 0}.at(std::uint64_t{3} << 31).ns), 1'500'000'000);
    EXPECT_EQ((Clock{0x80 | 63, 0}.at(std::uint64_t{3} << 62).ns), 1'500'000'000);
    EXPECT_EQ((Clock{19, 0}.at(15'000'000'000'000'000'000U).ns), 1'500'000'000);
    EXPECT_EQ((Clock{6, -5}.at(7'000'000).ns), 2'000'000'000);
}

TEST(Pcapng, SimpleAndObsoletePacketsAreRead) {
    const Order o;
    EXPECT_EQ(read(o.section() + o.interface(1, {}, 6) + o.block(3, o.n32(4) + zeros(4)) +
                   o.block(3, o.n32(90) + zeros(8)) +
                   o.block(2, o.n16(0) + o.n16(3) + o.n32(0) + o.n32(5) + o.n32(2) + o.n32(9) +
                                  zeros(2))),
              "0/4 of 4/1/0; 0/6 of 90/1/0; 5000/2 of 9/1/0; ");
}

TEST(Pcapng, KeysAreHandedOutOnce) {
    const Order o;
    const auto key_log = [&o](std::string_view s) {
        return o.block(10,
                       o.n32(0x544c534b) + o.n32(static_cast<std::uint32_t>(s.size())) + text(s));
    };
    const auto file = o.section() + key_log("CLIENT_RANDOM 1") + o.interface(1) +
                      o.packet(0, 1, {}) + key_log("CLIENT_RANDOM 23") +
                      o.block(10, o.n32(0x57474b4c) + o.n32(1) + u8(9)) + o.packet(0, 2, {});
    auto source = PacketSource::open_memory(file);
    ASSERT_TRUE(source);
    ASSERT_NE((*source)->next(), nullptr);
    EXPECT_EQ((*source)->take_secrets(), std::vector<std::string>{"CLIENT_RANDOM 1"});
    ASSERT_NE((*source)->next(), nullptr);
    EXPECT_EQ((*source)->take_secrets(), std::vector<std::string>{"CLIENT_RANDOM 23"});
    EXPECT_TRUE((*source)->take_secrets().empty());
    EXPECT_EQ((*source)->problems().size(), 1U);
}

TEST(Pcapng, KeysMayBeMoreThanABlockOfMemory) {
    const Order o;
    const std::string keys(3'000'000, 'k');
    const auto file = o.section() +
                      o.block(10, o.n32(0x544c534b) +
                                      o.n32(static_cast<std::uint32_t>(keys.size())) + text(keys)) +
                      o.interface(1) + o.packet(0, 1, zeros(3));
    auto source = PacketSource::open_memory(file);
    ASSERT_TRUE(source);
    ASSERT_NE((*source)->next(), nullptr);
    EXPECT_EQ((*source)->take_secrets(), std::vector<std::string>{keys});
}

TEST(Pcapng, NamesAreRead) {
    const Order o;
    const auto file =
        o.section() +
        o.block(4, o.n16(1) + o.n16(4 + 4) + hex("0a000001") + text("pbx") + u8(0) + o.n16(2) +
                       o.n16(16 + 2) + hex("20010db8000000000000000000000001") + text("a") + u8(0) +
                       zeros(2) + o.n16(1) + o.n16(2) + zeros(4) + o.n32(0)) +
        o.interface(1) + o.packet(0, 1, {});
    auto source = PacketSource::open_memory(file);
    ASSERT_TRUE(source);
    ASSERT_NE((*source)->next(), nullptr);
    ASSERT_EQ((*source)->names().size(), 2U);
    EXPECT_EQ(to_string((*source)->names()[0].first), "10.0.0.1");
    EXPECT_EQ((*source)->names()[0].second, "pbx");
    EXPECT_EQ(to_string((*source)->names()[1].first), "2001:db8::1");
    EXPECT_EQ((*source)->names()[1].second, "a");
}

TEST(Pcapng, OtherBlocksArePassedOver) {
    const Order o;
    EXPECT_EQ(read(o.section() + o.block(5, zeros(12)) + o.block(0x0bad, zeros(400'000)) +
                   o.interface(1) + o.block(0x40000bad, zeros(40)) + o.packet(0, 1, {})),
              "1000/0 of 1/1/0; ");
}

TEST(Pcapng, DamagedBlocksAreLeftOut) {
    const Order o;
    const auto start = o.section() + o.interface(1);
    const auto good = o.packet(0, 1, zeros(4));
    // A captured length beyond the block, an interface that is not there.
    auto lying = good;
    lying[20] = 200;
    EXPECT_EQ(read(start + lying + o.packet(7, 1, {}) + good),
              "1000/4 of 5/1/0; ! a damaged block after packet 0 was left out (and 1 more like "
              "this); ");
    // A length that is wrong in one place; garbage between blocks.
    auto torn = good;
    torn[4] = 0x10;
    EXPECT_EQ(read(start + good + torn + good),
              "1000/4 of 5/1/0; 1000/4 of 5/1/0; "
              "! 36 damaged bytes after packet 1 were left out; ");
    EXPECT_EQ(read(start + good + text("garbage") + good + text("garbage that is longer")),
              "1000/4 of 5/1/0; 1000/4 of 5/1/0; ! 7 damaged bytes after packet 1 were left out; "
              "! the last 22 bytes, after packet 2, make no sense; ");
}

TEST(Pcapng, CutAnywhereGivesWhatItHoldsAndSaysSo) {
    const Order o;
    const auto before = o.section() + o.interface(1) + o.packet(0, 1, zeros(9));
    const auto whole = before + o.packet(0, 2, zeros(90));
    for (std::size_t n = 12; n < whole.size(); ++n) {
        const auto out = read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)});
        const auto packets = std::string{n >= before.size() ? "1000/9 of 10/1/0; " : ""};
        const auto between = n == 28 || n == 48 || n == before.size();
        if (between) {
            EXPECT_EQ(out, packets);
        } else {
            EXPECT_TRUE(out.starts_with(packets + "! cut in the ")) << n << ": " << out;
        }
    }
}

} // namespace
} // namespace cw::capture
