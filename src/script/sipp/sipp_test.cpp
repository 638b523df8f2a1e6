#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "script/literal/draft.hpp"
#include "script/literal/order.hpp"
#include "script/literal/program.hpp"
#include "script/literal/text.hpp"
#include "script/print.hpp"
#include "script/read_flow.hpp"
#include "script/sipp/convert.hpp"
#include "script/sipp/injection.hpp"
#include "script/sipp/xml.hpp"

namespace cw::script {
namespace {

using sipp::convert;
using sipp::read_xml;

constexpr std::string_view usual_caller = R"(<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="Basic">
  <send retrans="500">
    <![CDATA[

      INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: [service] <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: sip:sipp@[local_ip]:[local_port]
      Max-Forwards: 70
      Subject: Performance Test
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000

    ]]>
  </send>
  <recv response="100" optional="true"></recv>
  <recv response="180" optional="true"/>
  <recv response="200" rtd="true" rrs="true"/>
  <send>
    <![CDATA[
      ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: [service] <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Contact: sip:sipp@[local_ip]:[local_port]
      Max-Forwards: 70
      Content-Length: 0

    ]]>
  </send>
  <pause milliseconds="2000"/>
</scenario>
)";

std::string scenario(std::string_view inside) {
    return "<?xml version=\"1.0\"?>\n<scenario name=\"x\">\n" + std::string{inside} +
           "\n</scenario>\n";
}

TEST(Convert, WritesDownOnlyWhatIsUnusual) {
    const auto done = convert(usual_caller, "basic");
    ASSERT_TRUE(done.ok());
    EXPECT_EQ(done.flow, R"(---
title: "Basic"
---
sequenceDiagram
    autonumber
    actor uac as UAC (literal, UDP)
    participant uas as UAS (under test)

    uac->>uas: INVITE (SDP offer)
    %% | Subject: Performance Test
    opt
        uas-->>uac: 100 Trying
    end
    opt
        uas-->>uac: 180 Ringing
    end
    uas-->>uac: 200 OK
    %% keeps route
    uac->>uas: ACK
    Note over uac: waits 2s
)");
    EXPECT_EQ(done.lines.size(), static_cast<std::size_t>(std::ranges::count(done.flow, '\n')));
}

TEST(Convert, WhatItWritesIsReadAsTheSamePlanAgain) {
    const auto done = convert(usual_caller, "basic");
    const auto plan = parse(done.flow);
    ASSERT_TRUE(plan.ok());
    const auto printed = to_mermaid(plan.plan);
    EXPECT_EQ(printed, done.flow);
    EXPECT_EQ(parse(printed).plan, plan.plan);
}

TEST(Convert, AMessageIsCompleteAgainInItsProgram) {
    const auto plan = parse(convert(usual_caller, "basic").flow);
    ASSERT_TRUE(plan.ok());
    Complaints complaints;
    const auto program = literal::compile(plan.plan, 0, complaints);
    ASSERT_EQ(program.steps.size(), 6U);
    EXPECT_TRUE(program.begins);
    EXPECT_EQ(program.steps[0].message.head.size(), 11U);
    EXPECT_EQ(program.steps[0].message.body.size(), 7U);
    EXPECT_EQ(program.steps[4].message.method, "ACK");
    EXPECT_EQ(program.steps[4].message.head.size(), 9U);
    EXPECT_TRUE(program.steps[1].optional);
    EXPECT_EQ(program.steps[1].miss, 2U);
    EXPECT_FALSE(program.steps[3].optional);
}

TEST(Convert, PlacesInThePlanAreThoseOfTheXml) {
    const auto read = read_flow(usual_caller, "basic");
    ASSERT_TRUE(read.ok());
    for (const auto& step : read.plan.steps) {
        if (const auto* act = std::get_if<Act>(&step.what)) {
            EXPECT_EQ(step.place.line, 46U) << act->party;
        }
    }
}

TEST(Convert, NamesTheLineOfWhatAFlowCannotDo) {
    const auto done = convert(scenario("<nop><action>\n<exec command=\"rm -rf "
                                       "x\"/>\n</action></nop>\n<sendCmd><![CDATA[Call-ID: "
                                       "1]]></sendCmd>"),
                              "x");
    ASSERT_EQ(done.refused.size(), 2U);
    EXPECT_EQ(done.refused[0].place.line, 4U);
    EXPECT_EQ(done.refused[0].what, "a program is not started from a flow");
    EXPECT_EQ(done.refused[1].place.line, 6U);
    EXPECT_TRUE(done.flow.empty());
}

TEST(Convert, BranchesGoOnAtPlaces) {
    const auto done = convert(scenario(R"(<recv request="INVITE"><action>
<ereg regexp="a/b\d" search_in="hdr" header="To:" check_it="true" assign_to="1,2"/>
<test assign_to="3" variable="1" compare="equal" value="1"/>
</action></recv>
<nop next="5" test="3"/>
<recv request="BYE" timeout="1500" ontimeout="5" chance="0.25" next="5"/>
<label id="5"/>
<pause distribution="uniform" min="100" max="2000"/>)"),
                              "x");
    ASSERT_TRUE(done.ok()) << done.refused[0].what;
    for (const std::string_view line :
         {"%% does: take 1,2 from header \"To:\" that must match by /a\\/b\\d/",
          "%% does: test 1 equal 1 into 3", "%% then: 5 if 3", "%% within 1500ms",
          "%% otherwise: 5", "%% then: 5 25.00%", "Note over uas: stands at 5",
          "Note over uas: pauses uniform 100ms 2s"}) {
        EXPECT_NE(done.flow.find(line), std::string::npos) << line << "\n" << done.flow;
    }
}

TEST(Convert, APairOf3pccBecomesOneFlow) {
    const auto a = scenario(
        "<recv response=\"200\"/><sendCmd><![CDATA[Call-ID: [call_id]\nX: [$1]]]></sendCmd>"
        "<recvCmd><action><ereg regexp=\"v=.*\" search_in=\"msg\" assign_to=\"2\"/>"
        "</action></recvCmd>");
    const auto b =
        scenario("<recvCmd/><pause milliseconds=\"5\"/><sendCmd><![CDATA[v=0]]></sendCmd>");
    const auto done = sipp::convert_together({a, b}, "pair");
    ASSERT_TRUE(done.ok()) << done.refused[0].what;
    EXPECT_NE(done.flow.find("left->>right: COMMAND"), std::string::npos);
    EXPECT_NE(done.flow.find("right->>left: COMMAND\n    %% | v=0\n    %% does: take 2"),
              std::string::npos)
        << done.flow;
}

TEST(Convert, ScenariosOfTheExtendedModeHaveTheirNames) {
    const auto master = scenario("<sendCmd dest=\"slave1\"><![CDATA[Call-ID: [call_id]\nFrom: "
                                 "master]]></sendCmd><sendCmd dest=\"slave2\"><![CDATA[Call-ID: "
                                 "[call_id]\nFrom: master]]></sendCmd><recvCmd src=\"slave2\"/>");
    const auto slave1 = scenario("<recvCmd src=\"master\"/><pause milliseconds=\"5\"/>");
    const auto slave2 =
        scenario("<recvCmd src=\"master\"/><sendCmd dest=\"master\"><![CDATA[Call-ID: "
                 "[call_id]\nFrom: slave2]]></sendCmd>");
    const auto done = sipp::convert_together({master, slave2, slave1}, "three");
    ASSERT_TRUE(done.ok()) << done.refused[0].what;
    for (const std::string_view line :
         {"master->>slave1: COMMAND", "master->>slave2: COMMAND", "slave2->>master: COMMAND",
          "actor slave1 as Slave1 (literal, UDP)", "Note over slave1: waits 5ms"}) {
        EXPECT_NE(done.flow.find(line), std::string::npos) << line << "\n" << done.flow;
    }
    const auto wrong = scenario("\n<recvCmd src=\"slave7\"/>");
    const auto alone = sipp::convert_together({master, wrong}, "two");
    ASSERT_EQ(alone.refused.size(), 1U);
    EXPECT_EQ(alone.refused[0].what, "the other scenario has nothing that answers this");
}

TEST(Convert, WhatIsNotUtf8IsSentAsItStands) {
    auto text = std::string{usual_caller};
    text.replace(text.find("Performance Test"), 16, "J\xfcrgen");
    const auto done = convert(text, "x");
    ASSERT_TRUE(done.ok());
    EXPECT_TRUE(done.flow.contains("%% | Subject: J\\xFCrgen\n")) << done.flow;
    const auto plan = parse(done.flow).plan;
    Complaints complaints;
    const auto program = literal::compile(plan, 0, complaints);
    const auto& head = program.steps.at(0).message.head;
    EXPECT_TRUE(std::ranges::any_of(head, [](const literal::Text& line) {
        const auto* plain = std::get_if<std::string>(&line.pieces.at(0));
        return plain != nullptr && *plain == "Subject: J\xfcrgen";
    }));
}

TEST(Convert, AMethodMayBeAnExpression) {
    const auto done =
        convert(R"(<scenario><recv request="MESS.*|INFO" regexp_match="true"/></scenario>)", "x");
    ASSERT_TRUE(done.ok());
    EXPECT_TRUE(done.flow.contains("uac->>uas: INFO\n    %% method matches: MESS.*|INFO\n"))
        << done.flow;
    const auto again =
        convert(R"(<scenario><recv request="X-.*" regexp_match="true"/></scenario>)", "x");
    EXPECT_FALSE(again.ok());
}

TEST(Convert, AnUnknownPlaceIsRefused) {
    const auto done = convert(scenario("<recv request=\"BYE\" next=\"9\"/>"), "x");
    ASSERT_EQ(done.refused.size(), 1U);
    EXPECT_EQ(done.refused[0].place.line, 3U);
}

TEST(Xml, RepairsAndSaysSo) {
    const auto done =
        read_xml("<?xml version=\"1.0\"?>\n<scenario>\n<ereg regexp=\"<sip:(.*)&x>\" y=1 z/>\n"
                 "<a><b></a></c>\n</scenario>");
    ASSERT_TRUE(done);
    ASSERT_EQ(done->root.children.size(), 2U);
    EXPECT_EQ(done->root.children[0].get("regexp"), "<sip:(.*)&x>");
    EXPECT_EQ(done->root.children[0].get("y"), "1");
    ASSERT_EQ(done->repairs.size(), 6U);
    EXPECT_EQ(done->repairs[0].place.line, 3U);
    EXPECT_EQ(done->repairs[0].what, "a raw “&”");
    EXPECT_EQ(done->repairs[1].what, "a raw “<” in the value of “regexp”");
}

TEST(Xml, ATagThatWasNotEndedEndsWhereItsElementDoes) {
    const auto done =
        read_xml("<scenario><recv response=\"100\"\n</recv><send>x</send></scenario>");
    ASSERT_TRUE(done);
    ASSERT_EQ(done->root.children.size(), 2U);
    EXPECT_EQ(done->root.children[0].get("response"), "100");
    ASSERT_EQ(done->repairs.size(), 1U);
    EXPECT_EQ(done->repairs[0].what, "the tag <recv> has no “>”");
}

TEST(Xml, AQuotationMarkThatWasForgottenEndsWithItsTag) {
    const auto done = read_xml("<scenario name=\"odd>\n<send retrans=\"500\">x</send></scenario>");
    ASSERT_TRUE(done);
    EXPECT_EQ(done->root.get("name"), "odd");
    ASSERT_EQ(done->root.children.size(), 1U);
    EXPECT_EQ(done->root.children[0].get("retrans"), "500");
}

TEST(Xml, BackslashesAreReadAsSippReadsThem) {
    const auto done = read_xml(R"(<a b="\"x\" \d\n&quot;\\"/>)");
    ASSERT_TRUE(done);
    EXPECT_EQ(done->root.get("b"), "\"x\" \\d\n\"\\");
}

TEST(Xml, WhatCannotBeReadIsRefusedWithItsPlace) {
    struct Case {
        std::string text;
        std::uint32_t line;
        std::uint32_t column;
    };
    const std::vector<Case> cases{
        {"<scenario>\n  <send><![CDATA[x", 2, 9},
        {"<scenario>\n <!-- x", 2, 2},
        {"<scenario a=\"x", 1, 11},
        {"<scenario>\n<recv <x/>", 2, 1},
        {"", 1, 1},
        {"<scenario><send>", 1, 11},
        {"<scenario><!DOCTYPE x [", 1, 11},
    };
    for (const auto& one : cases) {
        const auto done = read_xml(one.text);
        ASSERT_FALSE(done) << one.text;
        EXPECT_EQ(done.error().place.line, one.line) << one.text;
        EXPECT_EQ(done.error().place.column, one.column) << one.text;
    }
}

TEST(Xml, EntitiesDoNotGrow) {
    const auto done = read_xml("<!DOCTYPE x [<!ENTITY a \"&b;&b;\"><!ENTITY b \"&a;&a;\">]>\n"
                               "<scenario name=\"&a;&#65;\"/>");
    ASSERT_TRUE(done);
    EXPECT_EQ(done->root.get("name"), "&a;A");
}

TEST(Xml, DepthSizeAndCountAreBounded) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) {
        deep += "<a>";
    }
    EXPECT_FALSE(read_xml(deep));
    EXPECT_FALSE(read_xml("<a>" + std::string(10 << 20, 'x') + "</a>"));
    std::string many = "<a>";
    for (int i = 0; i < 30'000; ++i) {
        many += "<b/>";
    }
    EXPECT_FALSE(read_xml(many + "</a>"));
}

