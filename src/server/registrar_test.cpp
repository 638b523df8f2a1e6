#include "server/registrar.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "server/test_network.hpp"

namespace cw::server::test {
namespace {

using sip::HeaderId;

struct RegistrarTest : testing::Test {
    // A REGISTER with an answer to a fresh challenge; what comes back.
    MessagePtr ask(Phone& phone, std::string contact, std::string headers = {}, int cseq = 0,
                   std::string call_id = "r1") {
        cseq_ += 2;
        Phone::Request r{.method = "REGISTER",
                         .uri = "sip:example.com",
                         .to = fmt::format("<sip:{}@example.com>", phone.name),
                         .call_id = std::move(call_id),
                         .cseq = cseq != 0 ? cseq : cseq_,
                         .headers = std::move(headers)};
        const auto edit = [&](std::string text) {
            const auto line = fmt::format("Contact: <{}>\r\n", phone.contact());
            const auto at = text.find(line);
            return text.replace(at, line.size(),
                                contact.empty() ? "" : "Contact: " + contact + "\r\n");
        };
        phone.send(edit(phone.make(r)));
        network.run();
        const auto challenge = phone.take();
        if (challenge->status() != 401) {
            return challenge;
        }
        r.cseq += cseq != 0 ? 0 : 1;
        phone.send(edit(phone.make_with_credentials(r, *challenge)));
        network.run();
        return phone.take();
    }
    static int status(const MessagePtr& m) { return m ? m->status() : 0; }

    Network network;
    Phone& alice = network.add_phone("alice");

