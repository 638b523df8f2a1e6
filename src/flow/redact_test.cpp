#include "flow/redact.hpp"

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

TEST(Redact, TheSameThingGetsTheSameStandInWhereverItComesBack) {
    Redactor redactor;
    EXPECT_EQ(redactor.uri("sip:+4930123456@biloxi.example:5061;user=phone"),
              "sip:00000000001@host1.example:5061");
    EXPECT_EQ(redactor.uri("sips:alice@192.0.2.77"), "sips:user2@192.0.2.1");
    EXPECT_EQ(redactor.uri("sip:+4930123456@biloxi.example"), "sip:00000000001@host1.example");
    EXPECT_EQ(redactor.uri("tel:+4930123456;phone-context=x"), "tel:00000000001");
    EXPECT_EQ(redactor.uri("sip:anonymous@anonymous.invalid"), "sip:anonymous@host2.example");
    EXPECT_EQ(redactor.uri("alice at home"), "sip:redacted.invalid");
    EXPECT_EQ(redactor.uri(""), "");
}

TEST(Redact, AddressesAreOfTheRangesForDocumentation) {
    Redactor redactor;
    const auto masked = [&](std::string_view text) {
        return to_string(redactor.address(*IpAddress::parse(text)));
    };
    EXPECT_EQ(masked("10.1.2.3"), "192.0.2.1");
    EXPECT_EQ(masked("2a02:1::5"), "2001:db8::2");
    EXPECT_EQ(masked("10.1.2.3"), "192.0.2.1");
    EXPECT_EQ(masked("127.0.0.1"), "127.0.0.1");
    EXPECT_EQ(masked("0.0.0.0"), "0.0.0.0");
    for (int i = 0; i < 300; ++i) {
        const std::array<std::uint8_t, 4> octets{10, 2, static_cast<std::uint8_t>(i / 256),
                                                 static_cast<std::uint8_t>(i)};
        redactor.address(IpAddress::v4(octets.data()));
    }
    EXPECT_EQ(masked("10.3.0.1"), "198.18.1.47");
}

TEST(Redact, WordsKeepTheirSenseAndLoseTheirNumbers) {
    EXPECT_EQ(Redactor::words("Busy at 4930123456 now"), "Busy at xxxx now");
    EXPECT_EQ(Redactor::words("Not Found"), "Not Found");
    EXPECT_EQ(Redactor::words("ask bob@example.com"), "ask xxxx");
}

TEST(Redact, NothingOfTheOldTextsIsLeftInACall) {
    Call call;
    const auto text = [&](std::string_view s) { return call.pool.add(s); };
    Leg leg;
    leg.call_id = text("secret-call@10.9.8.7");
    leg.from = text("sip:alice.secret@secret.example");
    leg.to = text("sip:+49301234567@secret.example");
    leg.from_name = text("Alice Secret");
    call.legs.push_back(leg);
    call.from = leg.from;
    call.to = leg.to;
    call.from_name = leg.from_name;
    Message m;
    m.method = m.cseq_method = sip::Method::Invite;
    m.method_text = TextPool::of(sip::Method::Invite);
    m.source = *parse_endpoint("10.9.8.7:5060", 0);
    m.destination = *parse_endpoint("10.9.8.6:5060", 0);
    m.request_uri = text("sip:+49301234567@10.9.8.6;secret=1");
    m.contact = text("<sip:alice.secret@10.9.8.7>");
    m.note = text("Replaces: secret-call@10.9.8.7;to-tag=1");
    m.reason = text("secret@there");
    call.messages.push_back(m);
    m.note = text("DTMF 5");
    m.sent_by = m.source;
    call.messages.push_back(m);
    call.joins.push_back({0, 0, 100, text("same Session-ID 0123secret")});
    MediaLine line;
    line.receive = *parse_endpoint("10.9.8.7:20000", 0);
    line.codecs = text("PCMU");
    call.media_lines.push_back(line);
    Connection connection;
    connection.client = m.source;
    connection.server = m.destination;
    connection.version = "TLSv1.3";
    connection.sni = "sip.secret.example";
    connection.reason = "no key for client random 5ec2e7";
    connection.server_chain.push_back(
        {"CN=secret", "CN=secret CA", {"DNS:sip.secret.example"}, {}, {}, "EC", 256, {}});
    call.connections.push_back(connection);

    Redactor redactor;
    const auto shared = redactor.call(call);
    EXPECT_EQ(shared.pool.bytes().find("secret"), std::string_view::npos);
    EXPECT_EQ(shared.pool.bytes().find("Secret"), std::string_view::npos);
    EXPECT_EQ(shared.pool.bytes().find("10.9.8"), std::string_view::npos);
    EXPECT_EQ(shared.pool.bytes().find("301234567"), std::string_view::npos);
    EXPECT_EQ(shared.text(shared.messages[0].method_text), "INVITE");
    EXPECT_EQ(shared.text(shared.messages[0].request_uri), "sip:000000000002@192.0.2.2");
    EXPECT_EQ(shared.text(shared.messages[0].note), "Replaces: …");
    EXPECT_EQ(shared.text(shared.messages[1].note), "DTMF x");
    EXPECT_EQ(shared.text(shared.joins[0].evidence), "same Session-ID");
    EXPECT_EQ(shared.text(shared.media_lines[0].codecs), "PCMU");
    EXPECT_EQ(to_string(shared.media_lines[0].receive), "192.0.2.1:20000");
    EXPECT_EQ(shared.messages[0].source, shared.connections[0].client);
    const auto& c = shared.connections[0];
    EXPECT_EQ(c.sni, "host2.example");
    EXPECT_EQ(c.server_chain[0].names[0], "DNS:host2.example");
    EXPECT_EQ(c.server_chain[0].subject.find("secret"), std::string::npos);
    EXPECT_EQ(c.reason, "no key for client random");
    EXPECT_EQ(shared.security.weakest.find("10.9.8"), std::string::npos);
}

} // namespace
} // namespace cw::flow