TEST(Xml, EveryPrefixOfAScenarioIsReadOrRefused) {
    for (std::size_t i = 0; i < usual_caller.size(); ++i) {
        const auto done = convert(usual_caller.substr(0, i), "x");
        EXPECT_EQ(done.ok(), !done.flow.empty());
    }
}

TEST(Text, KnowsItsKeywords) {
    using literal::Key;
    const auto text =
        literal::parse_text("a[call_id]b[media_port+2][$1][last_Via:][field3 file=\"x.csv\"][::1]");
    ASSERT_EQ(text.pieces.size(), 8U);
    EXPECT_EQ(std::get<literal::Keyword>(text.pieces[1]).key, Key::CallId);
    EXPECT_EQ(std::get<literal::Keyword>(text.pieces[3]).plus, 2);
    EXPECT_EQ(std::get<literal::Keyword>(text.pieces[4]).name, "1");
    EXPECT_EQ(std::get<literal::Keyword>(text.pieces[5]).name, "Via:");
    EXPECT_EQ(std::get<literal::Keyword>(text.pieces[6]).name, "x.csv");
    EXPECT_EQ(std::get<std::string>(text.pieces[7]), "[::1]");
}

TEST(Orders, ExpressionsThatCouldRunAwayAreRefused) {
    for (const std::string_view expression : {"(a{1,255}){1,255}", "(.*)\\1", "(", "a{99999}"}) {
        EXPECT_FALSE(
            literal::parse_order("take 1 from body by " + literal::quoted(expression, '/')))
            << expression;
    }
    EXPECT_TRUE(literal::parse_order("take 1 from body by /a{1,20}/"));
}

