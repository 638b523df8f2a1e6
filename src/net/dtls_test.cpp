#include "net/dtls.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "net/fingerprint.hpp"

namespace cw::net {
namespace {

const Instant now{1'790'000'000'000'000'000};

std::shared_ptr<const DtlsIdentity> identity() {
    auto made = DtlsIdentity::make(now);
    EXPECT_TRUE(made.has_value());
    return *made;
}

struct Ends {
    std::shared_ptr<const DtlsIdentity> alice_is = identity();
    std::shared_ptr<const DtlsIdentity> bob_is = identity();
    DtlsSettings alice_wants;
    DtlsSettings bob_wants;
    std::optional<Dtls> alice; // the client
    std::optional<Dtls> bob;

    Ends() {
        alice_wants.client = true;
        alice_wants.peer_fingerprint = bob_is->fingerprint();
        bob_wants.peer_fingerprint = alice_is->fingerprint();
    }
    void make() {
        auto a = Dtls::make(alice_is, alice_wants);
        auto b = Dtls::make(bob_is, bob_wants);
        ASSERT_TRUE(a.has_value() && b.has_value());
        alice.emplace(std::move(*a));
        bob.emplace(std::move(*b));
        bob->start(now);
        alice->start(now);
    }
    // Until nobody has anything to send. `lose` says which datagrams are lost, by their number.
    void talk(const std::function<bool(unsigned)>& lose = [](unsigned) { return false; }) {
        unsigned number = 0;
        for (bool busy = true; busy;) {
            busy = false;
            for (auto* from : {&*alice, &*bob}) {
                auto& to = from == &*alice ? *bob : *alice;
                for (const auto& datagram : from->take()) {
                    busy = true;
                    EXPECT_LE(datagram.size(), 1200U);
                    if (!lose(number++)) {
                        to.receive(datagram, now);
                    }
                }
            }
        }
    }
};

TEST(Dtls, both_ends_get_the_same_keys_the_other_way_round) {
    Ends ends;
    ends.make();
    EXPECT_FALSE(ends.alice->keys().has_value());
    ends.talk();
    EXPECT_EQ(ends.alice->state(), Dtls::State::Established) << ends.alice->why();
    EXPECT_EQ(ends.bob->state(), Dtls::State::Established) << ends.bob->why();
    const auto a = ends.alice->keys();
    const auto b = ends.bob->keys();
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->profile, srtp_profile::aead_aes_256_gcm);
    EXPECT_EQ(a->send.size(), 44U);
    EXPECT_EQ(a->send, b->receive);
    EXPECT_EQ(a->receive, b->send);
    EXPECT_NE(a->send, a->receive);
    EXPECT_EQ(ends.alice->peer_fingerprint(), ends.bob_is->fingerprint());
    EXPECT_FALSE(ends.alice->next_deadline(now).known());
}

TEST(Dtls, the_profile_is_one_that_both_take) {
    Ends ends;
    ends.bob_wants.profiles = {srtp_profile::aes128_cm_sha1_32, srtp_profile::aes128_cm_sha1_80};
    ends.alice_wants.profiles = {srtp_profile::aead_aes_128_gcm, srtp_profile::aes128_cm_sha1_80};
    ends.make();
    ends.talk();
    const auto keys = ends.bob->keys();
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->profile, srtp_profile::aes128_cm_sha1_80);
    EXPECT_EQ(keys->send.size(), 30U);

    Ends strangers;
    strangers.bob_wants.profiles = {srtp_profile::aes128_cm_sha1_32};
    strangers.alice_wants.profiles = {srtp_profile::aead_aes_128_gcm};
    strangers.make();
    strangers.talk();
    EXPECT_EQ(strangers.alice->state(), Dtls::State::Failed);
    EXPECT_FALSE(strangers.alice->keys() || strangers.bob->keys());
}

TEST(Dtls, a_certificate_with_another_fingerprint_is_refused_by_either_end) {
    for (const bool wrong_client : {true, false}) {
        Ends ends;
        auto& wants = wrong_client ? ends.bob_wants : ends.alice_wants;
        wants.peer_fingerprint = identity()->fingerprint();
        ends.make();
        ends.talk();
        auto& judge = wrong_client ? *ends.bob : *ends.alice;
        auto& judged = wrong_client ? *ends.alice : *ends.bob;
        EXPECT_EQ(judge.state(), Dtls::State::Failed);
        EXPECT_EQ(judge.why(), "the peer's certificate is not the one of its fingerprint");
        EXPECT_EQ(judged.state(), Dtls::State::Failed);
        EXPECT_NE(judged.why().find("alert"), std::string::npos) << judged.why();
        EXPECT_FALSE(judge.keys() || judged.keys());
    }
}

