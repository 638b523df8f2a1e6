#include "flow/call_record.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

std::string_view alert_name(std::uint8_t number) {
    return number == 48 ? "unknown_ca" : "unknown";
}

Call made() {
    Call call;
    call.id = 7;
    call.kind = Kind::Call;
    call.state = State::Busy;
    call.from = call.pool.add("sip:alice@example.com");
    call.start = Instant{1'700'000'000'000'000'000};
    call.duration_s = 12.5;
    call.final_status = 486;
    call.legs.resize(2);
    call.legs[0].call_id = call.pool.add("a84b4c");
    call.legs[0].from = call.from;
    call.legs[1].call_id = call.pool.add("b2b");
    call.joins.push_back({0, 1, 90, call.pool.add("same Session-ID")});
    for (std::uint32_t i = 0; i < 3; ++i) {
        auto& m = call.messages.emplace_back();
        m.time = call.start + milliseconds(i);
        m.frame = i + 1;
        m.method = m.cseq_method = sip::Method::Invite;
        m.method_text = TextPool::of(sip::Method::Invite);
        m.source = parse_endpoint("192.0.2.1:5061", 0).value_or(Endpoint{});
        m.destination = parse_endpoint("[2001:db8::1]:5061", 0).value_or(Endpoint{});
        m.transport = Transport::Tls;
        m.leg = i == 2;
        m.facts = call.pool.add(std::string_view{"\0\1facts", 7});
        m.retransmission_of = i == 1 ? 0 : none;
        m.branch = 0xdead'beef'0000'0000 + i;
    }
    call.media_lines.emplace_back().codecs = call.pool.add("PCMU");
    call.media_lines.back().ice = true;
    call.media_lines.back().event_type = 101;
    call.messages[0].media_count = 1;
    auto& stream = call.streams.emplace_back();
    stream.ssrc = 0x1a2b3c4d;
    stream.lost = -3;
    stream.mos = 4.4;
    stream.opening.opened = 221;
    stream.opening.by = KeyExchange::Sdes;
    stream.suite = call.pool.add("AES_CM_128_HMAC_SHA1_80");
    stream.dtmf.push_back({call.start, '#', 120, false});
    stream.stray_events = 8;
    stream.stray_type = 96;
    auto& connection = call.connections.emplace_back();
    connection.version = "TLSv1.3";
    auto& certificate = connection.server_chain.emplace_back();
    certificate.names = {"DNS:example.com"};
    certificate.key = "RSA";
    certificate.key_bits = 1024;
    certificate.signature = "sha1WithRSAEncryption";
    connection.stray = {.bytes = 17, .frame = 3, .from_client = true};
    auto& alert = connection.alerts.emplace_back();
    alert.fatal = true;
    alert.number = 48;
    alert.name = "unknown_ca";
    connection.lost.push_back({call.start, 40, true});
    connection.handshake.push_back({call.start, true, "ClientHello", "TLS 1.3"});
    call.security.signalling = Protection::Secure;
    call.security.media = Protection::Mixed;
    call.security.weakest = "the last hop";
    call.security.hops.emplace_back().notes = {"3DES"};
    call.security.media_by = "SRTP";
    auto& finding = call.findings.emplace_back();
    finding.rule = "D01";
    finding.severity = "error";
    finding.messages = {0, 2};
    auto& after = call.findings.emplace_back();
    after.rule = "D02";
    after.cause = 0;
    return call;
}

std::string record_of(const Call& call) {
    std::string out;
    append_record(call, out);
    return out;
}

