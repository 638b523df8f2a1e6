#include "flow/boxes.hpp"

#include <gtest/gtest.h>

#include "flow/box_names.hpp"
#include "flow/promises.hpp"

namespace cw::flow {
namespace {

Endpoint at(std::string_view text) {
    return parse_endpoint(text, 0).value();
}

struct Maker {
    Call call;
    Maker() {
        call.legs.push_back({.call_id = {},
                             .from = text("sip:alice@a.example"),
                             .to = text("sip:bob@b.example"),
                             .from_name = {},
                             .to_name = {},
                             .start = {},
                             .end = {}});
    }
    Text text(std::string_view s) { return call.pool.add(s); }
    Message& request(std::string_view from, std::string_view to, std::string_view sent_by = {}) {
        Message m;
        m.time = Instant{static_cast<std::int64_t>(call.messages.size() + 1)};
        m.source = at(from);
        m.destination = at(to);
        m.method = m.cseq_method = sip::Method::Invite;
        m.method_text = text("INVITE");
        m.request_uri = text("sip:bob@b.example");
        m.vias = 1;
        if (!sent_by.empty()) {
            m.sent_by = at(sent_by);
        }
        call.messages.push_back(m);
        return call.messages.back();
    }
    Message& response(std::string_view from, std::string_view to, std::uint16_t status) {
        auto& m = request(from, to);
        m.method = sip::Method::None;
        m.status = status;
        m.request_uri = {};
        return m;
    }
};

TEST(Boxes, OneAddressIsOneBox) {
    Maker made;
    made.request("192.0.2.1:40001", "192.0.2.9:5061");
    made.request("192.0.2.1:40002", "192.0.2.9:5062");
    made.response("192.0.2.9:5062", "192.0.2.1:40002", 200);
    const Boxes boxes{made.call};
    ASSERT_EQ(boxes.all().size(), 2U);
    EXPECT_EQ(boxes.of(at("192.0.2.1:40001")), boxes.of(at("192.0.2.1:40002")));
    EXPECT_EQ(boxes.of(at("192.0.2.1:9999")), 0); // media ports, too
    EXPECT_EQ(boxes.of(at("192.0.2.77:1")), no_box);
    EXPECT_FALSE(boxes.all()[0].show_port);
}

TEST(Boxes, AnAddressThatTalksToItselfIsSplitBySentBy) {
    Maker made;
    made.request("127.0.0.1:50001", "127.0.0.1:5061", "127.0.0.1:5071");
    made.request("127.0.0.1:50002", "127.0.0.1:5061", "127.0.0.1:5071");
    made.request("127.0.0.1:50003", "127.0.0.1:5072", "127.0.0.1:5061");
    const Boxes boxes{made.call};
    EXPECT_EQ(boxes.all().size(), 3U);
    EXPECT_EQ(boxes.of(at("127.0.0.1:50001")), boxes.of(at("127.0.0.1:50002")));
    EXPECT_EQ(boxes.of(at("127.0.0.1:50001")), boxes.of(at("127.0.0.1:5071")));
    EXPECT_EQ(boxes.of(at("127.0.0.1:50003")), boxes.of(at("127.0.0.1:5061")));
    EXPECT_NE(boxes.of(at("127.0.0.1:5061")), boxes.of(at("127.0.0.1:5071")));
    EXPECT_TRUE(boxes.all()[0].show_port);
    EXPECT_EQ(boxes.all()[0].at, at("127.0.0.1:5071"));
}

TEST(Boxes, AContactTiesItsFirstSenderOnly) {
    Maker made;
    // Without sent-by in the Via's address form, the Contact tells that 50001 and 5071 are one.
    made.request("127.0.0.1:50001", "127.0.0.1:5061").contact =
        made.text("sip:alice@127.0.0.1:5071;transport=tls");
    auto& forwarded = made.request("127.0.0.1:50003", "127.0.0.1:5072", "127.0.0.1:5061");
    forwarded.vias = 2;
    forwarded.contact = made.text("sip:alice@127.0.0.1:5071;transport=tls");
    made.request("127.0.0.1:5061", "127.0.0.1:5071", "127.0.0.1:5061");
    const Boxes boxes{made.call};
    EXPECT_EQ(boxes.of(at("127.0.0.1:50001")), boxes.of(at("127.0.0.1:5071")));
    EXPECT_NE(boxes.of(at("127.0.0.1:50003")), boxes.of(at("127.0.0.1:5071")));
    EXPECT_EQ(boxes.all().size(), 3U);
}

TEST(Boxes, HostsBehindOneAddressAreToldApartByTheirVia) {
    Maker made; // two phones and a server, all seen at the address of a NAT
    made.request("10.9.0.1:44608", "10.9.0.1:5061", "10.9.0.3:15071");
    made.request("10.9.0.1:44618", "10.9.0.1:5061", "10.9.0.2:15061");
    made.call.streams.push_back({});
    made.call.streams[0].source = at("10.9.0.2:30000");
    made.call.streams[0].destination = at("10.9.0.3:30002");
    made.call.media_lines.push_back({});
    made.call.media_lines[0].receive = at("10.9.0.2:30000");
    made.call.messages[1].media_count = 1;
    const Boxes boxes{made.call};
    EXPECT_NE(boxes.of(at("10.9.0.1:44608")), boxes.of(at("10.9.0.1:44618")));
    EXPECT_EQ(boxes.of(at("10.9.0.2:30000")), boxes.of(at("10.9.0.1:44618")));
}

TEST(Boxes, ManyUnreadableClientsOfOneServerShareABoxAFewDoNot) {
    Maker made;
    const auto connect = [&](int port) {
        Connection c;
        c.client = at("127.0.0.1:" + std::to_string(port));
        c.server = at("127.0.0.1:443");
        made.call.connections.push_back(c);
    };
    for (int port = 49152; port < 49160; ++port) {
        connect(port);
    }
    EXPECT_EQ(Boxes{made.call}.all().size(), 9U);
    connect(49160);
    const Boxes boxes{made.call};
    EXPECT_EQ(boxes.all().size(), 2U);
    EXPECT_EQ(boxes.of(at("127.0.0.1:49152")), boxes.of(at("127.0.0.1:49160")));
    EXPECT_NE(boxes.of(at("127.0.0.1:49152")), boxes.of(at("127.0.0.1:443")));
}

TEST(Boxes, TheSamePrivateAddressInTwoNetworksIsTwoBoxes) {
    Maker made;
    made.request("203.0.113.1:1024", "198.51.100.1:5060", "192.168.1.10:5060");
    made.request("203.0.113.2:1024", "198.51.100.1:5060", "192.168.1.10:5060");
    const Boxes boxes{made.call};
    EXPECT_NE(boxes.of(at("203.0.113.1:1024")), boxes.of(at("203.0.113.2:1024")));
}

TEST(Boxes, BothSidesOfANatAreOneBoxWhenTheyDoNotTalkToEachOther) {
    Maker made;
    made.request("192.168.1.10:5060", "198.51.100.1:5060", "192.168.1.10:5060");
    made.request("203.0.113.1:1024", "198.51.100.1:5060", "192.168.1.10:5060");
    const Boxes boxes{made.call};
    EXPECT_EQ(boxes.all().size(), 2U);
}

TEST(Boxes, MediaOfAnotherAddressBelongsToWhoPromisedIt) {
    Maker made;
    auto& invite = made.request("192.0.2.1:5060", "192.0.2.9:5060");
    invite.media_count = 1;
    invite.branch = 7;
    made.call.media_lines.push_back({});
    made.call.media_lines[0].receive = at("192.0.2.2:4000");
    auto& ok = made.response("192.0.2.9:5060", "192.0.2.1:5060", 200);
    ok.media_begin = 1;
    ok.media_count = 1;
    ok.branch = 7;
    made.call.media_lines.push_back({});
    made.call.media_lines[1].receive = at("192.0.2.9:6000");
    made.call.streams.push_back({});
    made.call.streams[0].source = at("203.0.113.77:1234"); // latched: not what the answer says
    made.call.streams[0].destination = at("192.0.2.2:4000");
    const Boxes boxes{made.call};
    EXPECT_EQ(boxes.of(at("192.0.2.2:4000")), 0);
    EXPECT_EQ(boxes.of(at("203.0.113.77:1234")), 1);
    EXPECT_EQ(boxes.all().size(), 2U);
}

TEST(BoxNames, EndsAreNamedByFromAndToServersByTls) {
    Maker made;
    made.request("192.0.2.1:40001", "192.0.2.9:5061");
    auto& second = made.request("192.0.2.9:40002", "192.0.2.20:5061");
    second.vias = 2;
    made.response("192.0.2.20:5061", "192.0.2.9:40002", 180).contact =
        made.text("sip:bob@192.0.2.20:5061");
    Connection c;
    c.client = at("192.0.2.1:40001");
    c.server = at("192.0.2.9:5061");
    c.sni = "edge.example";
    made.call.connections.push_back(c);
    const Boxes boxes{made.call};
    ASSERT_EQ(boxes.all().size(), 3U);
    EXPECT_EQ(boxes.all()[0].name, "alice");
    EXPECT_TRUE(boxes.all()[0].user_agent);
    EXPECT_EQ(boxes.all()[1].name, "edge.example");
    EXPECT_FALSE(boxes.all()[1].user_agent);
    EXPECT_EQ(boxes.all()[2].name, "bob");
}

TEST(BoxNames, AProxyWhoseOtherSideIsNotCapturedIsNotTheCallee) {
    Maker made;
    made.request("192.0.2.1:5060", "192.0.2.9:5060");
    made.response("192.0.2.9:5060", "192.0.2.1:5060", 180).contact =
        made.text("sip:bob@198.51.100.4");
    const Boxes boxes{made.call};
    EXPECT_EQ(boxes.all()[1].name, "");
    EXPECT_FALSE(boxes.all()[1].user_agent);
}

TEST(BoxNames, AForwardedRequestDoesNotMakeItsSenderTheCaller) {
    Maker made;
    made.request("192.0.2.1:5060", "192.0.2.9:5060").vias = 3;
    const Boxes boxes{made.call};
    EXPECT_EQ(boxes.all()[0].name, "");
}

TEST(BoxNames, GivenNamesWin) {
    Maker made;
    made.request("192.0.2.1:5060", "192.0.2.9:5060");
    const std::vector<std::pair<IpAddress, std::string>> names{
        {at("192.0.2.9:0").address, "pbx.lab"}};
    EXPECT_EQ(Boxes(made.call, names).all()[1].name, "pbx.lab");
}

TEST(BoxNames, PartsOfUrisAreFound) {
    EXPECT_EQ(user_of("sip:alice:secret@example.com:5070"), "alice");
    EXPECT_EQ(user_of("sip:example.com"), "");
    EXPECT_EQ(user_of("tel:+15550100;x=y"), "+15550100");
    EXPECT_EQ(host_of("sips:alice@example.com:5070;transport=tls"), "example.com");
    EXPECT_EQ(host_of("sip:[2001:db8::1]:5060"), "[2001:db8::1]");
    EXPECT_EQ(host_of("sip:[2001:db8::1"), "");
    EXPECT_EQ(host_of(""), "");
}

TEST(Promises, AnOfferAndItsAnswerPromiseBothWays) {
    Maker made;
    auto& invite = made.request("192.0.2.1:5060", "192.0.2.9:5060");
    invite.media_count = 1;
    invite.branch = 7;
    auto& ok = made.response("192.0.2.9:5060", "192.0.2.1:5060", 200);
    ok.media_begin = 1;
    ok.media_count = 1;
    ok.branch = 7;
    made.call.media_lines.resize(2);
    made.call.media_lines[0].receive = at("192.0.2.1:4000");
    made.call.media_lines[1].receive = at("192.0.2.9:6000");
    made.call.media_lines[1].direction = 'r';
    const auto promises = promises_of(made.call);
    ASSERT_EQ(promises.size(), 1U);
    EXPECT_EQ(promises[0].offerer, at("192.0.2.1:4000"));
    EXPECT_TRUE(promises[0].to_answerer);
    EXPECT_FALSE(promises[0].to_offerer); // the answerer only receives
    made.call.media_lines[1].receive.port = 0;
    EXPECT_TRUE(promises_of(made.call).empty()); // refused
}

TEST(Promises, AnAnswerInTheAckBelongsToTheOfferInTheResponse) {
    Maker made;
    made.request("192.0.2.1:5060", "192.0.2.9:5060").branch = 7;
    auto& ok = made.response("192.0.2.9:5060", "192.0.2.1:5060", 200);
    ok.media_count = 1;
    ok.branch = 7;
    auto& ack = made.request("192.0.2.1:5060", "192.0.2.9:5060");
    ack.method = sip::Method::Ack;
    ack.branch = 8;
    ack.media_begin = 1;
    ack.media_count = 1;
    made.call.media_lines.resize(2);
    made.call.media_lines[0].receive = at("192.0.2.9:6000");
    made.call.media_lines[1].receive = at("192.0.2.1:4000");
    const auto promises = promises_of(made.call);
    ASSERT_EQ(promises.size(), 1U);
    EXPECT_EQ(promises[0].offerer, at("192.0.2.9:6000"));
}

} // namespace
} // namespace cw::flow