TEST(Dtls, without_the_answer_there_are_no_keys_yet) {
    Ends ends;
    ends.bob_wants.peer_fingerprint.clear();
    ends.make();
    ends.talk();
    EXPECT_EQ(ends.bob->state(), Dtls::State::Established);
    EXPECT_FALSE(ends.bob->keys().has_value());
    ends.bob->set_peer_fingerprint(ends.alice_is->fingerprint());
    EXPECT_TRUE(ends.bob->keys().has_value());
    ends.bob->set_peer_fingerprint(ends.bob_is->fingerprint());
    EXPECT_EQ(ends.bob->state(), Dtls::State::Failed);
    EXPECT_FALSE(ends.bob->keys().has_value());
}

TEST(Dtls, each_datagram_may_be_lost_once) {
    // OpenSSL counts by the system's clock: the timeout is made short, and is waited for.
    for (unsigned lost = 0; lost < 5; ++lost) {
        Ends ends;
        ends.alice_wants.first_timeout = ends.bob_wants.first_timeout = milliseconds(1);
        ends.make();
        ends.talk([&](unsigned number) { return number == lost; });
        for (int tries = 0; tries < 20 && !(ends.alice->keys() && ends.bob->keys()); ++tries) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            ends.alice->advance(now);
            ends.bob->advance(now);
            ends.talk();
        }
        EXPECT_TRUE(ends.alice->keys() && ends.bob->keys()) << lost;
    }
}

TEST(Dtls, a_peer_that_never_answers_is_given_up) {
    Ends ends;
    ends.make();
    EXPECT_EQ(ends.alice->take().size(), 1U);
    const auto deadline = ends.alice->next_deadline(now);
    EXPECT_GT(deadline, now);
    EXPECT_LE(deadline, now + seconds(1));
    ends.alice->advance(now + seconds(33));
    EXPECT_EQ(ends.alice->state(), Dtls::State::Failed);
    EXPECT_EQ(ends.alice->why(), "the DTLS handshake was not answered in time");
}

TEST(Dtls, the_end_is_said) {
    Ends ends;
    ends.make();
    ends.talk();
    ends.alice->close();
    EXPECT_EQ(ends.alice->state(), Dtls::State::Closed);
    ends.talk();
    EXPECT_EQ(ends.bob->state(), Dtls::State::Closed);
}

TEST(Dtls, noise_does_not_end_a_handshake) {
    Ends ends;
    ends.make();
    const std::vector<std::uint8_t> noise(100, 22);
    ends.bob->receive(noise, now);
    ends.bob->receive({}, now);
    ends.alice->receive(Bytes{noise}.first(1), now);
    ends.talk();
    EXPECT_TRUE(ends.alice->keys() && ends.bob->keys());
    ends.bob->receive(noise, now);
    EXPECT_EQ(ends.bob->state(), Dtls::State::Established);
}

TEST(Dtls, two_clients_do_not_come_together) {
    Ends ends;
    ends.bob_wants.client = true;
    ends.make();
    ends.talk();
    EXPECT_FALSE(ends.alice->keys() || ends.bob->keys());
}

TEST(Dtls, settings_that_make_no_sense_are_refused) {
    auto settings = DtlsSettings{};
    settings.peer_fingerprint = "sha-1 00:11";
    EXPECT_FALSE(Dtls::make(identity(), settings).has_value());
    settings = {};
    settings.profiles = {5};
    EXPECT_FALSE(Dtls::make(identity(), settings).has_value());
}

TEST(Fingerprint, is_read_in_any_case_and_nothing_else) {
    const auto own = identity()->fingerprint();
    EXPECT_EQ(own.size(), 8U + 95);
    std::string lower;
    for (const char c : own) {
        lower += static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c);
    }
    ASSERT_TRUE(parse_fingerprint(lower));
    EXPECT_EQ(parse_fingerprint(lower)->text, own);
    EXPECT_FALSE(parse_fingerprint(own.substr(0, own.size() - 1)));
    EXPECT_FALSE(parse_fingerprint(own + ":00"));
    EXPECT_FALSE(parse_fingerprint("sha-384" + own.substr(7)));
    EXPECT_FALSE(parse_fingerprint("md5" + own.substr(7)));
    EXPECT_FALSE(parse_fingerprint(""));
    auto bad = own;
    bad[10] = '-';
    EXPECT_FALSE(parse_fingerprint(bad));
    EXPECT_NE(identity()->fingerprint(), own);
}

} // namespace
} // namespace cw::net
