// The torture tests of RFC 4475 and RFC 5118, bit by bit as published: each accepted or refused as
// the RFC says, and framed alike whole and byte by byte.
#include <map>

#include <gtest/gtest.h>

#include "sip/check.hpp"
#include "sip/cseq.hpp"
#include "sip/date.hpp"
#include "sip/frame.hpp"
#include "sip/list.hpp"
#include "sip/multipart.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/test_material.hpp"
#include "sip/via.hpp"

namespace cw::sip {
namespace {

constexpr int accept = 0;
constexpr int drop = -1;   // a response that nobody answers
constexpr int no_sip = -2; // no start line of SIP at all

// What a strict receiver does with each message.
const std::map<std::string, int> rfc4475{
    // 3.1.1 valid
    {"wsinv", accept},
    {"intmeth", accept},
    {"esc01", accept},
    {"escnull", accept},
    {"esc02", accept},
    {"lwsdisp", accept},
    {"longreq", accept},
    {"dblreq", accept},
    {"semiuri", accept},
    {"transports", accept},
    {"mpart01", accept},
    {"unreason", accept},
    {"noreason", accept},
    // 3.1.2 invalid
    {"badinv01", 400},
    {"clerr", 400},
    {"ncl", 400},
    {"scalar02", 400},
    {"scalarlg", drop},
    {"quotbal", 400},
    {"ltgtruri", 400},
    {"lwsruri", 400},
    {"lwsstart", 400},
    {"trws", 400},
    {"escruri", 400},
    {"baddate", accept}, // "shouldn't" be refused; parse_date() does refuse it
    {"regbadct", 400},
    {"badaspec", 400},
    {"baddn", 400},
    {"badvers", 505},
    {"mismatch01", 400},
    {"mismatch02", 400}, // 501 where the method is looked at first
    {"bigcode", drop},
    // 3.2, 3.3, 3.4
    {"badbranch", 400},
    {"insuf", 400},
    {"unkscm", 416},
    {"novelsc", 416},
    {"unksm2", accept}, // a registrar refuses its To
    {"bext01", accept}, // 420 by unsupported_option()
    {"invut", accept},
    {"regaut01", accept},
    {"multi01", 400},
    {"mcl01", 400},
    {"bcast", accept},
    {"zeromf", accept},
    {"cparam01", accept},
    {"cparam02", accept},
    {"regescrt", accept},
    {"sdp01", accept},
    {"inv2543", accept},
    // in the archive, not in the text
    {"test", no_sip},
};

test::ExactBytes torture(const char* name) {
    return test::read_file(test::material("rfc4475") / (std::string{name} + ".dat"));
}

#define SKIP_WITHOUT(folder)                                                                       \
    if (test::files_in(test::material(folder), "").empty()) {                                      \
        GTEST_SKIP() << "no test material at " << test::material(folder);                          \
    }

int treatment(std::string_view bytes, const Policy& policy) {
    HeaderIndex headers;
    const auto message = index(bytes, headers);
    if (!message) {
        return no_sip;
    }
    const auto verdict = check(*message, policy);
    return verdict.ok ? accept : verdict.status == 0 ? drop : verdict.status;
}

TEST(Rfc4475, EveryMessageIsAcceptedOrRefusedAsItSays) {
    SKIP_WITHOUT("rfc4475");
    const auto files = test::files_in(test::material("rfc4475"), ".dat");
    EXPECT_EQ(files.size(), rfc4475.size());
    for (const auto& file : files) {
        const auto expected = rfc4475.find(file.stem().string());
        ASSERT_NE(expected, rfc4475.end()) << file;
        const auto bytes = test::read_file(file);
        EXPECT_EQ(treatment(bytes.text(), Policy::strict()), expected->second) << file.stem();
    }
}

TEST(Rfc4475, ATolerantReaderRefusesOnlyWhatHasNoReading) {
    SKIP_WITHOUT("rfc4475");
    const std::map<std::string, int> still{
        {"badinv01", 400}, // commas with nothing between them
        {"scalar02", 400},   {"scalarlg", drop}, {"badvers", 505},   {"mismatch01", 400},
        {"mismatch02", 400}, {"bigcode", drop},  {"badbranch", 400}, {"insuf", 400},
        {"unkscm", 416},     {"novelsc", 416},   {"multi01", 400},   {"mcl01", 400},
        {"test", no_sip},
    };
    for (const auto& file : test::files_in(test::material("rfc4475"), ".dat")) {
        const auto bytes = test::read_file(file);
        const auto expected = still.find(file.stem().string());
        EXPECT_EQ(treatment(bytes.text(), Policy::tolerant()),
                  expected == still.end() ? accept : expected->second)
            << file.stem();
    }
}

// What a framer makes of a stream that arrives in pieces of `step` bytes.
std::vector<std::string> frames(std::string_view stream, std::size_t step, const Policy& policy) {
    std::vector<std::string> out;
    Framer framer{policy};
    std::size_t from = 0;
    for (std::size_t there = std::min(step, stream.size());;) {
        const auto r = framer.next(as_bytes(stream.substr(from, there - from)));
        if (const auto* frame = std::get_if<Frame>(&r)) {
            out.push_back(std::to_string(from) + "+" + std::to_string(frame->head) + "+" +
                          std::to_string(frame->body));
            from += frame->size();
        } else if (const auto* error = std::get_if<Error>(&r)) {
            out.emplace_back(error->what);
            return out;
        } else if (there == stream.size()) {
            out.push_back("more needed at " + std::to_string(from));
            return out;
        } else {
            there = std::min(there + step, stream.size());
        }
    }
}

TEST(Rfc4475, FramesAreTheSameWholeAndByteByByte) {
    SKIP_WITHOUT("rfc4475");
    auto files = test::files_in(test::material("rfc4475"), ".dat");
    for (const auto* folder : {"rfc5118/raw_lf", "rfc5118/crlf", "rfc5118/fixed"}) {
        const auto more = test::files_in(test::material(folder), "");
        files.insert(files.end(), more.begin(), more.end());
    }
    for (const auto& file : files) {
        const auto one = test::read_file(file);
        // Twice in a row, so that what follows a message is framed too.
        const test::ExactBytes stream{std::string{one.text()} + "\r\n" + std::string{one.text()}};
        for (const auto& policy : {Policy::strict(), Policy::tolerant()}) {
            const auto whole = frames(stream.text(), stream.text().size(), policy);
            EXPECT_EQ(frames(stream.text(), 1, policy), whole) << file;
            EXPECT_EQ(frames(stream.text(), 7, policy), whole) << file;
        }
    }
}

TEST(Rfc4475, AFrameOfAValidStreamMessageIsTheWholeMessage) {
    SKIP_WITHOUT("rfc4475");
    for (const auto* name : {"intmeth", "esc02", "longreq", "unkscm", "novelsc", "regaut01"}) {
        const auto bytes = torture(name);
        const auto r = frame(bytes.bytes(), Policy::strict());
        const auto* framed = std::get_if<Frame>(&r);
        ASSERT_NE(framed, nullptr) << name;
        EXPECT_EQ(framed->size(), bytes.text().size()) << name;
    }
    // A negative length and two lengths end the connection; they are never used as a count.
    for (const auto* name : {"ncl", "mcl01"}) {
        const auto bytes = torture(name);
        EXPECT_TRUE(std::holds_alternative<Error>(frame(bytes.bytes(), Policy::strict()))) << name;
    }
    // One that is too large waits for more.
    const auto bytes = torture("clerr");
    EXPECT_TRUE(std::holds_alternative<Need>(frame(bytes.bytes(), Policy::strict())));
}

TEST(Rfc4475, TheTortuousInviteIsUnderstoodInEveryDetail) {
    SKIP_WITHOUT("rfc4475");
    const auto bytes = torture("wsinv");
    HeaderIndex headers;
    const auto message = parse(bytes.text(), headers);
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_EQ(message->value(HeaderId::MaxForwards), "0068");
    const auto cseq = parse_cseq(message->value(HeaderId::CSeq));
    ASSERT_TRUE(cseq);
    EXPECT_EQ(cseq->number, 9U);
    EXPECT_EQ(cseq->method, Method::Invite);
    const auto to = parse_name_addr(message->value(HeaderId::To));
    ASSERT_TRUE(to);
    EXPECT_EQ(to->tag, "1918181833n");
    EXPECT_EQ(to->uri.host, "chair-dnrc.example.com");
    const auto from = parse_name_addr(message->value(HeaderId::From));
    ASSERT_TRUE(from);
    std::string buffer;
    EXPECT_EQ(unquote(from->display, buffer), "J Rosenberg \\\"");
    EXPECT_EQ(from->tag, "98asjd8");

    std::vector<Via> vias;
    ValueCursor values{*message, HeaderId::Via};
    while (const auto value = values.next()) {
        const auto via = parse_via(*value);
        ASSERT_TRUE(via) << *value;
        vias.push_back(*via);
    }
    ASSERT_EQ(vias.size(), 3U);
    EXPECT_EQ(vias[0].host, "192.0.2.2");
    EXPECT_EQ(vias[0].branch, "390skdjuw");
    EXPECT_FALSE(vias[0].has_cookie());
    EXPECT_EQ(vias[1].transport, "TCP");
    EXPECT_EQ(vias[1].branch, "z9hG4bK9ikj8");
    EXPECT_EQ(vias[2].host, "192.168.255.111");
    EXPECT_EQ(vias[2].branch, "z9hG4bK30239");

    const auto* odd = message->find_by_name("unknownheaderwithunusualvalue");
    ASSERT_NE(odd, nullptr);
    EXPECT_EQ(odd->value, ";;,,;;,;");
    const auto contact = parse_name_addr(message->value(HeaderId::Contact));
    ASSERT_TRUE(contact);
    EXPECT_EQ(find_param(contact->params, "q"), "0.33");
    EXPECT_EQ(find_param(contact->params, "secondparam"), "");
    EXPECT_EQ(unfold(message->value(HeaderId::Subject), buffer), "");
}

TEST(Rfc4475, EscapesAreResolvedOnceAndOnlyWhereTheyMayStand) {
    SKIP_WITHOUT("rfc4475");
    HeaderIndex headers;
    const auto esc01 = torture("esc01");
    auto message = parse(esc01.text(), headers);
    ASSERT_TRUE(message);
    auto uri = parse_uri(message->request_uri());
    ASSERT_TRUE(uri);
    EXPECT_EQ(unescape(uri->user), "sips:user@example.com");
    EXPECT_EQ(uri->host, "example.net");

    const auto escnull = torture("escnull");
    message = parse(escnull.text(), headers);
    ASSERT_TRUE(message);
    ValueCursor contacts{*message, HeaderId::Contact};
    const auto first = parse_name_addr(contacts.next().value());
    const auto second = parse_name_addr(contacts.next().value());
    ASSERT_TRUE(first && second);
    EXPECT_EQ(unescape(first->uri.user), std::string(1, '\0'));
    EXPECT_EQ(unescape(second->uri.user), std::string(2, '\0'));
    EXPECT_FALSE(same_uri(first->uri, second->uri));

    const auto esc02 = torture("esc02");
    message = parse(esc02.text(), headers);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->method(), Method::Other);
    EXPECT_EQ(message->method_text(), "RE%47IST%45R");
    EXPECT_NE(message->find_by_name("C%6Fntact"), nullptr);
    EXPECT_TRUE(message->repeated(HeaderId::Contact));
}

TEST(Rfc4475, UnusualMethodsAndControlCharactersPass) {
    SKIP_WITHOUT("rfc4475");
    const auto bytes = torture("intmeth");
    HeaderIndex headers;
    const auto message = parse(bytes.text(), headers);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->method_text(), "!interesting-Method0123456789_*+`.%indeed'~");
    const auto to = parse_name_addr(message->value(HeaderId::To));
    ASSERT_TRUE(to);
    EXPECT_NE(to->display.find('\0'), std::string_view::npos);
    EXPECT_EQ(to->uri.host, "example.com");
    EXPECT_EQ(to->uri.quirk, nullptr);
}

