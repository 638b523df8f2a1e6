#include "dialog/subscription.hpp"

#include "dialog/test_message.hpp"

namespace cw::dialog {
namespace {

using Phase = SubscriptionPhase;
using test::start;

sip::SubscriptionState state(std::string_view text) {
    return *sip::parse_subscription_state(text);
}

TEST(SubscriptionMachine, DoesForEveryPairWhatItsTableDeclaresAndElseNothing) {
    for (const auto role : {SubscriptionRole::Subscriber, SubscriptionRole::Notifier}) {
        for (std::size_t p = 0; p < subscription_phase_count; ++p) {
            for (std::size_t e = 0; e < subscription_event_count; ++e) {
                const SubscriptionStep* declared = nullptr;
                for (const auto& s : subscription_steps) {
                    if (s.role == role && s.phase == static_cast<Phase>(p) &&
                        s.event == static_cast<SubscriptionEvent>(e)) {
                        EXPECT_EQ(declared, nullptr);
                        declared = &s;
                    }
                }
                const auto got =
                    step(role, static_cast<Phase>(p), static_cast<SubscriptionEvent>(e));
                EXPECT_EQ(got.legal, declared != nullptr);
                EXPECT_EQ(got.next, declared != nullptr ? declared->next : static_cast<Phase>(p));
                EXPECT_TRUE(got.next >= static_cast<Phase>(p) || declared == nullptr);
            }
        }
    }
}

Subscription subscribed(std::uint32_t expires = 3600) {
    Subscription s;
    s.package = "presence";
    on_subscribe_sent(s, expires, start);
    on_subscribe_response(s, 200, expires, start);
    on_notify(s, state("active;expires=" + std::to_string(expires)), start);
    return s;
}

TEST(Subscriber, GivesUpWhenNoNotifyComesEvenAfterA200) {
    Subscription s;
    on_subscribe_sent(s, 3600, start);
    on_subscribe_response(s, 200, 3600, start);
    EXPECT_EQ(s.phase, Phase::NotifyWait);
    EXPECT_EQ(s.next_deadline(), start + seconds(32)); // timer N is 64*T1
    EXPECT_EQ(s.advance(start + seconds(32)), Subscription::Due::NoNotify);
    EXPECT_EQ(s.phase, Phase::Terminated);
}

TEST(Subscriber, IsSubscribedByTheNotifyAlsoWhenItComesBeforeThe200) {
    Subscription s;
    on_subscribe_sent(s, 3600, start);
    on_notify(s, state("pending;expires=600"), start);
    EXPECT_EQ(s.phase, Phase::Pending);
    on_subscribe_response(s, 200, 600, start);
    on_notify(s, state("active;expires=600"), start);
    EXPECT_EQ(s.phase, Phase::Active);
    EXPECT_EQ(s.advance(start + seconds(539)), Subscription::Due::Nothing);
    EXPECT_EQ(s.advance(start + seconds(540)), Subscription::Due::Refresh);
}

TEST(Subscriber, OutlivesARefreshThatFailedUnlessItSaysThatItIsGone) {
    for (const int status : {404, 405, 410, 416, 480, 481, 485, 489, 501, 604}) {
        auto s = subscribed();
        on_subscribe_sent(s, 3600, start);
        on_subscribe_response(s, static_cast<std::uint16_t>(status), {}, start);
        EXPECT_EQ(s.phase, Phase::Terminated) << status;
    }
    for (const int status : {400, 408, 486, 500, 503}) {
        auto s = subscribed();
        on_subscribe_sent(s, 3600, start);
        on_subscribe_response(s, static_cast<std::uint16_t>(status), {}, start);
        EXPECT_EQ(s.phase, Phase::Active) << status;
        EXPECT_EQ(s.advance(start + seconds(3600)), Subscription::Due::Expired);
        EXPECT_EQ(s.phase, Phase::Terminated);
    }
}

TEST(Subscriber, WaitsForTheLastNotifyWhenItUnsubscribes) {
    auto s = subscribed();
    on_subscribe_sent(s, 0, start);
    on_subscribe_response(s, 200, 0, start);
    on_notify(s, state("active;expires=3600"), start); // crossed it
    EXPECT_EQ(s.phase, Phase::Active);
    on_notify(s, state("terminated;reason=timeout"), start);
    EXPECT_EQ(s.phase, Phase::Terminated);
    EXPECT_EQ(s.reason, "timeout");
    EXPECT_FALSE(s.next_deadline().known());
}

TEST(Subscriber, TakesNoLongerDurationThanItAskedFor) {
    Subscription s;
    on_subscribe_sent(s, 60, start);
    on_notify(s, state("active"), start);
    on_subscribe_response(s, 200, 7200, start);
    EXPECT_EQ(s.expires, 60U);
}

TEST(Notifier, SaysHowLongItStillRunsAndWhyItEnds) {
    Subscription s;
    s.role = SubscriptionRole::Notifier;
    s.phase = Phase::RespWait;
    on_subscribe(s, 600, start);
    EXPECT_EQ(notify_state(s, SubscriptionEvent::NotifyPending, start), "pending;expires=600");
    EXPECT_EQ(notify_state(s, SubscriptionEvent::NotifyActive, start + seconds(100)),
              "active;expires=500");
    EXPECT_EQ(s.advance(start + seconds(600)), Subscription::Due::Expired);
    EXPECT_EQ(notify_state(s, SubscriptionEvent::NotifyTerminated, start + seconds(600), "timeout"),
              "terminated;reason=timeout");
    EXPECT_EQ(s.phase, Phase::Terminated);
    EXPECT_FALSE(s.next_deadline().known());
}

// [RFC 6665 §4.1.3]
TEST(Resubscribe, FollowsTheReason) {
    EXPECT_FALSE(resubscribe("rejected", {}).may);
    EXPECT_FALSE(resubscribe("noresource", 5).may);
    EXPECT_FALSE(resubscribe("Invariant", 5).may);
    EXPECT_EQ(resubscribe("deactivated", 5).after, seconds(0));
    EXPECT_EQ(resubscribe("timeout", 5).after, seconds(0));
    EXPECT_EQ(resubscribe("probation", 5).after, seconds(5));
    EXPECT_EQ(resubscribe("giveup", {}).after, seconds(0));
    EXPECT_EQ(resubscribe("", 7).after, seconds(7));
}

// The examples of RFC 6665 §8.2.1.
TEST(Event, MatchesByPackageAndId) {
    Subscription s;
    s.package = "foo";
    s.id = "1234";
    EXPECT_TRUE(matches(s, "foo; param=abcd; id=1234"));
    EXPECT_FALSE(matches(s, "foo"));
    EXPECT_FALSE(matches(s, "Foo; id=1234"));
    EXPECT_TRUE(matches(s, event_value(s)));
}

} // namespace
} // namespace cw::dialog
