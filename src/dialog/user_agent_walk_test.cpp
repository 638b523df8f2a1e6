// Walks: whole calls between user agents over a bad network, thousands of seeds. However bad it is,
// nothing is stuck, both sides agree, and every answered INVITE is acknowledged or ended.
#include <algorithm>
#include <set>

#include "dialog/refer.hpp"
#include "dialog/replaces.hpp"
#include "dialog/simulated_network.hpp"
#include "sip/via.hpp"
#include "transaction/table.hpp"

namespace cw::dialog {
namespace {

using sip::Method;
using test::bad;
using test::Network;
using test::Party;

#ifdef NDEBUG
constexpr unsigned seeds = 2000;
#else
constexpr unsigned seeds = 250; // a tenth of the speed
#endif

TEST(Walk, ACallIsMadeAndEndedWhateverIsLost) {
    unsigned made = 0;
    unsigned timeouts = 0;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        auto& alice = n.add("alice");
        auto& bob = n.add("bob");
        test::answer_calls(bob, static_cast<int>(n.random(2000)));
        auto& first = seed % 2 == 0 ? alice : bob;
        for (auto* party : {&alice, &bob}) {
            const auto before = party->on_report;
            party->on_report = [&, before, party](const Report& r) {
                if (before) {
                    before(r);
                }
                if (r.what == What::Confirmed && party == &first) {
                    n.after(3000, [&, ref = r.leg] { party->ua->hang_up(ref, n.now()); });
                }
            };
        }
        alice.ua->invite(bob.uri(), alice.with_sdp(), n.now());
        n.run();
        n.expect_quiet();
        timeouts += alice.count(What::Timeout) > 0 ? 1 : 0;
        made += alice.count(What::Confirmed) == 1 && bob.count(What::Confirmed) == 1 ? 1 : 0;
        EXPECT_LE(alice.count(What::Confirmed), bob.count(What::Confirmed)) << seed;
        EXPECT_EQ(alice.count(What::Stray) + bob.count(What::Stray), 0) << seed;
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GT(made, seeds * 98 / 100);
    EXPECT_LT(timeouts, seeds / 20);
}

TEST(Walk, ACancelEitherComesInTimeOrTheCallIsEnded) {
    unsigned cancelled = 0;
    unsigned crossed = 0;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        auto& alice = n.add("alice");
        auto& bob = n.add("bob");
        test::answer_calls(bob, 500 + static_cast<int>(n.random(2000)));
        const auto ref = alice.ua->invite(bob.uri(), alice.with_sdp(), n.now());
        n.after(static_cast<int>(n.random(3000)), [&, ref] { alice.ua->cancel(ref, {}, n.now()); });
        // Where the 200 was first, nothing ends the call but its caller.
        n.after(60'000, [&] {
            for (const auto leg : alice.ua->legs()) {
                alice.ua->hang_up(leg, n.now());
            }
        });
        n.run();
        n.expect_quiet();
        cancelled += bob.count(What::Cancelled) > 0 ? 1 : 0;
        crossed += alice.responses(Method::Invite, 200) > 0 ? 1 : 0;
        EXPECT_LE(alice.responses(Method::Invite, 487) + alice.responses(Method::Invite, 200), 1);
        if (bob.count(What::Cancelled) > 0) {
            EXPECT_EQ(alice.responses(Method::Invite, 200), 0) << seed;
        }
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GT(cancelled, seeds / 5); // both happen
    EXPECT_GT(crossed, seeds / 10);
}

// A forking proxy, as stateless as can be: it adds its Via, gives each branch its number, and keeps
// what RFC 3261 §16 has it keep: the failures until all branches have one.
struct Forker {
    Network& n;
    Party& self;
    std::vector<Party*> targets;
    Party* caller = nullptr;
    std::map<int, std::string> failures;
    bool answered = false;
    std::string invite;

