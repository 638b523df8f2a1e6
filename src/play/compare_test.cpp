#include "play/compare.hpp"

#include <gtest/gtest.h>

#include "play/test_walk.hpp"

namespace cw::play {
namespace {

// What a flow says beneath an arrow, against what came.
class Comparison {
  public:
    explicit Comparison(const std::string& facts)
        : plan_(test::plan_of("a->>b: MESSAGE \"hello\"\n" + facts)),
          cast_(*make_cast(plan_, given_)), values_(plan_, given_, cast_) {}

    std::optional<Difference> with(const std::string& fields, const std::string& body = "") {
        const auto text = "MESSAGE sip:b@example.com SIP/2.0\r\n" + fields + "\r\n\r\n" + body;
        sip::HeaderIndex index;
        const auto message = sip::index(std::string_view{text}, index);
        EXPECT_TRUE(message.has_value());
        for (const auto& fact : script::test::arrow(plan_, 0).facts) {
            std::optional<Difference> out;
            if (const auto* header = std::get_if<script::Header>(&fact.value)) {
                out = compare(*header, *message, values_, {});
            } else if (const auto* line = std::get_if<script::SdpLine>(&fact.value)) {
                out = compare(*line, message->body(), values_, {});
            } else {
                ADD_FAILURE() << "neither a header field nor a line of SDP";
            }
            if (out) {
                return out;
            }
        }
        return std::nullopt;
    }
    bool fits(const std::string& fields, const std::string& body = "") {
        return !with(fields, body).has_value();
    }