TEST(Orders, QuotedTextComesBack) {
    for (const std::string_view text :
         {"plain", "with \"quotes\"", "a/b", "line\nbreak", "\\d+\\s"}) {
        const auto order = literal::parse_order("set x to " + literal::quoted(text, '"'));
        ASSERT_TRUE(order) << text;
        const auto& set = std::get<literal::SetText>(*order);
        EXPECT_EQ(std::get<std::string>(set.text.pieces.at(0)), text);
    }
}

TEST(Orders, WhatIsNoOrderSaysWhatWouldBe) {
    for (const std::string_view text : {"", "take", "take 1 from x by /a/", "set x", "let x = y",
                                        "compare a with b", "test a like 1 into b", "fly"}) {
        const auto order = literal::parse_order(text);
        ASSERT_FALSE(order) << text;
        EXPECT_FALSE(order.error().empty());
    }
}

TEST(Literal, WordsOfLiteralPartiesAreRefusedElsewhere) {
    const auto read = parse("sequenceDiagram\n    actor a\n    actor b\n    a->>b: MESSAGE\n"
                            "    %% | X: y\n    b-->>a: 200 OK\n");
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.complaints[0].place.line, 5U);
}

TEST(Literal, BesideALiteralPartyNobodyElseIsPlayed) {
    const auto read =
        parse("sequenceDiagram\n    actor a as A (literal)\n    actor b\n    a->>b: MESSAGE\n");
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.complaints[0].place.line, 3U);
}

