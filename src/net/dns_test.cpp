#include "net/dns.hpp"

#include <fstream>

#include "net/test_certificates.hpp"
#include "net/test_dns.hpp"
#include "net/test_loop.hpp"

namespace cw::net {
namespace {

using namespace test;
using Status = DnsAnswer::Status;

// The server lives in the same loop, behind socket 0: it answers what `replies` has, by name and
// type, and keeps silent about the rest.
class DnsTest : public LoopTest {
  protected:
    DnsTest() {
        auto fd = bind_datagram({*IpAddress::parse("127.0.0.1"), 0}, true);
        server = local_endpoint(fd->get());
        loop.receive(std::move(*fd), 0);
        settings.servers = to_string(server);
        settings.hosts_file = "";
        settings.timeout = milliseconds(20);
        h.when_turn = [this](Instant) { serve(); };
        replies["example.com 1"] = {.answers = {record(to_question, 1, 300, "\x0a\x01\x01\x02")}};
    }
    void serve() {
        for (const auto& [from, text] : std::exchange(h.datagrams, {})) {
            const auto end = text.find('\0', 12);
            std::string name;
            for (std::size_t i = 12; i < end; i += static_cast<std::size_t>(text[i]) + 1) {
                name += (name.empty() ? "" : ".") +
                        text.substr(i + 1, static_cast<std::size_t>(text[i]));
            }
            const auto type = load_be16(as_bytes(text).data() + end + 1);
            asked.push_back(name + ' ' + std::to_string(type));
            if (const auto at = replies.find(asked.back()); at != replies.end()) {
                loop.send_datagram(
                    0, from, reply(text.substr(0, 2), text.substr(12, end + 5 - 12), at->second));
            }
        }
    }
    Dns::Callback note() {
        return [this](const DnsAnswer& answer) {
            answers.push_back(answer);
            loop.post([] {});
        };
    }
    bool answered(std::size_t count) {
        return run_until([this, count] { return answers.size() >= count; });
    }

