// Flows that are to be refused, each at the right line and column, with what was expected.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "script/test_flow.hpp"

namespace cw::script {
namespace {

struct Wrong {
    const char* body; // beneath the parties of test::flow(), or a whole text
    const char* what;
    const char* expected;
};

void check(const Wrong& wrong, std::string text) {
    const auto place = test::take_mark(text);
    const auto parsed = parse(text);
    const auto report = test::report(text, parsed);
    ASSERT_FALSE(parsed.ok()) << text;
    const auto& first = parsed.complaints.front();
    EXPECT_EQ(first.place.line, place.line) << report;
    EXPECT_EQ(first.place.column, place.column) << report;
    EXPECT_NE(first.what.find(wrong.what), std::string::npos) << report;
    EXPECT_NE((first.expected + " / " + first.nearest).find(wrong.expected), std::string::npos)
        << report;
}

constexpr Wrong bodies[] = {
    // Arrows and their ends
    {"‸alicia->>pbx: INVITE bob", "never declared", "alice"},
    {"alice->>‸pbxx: INVITE bob", "never declared", "pbx"},
    {"alice->>‸end: INVITE bob", "word of Mermaid", "another name"},
    {"alice‸->pbx: INVITE bob", "not one of the language", "->>"},
    {"alice‸-->pbx: INVITE bob", "not one of the language", "->>"},
    {"alice->>‸>pbx: INVITE bob", "has to end at a party", "a name"},
    {"alice->>‸", "has to end at a party", "a name"},
    {"alice->>pbx‸", "wants a text", "“:”"},
    {"alice->>pbx ‸INVITE bob", "wants a text", "“:”"},
    {"alice->>pbx‸:", "wants a text", "“:”"},
    {"alice->>pbx‸:   ", "wants a text", "“:”"},
    {"alice-x1‸->>pbx: INVITE bob", "wants a text", "“-x” in a name"},
    {"alice<<->>pbx: ‸INVITE bob", "goes one way", "->>"},
    {"alice<<-->>pbx: ‸200 OK", "goes one way", "-->>"},
    {"alice->>-‸pbx: OPTIONS", "deactivate", "activate"},
    {"deactivate ‸alice", "deactivate", "activate"},
    {"activate ‸carol", "never declared", "an actor"},
    // Words of messages
    {"alice->>pbx: ‸INVTE bob", "is no message", "INVITE"},
    {"alice->>pbx: ‸invite bob", "is no message", "INVITE"},
    {"alice->>pbx: ‸rings the bell", "is no message", "a Note"},
    {"alice->>pbx: ‸(digest)", "is no message", "a SIP method"},
    {"alice->>pbx: INVITE ‸hold", "neither a party", "in parentheses: (hold)"},
    {"alice->>pbx: INVITE ‸bobb", "neither a party", "bob"},
    {"alice->>pbx: INVITE ‸mailto:bob", "neither a party", "an address as in"},
    {"alice->>pbx: INVITE bob ‸now", "does not belong here", "(parentheses)"},
    {"alice->>pbx: MESSAGE bob ‸\"Hello", "does not belong here", "\"text\""},
    {"alice->>pbx: REFER ‸to", "to” whom", "a party"},
    {"alice->>pbx: REFER to {‸bob.number}", "is not a variable", "bob.uri"},
    {"alice->>pbx: REFER to ‸{bob.contact", "not closed", "{rseq}"},
    {"alice->>pbx: MESSAGE bob \"{‸x.y}\"", "is not a variable", "a party"},
    {"alice->>pbx: MESSAGE bob \"‸{oh\"", "not closed", "a variable"},
    {"alice->>pbx: INVITE sip:‸{bob@example.com", "not closed", "{rseq}"},
    {"alice->>pbx: INVITE ‸(hold) bob", "at the end of the line", "nothing after"},
    {"alice->>pbx: INVITE ‸(hold", "no partner", "at the end"},
    {"alice->>pbx: INVITE hold‸)", "no partner", "at the end"},
    {"alice->>pbx: INVITE bob (‸)", "a fact is missing", "no parentheses"},
    {"alice->>pbx: INVITE bob (‸hold,)", "a fact is missing", "commas"},
    {"pbx-->>alice: ‸99 Too low", "no status", "100 to 699"},
    {"pbx-->>alice: ‸700 Too high", "no status", "100 to 699"},
    {"pbx-->>alice: ‸2000 OK", "no status", "100 to 699"},
    // Facts about messages
    {"alice->>pbx: INVITE bob (SRTP ‸ofer)", "does not fit", "SRTP offer"},
    {"alice->>pbx: INVITE bob (SRTP‸)", "not complete", "offer or answer"},
    {"alice->>pbx: INVITE bob (‸srtp offer)", "no fact about a message", "SRTP offer"},
    {"alice->>pbx: INVITE bob (‸digets)", "no fact about a message", "digest"},
    {"alice->>pbx: INVITE bob (wrong ‸pasword)", "does not fit", "wrong password"},
    {"alice->>pbx: INVITE bob (within ‸5 s)", "does not fit", "500ms"},
    {"alice->>pbx: INVITE bob (within ‸2sec)", "does not fit", "500ms"},
    {"alice->>pbx: INVITE bob (within ‸1001h)", "does not fit", "500ms"},
    {"alice->>pbx: INVITE bob (after‸)", "not complete", "500ms"},
    {"alice->>pbx: INVITE bob (call ‸two)", "does not fit", "a number"},
    {"alice->>pbx: INVITE bob (call ‸0)", "does not fit", "a number"},
    {"alice->>pbx: INVITE bob (hold ‸please)", "does not fit", "nothing more"},
    {"alice->>pbx: MESSAGE bob \"x\" (signed by ‸carol)", "does not fit", "the name of a party"},
    {"alice->>pbx: MESSAGE bob \"x\" (encrypted for ‸bo)", "does not fit", "encrypted for bob"},
    {"alice->>pbx: INVITE bob (hold, ‸hold)", "is there already", "once"},
    {"alice->>pbx: INVITE bob (SRTP offer, ‸RTP offer)", "is there already", "once"},
    {"alice->>pbx: INVITE bob\n%% ‸Requires: 100rel", "no SIP header", "Require"},
    {"alice->>pbx: INVITE bob (‸Requires: 100rel)", "no SIP header", "Require"},
    {"alice->>pbx: INVITE bob\n%% no ‸Viaa", "no SIP header", "Via"},
    {"alice->>pbx: INVITE bob\n%% ‸this is just a comment", "no fact about a message", "a header"},
    {"alice->>pbx: INVITE bob\n%% ‸Max-Forwards 70", "a header field without its colon",
     "Max-Forwards:"},
    {"alice->>pbx: INVITE bob (‸AES_CM_256_HMAC_SHA1_80)", "no fact about a message", "SRTP offer"},
    {"alice->>pbx: INVITE bob\n%% ‸x=*", "no line of an SDP", "m="},
    {"alice->>pbx: INVITE bob\n%% no ‸q=*", "no line of an SDP", "m="},
    {"alice->>pbx: INVITE bob\n%% Contact: <‸{alice.uri>", "not closed", "{rseq}"},
    {"alice->>pbx: INVITE bob\n%% Contact: <{‸alice.number}>", "is not a variable", "alice.uri"},
    {"alice->>pbx: INVITE bob\n%% Contact: <{‸carol.uri}>", "is not a variable", "a party"},
    {"alice->>pbx: INVITE bob\n%% Call-ID: {‸call.ide}", "is not a variable", "call.id"},
    {"alice->>pbx: INVITE bob\n%% Call-ID: {‸env.}", "is not a variable", "a name"},
    {"alice->>pbx: INVITE bob\n%% Call-ID: {‸}", "is not a variable", "a name"},
    {"alice->>pbx: INVITE bob\n%% RSeq: {‸r+x}", "is not a variable", "a number"},
    {"alice->>pbx: INVITE bob\n%% RSeq: {‸r+0}", "is not a variable", "a number"},
    {"alice->>pbx: INVITE bob\n%% body:‸", "not complete", "a file"},
    // Connections
    {"alice<<->>pbx: ‸TSL 1.3", "is no message", "TLS"},
    {"alice<<->>pbx: TLS ‸1.4", "does not belong", "1.0 to 1.3"},
    {"alice<<->>pbx: TLS 1.3 ‸mutual", "does not belong", "in parentheses: (mutual)"},
    {"alice<<->>pbx: TCP ‸1.3", "does not belong", "nothing"},
    {"alice-xpbx: TLS (expired ‸certifcate)", "does not fit", "expired certificate"},
    {"alice-xpbx: TLS (expired certificate of ‸carol)", "does not fit", "the name of a party"},
    {"alice-xpbx: TLS (alert ‸unknown_cas)", "does not fit", "a TLS alert"},
    {"alice<<->>pbx: TLS (cipher ‸AES256)", "does not fit", "a cipher suite"},
    {"alice<<->>pbx: TLS (‸digest)", "no fact about a connection", "mutual"},
    {"alice<<->>pbx: TLS (‸example..com)", "no fact about a connection", "a server name"},
    {"alice<<->>pbx: TLS\n%% ‸Require: 100rel", "no fact about a connection", "mutual"},
    // Media
    {"alice<<-->>bob: ‸SRTTP both ways", "is no message", "SRTP"},
    {"alice<<-->>bob: SRTP both ways (‸3)", "no fact about media", "a time"},
    {"alice<<-->>bob: SRTP both ways (loss ‸> 1%)", "does not fit", "<"},
    {"alice<<-->>bob: SRTP both ways (loss < ‸101%)", "does not fit", "a share"},
    {"alice<<-->>bob: SRTP both ways (jitter < ‸20)", "does not fit", "500ms"},
    {"alice<<-->>bob: SRTP both ways (MOS > ‸6)", "does not fit", "from 1 to 5"},
    {"alice<<-->>bob: SRTP both ways (‸PCMX)", "no fact about media", "a codec"},
    {"alice->>bob: DTMF ‸1 2 E", "not keys", "0 to 9"},
    {"alice<<-->>bob: SRTP both ways\n%% ‸hold", "no fact about media", "a time"},
    // Parties
    {"actor ‸end as End", "word of Mermaid", "another name"},
    {"actor ‸Loop", "word of Mermaid", "another name"},
    {"actor ‸sbc-x1 as SBC", "cannot be a name", "that is an arrow"},
    {"actor ‸+1555 as Caller", "cannot be a name", "a label"},
    {"actor ‸sip:alice as Alice", "cannot be a name", "a label"},
    {"actor ‸alice@home as Alice", "cannot be a name", "a label"},
    {"actor‸", "cannot be a name", "letters"},
    {"actor ‸alice as Alice", "declared already", "one line"},
    {"actor carol ‸Carol", "does not belong after a name", "as and a label"},
    {"actor carol ‸as", "does not belong after a name", "as and a label"},
    {"participant p as Proxy (under ‸tests)", "does not fit", "under test"},
    {"participant p as Proxy (‸IPv5)", "no fact about a party", "IPv4"},
    {"participant p as Proxy ‸(played", "no partner", "at the end"},
    {"participant p as Proxy (played, ‸under test)", "either played or under test", "one"},
    {"participant p\n%% ‸urii: sip:p@example.com", "no fact about a party", "uri:"},
    {"participant p\n%% uri: ‸p@example.com", "does not fit", "sip:alice@example.com"},
    {"participant p\n%% at: ‸sbc.example.com:5061", "not where a system can be reached",
     "tls:HOST"},
    {"participant p\n%% at: ‸tls:sbc.example.com", "not where a system can be reached", "PORT"},
    {"participant p\n%% at: ‸tls:sbc.example.com:99999", "not where a system", "PORT"},
    {"participant p\n%% at: ‸tls:2001:db8::1:5061", "not where a system", "HOST"},
    {"participant p\n%% password: ‸sesame", "does not belong in a flow", "{env.NAME}"},
    {"participant p\n%% codecs: PCMU, ‸G711", "is not a codec", "G722"},
    {"participant p\n%% via: ‸q", "does not fit", "the name of a party"},
    {"create ‸box", "only a party", "actor"},
    {"destroy ‸carol", "never declared", "an actor"},
    {"create actor carol\n‸alice->>pbx: OPTIONS", "does not go to it", "created"},
    {"‸create actor carol", "nothing goes to the party", "directly after"},
    {"destroy bob\n‸alice->>pbx: OPTIONS", "no end there", "destroyed"},
    {"‸dave->>alice: OPTIONS\nactor dave", "only further down", "above its first use"},
    // Notes
    {"Note over alice: ‸heers bob for 2s", "nothing that alice can do", "hears"},
    {"Note over alice: hears ‸carol for 2s", "does not fit", "music"},
    {"Note over alice: hears bob ‸during 2s", "does not fit", "for"},
    {"Note over alice: waits ‸a bit", "does not fit", "500ms"},
    {"Note over alice: waits‸", "not complete", "500ms"},
    {"Note over alice: presses ‸E", "does not fit", "keys"},
    {"Note over alice: gets 1 2 within ‸3", "does not fit", "500ms"},
    {"Note over alice: reads ‸Hello", "does not fit", "quotes"},
    {"Note over alice: hangs up ‸now", "does not fit", "nothing more"},
    {"Note over ‸alice,bob: waits 2s", "one subject", "one party"},
    {"Note over ‸carol: waits 2s", "never declared", "an actor"},
    {"Note over alice,‸carol: Hello", "never declared", "an actor"},
    {"Note ‸between alice: Hello", "how a Note begins", "left of"},
    {"Note ‸over alice", "how a Note begins", "“:”"},
    {"Note over alice‸:", "wants a text", "a text"},
    {"Note over alice: waits 2s\n‸%% and more", "beneath an action", "a blank line"},
    // Blocks
    {"‸opt\nalice->>pbx: ACK", "no “end”", "end"},
    {"‸end", "no block to end", "a block above"},
    {"loop\nend ‸loop", "stands alone", "nothing after"},
    {"‸else never", "belongs in “alt”", "alt above"},
    {"par\n‸else never\nend", "belongs in “alt”", "“end” of the “par”"},
    {"alt\n‸and\nend", "belongs in “par”", "“end” of the “alt”"},
    {"alt\n‸option\nend", "belongs in “critical”", "end"},
    {"alt answered (‸70)\nend", "no fact about a block", "30%"},
    {"loop (‸3 tims)\nend", "no fact about a block", "3 times"},
    {"loop (every ‸3)\nend", "does not fit", "500ms"},
    {"loop (‸30%)\nend", "no fact about “loop”", "times"},
    {"par (‸within 2s)\nend", "no fact about “par”", "30% for alt"},
    {"break (‸3 times)\nend", "no fact about “break”", "fail"},
    {"‸alt a (70%)\nelse b (40%)\nend", "exceed 100%", "100% or less"},
    {"rect rgba(1,2,3,0.1)\n‸box Office\nend\nend", "outside of all blocks", "the end"},
    {"box Office\n‸alt x\nend\nend", "a box holds parties", "actor"},
    {"box ‸tan.example.com\nend", "takes “tan” for a colour", "rgba"},
    {"‸rect\nend", "has a colour", "rgba"},
    {"alt a\n‸alice->>carol: OPTIONS\nend", "", ""},
    // The whole flow
    {"‸include x", "not a line of the language", "an arrow"},
    {"‸ref over alice,bob: x", "not a line of the language", "an arrow"},
    {"‸partcipant q", "not a line of the language", "participant"},
    {"‸{\"json\": 1}", "not a line of the language", "an arrow"},
    {"autonumber ‸0", "does not count so", "off"},
    {"autonumber ‸1 2 3", "does not count so", "off"},
    {"‸accDescr {", "no end", "}"},
    // Meaning
    {"pbx-->>alice: ‸200 OK", "answers nothing", "a request above"},
    {"alice->>pbx: INVITE bob\npbx-->>alice: ‸200 OK (PRACK)", "no open PRACK", "a request above"},
    {"alice->>pbx: OPTIONS\npbx-->>alice: 200 OK\npbx-->>alice: ‸200 OK", "answers nothing", ""},
    {"alice->>pbx: OPTIONS\nalice-->>pbx: ‸200 OK", "answers nothing", "other direction"},
    {"alice-xpbx: OPTIONS\npbx-->>alice: ‸200 OK", "answers nothing", "a request above"},
    {"alice->>pbx: INVITE bob (‸call 2)", "has not started yet", "call 1, the next one"},
    {"alice->>pbx: BYE (‸call 1)", "has not started yet", "an INVITE above"},
    {"alice->>pbx: INVITE bob (‸replaces call 1)", "has not started yet", "an INVITE above"},
    {"alice->>pbx: INVITE bob\nalice->>pbx: REFER to bob (‸replaces call 3)", "has not started",
     "up to 1"},
    {"alice->>pbx: INVITE bob (‸INVITE)", "only a response", "on a response"},
    {"alice->>pbx: INVITE bob (‸200 OK)", "only a NOTIFY", "NOTIFY"},
    {"alice->>pbx: INVITE bob (‸no call)", "outside of all calls", "other than INVITE"},
    {"alice->>bob: INVITE\nalice->>bob: REFER (call 1, ‸no call)", "outside of all calls", ""},
    {"alice->>pbx: OPTIONS\npbx-->>alice: 200 OK (‸no call)", "outside of all calls", ""},
    {"alice->>pbx: OPTIONS\npbx-->>alice: 200 OK (‸digest)", "only a request", "a request"},
    {"alice->>pbx: INVITE bob\nalice->>pbx: BYE (‸replaces call 1)", "only an INVITE or a REFER",
     ""},
    {"alice->>pbx: OPTIONS\n%% RSeq: {‸rseq}", "has no value yet", "received above"},
    {"pbx->>alice: OPTIONS\n%% RSeq: {‸rseq+1}", "has no value yet", "received above"},
    {"alice->>pbx: MESSAGE bob \"{‸x}\"", "has no value yet", "set:"},
    {"alice->>pbx: OPTIONS\n%% Call-ID: {‸call.id}", "belongs to no call", "call1"},
    {"alice->>pbx: INVITE bob\n%% Call-ID: {‸call2.id}", "has not started yet", "up to 1"},
    {"alice->>pbx: OPTIONS\n%% User-Agent: {‸row.name}", "no CSV file", "set: rows from"},
    {"alice->>pbx: INVITE bob\nalt a\npbx-->>alice: 200 OK\n‸else b\nend", "different requests",
     "INVITE alice → pbx"},
    {"‸opt\nalice->>pbx: OPTIONS\nend", "different requests", "OPTIONS alice → pbx"},
    {"alice->>bob: INVITE\nbob-->>alice: ‸200 OK (call 2)", "no open request of call 2", "above"},
    {"‸loop (3 times)\nalice->>pbx: OPTIONS\nend", "different requests", "OPTIONS"},
    // What Mermaid would not show
    {"alice->>pbx: INVITE sips:bob@b.com‸;transport=tls", "ends a statement", "#59;"},
    {"Note over alice: presses 1 ‸#", "cuts the rest", "#35;"},
    {"Note over alice: Caller ‸#1", "cuts the rest", "#35;"},
    {"Note over alice: Caller ‸#nosuch;", "no such entity", "#35;"},
    {"Note over alice: Caller ‸#0;", "no such entity", "#35;"},
    {"alice->>pbx: INVITE bob\n‸%%{call.id}", "directive", "a blank"},
    {"Note over alice: 100‸%%{x}", "directive", "a blank"},
    {"Note over alice: A \x01", "", ""},
};

TEST(MalformedFlows, AreRefusedAtTheirPlace) {
    for (const auto& wrong : bodies) {
        const bool anywhere = *wrong.what == '\0';
        if (anywhere) {
            auto text = test::flow(wrong.body);
            test::take_mark(text);
            EXPECT_FALSE(parse(text).ok()) << text;
        } else {
            check(wrong, test::flow(wrong.body));
        }
    }
    EXPECT_GE(std::size(bodies), 150U);
}

constexpr Wrong texts[] = {
    {"‸", "no flow", "sequenceDiagram"},
    {"\n\n\n", "", ""},
    {"‸graph TD\n", "begins with", "sequenceDiagram"},
    {"‸sequencediagram\n", "begins with", "sequenceDiagram"},
    {"‸actor alice\n", "begins with", "sequenceDiagram"},
    {"‸\xef\xbb\xbfsequenceDiagram\n", "byte-order mark", ""},
    {"‸\xef\xbb\xbf---\ntitle: x\n---\nsequenceDiagram\n", "byte-order mark", "without"},
    {"sequenceDiagram\n    %% ‸lod: 50 calls/s\n", "no fact about the whole flow", "load:"},
    {"sequenceDiagram\n    %% load: ‸50/s\n", "is no load", "calls/s"},
    {"sequenceDiagram\n    %% load: 50 calls/s for 10m, ‸rampp 1m\n", "is no load", "ramp"},
    {"sequenceDiagram\n    %% load: 50 calls/s, ramp 1m, ‸ramp 2m\n", "is no load", "once"},
    {"sequenceDiagram\n    %% pass: ‸failures > 1%\n", "decides nothing", "failures <"},
    {"sequenceDiagram\n    %% pass: failures < 1%, ‸95% of calls < 1s\n", "decides nothing",
     "answers"},
    {"sequenceDiagram\n    %% timeout: ‸32\n", "does not fit", "500ms"},
    {"sequenceDiagram\n    %% set: correlate by ‸Too\n", "does not fit", "a header"},
    {"sequenceDiagram\n    %% set: user ‸alice\n", "does not fit", "="},
    {"‸---\ntitle: x\nsequenceDiagram\n", "no end", "---"},
    {"‸---\n---\nsequenceDiagram\n", "without a key", "title:"},
    {"---\ntitle: ‸a: b\n---\nsequenceDiagram\n", "picture fail", "quotes"},
    {"---\ntitle: ‸@x\n---\nsequenceDiagram\n", "picture fail", "quotes"},
    {"---\ntitle: x\n‸title: y\n---\nsequenceDiagram\n", "there already", "one title"},
    {"---\ntitle: x\n‸\tkey: y\n---\nsequenceDiagram\n", "a tab", "blanks"},
    {"\n‸---\ntitle: x\n---\nsequenceDiagram\n", "begins with", "sequenceDiagram"},
    {"sequenceDiagram\n    actor alice as Al‸\xffice\n", "not UTF-8", ""},
    {"sequenceDiagram\n    actor alice as Al‸\x1b[31mice\n", "control character", ""},
    {"sequenceDiagram\n    actor alice as Al‸\xe2\x80\xaeice\n", "control character", ""},
};

TEST(MalformedFlows, OfAnyShapeAreRefusedAtTheirPlace) {
    for (const auto& wrong : texts) {
        if (*wrong.what == '\0') {
            EXPECT_FALSE(parse(wrong.body).ok());
        } else {
            check(wrong, wrong.body);
        }
    }
}

// What is said of each, word for word; tools/approve takes over what is new.
TEST(MalformedFlows, AreRefusedInTheWordsOfTheGolden) {
    std::string said;
    std::size_t count = 0;
    const auto add = [&](std::string text) {
        test::take_mark(text);
        said += test::report(text, parse(text)) + "\n";
        ++count;
    };
    for (const auto& wrong : bodies) {
        add(test::flow(wrong.body));
    }
    for (const auto& wrong : texts) {
        add(wrong.body);
    }
    EXPECT_GE(count, 200U);
    const std::filesystem::path root{CALLWRIGHT_SOURCE_DIR};
    const auto golden = test::read_whole((root / "tests/golden/malformed_flows.txt").string());
    const auto fresh = root / "build/golden/malformed_flows.txt";
    if (said == golden) {
        std::filesystem::remove(fresh);
        return;
    }
    std::filesystem::create_directories(fresh.parent_path());
    std::ofstream(fresh, std::ios::binary) << said;
    const auto parted = static_cast<std::size_t>(
        std::mismatch(golden.begin(), golden.end(), said.begin(), said.end()).first -
        golden.begin());
    const auto line = said.rfind('\n', parted) + 1;
    ADD_FAILURE() << "other than tests/golden/malformed_flows.txt; see it, and take it over with "
                     "tools/approve:\n"
                  << said.substr(line, said.find("\n\n", line) - line);
}

TEST(MalformedFlows, GiveSeveralComplaintsInTheOrderOfTheFile) {
    const auto text = test::flow("alice->>pbx: INVTE bob\n"
                                 "Note over alice: heers bob for 2s\n"
                                 "alice->>pbx: OPTIONS (digets)\n"
                                 "actor end");
    const auto parsed = parse(text);
    ASSERT_EQ(parsed.complaints.size(), 4U) << test::report(text, parsed);
    for (std::uint32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(parsed.complaints[i].place.line, 6 + i);
    }
}

TEST(MalformedFlows, GiveNoMoreThanTwentyComplaints) {
    std::string body;
    for (int i = 0; i < 1000; ++i) {
        body += "alice->>pbx: INVTE bob\n";
    }
    EXPECT_EQ(parse(test::flow(body)).complaints.size(), Complaints::limit);
}

TEST(MalformedFlows, DoNotMakeTheirFollowersLookWrong) {
    const auto text = test::flow("alice->>pbx: INVTE bob\npbx-->>alice: 200 OK");
    EXPECT_EQ(parse(text).complaints.size(), 1U);
}

TEST(FlowLimits, ForbidTooMuchText) {
    EXPECT_FALSE(parse(std::string(limit::text + 1, '\n')).ok());
    EXPECT_FALSE(parse("sequenceDiagram\n    actor a as " + std::string(9000, 'a') + "\n").ok());
}

TEST(FlowLimits, ForbidTooManyArrows) {
    std::string body;
    for (std::size_t i = 0; i <= limit::arrows; ++i) {
        body += "alice->>pbx: ACK\n";
    }
    const auto parsed = parse(test::flow(body));
    ASSERT_EQ(parsed.complaints.size(), 1U);
    EXPECT_EQ(parsed.complaints[0].what, "the flow is too long");
}

TEST(FlowLimits, ForbidTooDeepNesting) {
    const auto nested = [](std::size_t depth) {
        std::string body;
        for (std::size_t i = 0; i < depth; ++i) {
            body += "opt\n";
        }
        for (std::size_t i = 0; i < depth; ++i) {
            body += "end\n";
        }
        return test::flow(body);
    };
    EXPECT_TRUE(parse(nested(limit::depth)).ok());
    EXPECT_FALSE(parse(nested(limit::depth + 1)).ok());
}

TEST(FlowLimits, ForbidTooManyOpenRequestsPartiesAndCalls) {
    std::string requests;
    for (std::size_t i = 0; i <= limit::open_requests; ++i) {
        requests += "alice->>pbx: OPTIONS\n";
    }
    EXPECT_FALSE(parse(test::flow(requests)).ok());
    std::string parties = "sequenceDiagram\n";
    for (std::size_t i = 0; i <= most_parties; ++i) {
        parties += "    actor a" + std::to_string(i) + "\n";
    }
    EXPECT_FALSE(parse(parties).ok());
    std::string calls;
    for (std::size_t i = 0; i <= limit::calls; ++i) {
        calls += "alice->>bob: INVITE\nbob-->>alice: 486 Busy Here\n";
    }
    EXPECT_FALSE(parse(test::flow(calls)).ok());
}

} // namespace
} // namespace cw::script
