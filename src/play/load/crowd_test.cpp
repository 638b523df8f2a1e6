// Loads on a virtual clock: hours of calls in a moment, and a far end that is as slow as it likes.
#include "play/load/crowd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <queue>

#include <fmt/format.h>

#include "dialog/draft.hpp"
#include "script/parse.hpp"
#include "sip/message.hpp"

namespace cw::play {
namespace {

using transaction::Wire;

constexpr std::string_view call_flow = R"(sequenceDiagram
    %% timeout: 8s
    actor alice as Alice
    participant pbx as PBX (under test)
    %% at: TRANSPORT:127.0.0.1:5060

    alice->>pbx: INVITE sip:echo@example.com (SDP offer)
    pbx-->>alice: 200 OK (SDP answer)
    alice->>pbx: ACK
    Note over alice: waits 2s
    alice->>pbx: BYE
    pbx-->>alice: 200 OK
)";

script::Plan load_plan(std::string text, const std::string& transport = "tls") {
    if (const auto at = text.find("TRANSPORT"); at != std::string::npos) {
        text.replace(at, 9, transport);
    }
    auto parsed = script::parse(text);
    EXPECT_TRUE(parsed.ok()) << (parsed.complaints.empty() ? "" : parsed.complaints[0].what);
    return std::move(parsed.plan);
}

// The network and the real system at its other end.
class World {
  public:
    World(script::Plan plan, CrowdSettings settings, const Rows* rows = nullptr)
        : plan_(std::move(plan)) {
        if (rows != nullptr) {
            given_.row = rows->row(0);
        }
        auto cast = make_cast(plan_, given_);
        EXPECT_TRUE(cast.has_value());
        for (auto& member : cast->members) {
            for (std::size_t i = 0; i < member.listens.size(); ++i) {
                if (member.listens[i]) {
                    member.at[i] = Endpoint{*IpAddress::parse("127.0.0.1"), next_port_++};
                }
            }
        }
        crowd = std::make_unique<Crowd>(plan_, *cast, given_, rows, settings, nullptr);
    }

    std::unique_ptr<Crowd> crowd;
    Instant now{1'777'629'601'000'000'000};
    // What the far end answers to a request: status 0 is nothing.
    std::function<std::uint16_t(const sip::MessageView&)> answer = [](const sip::MessageView&) {
        return std::uint16_t{200};
    };
    std::function<Duration(const sip::MessageView&)> delay = [](const sip::MessageView&) {
        return milliseconds(10);
    };
    // What else stands in its answer.
    std::function<void(const sip::MessageView&, dialog::Draft&)> dress = [](const sip::MessageView&,
                                                                            dialog::Draft&) {};
    Duration looks_after; // so long after a message came
    bool refuse = false;
    std::size_t connects = 0;
    std::size_t most_in_progress = 0;
    std::vector<Instant> invites;   // when they were sent
    std::vector<std::string> users; // who sent them
    std::vector<std::string> said;  // all that was sent
    std::string to_tag = "far";

    // Until it is over, or until then.
    void run(std::optional<Instant> until = {}) {
        if (!started_) {
            started_ = true;
            crowd->start(now);
            drain();
        }
        for (int turn = 0; turn < 3'000'000 && !crowd->over(); ++turn) {
            auto next = crowd->next_deadline();
            if (!agenda_.empty() && (!next.known() || agenda_.top().when < next)) {
                next = agenda_.top().when;
            }
            if (!next.known() || (until && next > *until)) {
                now = until.value_or(now);
                ASSERT_TRUE(until.has_value()) << "it is stuck";
                return;
            }
            now = std::max(now, next);
            if (!agenda_.empty() && agenda_.top().when <= now) {
                const auto what = agenda_.top().what;
                agenda_.pop();
                what();
            } else {
                crowd->advance(now);
            }
            drain();
        }
    }
    void at(Instant when, std::function<void()> what) {
        agenda_.push({when, ++serial_, std::move(what)});
    }
    void close_all() {
        for (const auto& wire : std::exchange(open_, {})) {
            crowd->on_closed(wire, "reset", {}, now);
        }
        drain();
    }