TEST(Rfc4475, OctetsAfterTheBodyAreNotPartOfTheMessage) {
    SKIP_WITHOUT("rfc4475");
    const auto bytes = torture("dblreq");
    HeaderIndex headers;
    const auto message = parse(bytes.text(), headers);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->method(), Method::Register);
    EXPECT_TRUE(message->has(Problem::TrailingOctets));
    EXPECT_FALSE(message->first_problem());
    EXPECT_TRUE(message->body().empty());
    EXPECT_EQ(bytes.text().size() - message->bytes().size(), 450U);
}

TEST(Rfc4475, ParametersBelongToTheUriOnlyInsideTheBrackets) {
    SKIP_WITHOUT("rfc4475");
    HeaderIndex headers;
    const auto outside = torture("cparam01");
    auto message = parse(outside.text(), headers);
    ASSERT_TRUE(message);
    auto contact = parse_name_addr(message->value(HeaderId::Contact));
    ASSERT_TRUE(contact);
    EXPECT_EQ(contact->uri.params, "");
    EXPECT_TRUE(find_param(contact->params, "unknownparam"));
    const auto inside = torture("cparam02");
    message = parse(inside.text(), headers);
    ASSERT_TRUE(message);
    contact = parse_name_addr(message->value(HeaderId::Contact));
    ASSERT_TRUE(contact);
    EXPECT_EQ(contact->params, "");
    EXPECT_TRUE(find_param(contact->uri.params, "unknownparam"));
    const auto escaped = torture("regescrt");
    message = parse(escaped.text(), headers);
    ASSERT_TRUE(message);
    contact = parse_name_addr(message->value(HeaderId::Contact));
    ASSERT_TRUE(contact);
    EXPECT_EQ(contact->uri.headers, "Route=%3Csip:sip.example.com%3E");
    const auto semicolon = torture("semiuri");
    message = parse(semicolon.text(), headers);
    ASSERT_TRUE(message);
    const auto uri = parse_uri(message->request_uri());
    ASSERT_TRUE(uri);
    EXPECT_EQ(unescape(uri->user), "user;par=u@example.net");
    EXPECT_EQ(uri->params, "");
}

