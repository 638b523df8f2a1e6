#include <array>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace cw {
namespace {

TEST(Reader, YieldsZeroAndStaysFailedPastTheEnd) {
    const std::uint8_t raw[] = {1, 2, 3};
    Reader r{raw};
    EXPECT_EQ(r.be16(), 0x0102);
    EXPECT_EQ(r.be16(), 0);
    EXPECT_FALSE(r.ok());
    EXPECT_EQ(r.u8(), 0) << "the third byte must not come after a failed read";
}

TEST(Reader, TakesVectorsWithTheirLengthInFront) {
    const std::uint8_t raw[] = {2, 'a', 'b', 0, 1, 'c', 9};
    Reader r{raw};
    EXPECT_EQ(as_text(r.vec8()), "ab");
    EXPECT_EQ(as_text(r.vec16()), "c");
    EXPECT_TRUE(r.vec8().empty());
    EXPECT_FALSE(r.ok());
}

TEST(IpAddress, IsReadAndPrinted) {
    for (const auto* text : {"192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"}) {
        const auto a = IpAddress::parse(text);
        ASSERT_TRUE(a) << text;
        EXPECT_EQ(to_string(*a), text);
    }
    EXPECT_FALSE(IpAddress::parse("192.0.2"));
    EXPECT_FALSE(IpAddress::parse("example.com"));
    EXPECT_FALSE(IpAddress::parse(""));
}

TEST(IpAddress, KnowsItsScope) {
    EXPECT_TRUE(IpAddress::parse("172.31.0.1")->is_private());
    EXPECT_FALSE(IpAddress::parse("172.32.0.1")->is_private());
    EXPECT_TRUE(IpAddress::parse("fe80::1")->is_private());
    EXPECT_TRUE(IpAddress::parse("127.8.8.8")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
    EXPECT_FALSE(IpAddress::parse("0.0.0.1")->is_unspecified());
}

TEST(Endpoint, IsReadWithAndWithoutPort) {
    EXPECT_EQ(to_string(*parse_endpoint("[2001:db8::1]:5061", 0)), "[2001:db8::1]:5061");
    EXPECT_EQ(parse_endpoint("2001:db8::1", 5060)->port, 5060);
    EXPECT_EQ(parse_endpoint("192.0.2.1", 5060)->port, 5060);
    EXPECT_EQ(parse_endpoint("192.0.2.1:5070", 5060)->port, 5070);
    EXPECT_FALSE(parse_endpoint("192.0.2.1:99999", 0));
}

TEST(Instant, IsPrintedInUtc) {
    EXPECT_EQ(to_rfc3339({1'700'000'000'123'456'789}), "2023-11-14T22:13:20.123456Z");
    EXPECT_EQ(to_time_of_day({1'700'000'000'123'456'789}), "22:13:20.123");
    EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999999Z");
}

TEST(Instant, StaysAtTheEndOfItsRange) {
    const Instant late{INT64_MAX};
    const Instant early{INT64_MIN};
    EXPECT_EQ((late + seconds(1)).ns, INT64_MAX);
    EXPECT_EQ((early - seconds(1)).ns, INT64_MIN);
    EXPECT_EQ((late - early).ns, INT64_MAX);
    EXPECT_EQ((early - late).ns, INT64_MIN);
    EXPECT_EQ(seconds(10'000'000'000).ns, INT64_MAX);
    EXPECT_EQ(milliseconds(-10'000'000'000'000'000).ns, INT64_MIN);
}

TEST(Text, ComparesWithoutCase) {
    EXPECT_TRUE(iequals("Call-ID", "cALL-id"));
    EXPECT_FALSE(iequals("Via", "Vi"));
    EXPECT_EQ(trim(" \r\n a b\t"), "a b");
    EXPECT_EQ(parse_number<int>("42"), 42);
    EXPECT_FALSE(parse_number<std::uint8_t>("256"));
    EXPECT_FALSE(parse_number<int>("4 "));
}

TEST(Nearest, FindsTheWordThatWasMeantOrNone) {
    constexpr std::array<std::string_view, 3> known{"listen", "domain", "tls"};
    EXPECT_EQ(nearest("lisen", known), "listen");
    EXPECT_EQ(nearest("domians", known), "domain");
    EXPECT_EQ(nearest("tsl", known), "tls");
    EXPECT_EQ(nearest("qqqqqq", known), "");
    EXPECT_EQ(nearest(std::string(100, 'x'), known), "");
}

} // namespace
} // namespace cw
