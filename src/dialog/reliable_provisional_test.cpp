#include "dialog/reliable_provisional.hpp"

#include "dialog/test_message.hpp"

namespace cw::dialog {
namespace {

using test::Message;
using test::start;

TEST(Reliability, IsWhatBothSidesCan) {
    struct Case {
        const char* header;
        Reliability own;
        std::uint16_t refusal;
        bool reliable; // when wanted
        bool must;     // even when not
    };
    const Case cases[] = {
        {"", Reliability::Unsupported, 0, false, false},
        {"", Reliability::Supported, 0, false, false},
        {"", Reliability::Required, 421, false, false},
        {"Supported: 100rel\n", Reliability::Unsupported, 0, false, false},
        {"Supported: timer, 100rel\n", Reliability::Supported, 0, true, false},
        {"Supported: 100rel\n", Reliability::Required, 0, true, true},
        {"Require: 100rel\n", Reliability::Unsupported, 420, false, false},
        {"Require: 100rel\n", Reliability::Supported, 0, true, true},
    };
    for (const auto& c : cases) {
        const Message invite{test::invite_text(c.header)};
        EXPECT_EQ(refusal_of_reliability(*invite, c.own), c.refusal) << c.header;
        EXPECT_EQ(sends_reliably(*invite, 180, c.own, true), c.reliable) << c.header;
        EXPECT_EQ(sends_reliably(*invite, 180, c.own, false), c.must) << c.header;
        EXPECT_FALSE(sends_reliably(*invite, 100, c.own, true)); // "MUST NOT" [RFC 3262 §3]
        EXPECT_FALSE(sends_reliably(*invite, 200, c.own, true));
    }
}

sip::RAck rack(std::uint32_t rseq, std::uint32_t cseq = 7) {
    return {rseq, {cseq, sip::Method::Invite, "INVITE"}};
}

TEST(ReliableSender, SendsAgainEverLaterUntil64T1) {
    ReliableSender sender{.invite_cseq = 7};
    EXPECT_TRUE(sender.send("180", sender.next_rseq(10), false, start));
    std::vector<std::int64_t> times;
    auto due = Retransmission::Due::Nothing;
    while (sender.retransmission.active()) {
        const auto now = sender.retransmission.next_deadline();
        due = sender.retransmission.advance(now);
        times.push_back((now - start).ns / 1'000'000);
    }
    // Doubling without the cap at T2, unlike a 2xx [RFC 3262 §3].
    EXPECT_EQ(times, (std::vector<std::int64_t>{500, 1500, 3500, 7500, 15'500, 31'500, 32'000}));
    EXPECT_EQ(due, Retransmission::Due::GiveUp);
}

TEST(Retransmission, OfA2xxStopsAtT2) {
    Retransmission r;
    r.start("200", true, start);
    std::vector<std::int64_t> times;
    while (r.active()) {
        const auto now = r.next_deadline();
        EXPECT_EQ(r.advance(now - Duration{1}), Retransmission::Due::Nothing);
        r.advance(now);
        times.push_back((now - start).ns / 1'000'000);
    }
    EXPECT_EQ(times, (std::vector<std::int64_t>{500, 1500, 3500, 7500, 11'500, 15'500, 19'500,
                                                23'500, 27'500, 31'500, 32'000}));
}

TEST(ReliableSender, SendsOneAtATimeAndNumbersThemInARow) {
    ReliableSender sender{.invite_cseq = 7};
    EXPECT_TRUE(sender.send("183", sender.next_rseq(10), true, start));
    EXPECT_FALSE(sender.send("180", sender.next_rseq(99), false, start));
    EXPECT_EQ(sender.rseq, 11U);
    EXPECT_TRUE(sender.holds_back_2xx());
    EXPECT_FALSE(sender.acknowledge(rack(11)));
    EXPECT_FALSE(sender.acknowledge(rack(10, 8)));
    EXPECT_FALSE(sender.acknowledge({10, {7, sip::Method::Update, "UPDATE"}}));
    EXPECT_TRUE(sender.acknowledge(rack(10)));
    EXPECT_FALSE(sender.acknowledge(rack(10)));
    EXPECT_EQ(sender.take_next(start), "180");
    EXPECT_FALSE(sender.holds_back_2xx()); // it has no description
    sender.finish();
    EXPECT_TRUE(sender.idle());
    EXPECT_TRUE(sender.acknowledge(rack(11))); // also after the final response [RFC 3262 §3]
}

TEST(ReliableReceiver, TakesThemInOrderAndOnce) {
    using Receipt = ReliableReceiver::Receipt;
    ReliableReceiver receiver;
    const auto take = [&](int status, const std::string& headers) {
        const Message response{test::response_text(status, headers)};
        return receiver.on_response(*response);
    };
    EXPECT_EQ(take(180, ""), Receipt::Unreliable);
    EXPECT_EQ(take(180, "RSeq: 5\n"), Receipt::Unreliable); // without Require it is not
    EXPECT_EQ(take(100, "Require: 100rel\nRSeq: 5\n"), Receipt::Unreliable);
    EXPECT_EQ(take(183, "Require: 100rel\nRSeq: 50\n"), Receipt::New);
    EXPECT_EQ(receiver.rack(), "50 7 INVITE");
    EXPECT_EQ(take(183, "Require: 100rel\nRSeq: 50\n"), Receipt::Retransmission);
    EXPECT_EQ(take(180, "Require: 100rel\nRSeq: 52\n"), Receipt::OutOfOrder);
    EXPECT_EQ(take(180, "Require: 100rel\nRSeq: 51\n"), Receipt::New);
    EXPECT_EQ(take(180, "Require: 100rel\nRSeq: 4294967296\n"), Receipt::Unreliable);
}

} // namespace
} // namespace cw::dialog