TEST(Rfc4475, ManyViasLongNamesAndCompactFormsAreCounted) {
    SKIP_WITHOUT("rfc4475");
    const auto bytes = torture("longreq");
    HeaderIndex headers;
    const auto message = parse(bytes.text(), headers);
    ASSERT_TRUE(message);
    int vias = 0;
    ValueCursor values{*message, HeaderId::Via};
    while (const auto value = values.next()) {
        const auto via = parse_via(*value);
        ASSERT_TRUE(via);
        EXPECT_EQ(via->quirk, nullptr);
        ++vias;
    }
    EXPECT_EQ(vias, 34);
}

TEST(Rfc4475, BothPartsOfTheSignedBodyAreFound) {
    SKIP_WITHOUT("rfc4475");
    const auto bytes = torture("mpart01");
    HeaderIndex headers;
    const auto message = parse(bytes.text(), headers);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->body().size(), 553U);
    LeafCursor leaves{message->body(), message->value(HeaderId::ContentType)};
    const auto text = leaves.next();
    ASSERT_TRUE(text);
    EXPECT_EQ(text->type.essence, "text/plain");
    EXPECT_EQ(text->part.content, "Hello");
    const auto signature = leaves.next();
    ASSERT_TRUE(signature);
    EXPECT_TRUE(signature->type.is("application", "octet-stream"));
    EXPECT_EQ(signature->part.content.substr(0, 2), "\x30\x82");
    EXPECT_FALSE(leaves.next());
}