TEST(Text, ArgumentsMayHoldKeywords) {
    const auto field = literal::parse_text(R"([field1 file="a.csv" line="[$n]"])");
    ASSERT_EQ(field.pieces.size(), 1U);
    const auto& keyword = std::get<literal::Keyword>(field.pieces[0]);
    EXPECT_EQ(keyword.key, literal::Key::Field);
    EXPECT_EQ(keyword.name, "a.csv");
    EXPECT_EQ(keyword.plus, 1);
    EXPECT_EQ(keyword.argument, "[$n]");
    const auto fill = literal::parse_text(R"([fill text="ab" variable="n"])");
    EXPECT_EQ(std::get<literal::Keyword>(fill.pieces.at(0)).argument, "n");
}

TEST(Literal, AnOctetMayBeWrittenInHexadecimal) {
    EXPECT_EQ(literal::parse_text("\\x3Csip:a\\x3E\\x0 \\xzz \\x00").pieces,
              std::vector<literal::Piece>{std::string{"<sip:a>\\x0 \\xzz \\x00"}});
}

TEST(Injection, ALineIsARowAndRowsAreTakenInTurn) {
    const auto file = sipp::read_injection("SEQUENTIAL\n# no\njoe;secret\r\nann;[x]\n", "a/u.csv");
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(file->name, "u.csv");
    EXPECT_EQ(file->size(), 2U);
    EXPECT_EQ(file->field(file->row_of(1, 7), 1), "secret");
    EXPECT_EQ(file->field(file->row_of(2, 7), 0), "ann");
    EXPECT_EQ(file->field(file->row_of(3, 7), 0), "joe");
    EXPECT_EQ(file->field(0, 2), std::nullopt);
    std::map<std::string, std::string> row;
    sipp::fill_row({*file}, 4, 0, row);
    EXPECT_EQ(row.at("field0"), "ann");
    EXPECT_EQ(row.at("u.csv/field1"), "[x]");
}