  private:
    int cseq_ = 0;
};

TEST_F(RegistrarTest, OffersTheStrongestFirstAndMd5OnlyWhereAllowed) {
    alice.send(alice.make(
        {.method = "REGISTER", .uri = "sip:example.com", .to = "<sip:alice@example.com>"}));
    network.run();
    const auto challenges = alice.take()->values(HeaderId::WwwAuthenticate);
    ASSERT_EQ(challenges.size(), 2U);
    EXPECT_NE(challenges[0].find("algorithm=SHA-512-256"), std::string::npos);
    EXPECT_NE(challenges[1].find("algorithm=SHA-256"), std::string::npos);

    auto settings = plain_settings();
    settings.domains[0].allow_md5 = true;
    settings.domains[0].users[0].ha1_sha256.clear();
    settings.domains[0].users[0].ha1_sha512_256.clear();
    Network other{settings};
    auto& old_phone = other.add_phone("alice");
    EXPECT_EQ(old_phone.register_now()->status(), 200);
    other.server.set_settings(std::make_shared<const Settings>(plain_settings()));
    EXPECT_EQ(old_phone.register_now({}, {}, 9)->status(), 200); // by what she has now
}

TEST_F(RegistrarTest, AsksAPhoneForNoMoreThanItCopesWith) {
    auto settings = plain_settings();
    settings.domains[0].allow_md5 = true;
    settings.domains[0].users[0].ha1_md5 = std::string(32, 'a');
    Network home{settings};
    auto& phone = home.add_phone("alice");
    const auto offered = [&](std::string_view user_agent) {
        phone.send(phone.make({.method = "REGISTER",
                               .uri = "sip:example.com",
                               .to = "<sip:alice@example.com>",
                               .headers = user_agent.empty()
                                              ? std::string{}
                                              : fmt::format("User-Agent: {}\r\n", user_agent)}));
        home.run();
        std::string all;
        for (const auto& challenge : phone.take()->values(HeaderId::WwwAuthenticate)) {
            const auto at = challenge.find("algorithm=") + 10;
            all += challenge.substr(at, challenge.find(',', at) - at) + " ";
        }
        return all;
    };
    EXPECT_EQ(offered(""), "SHA-512-256 SHA-256 MD5 ");
    EXPECT_EQ(offered("baresip v1.0.0 (x86_64/linux)"), "MD5 ");
    EXPECT_EQ(offered("baresip v3.5.0 (x86_64/linux)"), "SHA-256 MD5 ");
    EXPECT_EQ(offered("Linphonec/5.1.65 (desk) LinphoneSDK/5.1.65"), "SHA-256 MD5 ");

    settings.domains[0].allow_md5 = false; // then an old phone is told what it would have to know
    home.server.set_settings(std::make_shared<const Settings>(settings));
    EXPECT_EQ(offered("baresip v1.0.0 (x86_64/linux)"), "SHA-512-256 SHA-256 ");
}

TEST_F(RegistrarTest, KeepsSeveralContactsWithTheirQ) {
    auto ok = ask(
        alice, "<sip:a@192.0.2.10:1>;q=0.7;expires=600, <sip:b@192.0.2.10:2>;methods=\"INVITE\"");
    ASSERT_EQ(status(ok), 200);
    const auto contacts = ok->values(HeaderId::Contact);
    ASSERT_EQ(contacts.size(), 2U);
    EXPECT_EQ(contacts[0], "<sip:b@192.0.2.10:2>;methods=\"INVITE\";expires=3600");
    EXPECT_EQ(contacts[1], "<sip:a@192.0.2.10:1>;q=0.700;expires=600");
    EXPECT_EQ(network.changes.size(), 2U);
}

TEST_F(RegistrarTest, FetchesRefreshesAndRemoves) {
    ask(alice, "<sip:a@192.0.2.10:1>, <sip:b@192.0.2.10:2>");
    EXPECT_EQ(ask(alice, "")->values(HeaderId::Contact).size(), 2U);
    network.run(seconds(1000));
    auto ok = ask(alice, "<sip:a@192.0.2.10:1>;expires=100");
    EXPECT_NE(ok->text.find("<sip:a@192.0.2.10:1>;expires=100"), std::string::npos);
    EXPECT_NE(ok->text.find("<sip:b@192.0.2.10:2>;expires=2599"), std::string::npos);
    ok = ask(alice, "<sip:A@192.0.2.10:1>;expires=0"); // another user part: another contact
    EXPECT_EQ(ok->values(HeaderId::Contact).size(), 2U);
    ok = ask(alice, "<sip:a@192.0.2.10:1;transport=udp>;expires=0, <sip:b@192.0.2.10:2>;expires=0");
    EXPECT_EQ(ok->values(HeaderId::Contact).size(), 1U);
    ok = ask(alice, "*", "Expires: 0\r\n");
    EXPECT_EQ(status(ok), 200);
    EXPECT_TRUE(ok->values(HeaderId::Contact).empty());
    EXPECT_TRUE(network.changes.back().data.empty());
}

TEST_F(RegistrarTest, TakesAStarOnlyAloneAndWithExpiresZero) {
    EXPECT_EQ(status(ask(alice, "*")), 400);
    EXPECT_EQ(status(ask(alice, "*", "Expires: 60\r\n")), 400);
    EXPECT_EQ(status(ask(alice, "<sip:a@192.0.2.10>, *", "Expires: 0\r\n")), 400);
}

TEST_F(RegistrarTest, HoldsToItsLimitsOfTime) {
    const auto brief = ask(alice, "<sip:a@192.0.2.10>;expires=59");
    EXPECT_EQ(status(brief), 423);
    EXPECT_EQ(brief->value(HeaderId::MinExpires), "60");
    EXPECT_NE(ask(alice, "<sip:a@192.0.2.10>;expires=4294967295")->text.find("expires=7200"),
              std::string::npos);
    EXPECT_NE(
        ask(alice, "<sip:a@192.0.2.10>", "Expires: 99999999999\r\n")->text.find("expires=7200"),
        std::string::npos);
    EXPECT_NE(ask(alice, "<sip:a@192.0.2.10>;expires=soon")->text.find("expires=3600"),
              std::string::npos);
    network.run(seconds(7201));
    EXPECT_EQ(network.server.counters().bindings_now, 0U);
    EXPECT_TRUE(network.changes.back().data.empty());
}

TEST_F(RegistrarTest, RefusesMoreContactsThanAUserMayHave) {
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(status(ask(alice, fmt::format("<sip:a@192.0.2.10:{}>", 1000 + i))), 200);
    }
    EXPECT_EQ(status(ask(alice, "<sip:a@192.0.2.10:2000>")), 403);
    EXPECT_EQ(status(ask(alice, "<sip:a@192.0.2.10:1000>")), 200);
    EXPECT_EQ(network.server.counters().bindings_now, 10U);
}

TEST_F(RegistrarTest, TakesNothingFromAnEarlierRequestOfTheSameCallId) {
    EXPECT_EQ(status(ask(alice, "<sip:a@192.0.2.10>", {}, 10)), 200);
    EXPECT_EQ(status(ask(alice, "<sip:a@192.0.2.10>;expires=0", {}, 9)), 500);
    EXPECT_EQ(status(ask(alice, "*", "Expires: 0\r\n", 10)), 500);
    EXPECT_EQ(status(ask(alice, "<sip:a@192.0.2.10>;expires=0", {}, 9, "another")), 200);
}

TEST_F(RegistrarTest, LetsNobodyRegisterForSomebodyElse) {
    Phone::Request r{.method = "REGISTER", .uri = "sip:example.com", .to = "<sip:bob@example.com>"};
    alice.send(alice.make(r));
    network.run();
    const auto challenge = alice.take();
    ++r.cseq;
    alice.send(alice.make_with_credentials(r, *challenge));
    network.run();
    EXPECT_EQ(alice.take()->status(), 403);
    r.to = "<sip:alice@example.com>";
    ++r.cseq;
    alice.send(alice.make_with_credentials(r, *challenge, 2, "wrong"));
    network.run();
    EXPECT_EQ(alice.take()->status(), 401);
    EXPECT_EQ(network.server.counters().bindings_now, 0U);
    for (const auto& line : network.log) {
        EXPECT_EQ(line.fields.find("secret"), std::string::npos);
        EXPECT_EQ(line.fields.find("nonce"), std::string::npos);
    }
}

TEST_F(RegistrarTest, AsksAgainWithStaleWhenANonceIsUsedUp) {
    Phone::Request r{
        .method = "REGISTER", .uri = "sip:example.com", .to = "<sip:alice@example.com>"};
    alice.send(alice.make(r));
    network.run();
    const auto challenge = alice.take();
    ++r.cseq;
    alice.send(alice.make_with_credentials(r, *challenge));
    network.run();
    EXPECT_EQ(alice.take()->status(), 200);
    ++r.cseq;
    alice.send(alice.make_with_credentials(r, *challenge)); // the same count
    network.run();
    const auto again = alice.take();
    EXPECT_EQ(again->status(), 401);
    EXPECT_NE(again->text.find("stale=true"), std::string::npos);
    ++r.cseq;
    alice.send(alice.make_with_credentials(r, *challenge, 2));
    network.run();
    EXPECT_EQ(alice.take()->status(), 200);
}

TEST_F(RegistrarTest, RefusesWhatItDoesNotKnow) {
    EXPECT_EQ(status(ask(alice, "<sip:a@192.0.2.10>", "Require: nothing\r\n")), 420);
    auto& nobody = network.add_phone("nobody");
    EXPECT_EQ(status(ask(nobody, "<sip:a@192.0.2.10>")), 401);
}

// [RFC 3327 §5.3]
TEST_F(RegistrarTest, KeepsAPathFromThoseWhoKnowOfIt) {
    const std::string path = "Path: <sip:edge.example.com;lr>\r\n";
    const auto refused = ask(alice, "<sip:a@192.0.2.10>", path);
    EXPECT_EQ(status(refused), 420);
    EXPECT_EQ(refused->value(HeaderId::Unsupported), "path");
    const auto ok = ask(alice, "<sip:a@192.0.2.10>", path + "Supported: path\r\n");
    ASSERT_EQ(status(ok), 200);
    EXPECT_EQ(ok->value(HeaderId::Path), "<sip:edge.example.com;lr>");
}

// [RFC 5626 §6]
TEST_F(RegistrarTest, BindsAnInstanceAndItsFlowNumber) {
    const std::string contact = "<sip:a@192.0.2.10:{}>;+sip.instance=\"<urn:uuid:1>\";reg-id={}";
    const auto supported = "Supported: outbound, gruu, path\r\n";
    auto ok = ask(alice, fmt::format(fmt::runtime(contact), 1, 1), supported);
    ASSERT_EQ(status(ok), 200);
    EXPECT_EQ(ok->value(HeaderId::Require), "outbound");
    EXPECT_NE(ok->text.find("pub-gruu=\"sip:alice@example.com;gr=urn:uuid:1\""), std::string::npos);
    ok = ask(alice, fmt::format(fmt::runtime(contact), 2, 1), supported, 0, "after-reboot");
    EXPECT_EQ(ok->values(HeaderId::Contact).size(), 1U); // replaced, whatever its URI is
    ok = ask(alice, fmt::format(fmt::runtime(contact), 3, 2), supported);
    EXPECT_EQ(ok->values(HeaderId::Contact).size(), 2U);
    network.close(alice);
    EXPECT_EQ(network.server.counters().bindings_now, 0U);
}

std::string temporary_gruu(const Message& ok) {
    const auto at = ok.text.find(";temp-gruu=\"");
    return at == std::string::npos ? ""
                                   : ok.text.substr(at + 12, ok.text.find('"', at + 12) - at - 12);
}

// [RFC 5627 §5.1, §5.2, §5.3, §6.1]
TEST_F(RegistrarTest, GivesTemporaryGruusThatEndWithTheirCallId) {
    auto& carol = network.add_phone("carol");
    int calls = 0;
    const auto call = [&](const std::string& gruu) {
        carol.send(carol.make({.uri = gruu, .call_id = fmt::format("call{}", ++calls)}));
        network.run();
        const auto challenge = carol.take_response(407);
        if (!challenge) {
            return 0;
        }
        carol.inbox.clear();
        carol.send(carol.make_with_credentials(
            {.uri = gruu, .call_id = fmt::format("call{}", calls), .cseq = 2}, *challenge));
        network.run();
        const auto invite = alice.take_request("INVITE");
        return invite ? -1 : carol.take()->status();
    };
    const std::string phone = "<sip:a@192.0.2.10:40010>;+sip.instance=\"<urn:uuid:1>\"";
    const auto first = temporary_gruu(*ask(alice, phone, "Supported: gruu\r\n", 1, "same"));
    const auto second = temporary_gruu(*ask(alice, phone, "Supported: gruu\r\n", 2, "same"));
    EXPECT_TRUE(first.starts_with("sip:tgruu.") && first.ends_with("@example.com;gr")) << first;
    EXPECT_EQ(first.find("alice"), std::string::npos);
    EXPECT_NE(first, second);
    EXPECT_EQ(call(first), -1) << "both are good as long as the Call-ID stays";
    EXPECT_EQ(call(second), -1);
    auto forged = second;
    forged[20] = forged[20] == 'A' ? 'B' : 'A';
    EXPECT_EQ(call(forged), 404);
    network.run(seconds(40)); // nobody answers
    const auto third = temporary_gruu(*ask(alice, phone, "Supported: gruu\r\n", 1, "another"));
    EXPECT_EQ(call(second), 404);
    EXPECT_EQ(call(third), -1);
    EXPECT_EQ(status(ask(alice, phone + ";expires=0", {}, 2, "another")), 200);
    EXPECT_EQ(call(third), 404);
    ask(alice, phone, "Supported: gruu\r\n", 3, "another");
    EXPECT_EQ(call(third), 404) << "they ended with the last binding";
    EXPECT_FALSE(ask(alice, phone, {}, 4, "another")->text.contains("gruu="));
}

TEST_F(RegistrarTest, ForgetsWithItsConnectionWhatNobodyCanReachOtherwise) {
    ask(alice, "<sip:a@10.0.0.1:5060>, <sip:b@192.0.2.10:5060>");
    network.close(alice);
    EXPECT_EQ(network.server.counters().bindings_now, 1U); // 192.0.2.10 is where she came from
}

TEST_F(RegistrarTest, ANewStartKnowsTheBindingsOfTheOneBefore) {
    ask(alice, "<sip:a@10.0.0.1:5060>");
    Server later{std::make_shared<const Settings>(plain_settings()),
                 ShardIdentity{0, 8, std::string(32, 's'), 1}};
    for (const auto& change : network.changes) {
        later.on_location(change, network.now);
    }
    EXPECT_EQ(later.counters().bindings_now, 1U);
    later.on_location({network.changes[0].aor, network.changes[0].key,
                       network.changes[0].expires_ns, "not a binding"},
                      network.now);
    EXPECT_EQ(later.counters().bindings_now, 1U);
}

} // namespace
} // namespace cw::server::test