    Endpoint server;
    DnsSettings settings;
    std::map<std::string, Reply> replies;
    std::vector<std::string> asked;
    std::vector<DnsAnswer> answers;
};

TEST_F(DnsTest, AsksOnceAndKeepsTheAnswer) {
    Dns dns{loop, settings};
    EXPECT_NE(0U, dns.query("Example.com.", DnsType::A, note()));
    EXPECT_NE(0U, dns.query("example.com", DnsType::A, note())); // while the other is under way
    EXPECT_EQ(1U, dns.in_flight());
    EXPECT_TRUE(answers.empty());
    ASSERT_TRUE(answered(2));
    EXPECT_EQ(Status::Found, answers[0].status);
    EXPECT_EQ("10.1.1.2", to_string(answers[1].addresses.at(0)));
    EXPECT_EQ(0U, dns.query("EXAMPLE.com", DnsType::A, note())); // from the cache, at once
    EXPECT_EQ(3U, answers.size());
    EXPECT_EQ(std::vector<std::string>{"example.com 1"}, asked);
}

// [RFC 6761 §6.3, §6.4]
TEST_F(DnsTest, ReservedNamesAreNeverAskedFor) {
    Dns dns{loop, settings};
    for (const auto* name : {"localhost", "Phone.LocalHost."}) {
        for (const auto type : {DnsType::Naptr, DnsType::Srv, DnsType::A}) {
            EXPECT_EQ(0U, dns.query(name, type, note()));
        }
        ASSERT_EQ(Status::NoData, answers[answers.size() - 2].status);
        EXPECT_EQ("127.0.0.1", to_string(answers.back().addresses.at(0)));
    }
    dns.query("_sip._udp.localhost", DnsType::Srv, note());
    EXPECT_EQ(Status::NoData, answers.back().status);
    dns.query("nowhere.invalid", DnsType::Naptr, note());
    EXPECT_EQ(Status::NoSuchName, answers.back().status);
    EXPECT_TRUE(asked.empty());
    EXPECT_NE(0U, dns.query("notlocalhost", DnsType::A, note()));
}

TEST_F(DnsTest, SilenceIsToldFromAFailureThatWasSaid) {
    replies["broken.example.com 1"] = {.code = 2};
    settings.tries = 1;
    Dns dns{loop, settings};
    dns.query("broken.example.com", DnsType::A, note());
    dns.query("silent.example.com", DnsType::A, note());
    ASSERT_TRUE(answered(2));
    EXPECT_EQ(Status::Failed, answers[0].status);
    EXPECT_FALSE(answers[0].silent);
    EXPECT_EQ(Status::Failed, answers[1].status);
    EXPECT_TRUE(answers[1].silent);
}

TEST_F(DnsTest, NoIsKeptToo) {
    replies["no.example.com 33"] = {.code = 3, .authority = {soa(60, 60)}};
    replies["example.com 35"] = {.authority = {soa(60, 60)}};
    Dns dns{loop, settings};
    dns.query("no.example.com", DnsType::Srv, note());
    dns.query("example.com", DnsType::Naptr, note());
    ASSERT_TRUE(answered(2));
    dns.query("no.example.com", DnsType::Srv, note());
    dns.query("example.com", DnsType::Naptr, note());
    ASSERT_EQ(4U, answers.size());
    EXPECT_EQ(Status::NoSuchName, answers[2].status);
    EXPECT_EQ(Status::NoData, answers[3].status);
    EXPECT_EQ(2U, asked.size());
}

TEST_F(DnsTest, AnAnswerWithoutLifeIsNotKept) {
    replies["example.com 1"] = {.answers = {record(to_question, 1, 0, "\x0a\x01\x01\x02")}};
    Dns dns{loop, settings};
    dns.query("example.com", DnsType::A, note());
    ASSERT_TRUE(answered(1));
    dns.query("example.com", DnsType::A, note());
    ASSERT_TRUE(answered(2));
    EXPECT_EQ(2U, asked.size());
    EXPECT_EQ(0U, dns.cached());
}

TEST_F(DnsTest, ASilentServerIsAskedAgainAndThenItFails) {
    Dns dns{loop, settings};
    dns.query("silent.example.com", DnsType::A, note());
    ASSERT_TRUE(answered(1));
    EXPECT_EQ(Status::Failed, answers[0].status);
    EXPECT_EQ(2U, asked.size());
    dns.query("silent.example.com", DnsType::A, note()); // not at once again
    EXPECT_EQ(2U, answers.size());
    EXPECT_EQ(2U, asked.size());
}

TEST_F(DnsTest, TheNextServerIsAskedWhenOneIsSilent) {
    auto silent = bind_datagram({*IpAddress::parse("127.0.0.1"), 0}, true);
    settings.servers = to_string(local_endpoint(silent->get())) + "," + to_string(server);
    Dns dns{loop, settings};
    dns.query("example.com", DnsType::A, note());
    ASSERT_TRUE(answered(1));
    EXPECT_EQ(Status::Found, answers[0].status);
}

TEST_F(DnsTest, WhatIsCancelledIsNotCalledBackAndOthersAre) {
    Dns dns{loop, settings};
    const auto first = dns.query("example.com", DnsType::A, note());
    Dns::Id third = 0;
    dns.query("example.com", DnsType::A, [&](const DnsAnswer& answer) {
        note()(answer);
        dns.cancel(third); // from within
    });
    third = dns.query("example.com", DnsType::A, note());
    dns.cancel(first);
    dns.cancel(12345);
    ASSERT_TRUE(answered(1));
    EXPECT_EQ(1U, answers.size());
    EXPECT_EQ(1U, dns.cached());
}

TEST_F(DnsTest, ACallbackMayAsk) {
    replies["_sips._tcp.example.com 33"] = {
        .answers = {record(to_question, 33, 60, srv(1, 1, 5061, "example.com"))}};
    Dns dns{loop, settings};
    dns.query("_sips._tcp.example.com", DnsType::Srv, [&](const DnsAnswer& answer) {
        dns.query(answer.srv.at(0).target, DnsType::A, [&](const DnsAnswer& address) {
            answers.push_back(address);
            dns.query("example.com", DnsType::A, note());
        });
    });
    ASSERT_TRUE(answered(2));
    EXPECT_EQ(answers[0].addresses, answers[1].addresses);
}

TEST_F(DnsTest, QuestionsAndAnswersAreBoundedInNumber) {
    settings.in_flight = 3;
    settings.cached = 2;
    Dns dns{loop, settings};
    for (int i = 0; i < 5; ++i) {
        const auto name = "h" + std::to_string(i) + ".example.com";
        replies[name + " 1"] = replies["example.com 1"];
        dns.query(name, DnsType::A, note());
    }
    EXPECT_EQ(3U, dns.in_flight());
    ASSERT_EQ(2U, answers.size()); // refused at once
    EXPECT_EQ(Status::Failed, answers[0].status);
    ASSERT_TRUE(answered(5));
    EXPECT_EQ(2U, dns.cached());
}

TEST_F(DnsTest, NamesThatAreNoneAreNotAskedFor) {
    Dns dns{loop, settings};
    dns.query("not a name", DnsType::A, note());
    dns.query("", DnsType::A, note());
    EXPECT_EQ(2U, answers.size());
    EXPECT_EQ(0U, dns.in_flight());
}

TEST_F(DnsTest, ServersThatAreNoneAnswerNothing) {
    settings.servers = "not a server";
    Dns dns{loop, settings};
    dns.query("example.com", DnsType::A, note());
    ASSERT_EQ(1U, answers.size());
    EXPECT_EQ(Status::Failed, answers[0].status);
}

TEST_F(DnsTest, TheHostsFileAndLocalhostComeFirst) {
    Folder folder;
    settings.hosts_file = folder.file("hosts");
    std::ofstream{settings.hosts_file}
        << "# a comment\n192.0.2.7\tPBX.example pbx # its name\n"
           "2001:db8::7 pbx.example\n10.0.0.1 localhost\nbroken pbx\n";
    Dns dns{loop, settings};
    dns.query("pbx.example", DnsType::A, note());
    dns.query("pbx.example", DnsType::Aaaa, note());
    dns.query("pbx", DnsType::Aaaa, note());
    dns.query("localhost", DnsType::A, note());
    ASSERT_EQ(4U, answers.size());
    EXPECT_EQ("192.0.2.7", to_string(answers[0].addresses.at(0)));
    EXPECT_EQ("2001:db8::7", to_string(answers[1].addresses.at(0)));
    EXPECT_EQ(Status::NoData, answers[2].status);
    EXPECT_EQ("127.0.0.1", to_string(answers[3].addresses.at(0)));
    EXPECT_EQ(1U, answers[3].addresses.size());
}

TEST_F(DnsTest, ItMayGoWhileQuestionsAreOpen) {
    {
        Dns dns{loop, settings};
        dns.query("silent.example.com", DnsType::A, note());
        const auto turn = h.turns;
        ASSERT_TRUE(run_until([&] { return h.turns > turn; }));
    }
    const auto turn = h.turns;
    ASSERT_TRUE(run_until([&] { return h.turns > turn + 1 || (loop.post([] {}), false); }));
    EXPECT_TRUE(answers.empty());
}

} // namespace
} // namespace cw::net