TEST(Injection, RowsAreFoundChangedAndAdded) {
    sipp::Tables tables({*sipp::read_injection("SEQUENTIAL\njoe;1;x\nann;2;x\n", "a/u.csv")});
    EXPECT_EQ(tables.look_up("u.csv", "ann"), 1U);
    EXPECT_EQ(tables.look_up("a/u.csv", "1"), 0U) << "in its second field";
    EXPECT_EQ(tables.look_up("u.csv", "x"), 1U) << "the last of several";
    EXPECT_EQ(tables.look_up("u.csv", "bob"), std::nullopt);
    EXPECT_EQ(tables.look_up("other.csv", "joe"), std::nullopt);
    EXPECT_TRUE(tables.insert("u.csv", "bob;3"));
    EXPECT_EQ(tables.look_up("u.csv", "bob"), 2U);
    EXPECT_TRUE(tables.replace("u.csv", 0, "jim;4"));
    EXPECT_EQ(tables.look_up("u.csv", "joe"), std::nullopt);
    EXPECT_EQ(tables.look_up("u.csv", "jim"), 0U);
    EXPECT_EQ(tables.find("u.csv")->field(0, 1), "4");
    EXPECT_FALSE(tables.replace("u.csv", 3, "x"));
    EXPECT_FALSE(tables.insert("other.csv", "x"));
}

TEST(Injection, ManyRowsAreMadeOfAPattern) {
    const auto file = sipp::read_injection(
        "RANDOM,PRINTF=999,PRINTFMULTIPLE=2,PRINTFOFFSET=10\nuser%04d;pw%d;50%%;%x\n", "u.csv");
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(file->order, sipp::Injection::Order::Random);
    EXPECT_EQ(file->size(), 999U);
    EXPECT_EQ(file->field(3, 0), "user0016");
    EXPECT_EQ(file->field(3, 1), "pw16");
    EXPECT_EQ(file->field(3, 2), "50%");
    EXPECT_EQ(file->field(3, 3), "%x");
    EXPECT_EQ(file->field(999, 0), std::nullopt);
    EXPECT_EQ(file->row_of(1, 1998), 0U);
}

TEST(Injection, AFileWithoutRowsIsRefused) {
    EXPECT_FALSE(sipp::read_injection("SEQUENTIAL\n", "u.csv").has_value());
    EXPECT_FALSE(sipp::read_injection("SEQUENTIAL,PRINTF=x\na\n", "u.csv").has_value());
}

TEST(Corpus, CuratedScenariosAreConvertedOrRefusedWithALine) {
    const std::filesystem::path folder{CALLWRIGHT_SHARED_DIR "/material/sipp/curated"};
    if (!std::filesystem::exists(folder)) {
        GTEST_SKIP() << folder << " is not there";
    }
    std::size_t converted = 0;
    std::size_t all = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".xml") {
            continue;
        }
        std::ifstream file{entry.path()};
        std::ostringstream text;
        text << file.rdbuf();
        const auto done = convert(text.str(), "x");
        ++all;
        converted += done.ok() ? 1 : 0;
        for (const auto& note : done.refused) {
            EXPECT_GT(note.place.line, 0U) << entry.path();
        }
    }
    EXPECT_GE(converted * 100, all * 85) << converted << " of " << all;
}

} // namespace
} // namespace cw::script
