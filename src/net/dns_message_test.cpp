#include "net/dns_message.hpp"

#include <gtest/gtest.h>

#include "net/test_dns.hpp"

namespace cw::net {
namespace {

using namespace test;
using Status = DnsAnswer::Status;

std::string message(const std::string& name, int type, const Reply& r) {
    return reply("id", wire_name(name) + be(static_cast<std::uint64_t>(type), 2) + be(1, 2), r);
}
DnsAnswer read(const std::string& bytes, std::string_view name, DnsType type) {
    return read_dns_answer(as_bytes(bytes), name, type);
}
const std::string address{"\xc0\x00\x02\x01", 4};

TEST(DnsMessage, ReadsAddressesOfBothFamilies) {
    const auto a = read(message("Example.COM", 1,
                                {.answers = {record(to_question, 1, 300, address),
                                             record(to_question, 1, 60, "\x0a\x01\x01\x02")}}),
                        "example.com", DnsType::A);
    EXPECT_EQ(Status::Found, a.status);
    EXPECT_EQ(seconds(60), a.ttl);
    ASSERT_EQ(2U, a.addresses.size());
    EXPECT_EQ("192.0.2.1", to_string(a.addresses[0]));
    const auto b = read(message("example.com", 28,
                                {.answers = {record(to_question, 28, 1,
                                                    std::string("\x20\x01\x0d\xb8", 4) +
                                                        std::string(11, '\0') + "\x07"),
                                             record(to_question, 28, 1, "short")}}),
                        "example.com", DnsType::Aaaa);
    ASSERT_EQ(1U, b.addresses.size());
    EXPECT_EQ("2001:db8::7", to_string(b.addresses[0]));
}

TEST(DnsMessage, ReadsServicesAndTheirPointers) {
    const std::string name = "_sips._tcp.example.com";
    const auto a =
        read(message(name, 33,
                     {.answers = {record(to_question, 33, 9, srv(10, 60, 5061, "A.example.com")),
                                  record(to_question, 33, 9, srv(20, 0, 5061, "")),
                                  record(to_question, 33, 9, srv(1, 2, 3, "bad name.example"))}}),
             name, DnsType::Srv);
    ASSERT_EQ(2U, a.srv.size());
    EXPECT_EQ(10, a.srv[0].priority);
    EXPECT_EQ(60, a.srv[0].weight);
    EXPECT_EQ(5061, a.srv[0].port);
    EXPECT_EQ("a.example.com", a.srv[0].target);
    EXPECT_EQ("", a.srv[1].target);

    const auto b = read(message("example.com", 35,
                                {.answers = {record(to_question, 35, 9,
                                                    be(50, 2) + be(51, 2) + "\x01s\x08SIPS+D2T" +
                                                        std::string(1, '\0') + "\x05_sips\x04_tcp" +
                                                        to_question)}}),
                        "example.com", DnsType::Naptr);
    ASSERT_EQ(1U, b.naptr.size());
    EXPECT_EQ(50, b.naptr[0].order);
    EXPECT_EQ(51, b.naptr[0].preference);
    EXPECT_EQ("s", b.naptr[0].flags);
    EXPECT_EQ("SIPS+D2T", b.naptr[0].services);
    EXPECT_EQ("", b.naptr[0].regexp);
    EXPECT_EQ("_sips._tcp.example.com", b.naptr[0].replacement);
}

TEST(DnsMessage, FollowsAliasesButNotInCircles) {
    const auto cname = [](const std::string& from, const std::string& to, std::uint32_t ttl) {
        return record(wire_name(from), 5, ttl, wire_name(to));
    };
    const auto a = read(message("a.example", 1,
                                {.answers = {record(wire_name("c.example"), 1, 300, address),
                                             cname("b.example", "c.example", 20),
                                             cname("a.example", "b.example", 30),
                                             record(wire_name("z.example"), 1, 1, address)}}),
                        "a.example", DnsType::A);
    EXPECT_EQ(1U, a.addresses.size());
    EXPECT_EQ(seconds(20), a.ttl);
    const auto b = read(message("a.example", 1,
                                {.answers = {cname("a.example", "b.example", 30),
                                             cname("b.example", "a.example", 30)}}),
                        "a.example", DnsType::A);
    EXPECT_EQ(Status::NoData, b.status);
}

TEST(DnsMessage, ANoLivesAsLongAsItsSoaSays) {
    const auto no = read(message("example.com", 1, {.code = 3, .authority = {soa(900, 60)}}),
                         "example.com", DnsType::A);
    EXPECT_EQ(Status::NoSuchName, no.status);
    EXPECT_EQ(seconds(60), no.ttl);
    const auto none =
        read(message("example.com", 1, {.authority = {soa(30, 3600)}}), "example.com", DnsType::A);
    EXPECT_EQ(Status::NoData, none.status);
    EXPECT_EQ(seconds(30), none.ttl);
    EXPECT_EQ(seconds(30), read(message("example.com", 1, {}), "example.com", DnsType::A).ttl);
    EXPECT_EQ(Status::Failed,
              read(message("example.com", 1, {.code = 2}), "example.com", DnsType::A).status);
}

TEST(DnsMessage, ATtlBeyondItsRangeIsZero) {
    const auto a =
        read(message("a.b", 1, {.answers = {record(to_question, 1, 0x8000'0000, address)}}), "a.b",
             DnsType::A);
    EXPECT_EQ(Status::Found, a.status);
    EXPECT_EQ(Duration{}, a.ttl);
}

TEST(DnsMessage, RecordsAreBoundedInNumber) {
    Reply many;
    for (int i = 0; i < 300; ++i) {
        many.answers.push_back(record(to_question, 1, 9, address));
    }
    EXPECT_EQ(most_dns_records, read(message("a.b", 1, many), "a.b", DnsType::A).addresses.size());
}

TEST(DnsMessage, CutAnywhereItIsHarmless) {
    const std::string name = "_sip._udp.example.com";
    const auto whole = message(
        name, 33, {.answers = {record(to_question, 33, 9, srv(1, 2, 5060, "a.example.com"))}});
    ASSERT_EQ(Status::Found, read(whole, name, DnsType::Srv).status);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        EXPECT_EQ(Status::Failed, read(whole.substr(0, i), name, DnsType::Srv).status) << i;
    }
}

TEST(DnsMessage, NamesThatPointInCirclesEnd) {
    const auto a = read(message("a.b", 33,
                                {.answers = {record("\xc0\x15", 33, 9, "x"),
                                             record(to_question, 33, 9, srv(1, 2, 3, ""))}}),
                        "a.b", DnsType::Srv);
    EXPECT_EQ(1U, a.srv.size());
}

TEST(DnsMessage, NamesAreBroughtIntoOneForm) {
    EXPECT_EQ("example.com", dns_name("Example.COM."));
    EXPECT_EQ("_sip._tcp.a-b.example", dns_name("_sip._tcp.a-b.example"));
    for (const auto& bad : {std::string{}, std::string{"."}, std::string{"a..b"}, std::string{".a"},
                            std::string{"a b"}, std::string{"a/1"}, std::string(64, 'x') + ".com",
                            std::string(254, 'x'), std::string("a\0b", 3)}) {
        EXPECT_EQ("", dns_name(bad)) << bad;
    }
}

} // namespace
} // namespace cw::net