    void on_bytes(const std::string& text) {
        sip::HeaderIndex index;
        const auto m = sip::index(std::string_view{text}, index);
        ASSERT_TRUE(m);
        m->is_request() ? request(*m) : response(*m);
    }
    void request(const sip::MessageView& m) {
        if (m.method() == Method::Ack) {
            return; // of the failure that went up
        }
        if (m.method() == Method::Cancel) {
            auto ok = Draft::response(200, "OK");
            for (const auto& h : m.headers()) {
                ok.add(h.name, h.value);
            }
            n.send(self, n.wire(self, caller->at), ok.print());
        } else {
            invite = m.bytes();
        }
        for (int i = 0; i < static_cast<int>(targets.size()); ++i) {
            if (!failures.contains(i)) {
                down(m, i);
            }
        }
    }
    void down(const sip::MessageView& m, int i) {
        auto d = Draft::copy_of(m);
        d.add_first("Via", "SIP/2.0/UDP " + to_string(self.at) + ";branch=z9hG4bKfork" +
                               std::to_string(i));
        n.send(self, n.wire(self, targets[static_cast<std::size_t>(i)]->at), d.print());
    }
    void response(const sip::MessageView& m) {
        const auto cseq = *sip::parse_cseq(m.value(sip::HeaderId::CSeq));
        const auto branch = sip::parse_via(m.value(sip::HeaderId::Via))->branch;
        if (cseq.method != Method::Invite || m.status() == 100) {
            return;
        }
        const int i = branch.back() - '0';
        if (m.status() >= 300) {
            sip::HeaderIndex index;
            auto d = Draft::copy_of(*sip::index(std::string_view{invite}, index));
            Changes ack;
            ack.method = "ACK";
            ack.with("CSeq", std::to_string(cseq.number) + " ACK")
                .with("To", std::string{m.value(sip::HeaderId::To)})
                .with_body("", "");
            d.remove("Via").apply(ack);
            d.add_first("Via",
                        "SIP/2.0/UDP " + to_string(self.at) + ";branch=" + std::string{branch});
            n.send(self, n.wire(self, targets[static_cast<std::size_t>(i)]->at), d.print());
            failures[i] = m.bytes();
            if (answered || failures.size() < targets.size()) {
                return;
            }
        } else if (m.status() >= 200 && !answered) {
            answered = true;
            cancel_others(i);
        }
        up(m);
    }
    void cancel_others(int winner) {
        const auto cancel = transaction::make_cancel(invite);
        sip::HeaderIndex cancel_index;
        const auto c = sip::index(std::string_view{cancel}, cancel_index);
        for (int i = 0; i < static_cast<int>(targets.size()); ++i) {
            if (i != winner && !failures.contains(i)) {
                auto d = Draft::copy_of(*c);
                d.set("Via", "SIP/2.0/UDP " + to_string(self.at) + ";branch=z9hG4bKfork" +
                                 std::to_string(i));
                n.send(self, n.wire(self, targets[static_cast<std::size_t>(i)]->at), d.print());
            }
        }
    }
    void up(const sip::MessageView& m) {
        auto d = Draft::response(m.status(), m.reason());
        bool first = true;
        for (const auto& h : m.headers()) {
            if (h.id == sip::HeaderId::Via && first) {
                first = false;
            } else if (h.id != sip::HeaderId::ContentLength) {
                d.add(h.name, h.value);
            }
        }
        d.set_body(m.value(sip::HeaderId::ContentType), m.body());
        n.send(self, n.wire(self, caller->at), d.print());
    }
};

TEST(Walk, OfThreeForksOneCallRemains) {
    unsigned two_answered = 0;
    unsigned three_early = 0;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        auto& alice = n.add("alice");
        auto& proxy = n.add_bare("proxy");
        Forker fork{n, proxy, {}, &alice, {}, false, {}};
        proxy.on_bytes = [&](const std::string& text, const transaction::Wire&) {
            fork.on_bytes(text);
        };
        for (const auto* name : {"bob", "carol", "dave"}) {
            auto& party = n.add(name);
            test::answer_calls(party, 600 + static_cast<int>(n.random(600)));
            fork.targets.push_back(&party);
        }
        alice.ua->learn(to_string(proxy.at), n.wire(alice, proxy.at));
        alice.ua->invite("sip:all@" + to_string(proxy.at), alice.with_sdp(), n.now());
        std::set<Ref> up;
        bool too_many = false;
        alice.on_report = [&](const Report& r) {
            if (r.what == What::Confirmed) {
                up.insert(r.leg);
            } else if (r.what == What::Ended) {
                up.erase(r.leg);
            }
        };
        n.after(100'000, [&] {
            too_many = up.size() > 1;
            for (const auto leg : alice.ua->legs()) {
                alice.ua->hang_up(leg, n.now());
            }
        });
        // A callee whose CANCEL was lost on the way goes on ringing: it gives up.
        n.after(101'000, [&] {
            for (auto* party : fork.targets) {
                for (const auto leg : party->ua->legs()) {
                    party->ua->hang_up(leg, n.now());
                }
            }
        });
        n.run();
        n.expect_quiet();
        EXPECT_FALSE(too_many) << seed;
        EXPECT_TRUE(up.empty()) << seed;
        two_answered += alice.count(What::Confirmed) > 1 ? 1 : 0;
        three_early += alice.count(What::Dialog) == 3 ? 1 : 0;
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GT(two_answered, seeds / 20);
    EXPECT_GT(three_early, seeds / 4);
}

