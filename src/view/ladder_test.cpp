#include "view/ladder.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "view/test_calls.hpp"

namespace cw::view {
namespace {

std::vector<Row> rows_of(const Ladder& ladder, RowKind kind) {
    std::vector<Row> found;
    std::ranges::copy_if(ladder.rows, std::back_inserter(found),
                         [&](const Row& row) { return row.kind == kind; });
    return found;
}

std::vector<std::string> names_of(const Ladder& ladder) {
    std::vector<std::string> names;
    for (const auto& column : ladder.columns) {
        names.push_back(column.name);
    }
    return names;
}

TEST(Layout, ColumnsAreBoxesWithTheNamesThatTheCallKnows) {
    EXPECT_EQ(
        names_of(layout(made::dropped_call())),
        (std::vector<std::string>{"Alice", "edge.atlanta.example", "sbc.biloxi.example", "Bob"}));
}

TEST(Layout, RetransmissionsFoldIntoOneRow) {
    const auto ladder = layout(made::dropped_call());
    const auto folds = rows_of(ladder, RowKind::Retransmissions);
    ASSERT_EQ(folds.size(), 1U);
    EXPECT_EQ(folds[0].count, 10U);
    EXPECT_EQ(folds[0].delta, milliseconds(31'502)); // from the first 200 OK to the last
    EXPECT_EQ(folds[0].label, "200 OK");
    EXPECT_EQ(folds[0].badge, "D01");
    // The messages behind it keep their numbers.
    EXPECT_EQ(rows_of(ladder, RowKind::Message).back().number, 21U);
}

TEST(Layout, RetransmissionsAreMessagesWhenNotFolded) {
    const auto ladder = layout(made::dropped_call(), {.fold_retransmissions = false});
    EXPECT_TRUE(rows_of(ladder, RowKind::Retransmissions).empty());
    EXPECT_EQ(rows_of(ladder, RowKind::Message).size(), 21U);
}

TEST(Layout, MediaThatWasPromisedAndNeverCameIsNamed) {
    const auto ladder = layout(made::dropped_call());
    const auto absent = rows_of(ladder, RowKind::NoMedia);
    ASSERT_EQ(absent.size(), 1U);
    EXPECT_EQ(absent[0].label, "no SRTP");
    EXPECT_TRUE(absent[0].toward_left);
    EXPECT_TRUE(rows_of(layout(made::good_call()), RowKind::NoMedia).empty());
}

constexpr std::string_view phone = "192.0.2.1:5060";
constexpr std::string_view gateway = "192.0.2.9:5060";

TEST(Layout, AFaxIsNotCalledRtpNorAwaitedAsRtp) {
    made::CallMaker made{flow::Kind::Call, "sip:alice@example.com", "sip:fax@example.com"};
    made.request(0, phone, gateway, "INVITE");
    made.media("192.0.2.1:4000", false);
    made.response(50, gateway, phone, 200, "OK");
    made.media("192.0.2.9:5000", false);
    made.stream(100, 2000, "192.0.2.9:5000", "192.0.2.1:4000", false);
    made.stream(100, 2000, "192.0.2.1:4000", "192.0.2.9:5000", false);
    made.request(2000, gateway, phone, "INVITE").to_tag = true;
    made.media("192.0.2.9:5000", false);
    made.call().media_lines.back().profile = made.text("udptl");
    made.response(2050, phone, gateway, 200, "OK");
    made.media("192.0.2.1:4002", false);
    made.call().media_lines.back().profile = made.text("udptl");
    const auto ladder = layout(made.call());
    const auto messages = rows_of(ladder, RowKind::Message);
    ASSERT_EQ(messages.size(), 4U);
    EXPECT_EQ(messages[0].label, "INVITE RTP");
    EXPECT_EQ(messages[2].label, "re-INVITE T.38");
    EXPECT_EQ(messages[3].label, "200 OK T.38");
    EXPECT_TRUE(rows_of(ladder, RowKind::NoMedia).empty());
}

TEST(Layout, WithoutAnyMediaNothingIsSaidToBeAbsent) {
    auto call = made::dropped_call();
    call.streams.clear(); // the capture may have held signalling only
    const auto ladder = layout(call);
    EXPECT_TRUE(rows_of(ladder, RowKind::NoMedia).empty());
    EXPECT_NE(ladder.summary.find("no media in the capture"), std::string::npos);
}

TEST(Layout, ACopyFromAnotherCapturePointIsAMarkOnItsOriginal) {
    const auto ladder = layout(made::slow_registration());
    const auto messages = rows_of(ladder, RowKind::Message);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].detail, "seen 2×");
    EXPECT_EQ(messages[1].number, 3U);
}

TEST(Layout, LongSilenceIsAGap) {
    const auto gaps = rows_of(layout(made::slow_registration()), RowKind::Gap);
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].label, "14.0 s");
    // While retransmissions go on it is not silent.
    EXPECT_TRUE(rows_of(layout(made::dropped_call()), RowKind::Gap).empty());
}

TEST(Layout, AConnectionFromLongBeforeIsShownButNotMeasuredFrom) {
    const auto ladder = layout(made::good_call());
    ASSERT_EQ(ladder.rows[0].kind, RowKind::Handshake);
    EXPECT_EQ(ladder.rows[0].label, "TLS 1.3 resumed");
    EXPECT_FALSE(ladder.rows[1].has_delta);
    EXPECT_TRUE(ladder.rows[2].has_delta);
}