  private:
    struct Item {
        Instant when;
        std::uint64_t serial;
        std::function<void()> what;
        bool operator<(const Item& other) const {
            return when != other.when ? when > other.when : serial > other.serial;
        }
    };

    void drain() {
        auto& outbox = crowd->outbox();
        auto& wants = crowd->wants();
        while (!outbox.empty() || !wants.empty()) {
            for (const auto& one : outbox.sends()) {
                far_end(one.wire, std::string{outbox.bytes(one)});
            }
            outbox.clear();
            const auto todo = std::move(wants);
            wants.clear();
            for (const auto& one : todo.connects) {
                ++connects;
                at(now + milliseconds(5), [this, one] { connect(one); });
            }
            for (const auto& wire : todo.closes) {
                std::erase(open_, wire);
            }
        }
        most_in_progress = std::max(most_in_progress, crowd->in_progress());
    }
    void connect(const Connect& asked) {
        if (refuse) {
            crowd->on_refused(asked.token, "Connection refused", {}, now);
            return;
        }
        const Endpoint from{*IpAddress::parse("127.0.0.1"), next_port_++};
        const Wire wire{asked.transport, 0, next_connection_++, 1, from, asked.at};
        open_.push_back(wire);
        crowd->on_connected(asked.token, wire, {}, std::nullopt, now);
    }
    void far_end(const Wire& wire, const std::string& text) {
        sip::HeaderIndex index;
        const auto message = sip::index(std::string_view{text}, index);
        ASSERT_TRUE(message.has_value());
        said.push_back(text);
        if (!message->is_request() || message->method() == sip::Method::Ack) {
            return;
        }
        if (message->method() == sip::Method::Invite) {
            invites.push_back(now);
            users.emplace_back(message->value(sip::HeaderId::From));
        }
        const auto status = answer(*message);
        if (status == 0) {
            return;
        }
        auto draft =
            dialog::response_to(*message, status, to_tag, message->value(sip::HeaderId::Via));
        if (message->method() == sip::Method::Invite && status == 200) {
            draft.add("Contact", "<sip:echo@127.0.0.1:5060>");
            draft.set_body("application/sdp",
                           "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 "
                           "0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n");
        }
        dress(*message, draft);
        const auto came = now + delay(*message);
        at(came + looks_after, [this, wire, came, answer_text = draft.print()] {
            crowd->on_message(0, wire, answer_text, now, came);
        });
    }

