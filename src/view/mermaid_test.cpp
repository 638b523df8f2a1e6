#include "view/mermaid.hpp"

#include <gtest/gtest.h>

#include "view/test_calls.hpp"

namespace cw::view {
namespace {

std::string diagram_of(const flow::Call& call) {
    std::string out;
    append_mermaid(out, layout(call));
    return out;
}

std::string escaped(std::string_view text) {
    std::string out;
    append_mermaid_text(out, text);
    return out;
}

TEST(Mermaid, CharactersWithAMeaningBecomeEntities) {
    EXPECT_EQ(escaped("a;b#c"), "a#59;b#35;c");
    EXPECT_EQ(escaped("%%{x}"), "#37;#37;#123;x#125;");
    EXPECT_EQ(escaped("<b> & \"q\""), "#lt;b#gt; #amp; #quot;q#quot;");
    EXPECT_EQ(escaped("$$x$$"), "#36;#36;x#36;#36;");
    EXPECT_EQ(escaped("wrap: x"), "wrap#58; x");
    EXPECT_EQ(escaped("sip:a@b"), "sip:a@b");
}

TEST(Mermaid, EveryLineIsAStatementThatWeMade) {
    for (const auto& call :
         {made::hostile_call(), made::dropped_call(), made::unreadable_call(), flow::Call{}}) {
        const auto text = diagram_of(call);
        EXPECT_TRUE(text.starts_with("sequenceDiagram\n"));
        std::size_t at = text.find('\n') + 1;
        while (at < text.size()) {
            const auto end = text.find('\n', at);
            const auto line = std::string_view{text}.substr(at, end - at);
            const bool known = line.starts_with("    title ") ||
                               line.starts_with("    autonumber") ||
                               line.starts_with("    participant p") ||
                               line.starts_with("    Note over p") || line.starts_with("    p");
            EXPECT_TRUE(known) << line;
            at = end + 1;
        }
    }
}

TEST(Mermaid, NumbersStayThoseOfTheMessages) {
    const auto text = diagram_of(made::dropped_call());
    EXPECT_NE(text.find("    autonumber 20 1\n    p4->>p3: "), std::string::npos);
}

TEST(Mermaid, ALongCallSaysHowMuchIsMissing) {
    made::CallMaker made{flow::Kind::Call, "sip:a@example.com", "sip:b@example.com"};
    for (int i = 0; i < 3000; ++i) {
        made.request(i, "10.0.0.1:5060", "10.0.0.2:5060", "INFO");
    }
    auto call = made.finish(flow::State::Trying, 0, 0);
    call.security.weakest = std::string(256, '#');
    call.security.smime = std::string(400, '#');
    const auto text = diagram_of(call);
    EXPECT_LT(text.size(), 50'000U);
    EXPECT_NE(text.find("more messages: Mermaid draws no longer diagram"), std::string::npos);
}

TEST(Mermaid, TheVerdictOnEachHopStandsBelow) {
    auto call = made::dropped_call();
    for (int i = 0; i < 30; ++i) {
        call.security.hops.push_back({.client = *parse_endpoint("10.0.0.1:4000", 0),
                                      .server = *parse_endpoint("10.0.0.2:5061", 0),
                                      .transport = flow::Transport::Tls,
                                      .secure = true,
                                      .version = "TLSv1.3",
                                      .verified = "CN=a; b#",
                                      .verified_good = true});
    }
    call.security.keys_exposed = "to the server at 10.0.0.2:5061";
    const auto text = diagram_of(call);
    const auto last = text.substr(text.rfind("    Note over p1,p"));
    EXPECT_TRUE(last.find("weakest: sbc → Bob") != std::string::npos) << last;
    EXPECT_NE(last.find("✓ 10.0.0.1:4000 → 10.0.0.2:5061"), std::string::npos) << last;
    EXPECT_NE(last.find("CN=a#59; b#35;"), std::string::npos);
    EXPECT_NE(last.find("and 15 more"), std::string::npos) << last;
    EXPECT_EQ(last.find('\n'), last.size() - 1);
}

TEST(Mermaid, ASectionIsAHeadingAndAFence) {
    std::string out;
    append_mermaid_section(out, layout(made::hostile_call()));
    EXPECT_TRUE(out.starts_with("## Message 1 "));
    EXPECT_NE(out.find("\n```mermaid\nsequenceDiagram\n"), std::string::npos);
    EXPECT_TRUE(out.ends_with("\n```\n\n"));
}

} // namespace
} // namespace cw::view