TEST(Rfc4475, UnsupportedExtensionsAreNamed) {
    SKIP_WITHOUT("rfc4475");
    const auto bytes = torture("bext01");
    HeaderIndex headers;
    const auto message = parse(bytes.text(), headers);
    ASSERT_TRUE(message);
    const std::array<std::string_view, 2> known{"100rel", "nothingSupportsThis"};
    EXPECT_EQ(unsupported_option(*message, HeaderId::Require, known), "nothingSupportsThisEither");
    EXPECT_FALSE(unsupported_option(*message, HeaderId::ProxyRequire, known).empty());
}

TEST(Rfc4475, ReasonPhrasesAndDatesAreRead) {
    SKIP_WITHOUT("rfc4475");
    HeaderIndex headers;
    const auto unreason = torture("unreason");
    auto message = parse(unreason.text(), headers);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->status(), 200);
    EXPECT_EQ(message->reason().substr(0, 14), "= 2**3 * 5**2 ");
    const auto noreason = torture("noreason");
    message = parse(noreason.text(), headers);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->status(), 100);
    EXPECT_EQ(message->reason(), "");
    const auto baddate = torture("baddate");
    message = parse(baddate.text(), headers);
    ASSERT_TRUE(message);
    EXPECT_FALSE(parse_date(message->value(HeaderId::Date)));
}