TEST(Walk, TwoReInvitesThatCrossBothSucceedInTheEnd) {
    unsigned crossed = 0;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        auto& alice = n.add("alice");
        auto& bob = n.add("bob");
        test::answer_calls(bob, 100);
        test::answer_calls(alice, 100);
        std::map<Party*, Ref> leg;
        std::map<Party*, int> changed;
        for (auto* party : {&alice, &bob}) {
            const auto before = party->on_report;
            party->on_report = [&, before, party](const Report& r) {
                before(r);
                if (r.what == What::Confirmed) {
                    leg[party] = r.leg;
                } else if (r.what == What::Response && r.method == Method::Invite &&
                           r.status == 200 && leg.contains(party) && r.leg == leg[party]) {
                    ++changed[party];
                }
            };
        }
        alice.ua->invite(bob.uri(), alice.with_sdp(), n.now());
        n.after(20'000, [&] {
            for (auto* party : {&alice, &bob}) {
                party->ua->request(leg[party], "INVITE", party->with_sdp(2), n.now());
            }
        });
        n.after(120'000, [&] {
            const auto* a = alice.ua->session(leg[&alice]);
            const auto* b = bob.ua->session(leg[&bob]);
            if (a != nullptr && b != nullptr && !alice.ua->legs().empty() &&
                alice.ua->call_state(leg[&alice]) == InviteState::Established &&
                bob.ua->call_state(leg[&bob]) == InviteState::Established) {
                EXPECT_EQ(a->local, b->remote) << seed;
                EXPECT_EQ(a->remote, b->local) << seed;
                EXPECT_EQ(a->state, OfferState::Stable) << seed;
                EXPECT_EQ(b->state, OfferState::Stable) << seed;
                EXPECT_GE(changed[&alice], 1) << seed;
                EXPECT_GE(changed[&bob], 1) << seed;
            }
            alice.ua->hang_up(leg[&alice], n.now());
        });
        n.run();
        n.expect_quiet();
        crossed += alice.count(What::Retried) + bob.count(What::Retried) > 0 ? 1 : 0;
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GT(crossed, seeds / 2);
}