TEST(Layout, WhatCouldNotBeReadIsABoxWithTheReason) {
    const auto ladder = layout(made::unreadable_call());
    const auto grey = rows_of(ladder, RowKind::Undecrypted);
    ASSERT_EQ(grey.size(), 1U);
    EXPECT_EQ(grey[0].label, "TLS 1.3, 41 records, 12 kB");
    EXPECT_EQ(grey[0].detail, "no key for client random 3f9a61c2…");
    EXPECT_NE(ladder.summary.find("1 connection not readable"), std::string::npos);

    const auto alerts = rows_of(ladder, RowKind::Alert);
    ASSERT_EQ(alerts.size(), 1U);
    EXPECT_EQ(alerts[0].label, "TLS alert unknown_ca");
    EXPECT_LT(alerts[0].from, alerts[0].to); // the client sent it

    const auto closings = rows_of(ladder, RowKind::Connection);
    ASSERT_EQ(closings.size(), 1U);
    EXPECT_EQ(closings[0].label, "TCP refused");
}

TEST(Layout, HandshakeMessagesAreArrowsAboveTheirPillAndTheVerdictStandsBelow) {
    auto call = made::good_call();
    auto& c = call.connections[0];
    c.handshake = {{.time = c.hello,
                    .from_client = true,
                    .name = "ClientHello",
                    .detail = "for \x1b[2Jexample.com"},
                   {.time = c.hello + milliseconds(1),
                    .from_client = false,
                    .name = "ServerHello",
                    .detail = ""}};
    c.verdict = "expired";
    const auto ladder = layout(call);
    const auto messages = rows_of(ladder, RowKind::HandshakeMessage);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].label, "ClientHello · for ␛[2Jexample.com");
    EXPECT_EQ(messages[1].from, messages[0].to);
    ASSERT_EQ(ladder.rows[2].kind, RowKind::Handshake);
    ASSERT_EQ(ladder.rows[3].kind, RowKind::Note);
    EXPECT_EQ(ladder.rows[3].label, "✗ expired");
}

TEST(Layout, ConnectionsWithoutAMessageAreNotCalledUnreadableWhenTheyAreReadable) {
    flow::Call call;
    call.connections.push_back(made::good_call().connections[0]);
    EXPECT_EQ(layout(call).title_call, "Without a message");
    call.connections[0].decrypted = false;
    EXPECT_EQ(layout(call).title_call, "Not decrypted");
}

TEST(Layout, ClosingWithoutCloseNotifyIsSaid) {
    auto call = made::good_call();
    auto& c = call.connections[0];
    c.close_notify_client = false;
    c.closed = call.end;
    const auto closings = rows_of(layout(call), RowKind::Connection);
    ASSERT_EQ(closings.size(), 1U);
    EXPECT_EQ(closings[0].label, "closed without close_notify");
}

TEST(Layout, BytesThatTheCaptureLacksAreNamedWhereTheyAreMissing) {
    auto call = made::good_call();
    auto& c = call.connections[0];
    const auto during = call.messages[3].time;
    c.lost = {{.time = call.start - seconds(60), .bytes = 5, .from_client = true}, // another call
              {.time = during, .bytes = 1380, .from_client = false},
              {.time = call.end + seconds(60), .bytes = 5, .from_client = true}};
    const auto ladder = layout(call);
    const auto lost = rows_of(ladder, RowKind::Connection);
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].label, "1,380 bytes missing here");
    EXPECT_EQ(lost[0].time, during);
    EXPECT_GT(lost[0].from, lost[0].to); // from the server
    // Above the message that came behind the hole.
    const auto row = std::ranges::find(ladder.rows, RowKind::Connection, &Row::kind);
    EXPECT_EQ((row + 1)->number, 4U);

    c.lost = {{.time = during, .bytes = 1, .from_client = true}};
    EXPECT_EQ(rows_of(layout(call), RowKind::Connection).at(0).label, "1 byte missing here");
    c.lost.assign(20, {.time = during, .bytes = 1, .from_client = true});
    EXPECT_EQ(rows_of(layout(call), RowKind::Connection).size(), 8U);
    c.decrypted = false; // none of its messages can be missed
    EXPECT_TRUE(rows_of(layout(call), RowKind::Connection).empty());
}

TEST(Layout, DigitsPressedTogetherShareARow) {
    const auto digits = rows_of(layout(made::good_call()), RowKind::Dtmf);
    ASSERT_EQ(digits.size(), 2U);
    EXPECT_EQ(digits[0].label, "DTMF 1 2");
    EXPECT_EQ(digits[1].label, "DTMF #");
}

TEST(Layout, AnAnswerToAnEarlierRequestNamesIt) {
    const auto messages = rows_of(layout(made::good_call()), RowKind::Message);
    EXPECT_EQ(messages[7].label, "200 OK"); // of the PRACK just before
    EXPECT_EQ(messages[8].label, "200 OK SRTP (INVITE)");
    EXPECT_EQ(messages[11].label, "200 OK"); // of the BYE
}

TEST(Layout, AnEmptyCallIsAnEmptyLadder) {
    const auto ladder = layout(flow::Call{});
    EXPECT_TRUE(ladder.rows.empty());
    EXPECT_TRUE(ladder.columns.empty());
}

TEST(Layout, IndicesThatPointNowhereAreIgnored) {
    auto call = made::good_call();
    call.messages[3].retransmission_of = 999;
    call.messages[4].duplicate_of = 4;
    call.messages[5].leg = 200;
    call.findings = {{"D01", "error", "x", {12345}, "", ""}};
    EXPECT_EQ(rows_of(layout(call), RowKind::Message).size(), call.messages.size());
}

} // namespace
} // namespace cw::view