TEST(Rfc5118, EveryMessageIsAcceptedOrRefusedAsItSays) {
    SKIP_WITHOUT("rfc5118/fixed");
    for (const auto* folder : {"rfc5118/fixed", "rfc5118/crlf", "rfc5118/raw_lf"}) {
        for (const auto& file : test::files_in(test::material(folder), "")) {
            const auto bytes = test::read_file(file);
            const auto expected = file.filename() == "ipv6-bad" ? 400 : accept;
            // As printed they have LF alone, wrong lengths and missing blank lines.
            const auto policy =
                std::string_view{folder} == "rfc5118/fixed" ? Policy::strict() : Policy::tolerant();
            EXPECT_EQ(treatment(bytes.text(), policy), expected) << file;
        }
    }
}

TEST(Rfc5118, AddressesAndPortsAreToldApart) {
    SKIP_WITHOUT("rfc5118/fixed");
    const auto folder = test::material("rfc5118/fixed");
    HeaderIndex headers;
    const auto ambiguous = test::read_file(folder / "port-ambiguous");
    auto message = parse(ambiguous.text(), headers);
    ASSERT_TRUE(message);
    auto uri = parse_uri(message->request_uri());
    ASSERT_TRUE(uri);
    EXPECT_EQ(uri->host, "[2001:db8::10:5070]");
    EXPECT_EQ(uri->port, 0);
    const auto unambiguous = test::read_file(folder / "port-unambiguous");
    message = parse(unambiguous.text(), headers);
    ASSERT_TRUE(message);
    uri = parse_uri(message->request_uri());
    ASSERT_TRUE(uri);
    EXPECT_EQ(uri->host, "[2001:db8::10]");
    EXPECT_EQ(uri->port, 5070);

    for (const auto* name : {"via-received-param-with-delim", "via-received-param-no-delim"}) {
        const auto received = test::read_file(folder / name);
        message = parse(received.text(), headers);
        ASSERT_TRUE(message);
        const auto via = parse_via(message->value(HeaderId::Via));
        ASSERT_TRUE(via) << name;
        EXPECT_EQ(IpAddress::parse(via->received), IpAddress::parse("2001:db8::9:255")) << name;
    }
    for (const auto* name : {"ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons"}) {
        const auto mapped = test::read_file(folder / name);
        message = parse(mapped.text(), headers);
        ASSERT_TRUE(message);
        uri = parse_uri(message->request_uri());
        ASSERT_TRUE(uri) << name;
        EXPECT_EQ(host_address(*uri), IpAddress::parse("2001:db8::192.0.2.1")) << name;
    }
}

} // namespace
} // namespace cw::sip