    script::Plan plan_;
    Given given_;
    std::priority_queue<Item> agenda_;
    std::vector<Wire> open_;
    std::uint64_t serial_ = 0;
    std::uint16_t next_port_ = 20'000;
    std::uint32_t next_connection_ = 0;
    bool started_ = false;
};

CrowdSettings at_rate(double rate, Duration length) {
    CrowdSettings out;
    out.arrivals = Arrivals{{{rate, rate, length}}};
    return out;
}

TEST(Crowd, CallsBeginOnScheduleHoweverSlowTheAnswersAre) {
    World world{load_plan(std::string{call_flow}, "udp"), at_rate(50, seconds(20))};
    int count = 0;
    world.delay = [&](const sip::MessageView& m) { // from the 200th call on it is overloaded
        return m.method() == sip::Method::Invite && ++count > 200 ? seconds(3) : milliseconds(10);
    };
    const auto began = world.now;
    world.run();
    const auto& tally = world.crowd->tally();
    EXPECT_EQ(tally.started, 1000U);
    EXPECT_EQ(tally.passed, 1000U);
    EXPECT_EQ(tally.lateness.max(), Duration{});
    std::vector<int> each(21, 0);
    std::vector<Instant> first; // without retransmissions
    for (const auto when : world.invites) {
        ++each[std::min<std::size_t>(20,
                                     static_cast<std::size_t>((when - began).ns / 1'000'000'000))];
    }
    EXPECT_EQ(each[0], 50);
    EXPECT_EQ(each[3], 50) << "the answers are quick still";
    EXPECT_EQ(tally.answers.count(), 1000U);
    EXPECT_NEAR(tally.answers.at(0.5).seconds(), 3, 0.03);
    EXPECT_NEAR(tally.answers.at(0.1).seconds(), 0.01, 0.001);
    EXPECT_GT(world.most_in_progress, 200U);
}

TEST(Crowd, TimesCountFromWhenACallShouldHaveBegun) {
    World world{load_plan(std::string{call_flow}, "udp"), at_rate(10, seconds(1))};
    // Nobody wakes the generator for 400 ms: four calls begin late, and their callers have waited.
    world.crowd->start(world.now);
    world.crowd->outbox().clear();
    world.now = world.now + milliseconds(450);
    world.crowd->advance(world.now);
    const auto& tally = world.crowd->tally();
    EXPECT_EQ(tally.started, 5U);
    EXPECT_EQ(tally.lateness.max(), milliseconds(350));
    world.run();
    EXPECT_GE(world.crowd->tally().answers.max(), milliseconds(360));
}

// A turn that looks at what has come in the last 3 ms must not count them as the far end's.
TEST(Crowd, TimesEndWhenAMessageCameHoweverLateItIsLookedAt) {
    for (const bool by_rote : {false, true}) {
        auto settings = at_rate(100, seconds(3));
        settings.by_rote = by_rote;
        World world{load_plan(std::string{call_flow}, "udp"), settings};
        world.looks_after = milliseconds(3);
        world.run();
        const auto& tally = world.crowd->tally();
        EXPECT_EQ(tally.passed, 300U);
        EXPECT_EQ(world.crowd->by_rote() > 200, by_rote);
        std::vector<const Histogram*> measured{&tally.answers, &tally.hanging_up};
        for (const auto& step : tally.steps) {
            if (step.count() != 0) {
                measured.push_back(&step);
            }
        }
        EXPECT_EQ(measured.size(), 4U); // both responses
        for (const auto* times : measured) {
            EXPECT_EQ(times->count(), 300U);
            EXPECT_GE(times->min(), milliseconds(10));
            EXPECT_LT(times->max(), microseconds(10'001));
        }
    }
}

TEST(Crowd, WhatComesMayWaitForTheLastCallThatIsDueWithinAMillisecond) {
    const auto look = [](const CrowdSettings& settings, std::string flow = std::string{call_flow}) {
        World world{load_plan(std::move(flow), "udp"), settings};
        world.run(world.now + microseconds(100)); // the first call has begun
        return (world.crowd->next_look() - world.crowd->began()).ns / 1000;
    };
    const auto never = -Instant{1'777'629'601'000'000'000}.ns / 1000;
    auto settings = at_rate(1000, seconds(3));
    EXPECT_EQ(look(settings), 2000);
    settings = at_rate(4000, seconds(3));
    EXPECT_EQ(look(settings), 1250);
    settings.shards = 2; // the other one has every other call
    EXPECT_EQ(look(settings), 1500);
    EXPECT_EQ(look(at_rate(900, seconds(3))), never) << "there is none";
    settings = at_rate(4000, seconds(3));
    settings.gather = {};
    EXPECT_EQ(look(settings), never);
    CrowdSettings closed;
    closed.at_once = 5000;
    EXPECT_EQ(look(closed), never) << "it would be slower";
    // Where somebody asks us, he must not wait.
    std::string asked{call_flow};
    asked.replace(asked.find("alice->>pbx: BYE"), 16, "pbx->>alice: BYE");
    asked.replace(asked.rfind("pbx-->>alice"), 12, "alice-->>pbx");
    EXPECT_EQ(look(at_rate(4000, seconds(3)), asked), never);
}

TEST(Crowd, ClosedCallsFollowEachOther) {
    CrowdSettings settings;
    settings.at_once = 7;
    settings.calls = 100;
    World world{load_plan(std::string{call_flow}), settings};
    world.run();
    EXPECT_EQ(world.crowd->tally().passed, 100U);
    EXPECT_EQ(world.most_in_progress, 7U);
}

TEST(Crowd, WhatIsDueBeyondTheMostAtOnceIsCountedAndNotBegun) {
    auto settings = at_rate(10, seconds(3));
    settings.at_once = 4;
    World world{load_plan(std::string{call_flow}), settings};
    world.run();
    const auto& tally = world.crowd->tally();
    EXPECT_EQ(tally.due, 30U);
    EXPECT_GT(tally.held_back, 10U);
    EXPECT_EQ(tally.started + tally.held_back, 30U);
    EXPECT_EQ(world.most_in_progress, 4U);
}

TEST(Crowd, OneConnectionIsSharedUnlessCallsHaveTheirOwn) {
    for (const auto sharing : {Sharing::AsDrawn, Sharing::PerCall}) {
        auto settings = at_rate(20, seconds(1));
        settings.sharing = sharing;
        World world{load_plan(std::string{call_flow}), settings};
        world.run();
        EXPECT_EQ(world.crowd->tally().passed, 20U);
        EXPECT_EQ(world.connects, sharing == Sharing::PerCall ? 20U : 1U);
        EXPECT_EQ(world.crowd->tally().handshakes.count(), world.connects);
    }
}

TEST(Crowd, ASharedConnectionThatBreaksIsOpenedAgain) {
    World world{load_plan(std::string{call_flow}), at_rate(10, seconds(4))};
    world.run(world.now + seconds(2));
    world.close_all();
    world.run();
    const auto& tally = world.crowd->tally();
    EXPECT_EQ(tally.lost, 1U);
    EXPECT_EQ(world.connects, 2U);
    EXPECT_EQ(tally.started, 40U);
    EXPECT_GT(tally.passed, 15U);
}

TEST(Crowd, AFailedCallIsKeptWithItsMessages) {
    World world{load_plan(std::string{call_flow}), at_rate(10, seconds(2))};
    int count = 0;
    world.answer = [&](const sip::MessageView& m) {
        return m.method() == sip::Method::Invite && ++count % 5 == 0 ? std::uint16_t{503}
                                                                     : std::uint16_t{200};
    };
    world.run();
    const auto& tally = world.crowd->tally();
    EXPECT_EQ(tally.failed, 4U);
    EXPECT_EQ(tally.passed, 16U);
    ASSERT_EQ(tally.causes.size(), 1U);
    EXPECT_EQ(tally.causes.begin()->second, 4U);
    EXPECT_NE(tally.causes.begin()->first.find("503"), std::string::npos)
        << tally.causes.begin()->first;
    EXPECT_EQ(tally.sessions.ineffective, 4U);
    const auto& failed = world.crowd->failed();
    ASSERT_EQ(failed.size(), 4U);
    EXPECT_EQ(failed[0].number, 5U);
    EXPECT_FALSE(failed[0].report.passed());
    ASSERT_EQ(failed[0].messages.size(), 3U); // INVITE, 503, ACK
    EXPECT_TRUE(failed[0].messages[0].sent);
    EXPECT_TRUE(failed[0].messages[0].bytes.starts_with("INVITE "));
    EXPECT_FALSE(failed[0].messages[1].sent);
    EXPECT_TRUE(failed[0].messages[2].bytes.starts_with("ACK "));
}

TEST(Crowd, CallsThatNobodyAnswersFailWhenTheirTimeIsOver) {
    World world{load_plan(std::string{call_flow}), at_rate(5, seconds(1))};
    world.answer = [](const sip::MessageView&) { return std::uint16_t{0}; };
    world.run();
    EXPECT_EQ(world.crowd->tally().failed, 5U);
    EXPECT_EQ(world.crowd->in_progress(), 0U);
    EXPECT_EQ(world.crowd->tally().sessions.ineffective, 5U);
}

TEST(Crowd, ATargetThatIsNotThereEndsItWithTheReason) {
    World world{load_plan(std::string{call_flow}), at_rate(10, seconds(60))};
    world.refuse = true;
    world.run();
    EXPECT_EQ(world.crowd->hopeless(), "pbx cannot be reached: Connection refused");
    EXPECT_LT(world.crowd->tally().started, 10U);
}

TEST(Crowd, BeingEndedLetsCallsFinishAndThenCutsThem) {
    World world{load_plan(std::string{call_flow}), at_rate(10, Duration{})};
    world.run(world.now + seconds(5));
    EXPECT_EQ(world.crowd->phase(), Crowd::Phase::Calling);
    EXPECT_GT(world.crowd->in_progress(), 10U);
    world.crowd->finish(world.now, seconds(1));
    world.run();
    const auto& tally = world.crowd->tally();
    EXPECT_TRUE(world.crowd->over());
    EXPECT_EQ(tally.failed, 0U);
    EXPECT_GT(tally.interrupted, 0U);
    EXPECT_EQ(tally.passed + tally.interrupted, tally.started);
}

TEST(Crowd, EachCallHasARowOfTheUsersAndItsNumber) {
    auto text = std::string{call_flow};
    text.replace(text.find("    participant"), 0,
                 "    %% uri: sip:{row.user}@example.com\n    %% user: {row.user}-{n}\n");
    text.replace(text.find("    %% timeout"), 0, "    %% set: rows from users.csv\n");
    const auto rows = parse_rows("user\nann\nben\ncid\n");
    ASSERT_TRUE(rows.has_value());
    World world{load_plan(text), at_rate(1, seconds(6)), &*rows};
    world.run();
    EXPECT_EQ(world.crowd->tally().passed, 6U);
    ASSERT_EQ(world.users.size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_NE(world.users[i].find(std::array{"ann@", "ben@", "cid@"}[i % 3]), std::string::npos)
            << world.users[i];
    }
}

TEST(Crowd, ShardsShareTheSchedule) {
    std::vector<Instant> all;
    Instant began;
    for (std::uint32_t shard = 0; shard < 3; ++shard) {
        auto settings = at_rate(30, seconds(2));
        settings.shard = shard;
        settings.shards = 3;
        World world{load_plan(std::string{call_flow}), settings};
        began = world.now;
        world.run();
        all.insert(all.end(), world.invites.begin(), world.invites.end());
    }
    std::ranges::sort(all);
    ASSERT_EQ(all.size(), 60U);
    for (std::size_t i = 3; i < 60; ++i) { // the first three wait for their connection
        EXPECT_NEAR((all[i] - began).seconds(), static_cast<double>(i) / 30, 0.006);
    }
}

// All that was said, but for the place in a table that each call had.
std::vector<std::string> said_in_any_order(World& world) {
    auto out = std::move(world.said);
    for (auto& text : out) {
        const auto at = text.find("Call-ID: ") + 9;
        text.erase(at, text.find('-', at) - at);
    }
    std::ranges::sort(out);
    return out;
}

// What calls by rote say is, byte for byte, what they would have said in full; and so is what is
// counted of them.
TEST(Crowd, CallsByRoteAreThoseInFull) {
    for (const std::string transport : {"tls", "udp"}) {
        std::array<std::vector<std::string>, 2> said;
        std::array<Tally, 2> tally;
        std::array<std::vector<FailedCall>, 2> failed;
        for (const bool by_rote : {false, true}) {
            auto settings = at_rate(40, seconds(10));
            settings.by_rote = by_rote;
            World world{load_plan(std::string{call_flow}, transport), settings};
            // By the caller's tag, which is the same in both runs: what becomes of the call.
            const auto chance = [](const sip::MessageView& m) {
                const auto from = m.value(sip::HeaderId::From);
                return from[from.find(";tag=") + 5];
            };
            world.answer = [&](const sip::MessageView& m) {
                world.to_tag = "far-" + std::string{chance(m)};
                return m.method() == sip::Method::Invite && chance(m) == '7' ? std::uint16_t{503}
                                                                             : std::uint16_t{200};
            };
            world.delay = [&](const sip::MessageView& m) { // some so late that it is said again
                return chance(m) == '8' ? milliseconds(900) : milliseconds(10);
            };
            world.run();
            said[by_rote ? 1 : 0] = said_in_any_order(world);
            tally[by_rote ? 1 : 0] = world.crowd->tally();
            failed[by_rote ? 1 : 0] = std::move(world.crowd->failed());
            EXPECT_EQ(world.crowd->by_rote() > 200, by_rote) << world.crowd->by_rote();
        }
        ASSERT_EQ(said[0].size(), said[1].size());
        for (std::size_t i = 0; i < said[0].size(); ++i) {
            ASSERT_EQ(said[0][i], said[1][i]);
        }
        EXPECT_GT(tally[1].passed, 350U);
        EXPECT_GT(tally[1].failed, 3U);
        EXPECT_EQ(tally[0].passed, tally[1].passed);
        EXPECT_EQ(tally[0].causes, tally[1].causes);
        EXPECT_EQ(tally[0].sent, tally[1].sent);
        EXPECT_EQ(tally[0].sessions.answered, tally[1].sessions.answered);
        EXPECT_EQ(tally[0].answers.count(), tally[1].answers.count());
        EXPECT_EQ(tally[0].hanging_up.count(), tally[1].hanging_up.count());
        EXPECT_NEAR(tally[0].answers.at(0.99).milliseconds(),
                    tally[1].answers.at(0.99).milliseconds(), 1);
        EXPECT_NEAR(tally[0].length.at(0.5).milliseconds(), tally[1].length.at(0.5).milliseconds(),
                    20);
        ASSERT_EQ(failed[0].size(), failed[1].size());
        for (std::size_t i = 0; i < failed[0].size(); ++i) {
            EXPECT_EQ(failed[0][i].number, failed[1][i].number);
            EXPECT_EQ(failed[0][i].messages.size(), failed[1][i].messages.size());
            EXPECT_EQ(failed[0][i].report.why, failed[1][i].report.why);
        }
    }
}

constexpr std::string_view challenged_flow = R"(sequenceDiagram
    actor alice as Alice
    participant pbx as PBX (under test)
    %% at: TRANSPORT:127.0.0.1:5060

    alice->>pbx: REGISTER
    pbx-->>alice: 401 Unauthorized (SHA-256)
    alice->>pbx: REGISTER (digest)
    pbx-->>alice: 200 OK
    alice->>pbx: INVITE sip:echo@example.com (SDP offer)
    pbx-->>alice: 200 OK (SDP answer)
    alice->>pbx: ACK
    alice->>pbx: BYE
    pbx-->>alice: 200 OK
)";

// REGISTER and INVITE are challenged, by a nonce of each call's own; the second is not drawn.
void challenge_calls(World& world, const std::string& algorithm) {
    const auto asks = [](const sip::MessageView& m) {
        return (m.method() == sip::Method::Register || m.method() == sip::Method::Invite) &&
               m.value(sip::HeaderId::Authorization).empty() &&
               m.value(sip::HeaderId::ProxyAuthorization).empty();
    };
    world.answer = [asks](const sip::MessageView& m) {
        return static_cast<std::uint16_t>(!asks(m)                              ? 200
                                          : m.method() == sip::Method::Register ? 401
                                                                                : 407);
    };
    world.dress = [asks, algorithm](const sip::MessageView& m, dialog::Draft& draft) {
        if (!asks(m)) {
            return;
        }
        const auto from = m.value(sip::HeaderId::From);
        const auto nonce = from.substr(from.find(";tag=") + 5);
        const bool registers = m.method() == sip::Method::Register;
        draft.add(registers ? "WWW-Authenticate" : "Proxy-Authenticate",
                  fmt::format(R"(Digest realm="example.com", nonce="{0}", algorithm={1}, )"
                              R"(qop="auth", opaque="{0}+")",
                              nonce, algorithm));
    };
}

TEST(Crowd, ChallengesAreAnsweredByRoteAsInFull) {
    std::array<std::vector<std::string>, 2> said;
    for (const bool by_rote : {false, true}) {
        auto settings = at_rate(40, seconds(10));
        settings.by_rote = by_rote;
        World world{load_plan(std::string{challenged_flow}, "udp"), settings};
        challenge_calls(world, "SHA-256");
        world.run();
        EXPECT_EQ(world.crowd->tally().passed, 400U)
            << (world.crowd->failed().empty() ? "" : world.crowd->failed()[0].report.why);
        EXPECT_EQ(world.crowd->tally().registrations.count(), 400U);
        EXPECT_EQ(world.crowd->by_rote() > 390, by_rote) << world.crowd->by_rote();
        said[by_rote ? 1 : 0] = said_in_any_order(world);
    }
    EXPECT_EQ(said[0].size(), 400U * 7);
    EXPECT_EQ(said[0], said[1]);
}

// Each has a name, a login and a password of its own; what their calls have in common is learned
// once.
TEST(Crowd, UsersLearnFromEachOther) {
    auto text = std::string{challenged_flow};
    text.replace(text.find("    participant"), 0,
                 "    %% uri: sip:{row.user}@example.com\n    %% user: {row.login}\n"
                 "    %% password: {row.password}\n");
    text.replace(text.find("sip:echo@"), 9, "sip:{row.callee}@");
    text.replace(text.find("    actor"), 0, "    %% set: rows from users.csv\n");
    std::string csv = "user,login,password,callee\n";
    for (int i = 0; i < 3000; ++i) { // some logins are the name, or have it in them
        csv += fmt::format("{0},{1},p{2}!&'{3},1{0}\n", 7 + i,
                           i % 3 == 0 ? fmt::format("{}", 7 + i) : fmt::format("al.{}", 9000 - i),
                           i * 31, i % 2 == 0 ? "$" : "");
    }
    const auto rows = parse_rows(csv);
    ASSERT_TRUE(rows.has_value());
    std::array<std::vector<std::string>, 2> said;
    for (const bool by_rote : {false, true}) {
        auto settings = at_rate(100, seconds(10));
        settings.by_rote = by_rote;
        World world{load_plan(text, "udp"), settings, &*rows};
        challenge_calls(world, "SHA-256");
        world.run();
        EXPECT_EQ(world.crowd->tally().passed, 1000U);
        EXPECT_EQ(world.crowd->by_rote() > 800, by_rote) << world.crowd->by_rote();
        said[by_rote ? 1 : 0] = said_in_any_order(world);
    }
    EXPECT_EQ(said[0], said[1]);
}

// The far end may come to ask for another hash: that is another branch of the tree.
TEST(Crowd, AChallengeThatIsOtherwiseIsNotAnsweredByRoteUnlearned) {
    World world{load_plan(std::string{challenged_flow}, "udp"), at_rate(40, seconds(10))};
    challenge_calls(world, "SHA-256");
    world.run(world.now + seconds(5));
    const auto before = world.crowd->by_rote();
    EXPECT_GT(before, 150U);
    challenge_calls(world, "MD5"); // which is not what is drawn
    world.run();
    EXPECT_LE(world.crowd->by_rote(), before + 4); // those that were in progress
    EXPECT_GT(world.crowd->tally().failed, 190U);
}

TEST(Crowd, ThousandsOfCallsLeaveNothingBehind) {
    auto settings = at_rate(200, seconds(20));
    settings.keep_failed = 0;
    World world{load_plan(std::string{call_flow}, "udp"), settings};
    world.run();
    EXPECT_EQ(world.crowd->tally().passed, 4000U);
    EXPECT_EQ(world.crowd->in_progress(), 0U);
    EXPECT_LE(world.most_in_progress, 420U);
}

constexpr std::string_view written_out = R"(sequenceDiagram
    actor uac as UAC (literal, TCP)
    participant uas as UAS (under test)
    %% at: tcp:127.0.0.1:5060

    uac->>uas: INVITE (SDP offer)
    %% | From: <sip:[field0]@example.com>;tag=[call_number]
    uas-->>uac: 200 OK
    uac->>uas: ACK
    uac->>uas: BYE
    uas-->>uac: 200 OK
)";

TEST(CrowdLiteral, EachCallHasItsRowAndItsAnswers) {
    CrowdSettings settings;
    settings.arrivals = Arrivals{{{10, 10, seconds(3)}}};
    settings.injections.push_back(*script::sipp::read_injection("SEQUENTIAL\nann\nbob\n", "u.csv"));
    World world{load_plan(std::string{written_out}), settings};
    world.run();
    const auto& tally = world.crowd->tally();
    EXPECT_EQ(tally.passed, 30U);
    EXPECT_EQ(tally.failed, 0U);
    EXPECT_EQ(tally.sessions.answered, 30U);
    EXPECT_EQ(tally.answers.count(), 30U);
    EXPECT_EQ(tally.hanging_up.count(), 30U);
    ASSERT_EQ(world.users.size(), 30U);
    EXPECT_TRUE(world.users[0].contains("sip:ann@")) << world.users[0];
    EXPECT_TRUE(world.users[1].contains("sip:bob@")) << world.users[1];
    EXPECT_TRUE(world.users[2].contains("sip:ann@")) << world.users[2];
    EXPECT_EQ(world.connects, 1U);
}

TEST(CrowdLiteral, AnAnswerThatIsNotDrawnFailsTheCall) {
    CrowdSettings settings;
    settings.at_once = 5;
    settings.calls = 20;
    settings.injections.push_back(*script::sipp::read_injection("RANDOM\nann\n", "u.csv"));
    World world{load_plan(std::string{written_out}), settings};
    world.answer = [](const sip::MessageView&) { return std::uint16_t{486}; };
    world.run();
    EXPECT_EQ(world.crowd->tally().failed, 20U);
    EXPECT_EQ(world.crowd->tally().sessions.refused, 0U) << "nobody awaited a 486";
}

TEST(CrowdLiteral, CallsAreAnsweredAsTheyComeUntilThereAreEnough) {
    const auto plan = load_plan(R"(sequenceDiagram
    participant uac as UAC (under test)
    actor uas as UAS (literal, TCP)

    uac->>uas: INVITE
    uas-->>uac: 200 OK
    uac->>uas: ACK
    uac->>uas: BYE
    uas-->>uac: 200 OK
)");
    EXPECT_TRUE(answers_calls(plan));
    CrowdSettings settings;
    settings.answers = true;
    settings.calls = 2;
    World world{plan, settings};
    const auto say = [&](std::string_view method, int call, int cseq) {
        world.at(world.now + milliseconds(10 * cseq), [&world, method, call, cseq] {
            const Wire wire{sip::Transport::Tcp,
                            0,
                            7,
                            1,
                            Endpoint{*IpAddress::parse("127.0.0.1"), 5070},
                            Endpoint{*IpAddress::parse("127.0.0.1"), 5071}};
            world.crowd->on_message(
                1, wire,
                fmt::format("{0} sip:x@127.0.0.1 SIP/2.0\r\n"
                            "Via: SIP/2.0/TCP 127.0.0.1:5071;branch=z9hG4bK{1}{2}\r\n"
                            "From: <sip:a@b>;tag=1\r\nTo: <sip:x@b>\r\n"
                            "Call-ID: theirs-{1}\r\nCSeq: {2} {0}\r\n"
                            "Content-Length: 0\r\n\r\n",
                            method, call, cseq),
                world.now);
        });
    };
    say("BYE", 9, 1); // of no call: none begins
    for (const int call : {1, 2}) {
        say("INVITE", call, 1);
        say("ACK", call, 2);
        say("BYE", call, 3);
    }
    world.run();
    EXPECT_TRUE(world.crowd->over());
    EXPECT_EQ(world.crowd->tally().started, 2U);
    EXPECT_EQ(world.crowd->tally().passed, 2U);
}

TEST(Crowd, DatagramsLeaveFromAllSourcesInTurn) {
    CrowdSettings settings;
    settings.arrivals = Arrivals{{{10, 10, seconds(3)}}};
    const Endpoint second{*IpAddress::parse("127.0.0.2"), 5099};
    settings.sources = {{std::nullopt, std::nullopt}, {second, std::nullopt}};
    World world{load_plan(std::string{call_flow}, "udp"), settings};
    std::size_t from_second = 0;
    world.answer = [&](const sip::MessageView& message) {
        from_second += message.value(sip::HeaderId::Via).contains("127.0.0.2:5099") ? 1 : 0;
        return std::uint16_t{200};
    };
    world.run();
    EXPECT_EQ(world.crowd->tally().passed, 30U);
    EXPECT_EQ(from_second, 30U) << "an INVITE and a BYE of every other call";
}

} // namespace
} // namespace cw::play