  private:
    Given given_;
    script::Plan plan_;
    Cast cast_;
    Values values_;
};
bool fits(const std::string& fact, const std::string& fields) {
    return Comparison{"%% " + fact}.fits(fields);
}

TEST(Compare, NamesCompactFormsCaseAndFoldingDoNotCount) {
    EXPECT_TRUE(fits("Subject: Hello you", "Subject: Hello you"));
    EXPECT_TRUE(fits("Subject: Hello you", "s: hello YOU"));
    EXPECT_TRUE(fits("Subject: Hello you", "SUBJECT  :   Hello\r\n   you  "));
    EXPECT_TRUE(fits("Content-Type: text/plain", "c: text/plain"));
    EXPECT_TRUE(fits("X-Mine: 1", "x-mine: 1"));
    EXPECT_FALSE(fits("Subject: Hello you", "Subject: Hello you two"));
    EXPECT_FALSE(fits("X-Mine: 1", "X-Mine: 2"));
}

TEST(Compare, TheFirstDifferenceSaysWhatWasExpectedAndWhatCame) {
    const auto wrong = Comparison{"%% Max-Forwards: 69"}.with("Max-Forwards: 70");
    ASSERT_TRUE(wrong);
    EXPECT_EQ(wrong->where, "Max-Forwards");
    EXPECT_EQ(wrong->expected, "69");
    EXPECT_EQ(wrong->received, "70");
    const auto missing = Comparison{"%% Max-Forwards: 69"}.with("Subject: x");
    ASSERT_TRUE(missing);
    EXPECT_EQ(missing->received, "(not there)");
    const auto second = Comparison{"%% Subject: x\n%% Max-Forwards: 69"}.with("Subject: x");
    ASSERT_TRUE(second);
    EXPECT_EQ(second->where, "Max-Forwards");
}

TEST(Compare, AListMustContainTheValueInAnyPlace) {
    EXPECT_TRUE(fits("Supported: 100rel", "Supported: timer, 100rel, replaces"));
    EXPECT_TRUE(fits("Supported: 100rel", "k: timer\r\nSupported: 100REL"));
    EXPECT_TRUE(fits("Supported: 100rel, timer", "k: timer,100rel"));
    EXPECT_FALSE(fits("Supported: 100rel, timer", "k: 100rel"));
    EXPECT_FALSE(fits("Supported: 100rel", "k: 100rel2"));
    EXPECT_FALSE(fits("Supported: 100rel", "Require: 100rel"));
    EXPECT_TRUE(fits("Via: SIP/2.0/TLS b.example", // of the second
                     "v: SIP/2.0/UDP a.example;branch=1, SIP/2.0/TLS b.example;branch=2"));
}

TEST(Compare, NamedParametersMustMatchAndOthersMayBeThere) {
    EXPECT_TRUE(fits("Event: refer;id=3", "o: refer;x=y;id=3"));
    EXPECT_TRUE(fits("Session-Expires: 90;refresher=uas", "x: 90 ; REFRESHER=uas"));
    EXPECT_FALSE(fits("Event: refer;id=3", "o: refer;id=4"));
    EXPECT_FALSE(fits("Event: refer;id=3", "o: refer"));
    EXPECT_TRUE(fits("Event: refer", "o: refer;id=4"));
    EXPECT_FALSE(fits("Event: refer", "o: presence;id=4"));
}

TEST(Compare, AddressesAreComparedWithoutTheirDisplayName) {
    EXPECT_TRUE(
        fits("From: <sip:a@example.com>", "f: \"A, the; first\" <sip:a@example.com>;tag=1"));
    EXPECT_TRUE(fits("Contact: <sip:a@example.com;transport=tls>",
                     "m: A <sip:a@example.com;transport=tls>;expires=60"));
    EXPECT_FALSE(fits("From: <sip:a@example.com>", "f: \"<sip:a@example.com>\" <sip:b@b.example>"));
    EXPECT_FALSE(fits("From: \"B\" <sip:a@example.com>", "f: \"A\" <sip:a@example.com>;tag=1"));
}

TEST(Compare, AParameterCanBeAskedToBeAbsent) {
    EXPECT_TRUE(fits("Contact: <*>, no expires", "m: <sip:a@example.com>;q=1"));
    EXPECT_FALSE(fits("Contact: <*>, no expires", "m: <sip:a@example.com>;Expires=1"));
    EXPECT_FALSE(fits("Contact: <*>, no ob", "m: <sip:a@example.com;ob>"));
    EXPECT_TRUE(fits("Contact: <*>, no ob", "m: <sip:a@example.com;obs>;x=\";ob\""));
    const auto d = Comparison{"%% Event: *, no id"}.with("o: refer;id=3");
    ASSERT_TRUE(d);
    EXPECT_EQ(d->expected, "*, no id");
    EXPECT_EQ(d->received, "refer;id=3");
}

TEST(Compare, ParametersOfAChallengeAreDividedByCommas) {
    const std::string challenge =
        "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"a,b\",\r\n"
        " algorithm=AKAv1-MD5, ck=\"00\"";
    EXPECT_TRUE(fits("WWW-Authenticate: Digest realm=\"example.com\"", challenge));
    EXPECT_TRUE(
        fits("WWW-Authenticate: Digest algorithm=AKAv1-MD5, realm=\"example.com\"", challenge));
    EXPECT_TRUE(fits("WWW-Authenticate: Digest *algorithm=AKAv1-MD5*", challenge));
    EXPECT_FALSE(fits("WWW-Authenticate: Digest realm=\"other.example\"", challenge));
    EXPECT_FALSE(fits("WWW-Authenticate: Digest *, no ck", challenge));
    EXPECT_TRUE(fits("WWW-Authenticate: Digest *, no ik", challenge));
    EXPECT_FALSE(fits("WWW-Authenticate: Digest *, no realm", challenge));
}

TEST(Compare, AFieldCanBeAskedToBeAbsent) {
    EXPECT_TRUE(fits("no Require", "Supported: timer"));
    EXPECT_FALSE(fits("no Supported", "k: timer"));
    const auto d = Comparison{"%% no Supported"}.with("k: timer\r\nk: 100rel");
    ASSERT_TRUE(d);
    EXPECT_EQ(d->expected, "(not there)");
    EXPECT_EQ(d->received, "timer, 100rel");
}

TEST(Compare, AStarStandsForAnyText) {
    EXPECT_TRUE(fits("RSeq: *", "RSeq: 17"));
    EXPECT_FALSE(fits("RSeq: *", "CSeq: 1 MESSAGE"));
    EXPECT_TRUE(fits("Contact: <sip:*@example.com>", "m: <sip:who@example.com>"));
    EXPECT_FALSE(fits("Contact: <sip:*@example.com>", "m: <sip:who@example.org>"));
    EXPECT_TRUE(fits("X-A: a*b*c", "X-A: a-b-b-c"));
    EXPECT_FALSE(fits("X-A: a*b*c", "X-A: a-c-b"));
    EXPECT_FALSE(fits("X-A: a*a", "X-A: a")); // nothing is used twice
}

TEST(Compare, AVariableIsCapturedOnceAndMustBeEqualThen) {
    Comparison c{"%% RSeq: {rseq}"};
    EXPECT_TRUE(c.fits("RSeq: 17"));
    EXPECT_TRUE(c.fits("RSeq: 17"));
    const auto d = c.with("RSeq: 18");
    ASSERT_TRUE(d);
    EXPECT_EQ(d->expected, "17");
}

TEST(Compare, ACaptureCountsOn) {
    Comparison c{"%% RSeq: {rseq}\n%% X-Next: {rseq+1}"};
    EXPECT_TRUE(c.fits("RSeq: 17\r\nX-Next: 18"));
    EXPECT_FALSE(c.fits("RSeq: 17\r\nX-Next: 17"));
}

TEST(Compare, WhatIsCapturedOnTheWayToADifferenceDoesNotStay) {
    Comparison c{"%% Contact: <sip:{who}@example.com>;q=1"};
    EXPECT_FALSE(c.fits("m: <sip:one@example.com>;q=2"));
    EXPECT_TRUE(c.fits("m: <sip:two@example.com>;q=2, <sip:three@example.com>;q=1"));
    EXPECT_FALSE(c.fits("m: <sip:two@example.com>;q=1"));
}

TEST(Compare, LinesOfTheDescriptionAreComparedByteByByte) {
    const std::string sdp = "v=0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
                            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\na=sendrecv\r\n";
    const auto holds = [&](const std::string& fact) {
        return Comparison{"%% " + fact}.fits("Subject: x", sdp);
    };
    EXPECT_TRUE(holds("m=audio * RTP/AVP 0 101"));
    EXPECT_TRUE(holds("m=audio * RTP/AVP 0*"));
    EXPECT_TRUE(holds("a=sendrecv"));
    EXPECT_FALSE(holds("a=SENDRECV"));
    EXPECT_FALSE(holds("m=audio * RTP/SAVP *"));
    EXPECT_FALSE(holds("no a=crypto"));
    EXPECT_TRUE(holds("no a=inactive"));
    EXPECT_TRUE(holds("no m=video"));
    const auto d = Comparison{"%% m=audio 5000 *"}.with("Subject: x", sdp);
    ASSERT_TRUE(d);
    EXPECT_EQ(d->where, "SDP m=");
    EXPECT_EQ(d->expected, "m=audio 5000 *");
    EXPECT_EQ(d->received, "m=audio 4000 RTP/AVP 0 101");
    EXPECT_EQ(Comparison{"%% a=x"}.with("Subject: x")->received, "(not there)");
}

// With a search that tries all lengths of all gaps these would not end within a lifetime.
TEST(Compare, LongTextsThatAlmostFitAreRefusedSoon) {
    std::string stars = "a";
    for (int i = 0; i < 25; ++i) {
        stars += "*a";
    }
    const std::string many(20'000, 'a');
    EXPECT_FALSE(fits("X-A: " + stars + "*b", "X-A: " + many));
    EXPECT_TRUE(fits("X-A: " + stars, "X-A: " + many));
    std::string captures;
    for (int i = 0; i < 30; ++i) {
        captures += "{v" + std::to_string(i) + "}a";
    }
    EXPECT_FALSE(fits("X-A: " + captures + "b", "X-A: " + many));
    std::string vias = "Via: SIP/2.0/UDP a;x=1";
    for (int i = 0; i < 3000; ++i) {
        vias += ", SIP/2.0/UDP a;x=\"" + std::to_string(i) + "\"";
    }
    EXPECT_FALSE(fits("Via: SIP/2.0/UDP a;x=*;y=*;z=*", vias));
}

TEST(Compare, BrokenValuesAreComparedAndNothingBreaks) {
    for (const std::string text :
         {"", "\"", "<", ";", ",", "<>", "\"<", ";;;", ",,,", "<sip:;;>;=", "Digest", "Digest ="}) {
        EXPECT_FALSE(fits("Contact: <sip:a@b.example>;q=1", "m: " + text));
        EXPECT_FALSE(fits("WWW-Authenticate: Digest realm=\"a\"", "WWW-Authenticate: " + text));
        static_cast<void>(fits("Contact: *, no q", "m: " + text));
        static_cast<void>(fits("WWW-Authenticate: *, no ck", "WWW-Authenticate: " + text));
        static_cast<void>(fits("a=" + text + "*", "m: " + text));
    }
}

} // namespace
} // namespace cw::play
