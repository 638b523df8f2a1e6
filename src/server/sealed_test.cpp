// Branches, flow tokens and bindings: what leaves the server and has to come back unchanged.
#include <gtest/gtest.h>

#include "base/address.hpp"
#include "server/binding.hpp"
#include "server/branch.hpp"
#include "server/seal.hpp"

namespace cw::server {
namespace {

const std::string secret(32, 's');

transaction::Wire stream() {
    transaction::Wire w;
    w.transport = sip::Transport::Tls;
    w.shard = 3;
    w.connection = 17;
    w.generation = 5;
    w.remote = *parse_endpoint("192.0.2.7:40000", 0);
    return w;
}

std::string_view text(const Branches::Text& branch) {
    return {branch.data(), branch.size()};
}

TEST(Branch, CarriesItsShard) {
    for (const int shard : {0, 7, 254}) {
        Branches branches{secret, static_cast<std::uint8_t>(shard), 1};
        EXPECT_EQ(Branches::shard_of(text(branches.next(0))), shard);
    }
    for (const auto other : {"", "z9hG4bK", "z9hG4bKcw", "z9hG4bKcw00", "z9hG4bKnashds8"}) {
        EXPECT_EQ(Branches::shard_of(other), 255);
    }
}

TEST(Branch, IsNeverTheSameTwice) {
    Branches branches{secret, 0, 1};
    Branches later{secret, 0, 2};
    const auto a = branches.next(1);
    EXPECT_NE(text(a), text(branches.next(1)));
    EXPECT_NE(text(a), text(later.next(1)));
}

// [RFC 5393 §4.2]
TEST(Branch, KnowsALoopFromASpiral) {
    Branches branches{secret, 0, 1};
    const std::string rest = "From: <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>\r\n"
                             "Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";
    const std::string line = "INVITE sip:b@b.example SIP/2.0\r\n";
    sip::HeaderIndex index;
    const auto before = line + rest;
    const auto seal = branches.loop_seal(*sip::index(std::string_view{before}, index));
    const auto via =
        "Via: SIP/2.0/TLS x, SIP/2.0/TLS p;branch=" + std::string{text(branches.next(seal))} +
        "\r\n";
    const auto again = line + via + rest;
    auto message = *sip::index(std::string_view{again}, index);
    EXPECT_TRUE(Branches::looped(message, branches.loop_seal(message)));
    const auto elsewhere = "INVITE sip:c@b.example SIP/2.0\r\n" + via + rest;
    message = *sip::index(std::string_view{elsewhere}, index);
    EXPECT_FALSE(Branches::looped(message, branches.loop_seal(message)));
}

TEST(FlowToken, BringsBackItsWireWithinItsDialog) {
    const Seal seal{secret, 1};
    auto datagram = stream();
    datagram.transport = sip::Transport::Udp;
    for (const auto& wire : {stream(), datagram}) {
        std::string token;
        seal.append_flow(token, &wire, 9, "call");
        EXPECT_LE(token.size(), Seal::longest);
        const auto flow = seal.open_flow(token, "call");
        ASSERT_TRUE(flow && flow->wire);
        EXPECT_EQ(flow->place, 9);
        EXPECT_EQ(flow->wire->connection, 17U);
        EXPECT_EQ(flow->wire->shard, 3);
        EXPECT_EQ(flow->wire->transport, wire.transport);
        EXPECT_FALSE(flow->earlier_start);
        EXPECT_FALSE(seal.open_flow(token, "another call"));
        EXPECT_FALSE((Seal{std::string(32, 't'), 1}.open_flow(token, "call")));
        for (std::size_t i = 0; i < token.size(); ++i) {
            auto changed = token;
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            EXPECT_FALSE(seal.open_flow(changed, "call")) << i;
            EXPECT_FALSE(seal.open_flow(token.substr(0, i), "call")) << i;
        }
    }
}

TEST(FlowToken, OfAnEarlierStartLeadsNowhere) {
    std::string token;
    const auto wire = stream();
    Seal{secret, 1}.append_flow(token, &wire, 0, "call");
    EXPECT_TRUE((Seal{secret, 2}.open_flow(token, "call")->earlier_start));
}

TEST(BindingBytes, AreReadAsTheyWereWritten) {
    Binding b;
    b.uri = "sip:bob@192.0.2.7:40000";
    b.params = ";methods=\"INVITE\"";
    b.call_id = "c";
    b.instance = "<urn:uuid:1>";
    b.path = "<sip:edge;lr>";
    b.cseq = 7;
    b.reg_id = 2;
    b.q = 300;
    b.over_wire = true;
    b.boot = 0x1234'5678'9abc'def0;
    b.updated_ns = -5;
    b.since_ns = -7;
    b.wire = stream();
    std::string data;
    encode(b, data);
    const auto read = decode(data);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->uri, b.uri);
    EXPECT_EQ(read->params, b.params);
    EXPECT_EQ(read->path, b.path);
    EXPECT_EQ(read->instance, b.instance);
    EXPECT_EQ(read->wire, b.wire);
    EXPECT_EQ(read->boot, b.boot);
    EXPECT_EQ(read->since_ns, -7);
    EXPECT_EQ(read->q, 300);
    EXPECT_TRUE(read->over_wire);
    EXPECT_FALSE(read->direct);
    for (std::size_t n = 0; n < data.size(); ++n) {
        EXPECT_FALSE(decode(std::string_view{data}.substr(0, n))) << n;
    }
    data[0] = 3; // a version of later
    EXPECT_FALSE(decode(data));
    data[0] = 1; // an earlier one, which had no since
    data.erase(28, 8);
    const auto earlier = decode(data);
    ASSERT_TRUE(earlier);
    EXPECT_EQ(earlier->since_ns, -5);
    EXPECT_EQ(earlier->path, b.path);
}

} // namespace
} // namespace cw::server
