#include "play/values.hpp"

#include <gtest/gtest.h>

#include "play/test_walk.hpp"

namespace cw::play {
namespace {

// The text of a MESSAGE, as the flow says it, and what it becomes.
class Text {
  public:
    explicit Text(const std::string& text, Given given = {})
        : given_(std::move(given)),
          // What a value is for, the reader of flows asks; here any may stand anywhere.
          plan_(script::parse("sequenceDiagram\n    actor a\n    actor b\n"
                              "    a->>b: MESSAGE \"x\"\n    %% X-Text: " +
                              text + "\n")
                    .plan),
          cast_(make()), values_(plan_, given_, cast_) {}

    std::string fill(const Values::Where& where = {}) {
        std::string missing;
        return values_.fill(words(), where, &missing).value_or("?" + missing);
    }
    std::string show() { return values_.show(words(), {}); }
    bool match(std::string_view received, bool ignore_case = false) {
        return values_.match(words(), received, {}, ignore_case);
    }

  private:
    Cast make() {
        auto cast = make_cast(plan_, given_);
        EXPECT_TRUE(cast.has_value());
        cast->members[0].at[static_cast<std::size_t>(sip::Transport::Tls)] =
            Endpoint{*IpAddress::parse("192.0.2.1"), 5061};
        return std::move(*cast);
    }
    [[nodiscard]] const script::Template& words() const {
        return script::find<script::Header>(script::test::arrow(plan_, 0).facts)->value;
    }

    Given given_;
    script::Plan plan_;
    Cast cast_;
    Values values_;
};

TEST(Values, PartiesAreFilledIn) {
    EXPECT_EQ(Text{"{a.uri}"}.fill(), "sip:a@example.com");
    EXPECT_EQ(Text{"<{a.contact}>"}.fill(), "<sip:a@192.0.2.1:5061;transport=tls>");
    EXPECT_EQ(Text{"{a.user} at {a.domain}"}.fill(), "a at example.com");
    EXPECT_EQ(Text{"{a.address}"}.fill(), "192.0.2.1:5061");
}

TEST(Values, CallsAreFilledInByWhoKnowsThem) {
    const Values::CallFinder calls = [](script::CallId call) -> std::optional<Values::CallFacts> {
        return call == 1 ? std::optional{Values::CallFacts{"id", "ft", "tt", "7", "f", "t"}}
                         : std::nullopt;
    };
    const Values::Where first{1, sip::Transport::Tls, &calls};
    EXPECT_EQ(Text{"{call.id};{call.from_tag};{call.to_tag}"}.fill(first), "id;ft;tt");
    EXPECT_EQ(Text{"{call.cseq} {call.cseq+2} {call.from} {call.to}"}.fill(first), "7 9 f t");
    EXPECT_EQ(Text{"{call.id}"}.fill({2, sip::Transport::Tls, &calls}), "?a variable");
    EXPECT_EQ(Text{"{call.id}"}.fill(), "?a variable");
}

TEST(Values, WhatTheCommandLineGivesIsFilledIn) {
    Given given;
    given.number = 41;
    given.row["user"] = "u1";
    given.environment["SECRET"] = "hidden";
    given.set["greeting"] = "Hi";
    EXPECT_EQ((Text{"{n} {n+1}", given}.fill()), "41 42");
    EXPECT_EQ((Text{"{row.user}", given}.fill()), "u1");
    EXPECT_EQ((Text{"{env.SECRET}", given}.fill()), "hidden");
    EXPECT_EQ((Text{"{greeting}", given}.fill()), "Hi");
    EXPECT_EQ((Text{"{row.other}", given}.fill()), "?{other}");
    EXPECT_EQ((Text{"{env.OTHER}", given}.fill()), "?{OTHER}");
    EXPECT_EQ((Text{"{unheard}", given}.fill()), "?{unheard}");
}

TEST(Values, ASecretIsNeverShown) {
    Given given;
    given.environment["SECRET"] = "hidden";
    EXPECT_EQ((Text{"{env.SECRET} and {unheard} or *", given}.show()), "{env.SECRET} and * or *");
}

TEST(Values, AStarIsComparedAndNeverSet) {
    Text text{"a*z"};
    EXPECT_EQ(text.fill(), "?");
    EXPECT_TRUE(text.match("az"));
    EXPECT_TRUE(text.match("abcz"));
    EXPECT_FALSE(text.match("AZ"));
    EXPECT_TRUE(text.match("AZ", true));
    EXPECT_FALSE(text.match("abc"));
    EXPECT_FALSE(text.match("za"));
}

TEST(Values, ACaptureTakesAsLittleAsItCanAndAtLeastOneCharacter) {
    Text text{"{one}-{two}"};
    EXPECT_FALSE(text.match("-b"));
    EXPECT_FALSE(text.match("a-"));
    EXPECT_TRUE(text.match("a-b-c"));
    EXPECT_EQ(text.fill(), "a-b-c");
    EXPECT_TRUE(text.match("a-b-c"));
    EXPECT_FALSE(text.match("a-b-d"));
}

TEST(Values, WhatDoesNotMatchIsNotCaptured) {
    Text text{"{one}-{two}!"};
    EXPECT_FALSE(text.match("a-b?"));
    EXPECT_EQ(text.fill(), "?{one}");
}

} // namespace
} // namespace cw::play
