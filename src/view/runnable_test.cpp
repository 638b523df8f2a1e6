#include "view/runnable.hpp"

#include <gtest/gtest.h>

#include "view/test_calls.hpp"

namespace cw::view {
namespace {

std::string flow_of(const flow::Call& call) {
    Runnable flow;
    flow.add(call);
    return flow.write();
}

TEST(Runnable, ACallBecomesArrowsFactsMediaAndPauses) {
    const std::string_view alice = "192.0.2.1:5060";
    const std::string_view proxy = "192.0.2.9:5061";
    made::CallMaker made{flow::Kind::Call, "sip:alice@example.com", "sip:bob@example.com"};
    made.over(flow::Transport::Tls);
    made.tls(0, alice, proxy, "example.com");
    made.request(30, alice, proxy, "INVITE").connection = 1;
    made.media("192.0.2.1:4000", true);
    made.response(40, proxy, alice, 180, "Ringing").connection = 1;
    made.response(1040, proxy, alice, 200, "OK").connection = 1;
    made.media("192.0.2.9:4000", true);
    made.request(1050, alice, proxy, "ACK").connection = 1;
    made.stream(1100, 3200, "192.0.2.1:4000", "192.0.2.9:4000", true);
    made.stream(1100, 3200, "192.0.2.9:4000", "192.0.2.1:4000", true);
    made.request(3250, alice, proxy, "BYE").connection = 1;
    made.response(3260, proxy, alice, 200, "OK", "BYE").connection = 1;
    const auto text = flow_of(made.call());
    for (const std::string_view line :
         {"<<->>", ": TLS 1.3 (example.com)\n", ": INVITE sip:bob@example.com (SRTP offer)\n",
          ": 180 Ringing\n", ": waits 1s\n", ": 200 OK (SRTP answer)\n", ": SRTP both ways (2s)\n",
          ": BYE sip:bob@example.com\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
    }
    EXPECT_EQ(text.find("Not as it was"), std::string::npos) << text;
}

// On a machine that has much to do a stream begins late; and what ended long before is no part.
TEST(Runnable, MediaThatBeginsLateIsMediaStill) {
    const std::string_view alice = "192.0.2.1:5060";
    const std::string_view bob = "192.0.2.9:5060";
    const auto with_media = [&](std::int64_t from, std::int64_t to) {
        made::CallMaker made{flow::Kind::Call, "sip:alice@example.com", "sip:bob@example.com"};
        made.request(0, alice, bob, "INVITE");
        made.media("192.0.2.1:4000", true);
        made.response(10, bob, alice, 200, "OK");
        made.media("192.0.2.9:4000", true);
        made.request(20, alice, bob, "ACK");
        made.stream(from, to, "192.0.2.1:4000", "192.0.2.9:4000", true);
        made.stream(from, to, "192.0.2.9:4000", "192.0.2.1:4000", true);
        made.request(740, bob, alice, "BYE");
        made.response(750, alice, bob, 200, "OK", "BYE");
        return flow_of(made.call());
    };
    EXPECT_TRUE(with_media(430, 740).contains(": SRTP both ways (500ms)\n"));
    EXPECT_TRUE(with_media(20, 130).contains(": waits 500ms\n"));
}

TEST(Runnable, NothingFromTheWireEndsALineOrIsAFactOfItsOwn) {
    for (const auto& call :
         {made::hostile_call(), made::dropped_call(), made::unreadable_call(), flow::Call{}}) {
        const auto text = flow_of(call);
        const auto begin = text.find("sequenceDiagram\n");
        ASSERT_NE(begin, std::string::npos);
        std::size_t at = text.find('\n', begin) + 1;
        while (at < text.size()) {
            const auto end = text.find('\n', at);
            const auto line = std::string_view{text}.substr(at, end - at);
            EXPECT_TRUE(line.empty() || line.starts_with("    ")) << line;
            EXPECT_EQ(line.find("%%{"), std::string_view::npos) << line;
            at = end + 1;
        }
    }
}

} // namespace
} // namespace cw::view
