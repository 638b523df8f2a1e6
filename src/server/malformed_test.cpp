// What the server says to messages that are wrong, and to those that only look so [RFC 4475].
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "server/test_network.hpp"

namespace cw::server::test {
namespace {

using sip::HeaderId;

std::string read(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

// Open for all, so that what is judged is the message and not its sender.
Settings open_settings() {
    auto s = plain_settings();
    s.domains[0].authenticate = false;
    return s;
}

// The status of what comes back first but 100; 0: nothing.
int answer_to(std::string bytes, sip::Transport transport = sip::Transport::Udp) {
    Network network{open_settings()};
    auto& phone = network.add_phone("phone", transport);
    int status = 0;
    phone.send(std::move(bytes));
    network.run(seconds(40));
    // A datagram's answer goes to the port that its Via names, which is no phone's: seen by count.
    for (const auto& message : phone.inbox) {
        status = status == 0 && message->status() != 100 ? message->status() : status;
    }
    return status;
}

// The material's messages come over TCP here, so that the answer comes back over the connection
// whatever port the Via names.
TEST(Rfc4475, MessagesGetTheResponseThatTheRfcNames) {
    const std::string folder = std::string{CALLWRIGHT_SHARED_DIR} + "/material/rfc4475/";
    if (read(folder + "expected.tsv").empty()) {
        GTEST_SKIP() << "the shared test material is not there";
    }
    // Those where a proxy or registrar has to refuse.
    const std::map<std::string, int> refused{
        {"badinv01", 400},  {"clerr", 400},    {"ncl", 400},        {"scalar02", 400},
        {"quotbal", 400},   {"ltgtruri", 400}, {"lwsruri", 400},    {"lwsstart", 400},
        {"trws", 400},      {"escruri", 400},  {"regbadct", 400},   {"badaspec", 400},
        {"baddn", 400},     {"badvers", 505},  {"mismatch01", 400}, {"mismatch02", 400},
        {"badbranch", 400}, {"insuf", 400},    {"unkscm", 416},     {"novelsc", 416},
        {"bext01", 420},    {"multi01", 400},  {"mcl01", 400},      {"zeromf", 483}};
    for (const auto& [name, status] : refused) {
        EXPECT_EQ(answer_to(read(folder + name + ".dat"), sip::Transport::Tcp), status) << name;
    }
    // Those that are well-formed are for domains that are not ours, or lead where nobody is (502):
    // but they are never malformed.
    for (const auto name : {"wsinv", "intmeth", "esc01", "esc02", "lwsdisp", "longreq", "semiuri",
                            "transports", "mpart01", "inv2543", "invut", "baddate"}) {
        const auto status = answer_to(read(folder + name + ".dat"), sip::Transport::Tcp);
        EXPECT_TRUE(status == 403 || status == 404 || status == 502) << name << ' ' << status;
    }
    // Responses that are wrong are dropped.
    for (const auto name : {"scalarlg", "bigcode", "unreason", "noreason", "bcast"}) {
        EXPECT_EQ(answer_to(read(folder + name + ".dat"), sip::Transport::Tcp), 0) << name;
    }
    answer_to(read(folder + "test.dat"));
}

// The same REGISTER, but for one line: how the line is written must not change what is understood.
class Smuggling : public testing::Test {
  protected:
    static std::string message(std::string_view line) {
        return fmt::format("MESSAGE sip:bob@example.com SIP/2.0\r\n"
                           "Via: SIP/2.0/TCP 192.0.2.10:5060;branch=z9hG4bKs1\r\n"
                           "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n"
                           "Call-ID: smuggle\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n"
                           "{}\r\n\r\n",
                           line);
    }
};

TEST_F(Smuggling, WhatIsThereTwiceIsRefused) {
    for (const auto line : {"From: <sip:carol@example.com>;tag=2",
                            "f : <sip:carol@example.com>;tag=2", "Call-ID: other", "i: other",
                            "CSeq: 2 MESSAGE", "Max-Forwards: 1", "Content-Length: 0\r\nl: 5",
                            "Content-Length: 0\r\nContent-Length : 5", "Content-Length: 0,5",
                            "Content-Length: -1", "Content-Length: +0", "Content-Length: 0x0"}) {
        EXPECT_EQ(answer_to(message(line), sip::Transport::Tcp), 400) << line;
    }
}

TEST_F(Smuggling, LineEndsThatReadersDisagreeAboutAreNotAnswered) {
    for (const auto line : {"X: a\nFrom: <sip:carol@example.com>;tag=2", "X: a\rFrom: b",
                            "Subject: x\r\n\nContent-Length: 0"}) {
        const auto status = answer_to(message(line), sip::Transport::Tcp);
        EXPECT_TRUE(status == 0 || status == 400) << status;
    }
}

// What is forwarded has one reading, whatever the next one thinks of blanks, folds and short names.
TEST_F(Smuggling, WhatIsForwardedIsInOneForm) {
    Network network{open_settings()};
    auto& bob = network.add_phone("bob", sip::Transport::Tcp);
    auto& alice = network.add_phone("alice", sip::Transport::Tcp);
    bob.send(bob.make({.method = "REGISTER", .uri = "sip:example.com"}));
    network.run();
    ASSERT_TRUE(bob.take_response(200));
    alice.send(
        message("P-Asserted-Identity : <sip:chief@example.com>\r\n"
                "P-ASSERTED-IDENTITY\t:\r\n <sip:chief@example.com>\r\n"
                "Proxy-Authorization : Digest realm=\"example.com\", username=\"a\", nonce=\"n\", "
                "uri=\"u\", response=\"r\"\r\n"
                "X-Folded : one\r\n \ttwo\r\n"
                "Content-Length : 0"));
    network.run();
    const auto got = bob.take_request("MESSAGE");
    ASSERT_TRUE(got);
    EXPECT_EQ(got->text.find("chief"), std::string::npos);
    EXPECT_FALSE(got->view.has(HeaderId::ProxyAuthorization));
    EXPECT_NE(got->text.find("\r\nX-Folded: one two\r\n"), std::string::npos);
    EXPECT_NE(got->text.find("\r\nContent-Length: 0\r\n"), std::string::npos);
}

TEST(Malformed, OctetsAfterADatagramsBodyAreNotForwarded) {
    Network network{open_settings()};
    auto& bob = network.add_phone("bob", sip::Transport::Udp);
    auto& alice = network.add_phone("alice", sip::Transport::Udp);
    bob.send(bob.make({.method = "REGISTER", .uri = "sip:example.com"}));
    network.run();
    alice.send(alice.make({.method = "MESSAGE"}) + "SIP/2.0 200 OK\r\n\r\n");
    network.run();
    const auto got = bob.take_request("MESSAGE");
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->text.ends_with("Content-Length: 0\r\n\r\n"));
}

} // namespace
} // namespace cw::server::test