TEST(Walk, ASessionIsRefreshedAndEndsWhenTheFarEndIsGone) {
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        const auto timer = [&](UserAgentSettings& s) {
            s.session_timer = {.supported = true,
                               .interval = 90,
                               .min_se = 90,
                               .refresher =
                                   seed % 2 == 0 ? sip::Refresher::Uac : sip::Refresher::Uas};
            if (seed % 3 == 0) { // then by re-INVITE
                std::erase(s.methods, "UPDATE");
            }
        };
        auto& alice = n.add("alice", timer);
        auto& bob = n.add("bob", timer);
        test::answer_calls(bob, 100);
        test::answer_calls(alice, 100);
        alice.ua->invite(bob.uri(), alice.with_sdp(), n.now());
        n.run(seconds(600));
        const auto up = [](const Party& p) {
            return p.count(What::Confirmed) == 1 && p.count(What::Ended) == 0;
        };
        // A refresh that is lost eleven times ends a call; that must be rare.
        if (!up(alice) || !up(bob)) {
            n.run();
            n.expect_quiet();
            continue;
        }
        const auto method = seed % 3 == 0 ? Method::Invite : Method::Update;
        EXPECT_GE(alice.responses(method, 200) + bob.responses(method, 200), 8) << seed;
        bob.cut_off = true;
        n.run();
        EXPECT_EQ(alice.count(What::Ended), 1) << seed;
        EXPECT_EQ(bob.count(What::Ended), 1) << seed;
        n.expect_quiet();
        if (HasFailure()) {
            return;
        }
    }
}

TEST(Walk, ReliableProvisionalsArriveInOrderAndBeforeThe200) {
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        auto& alice = n.add("alice");
        auto& bob = n.add("bob", [](auto& s) { s.reliability = Reliability::Required; });
        bob.on_report = [&](const Report& r) {
            if (r.what == What::Request && r.method == Method::Invite) {
                // All at once: what must wait for a PRACK waits by itself.
                bob.ua->respond(r.request, 183, bob.with_sdp(), n.now());
                bob.ua->respond(r.request, 180, {}, n.now());
                bob.ua->respond(r.request, 181, {}, n.now());
                bob.ua->respond(r.request, 200, {}, n.now());
            }
        };
        std::vector<int> order;
        alice.on_report = [&](const Report& r) {
            if (r.what == What::Response && r.method == Method::Invite && r.status != 100) {
                order.push_back(r.status);
                if (r.status == 183) {
                    EXPECT_EQ(r.description, Meaning::Answer);
                }
            }
            if (r.what == What::Confirmed) {
                EXPECT_EQ(alice.ua->session(r.leg)->remote, bob.sdp());
                n.after(2000, [&, ref = r.leg] { alice.ua->hang_up(ref, n.now()); });
            }
        };
        alice.ua->invite(bob.uri(), alice.with_sdp(), n.now());
        n.run();
        n.expect_quiet();
        if (alice.count(What::Confirmed) == 1) {
            EXPECT_EQ(order.front(), 183) << seed;
            EXPECT_TRUE(std::ranges::find(order, 200) != order.end()) << seed;
            // Once the first is acknowledged the later ones may be overtaken by the 200, but never
            // come twice or out of order.
            const std::vector<int> all{183, 180, 181, 200};
            std::size_t at = 0;
            for (const auto status : order) {
                while (at < all.size() && all[at] != status) {
                    ++at;
                }
                EXPECT_LT(at, all.size()) << seed;
            }
        }
        if (HasFailure()) {
            return;
        }
    }
}

