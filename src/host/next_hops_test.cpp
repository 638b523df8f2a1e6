#include "host/next_hops.hpp"

#include <gtest/gtest.h>

#include <map>

namespace {

using namespace cw;
using namespace cw::host;

// A name server in a table: "SRV _sip._udp.example.com".
struct Zone {
    std::map<std::string, Records> records;
    std::vector<std::string> asked;

    void naptr(const std::string& name, std::uint16_t order, std::uint16_t preference,
               const char* service, const char* replacement, const char* flags = "s") {
        records["NAPTR " + name].naptr.push_back({order, preference, flags, service, replacement});
    }
    void srv(const std::string& name, std::uint16_t priority, std::uint16_t weight,
             std::uint16_t port, const char* target) {
        records["SRV " + name].srv.push_back({priority, weight, port, target});
    }
    void address(const std::string& name, const char* address) {
        const auto parsed = IpAddress::parse(address);
        records[(parsed->is_v4() ? "A " : "AAAA ") + name].addresses.push_back(*parsed);
    }
    Records answer(const Question& question) {
        static constexpr const char* types[] = {"NAPTR ", "SRV ", "A ", "AAAA "};
        const auto key = types[static_cast<int>(question.type)] + question.name;
        asked.push_back(key);
        const auto at = records.find(key);
        return at != records.end() ? at->second : Records{};
    }
};

std::vector<std::string> hops(Zone& zone, std::string_view uri, const Abilities& abilities = {},
                              std::uint32_t chance = 0, bool secure = false) {
    NextHops search{uri, secure, abilities,
                    [chance](std::uint32_t below) { return std::min(chance, below - 1); }};
    while (!search.finished()) {
        const std::vector<Question> questions{search.questions().begin(), search.questions().end()};
        for (std::size_t i = 0; i < questions.size(); ++i) {
            search.answer(i, zone.answer(questions[i]));
        }
    }
    std::vector<std::string> found;
    for (const auto& hop : search.take_hops()) {
        found.push_back(std::string{sip::to_string(hop.transport)} + " " + to_string(hop.endpoint) +
                        " " + hop.domain);
    }
    return found;
}
using Found = std::vector<std::string>;

TEST(NextHops, AsksNoFurtherWhereThereIsNoSuchName) {
    Zone zone;
    zone.records["NAPTR nowhere.example"].no_such_name = true;
    EXPECT_EQ(hops(zone, "sip:nowhere.example"), Found{});
    EXPECT_EQ(zone.asked, Found{"NAPTR nowhere.example"});
}

TEST(NextHops, GivesUpWhenServersKeepSilent) {
    Zone zone;
    for (const auto* name : {"NAPTR example.com", "SRV _sips._tcp.example.com",
                             "SRV _sip._tcp.example.com", "SRV _sip._udp.example.com"}) {
        zone.records[name].silent = true;
    }
    zone.address("example.com", "192.0.2.1");
    EXPECT_EQ(hops(zone, "sip:example.com"), Found{});
    EXPECT_EQ(zone.asked.size(), 4U) << "and does not ask for addresses";
    zone.records.erase("SRV _sip._tcp.example.com"); // one is answered
    EXPECT_EQ(hops(zone, "sip:example.com").size(), 1U);
}

TEST(NextHops, TakesANumericHostAsItIs) {
    Zone zone;
    EXPECT_EQ(hops(zone, "sip:a@192.0.2.1"), Found{"udp 192.0.2.1:5060 192.0.2.1"});
    EXPECT_EQ(hops(zone, "sips:a@192.0.2.1"), Found{"tls 192.0.2.1:5061 192.0.2.1"});
    EXPECT_EQ(hops(zone, "sip:a@192.0.2.1:5080;transport=TCP"),
              Found{"tcp 192.0.2.1:5080 192.0.2.1"});
    EXPECT_EQ(hops(zone, "sip:[2001:db8::1];transport=tls"),
              Found{"tls [2001:db8::1]:5061 [2001:db8::1]"});
    EXPECT_EQ(hops(zone, "sip:example.com;maddr=192.0.2.7"),
              Found{"udp 192.0.2.7:5060 example.com"});
    EXPECT_TRUE(zone.asked.empty());
}

TEST(NextHops, DoesNotGoWhereTheUriForbids) {
    Zone zone;
    EXPECT_EQ(hops(zone, "sips:a@192.0.2.1;transport=udp"), Found{});
    EXPECT_EQ(hops(zone, "sips:a@192.0.2.1;transport=tcp"), Found{"tls 192.0.2.1:5061 192.0.2.1"});
    EXPECT_EQ(hops(zone, "sip:a@192.0.2.1;transport=sctp"), Found{});
    EXPECT_EQ(hops(zone, "sip:a@192.0.2.1", {.udp = false}), Found{});
    EXPECT_EQ(hops(zone, "sip:a@[2001:db8::1]", {.v6 = false}), Found{});
    EXPECT_EQ(hops(zone, "sip:192.0.2.1:5060", {}, 0, true), Found{"tls 192.0.2.1:5060 192.0.2.1"});
    EXPECT_EQ(hops(zone, "sip:192.0.2.1;transport=udp", {}, 0, true), Found{});
    EXPECT_EQ(hops(zone, "tel:+4930123"), Found{});
    EXPECT_EQ(hops(zone, "sip:"), Found{});
}

// The example of RFC 3263 §4.1 and §4.2.
TEST(NextHops, FollowsNaptrThenSrvThenAddresses) {
    Zone zone;
    zone.naptr("example.com", 50, 50, "SIPS+D2T", "_sips._tcp.example.com.");
    zone.naptr("example.com", 90, 50, "SIP+D2T", "_sip._tcp.example.com");
    zone.naptr("example.com", 100, 50, "SIP+D2U", "_sip._udp.example.com.");
    zone.srv("_sip._tcp.example.com", 0, 1, 5060, "server1.example.com");
    zone.srv("_sip._tcp.example.com", 1, 2, 5070, "server2.example.com");
    zone.address("server1.example.com", "192.0.2.1");
    zone.address("server2.example.com", "192.0.2.2");
    zone.address("server2.example.com", "2001:db8::2");
    EXPECT_EQ(hops(zone, "sip:user@Example.COM.", {.tls = false}),
              (Found{"tcp 192.0.2.1:5060 example.com", "tcp [2001:db8::2]:5070 example.com",
                     "tcp 192.0.2.2:5070 example.com"}));
}

TEST(NextHops, WithSipsTakesNothingButTls) {
    Zone zone;
    zone.naptr("example.com", 10, 50, "SIP+D2U", "_sip._udp.example.com");
    zone.naptr("example.com", 50, 50, "SIPS+D2T", "_sips._tcp.example.com");
    zone.srv("_sips._tcp.example.com", 0, 0, 5061, "tls.example.net");
    zone.srv("_sip._udp.example.com", 0, 0, 5060, "udp.example.net");
    zone.address("tls.example.net", "192.0.2.3");
    zone.address("udp.example.net", "192.0.2.4");
    EXPECT_EQ(hops(zone, "sips:example.com"), Found{"tls 192.0.2.3:5061 example.com"});
}

TEST(NextHops, AsksEachTransportWhenThereIsNoNaptr) {
    Zone zone;
    zone.srv("_sip._udp.example.com", 0, 0, 5060, "a.example.com");
    zone.address("a.example.com", "192.0.2.1");
    EXPECT_EQ(hops(zone, "sip:example.com"), Found{"udp 192.0.2.1:5060 example.com"});
    EXPECT_EQ(zone.asked,
              (Found{"NAPTR example.com", "SRV _sips._tcp.example.com", "SRV _sip._tcp.example.com",
                     "SRV _sip._udp.example.com", "AAAA a.example.com", "A a.example.com"}));
}

TEST(NextHops, FallsBackToTheAddressesOfTheName) {
    Zone zone;
    zone.address("example.com", "192.0.2.1");
    EXPECT_EQ(hops(zone, "sip:example.com"), Found{"udp 192.0.2.1:5060 example.com"});
    EXPECT_EQ(hops(zone, "sips:example.com"), Found{"tls 192.0.2.1:5061 example.com"});
    EXPECT_EQ(hops(zone, "sip:nowhere.example.com"), Found{});
}

TEST(NextHops, AsksForAddressesAloneWhenThereIsAPort) {
    Zone zone;
    zone.srv("_sip._udp.example.com", 0, 0, 5060, "a.example.com");
    zone.address("example.com", "192.0.2.1");
    EXPECT_EQ(hops(zone, "sip:example.com:5080"), Found{"udp 192.0.2.1:5080 example.com"});
    EXPECT_EQ(zone.asked, (Found{"AAAA example.com", "A example.com"}));
}

TEST(NextHops, AsksForTheChosenTransportAlone) {
    Zone zone;
    zone.srv("_sip._tcp.example.com", 0, 0, 5070, "a.example.com");
    zone.address("a.example.com", "192.0.2.1");
    EXPECT_EQ(hops(zone, "sip:example.com;transport=tcp"), Found{"tcp 192.0.2.1:5070 example.com"});
    EXPECT_EQ(zone.asked.front(), "SRV _sip._tcp.example.com");
}

TEST(NextHops, OrdersByPriorityAndDrawsByWeight) {
    Zone zone;
    zone.srv("_sip._udp.example.com", 2, 0, 5060, "last.example.com");
    zone.srv("_sip._udp.example.com", 1, 10, 5060, "ten.example.com");
    zone.srv("_sip._udp.example.com", 1, 0, 5060, "zero.example.com");
    zone.srv("_sip._udp.example.com", 1, 90, 5060, "ninety.example.com");
    zone.address("last.example.com", "192.0.2.9");
    zone.address("zero.example.com", "192.0.2.1");
    zone.address("ten.example.com", "192.0.2.2");
    zone.address("ninety.example.com", "192.0.2.3");
    const auto order = [&](std::uint32_t chance) {
        std::string digits;
        for (const auto& hop : hops(zone, "sip:example.com;transport=udp", {}, chance)) {
            digits += hop[std::string_view{"udp 192.0.2."}.size()];
        }
        return digits;
    };
    EXPECT_EQ(order(0), "1239");
    EXPECT_EQ(order(10), "2319");
    EXPECT_EQ(order(11), "3219");
    EXPECT_EQ(order(1000), "3219");
}

TEST(NextHops, BelievesADomainThatSaysItHasNoSip) {
    Zone zone;
    zone.srv("_sip._udp.example.com", 0, 0, 0, ".");
    zone.address("example.com", "192.0.2.1");
    EXPECT_EQ(hops(zone, "sip:example.com"), Found{});
}

TEST(NextHops, IsNotDrownedInAnswers) {
    Zone zone;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        zone.naptr("example.com", i, 0, "SIP+D2U", "_sip._udp.example.com");
        zone.srv("_sip._udp.example.com", i, 0, 5060, "a.example.com");
        zone.address("a.example.com", "192.0.2.1");
    }
    EXPECT_EQ(hops(zone, "sip:example.com").size(), NextHops::most_hops);
    EXPECT_LE(zone.asked.size(), 1 + NextHops::most_services + 2 * NextHops::most_targets);
}

} // namespace
