#include "flow/statistics.hpp"

#include <initializer_list>

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

using sip::Method;

const Endpoint phone{*IpAddress::parse("192.0.2.1"), 5060};
const Endpoint server{*IpAddress::parse("192.0.2.9"), 5060};

// A message after so many milliseconds: a request of the phone, or what the server answers.
struct Said {
    int ms;
    Method method;
    std::uint16_t status; // 0: the request
    std::uint32_t cseq;
    bool in_dialog = false;
};

Call call_of(Kind kind, std::initializer_list<Said> said) {
    Call call;
    call.kind = kind;
    for (const auto& one : said) {
        auto& m = call.messages.emplace_back();
        m.time = Instant{1'000'000'000'000} + milliseconds(one.ms);
        m.method = one.status == 0 ? one.method : Method::None;
        m.cseq_method = one.method;
        m.status = one.status;
        m.cseq = one.cseq;
        m.branch = one.cseq;
        m.vias = 1;
        m.to_tag = one.in_dialog;
        m.source = one.status == 0 ? phone : server;
        m.destination = one.status == 0 ? server : phone;
        if (one.method == Method::Invite && one.status >= 200) {
            call.final_status = one.status;
            call.answered = one.status < 300 ? m.time : call.answered;
        }
    }
    call.start = call.messages.front().time;
    call.end = call.messages.back().time;
    call.duration_s = call.answered.known() ? (call.end - call.answered).seconds() : 0;
    return call;
}

TEST(Statistics, SharesAreThoseOfRfc6076) {
    Statistics s;
    s.add(call_of(Kind::Call, {{0, Method::Invite, 0, 1},
                               {100, Method::Invite, 180, 1},
                               {900, Method::Invite, 200, 1},
                               {5000, Method::Bye, 0, 2, true},
                               {5040, Method::Bye, 200, 2, true}}));
    s.add(call_of(Kind::Call, {{0, Method::Invite, 0, 1}, {50, Method::Invite, 486, 1}}));
    s.add(call_of(Kind::Call, {{0, Method::Invite, 0, 1}, {60, Method::Invite, 503, 1}}));
    s.add(call_of(Kind::Call, {{0, Method::Invite, 0, 1}, {70, Method::Invite, 404, 1}}));
    s.add(call_of(Kind::Call, {{0, Method::Invite, 0, 1}, {80, Method::Invite, 302, 1}}));
    s.add(call_of(Kind::Call, {{0, Method::Invite, 0, 1}, {90, Method::Invite, 407, 1}}));
    const auto& sessions = s.sessions();
    EXPECT_EQ(sessions.asked, 6U);
    EXPECT_DOUBLE_EQ(sessions.answer_seizure(), 1.0 / 6);
    EXPECT_DOUBLE_EQ(sessions.ser(), 1.0 / 4);  // neither 302 nor 407 counts
    EXPECT_DOUBLE_EQ(sessions.seer(), 2.0 / 4); // busy is an answer of the other side
    EXPECT_DOUBLE_EQ(sessions.isa(), 1.0 / 6);
    EXPECT_DOUBLE_EQ(sessions.scr(), 1.0 / 6);
    EXPECT_NEAR(s.ringing().most, 0.1, 1e-6);
    EXPECT_EQ(s.failing().count, 4U); // a challenge is no failure
    EXPECT_NEAR(s.hanging_up().most, 0.04, 1e-6);
    EXPECT_NEAR(s.lengths().most, 4.14, 1e-4);
}

TEST(Statistics, TheDelayOfACallBeginsWithTheRequestThatHasCredentials) {
    Statistics s;
    s.add(call_of(Kind::Call, {{0, Method::Invite, 0, 1},
                               {10, Method::Invite, 407, 1},
                               {500, Method::Invite, 0, 2},
                               {700, Method::Invite, 180, 2},
                               {900, Method::Invite, 200, 2}}));
    EXPECT_EQ(s.ringing().count, 1U);
    EXPECT_NEAR(s.ringing().most, 0.2, 1e-6);
}

TEST(Statistics, TheDelayOfARegistrationHasItsChallengeInIt) {
    Statistics s;
    s.add(call_of(Kind::Registration, {{0, Method::Register, 0, 1},
                                       {10, Method::Register, 401, 1},
                                       {30, Method::Register, 0, 2},
                                       {50, Method::Register, 200, 2},
                                       {60'000, Method::Register, 0, 3},
                                       {60'020, Method::Register, 200, 3}}));
    EXPECT_EQ(s.registering().count, 2U);
    EXPECT_NEAR(s.registering().most, 0.05, 1e-6);
    EXPECT_DOUBLE_EQ(s.sessions().ira(), 0);
}

TEST(Statistics, ARegistrationThatIsRefusedOrNotAnsweredIsIneffective) {
    Statistics s;
    s.add(
        call_of(Kind::Registration, {{0, Method::Register, 0, 1}, {9, Method::Register, 403, 1}}));
    s.add(call_of(Kind::Registration, {{0, Method::Register, 0, 1}}));
    s.add(
        call_of(Kind::Registration, {{0, Method::Register, 0, 1}, {9, Method::Register, 200, 1}}));
    auto cut = call_of(Kind::Registration, {{0, Method::Register, 0, 1}});
    cut.cut_off = true; // its answer may have come later
    s.add(cut);
    EXPECT_DOUBLE_EQ(s.sessions().ira(), 2.0 / 3);
}

} // namespace
} // namespace cw::flow
