#include "host/stun.hpp"

#include <gtest/gtest.h>

namespace {

using namespace cw;

// The sample request's transaction and the answers of RFC 5769 §2.2 and §2.3, without the
// attributes that we do not send.
const std::string transaction = "\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";
const std::string request = std::string{"\x00\x01\x00\x00", 4} + transaction;

std::string answer(const std::string& datagram, const char* from = "192.0.2.1:32853") {
    return host::stun_answer(as_bytes(std::string_view{datagram}), *parse_endpoint(from, 0));
}

TEST(Stun, SaysWhereTheRequestCameFrom) {
    EXPECT_EQ(answer(request), std::string("\x01\x01\x00\x0c", 4) + transaction +
                                   std::string("\x00\x20\x00\x08\x00\x01\xa1\x47", 8) +
                                   "\xe1\x12\xa6\x43");
}

TEST(Stun, SaysItOfIpv6Too) {
    const auto got = answer(request, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    EXPECT_EQ(got, std::string("\x01\x01\x00\x18", 4) + transaction +
                       std::string("\x00\x20\x00\x14\x00\x02\xa1\x47", 8) +
                       "\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9");
}

TEST(Stun, RefusesAnAttributeThatMustBeUnderstood) {
    const auto with = std::string{"\x00\x01\x00\x08", 4} + transaction +
                      std::string{"\x00\x7e\x00\x01x\0\0\0", 8};
    const auto got = answer(with);
    EXPECT_EQ(got.substr(0, 2), "\x01\x11");
    EXPECT_TRUE(got.ends_with(std::string("\x00\x0a\x00\x02\x00\x7e\x00\x00", 8)));
    EXPECT_EQ(got.size() % 4, 0U);
}

TEST(Stun, AnswersNothingElse) {
    EXPECT_EQ(answer(std::string{"\x01\x01\x00\x00", 4} + transaction), "") << "a response";
    EXPECT_EQ(answer(std::string{"\x00\x01\x00\x04", 4} + transaction), "") << "too short";
    EXPECT_EQ(answer(std::string{"\x00\x01\x00\x00", 4} + std::string(16, 'x')), "") << "no cookie";
    for (std::size_t i = 0; i < request.size(); ++i) {
        EXPECT_EQ(answer(request.substr(0, i)), "");
    }
    EXPECT_FALSE(host::looks_like_stun(as_bytes("OPTIONS sip:a@b SIP/2.0\r\n\r\n")));
}

} // namespace