TEST(CallRecord, ComesBackAsItWas) {
    const auto call = made();
    const auto record = record_of(call);
    Call back;
    ASSERT_TRUE(read_record(record, back, alert_name));
    EXPECT_EQ(back.id, 7U);
    EXPECT_EQ(back.state, State::Busy);
    EXPECT_EQ(back.text(back.from), "sip:alice@example.com");
    EXPECT_EQ(back.duration_s, 12.5);
    ASSERT_EQ(back.messages.size(), 3U);
    EXPECT_EQ(back.messages[1].retransmission_of, 0U);
    EXPECT_EQ(back.messages[2].retransmission_of, none);
    EXPECT_EQ(back.messages[2].branch, call.messages[2].branch);
    EXPECT_EQ(back.text(back.messages[0].method_text), "INVITE");
    EXPECT_EQ(back.text(back.messages[0].facts), (std::string_view{"\0\1facts", 7}));
    EXPECT_EQ(back.messages[0].destination, call.messages[0].destination);
    EXPECT_EQ(back.text(back.media_lines[0].codecs), "PCMU");
    EXPECT_TRUE(back.media_lines[0].ice);
    EXPECT_EQ(back.media_lines[0].event_type, 101);
    EXPECT_EQ(back.streams[0].lost, -3);
    EXPECT_EQ(back.streams[0].opening.opened, 221U);
    EXPECT_EQ(back.streams[0].opening.by, KeyExchange::Sdes);
    EXPECT_EQ(back.text(back.streams[0].suite), "AES_CM_128_HMAC_SHA1_80");
    EXPECT_EQ(back.streams[0].dtmf[0].digit, '#');
    EXPECT_FALSE(back.streams[0].dtmf[0].ended);
    EXPECT_EQ(back.streams[0].stray_events, 8U);
    EXPECT_EQ(back.streams[0].stray_type, 96);
    EXPECT_EQ(back.connections[0].alerts[0].name, "unknown_ca");
    EXPECT_EQ(back.connections[0].server_chain[0].names, call.connections[0].server_chain[0].names);
    EXPECT_EQ(back.connections[0].server_chain[0].key_bits, 1024);
    EXPECT_EQ(back.connections[0].server_chain[0].signature, "sha1WithRSAEncryption");
    EXPECT_EQ(back.connections[0].stray.bytes, 17U);
    EXPECT_EQ(back.security.weakest, "the last hop");
    ASSERT_EQ(back.security.hops.size(), 1U);
    EXPECT_EQ(back.security.hops[0].notes, call.security.hops[0].notes);
    EXPECT_EQ(back.security.media_by, "SRTP");
    EXPECT_EQ(back.findings[0].messages, call.findings[0].messages);
    EXPECT_EQ(back.findings[0].severity, "error");
    EXPECT_FALSE(back.findings[0].title.empty()) << "it is the rule's";
    EXPECT_EQ(back.findings[1].cause, 0U);
    // Written again it is the same but for the texts that were in no pool.
    Call twice;
    ASSERT_TRUE(read_record(record_of(back), twice, alert_name));
    EXPECT_EQ(twice.text(twice.messages[0].method_text), "INVITE");
}

// A field that is added to one of these belongs into call_record.cpp, at the end of its structure.
TEST(CallRecord, HoldsEveryField) {
    EXPECT_EQ(sizeof(Message), 216U);
    EXPECT_EQ(sizeof(MediaLine), 72U);
    EXPECT_EQ(sizeof(MediaStream), 296U);
    EXPECT_EQ(sizeof(Connection), 576U);
    EXPECT_EQ(sizeof(Finding), 184U);
    EXPECT_EQ(sizeof(Call), 552U);
}

TEST(CallRecord, OfAnotherVersionIsReadAsFarAsItIsKnown) {
    const auto record = record_of(made());
    Call back;
    // Fields behind the last one that is known: the whole is one structure, which becomes longer.
    auto longer = record + "later";
    const auto place = 4 + 4 + made().pool.bytes().size();
    const auto size = static_cast<std::uint32_t>(longer.size() - place - 4);
    for (int i = 0; i < 4; ++i) {
        longer[place + static_cast<std::size_t>(i)] = static_cast<char>(size >> (24 - 8 * i));
    }
    ASSERT_TRUE(read_record(longer, back, alert_name));
    EXPECT_EQ(back.findings.size(), 2U);
}

TEST(CallRecord, CutShortOrAlteredItIsRefusedOrSound) {
    const auto record = record_of(made());
    Call back;
    for (std::size_t size = 0; size < record.size(); ++size) {
        EXPECT_FALSE(read_record(record.substr(0, size), back, alert_name)) << size;
        EXPECT_TRUE(back.messages.empty());
    }
    std::mt19937 random{7};
    for (int i = 0; i < 20'000; ++i) {
        auto altered = record;
        for (auto n = random() % 3 + 1; n > 0; --n) {
            altered[random() % altered.size()] = static_cast<char>(random());
        }
        if (!read_record(altered, back, alert_name)) {
            continue;
        }
        for (const auto& m : back.messages) {
            EXPECT_LT(m.leg, back.legs.size());
            EXPECT_LE(back.text(m.note).size(), altered.size());
            EXPECT_LE(m.media_begin + m.media_count, back.media_lines.size());
        }
    }
}

} // namespace
} // namespace cw::flow