// Bob refers; the referred call replaces Alice's call with Carol [RFC 5589 §7.3].
TEST(Walk, AnAttendedTransferLeavesOneCallBetweenTheOtherTwo) {
    unsigned done = 0;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        auto& alice = n.add("alice");
        auto& bob = n.add("bob");
        auto& carol = n.add("carol");
        test::answer_calls(carol, 200);
        test::answer_calls(bob, 200);
        Ref with_bob = 0;
        Ref with_carol = 0;
        std::vector<int> heard;
        alice.on_report = [&](const Report& r) {
            if (r.what == What::Confirmed && with_bob == 0) {
                with_bob = r.leg;
                alice.ua->invite(carol.uri(), alice.with_sdp(), n.now());
            } else if (r.what == What::Confirmed) {
                with_carol = r.leg;
                Changes refer;
                refer.with("Refer-To",
                           refer_to(carol.uri(), replaces_value(*alice.ua->dialog(with_carol))));
                alice.ua->request(with_bob, "REFER", refer, n.now());
            } else if (r.what == What::Request && r.method == Method::Notify) {
                const auto body = r.message.find("\r\n\r\n");
                heard.push_back(
                    sipfrag_status(std::string_view{r.message}.substr(body + 4)).value());
                if (heard.back() == 200) {
                    alice.ua->hang_up(with_bob, n.now());
                }
            }
        };
        const auto answering = bob.on_report;
        bob.on_report = [&](const Report& r) {
            if (r.what == What::Request && r.method == Method::Refer) {
                bob.ua->respond(r.request, 202, {}, n.now());
                bob.ua->follow(r.request, bob.with_sdp(), n.now());
            } else {
                answering(r);
            }
        };
        alice.ua->invite(bob.uri(), alice.with_sdp(), n.now());
        n.run(seconds(300));
        const bool transferred = !heard.empty() && heard.back() == 200;
        if (transferred) {
            ++done;
            EXPECT_EQ(heard.front(), 100) << seed;
            EXPECT_TRUE(std::ranges::is_sorted(heard)) << seed;
            EXPECT_EQ(alice.ua->sizes().legs, 0U) << seed;
            ASSERT_EQ(bob.ua->legs().size(), 1U) << seed;
            ASSERT_EQ(carol.ua->legs().size(), 1U) << seed;
            const auto* b = bob.ua->dialog(bob.ua->legs().front());
            const auto* c = carol.ua->dialog(carol.ua->legs().front());
            EXPECT_EQ(b->call_id, c->call_id) << seed;
            EXPECT_EQ(b->local_tag, c->remote_tag) << seed;
        }
        for (auto& p : n.parties()) {
            for (const auto leg : p->ua->legs()) {
                p->ua->hang_up(leg, n.now());
            }
        }
        n.run();
        n.expect_quiet();
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GT(done, seeds * 95 / 100);
}

TEST(Walk, ASubscriptionLivesItsLifeAndBothSidesKnowItsEnd) {
    unsigned lived = 0;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        Network n{seed, bad};
        auto& alice = n.add("alice");
        auto& bob = n.add("bob");
        Ref notifier = 0;
        bob.on_report = [&](const Report& r) {
            if (r.what == What::Request && r.method == Method::Subscribe && r.status == 0) {
                bob.ua->respond(r.request, 200, {}, n.now());
            } else if (r.what == What::Dialog) {
                notifier = 0;
            }
        };
        Changes body;
        body.with_body("application/pidf+xml", "<presence/>");
        const auto sub = alice.ua->subscribe(bob.uri(), "presence", 120, {}, n.now());
        std::set<std::string> bodies;
        alice.on_report = [&](const Report& r) {
            if (r.what == What::Request && r.method == Method::Notify) {
                bodies.insert(r.message.substr(r.message.find("\r\n\r\n")));
            }
        };
        n.after(30'000, [&] {
            for (Ref ref = 1; ref < 20; ++ref) {
                bob.ua->notify(ref, SubscriptionEvent::NotifyActive, "", body, n.now());
            }
        });
        n.run(seconds(900));
        const bool active = alice.ua->subscription(sub) != nullptr;
        if (active) {
            ++lived;
            EXPECT_EQ(bob.ua->sizes().subscriptions, 1U) << seed;
            EXPECT_EQ(alice.ua->subscription(sub)->phase, SubscriptionPhase::Active) << seed;
            EXPECT_GE(alice.responses(Method::Subscribe, 200), 10) << seed; // refreshed
            EXPECT_EQ(bodies.size(), 2U) << seed;
            if (seed % 2 == 0) {
                alice.ua->refresh_subscription(sub, 0, n.now());
            } else {
                alice.cut_off = true; // the notifier finds out by itself
            }
        }
        n.run();
        n.expect_quiet();
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GT(lived, seeds * 9 / 10);
}

} // namespace
} // namespace cw::dialog
