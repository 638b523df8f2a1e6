#include "sip/message.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "sip/check.hpp"
#include "sip/list.hpp"
#include "sip/test_material.hpp"

namespace cw::sip {
namespace {

// A string that is about to die cannot be parsed into views.
template <class S>
concept CanIndex = requires(S&& s, HeaderIndex& h) { index(std::forward<S>(s), h); };
template <class S>
concept CanParse = requires(S&& s, HeaderIndex& h) { parse(std::forward<S>(s), h); };
static_assert(CanIndex<std::string&> && CanParse<std::string&>);
static_assert(CanIndex<std::string_view> && CanParse<const std::string&>);
static_assert(!CanIndex<std::string> && !CanParse<std::string>);

constexpr std::string_view minimal = "OPTIONS sip:b@example.com SIP/2.0\r\n"
                                     "Via: SIP/2.0/TCP a.example.com;branch=z9hG4bK1\r\n"
                                     "Max-Forwards: 70\r\n"
                                     "From: <sip:a@example.com>;tag=1\r\n"
                                     "To: <sip:b@example.com>\r\n"
                                     "Call-ID: 1@a\r\n"
                                     "CSeq: 1 OPTIONS\r\n";

std::string with(std::string_view more, std::string_view body = "") {
    return std::string{minimal}.append(more).append("\r\n").append(body);
}

TEST(Message, ARequestIsSplitIntoItsParts) {
    const test::ExactBytes bytes{with("l: 4\r\n", "bodyrest")};
    HeaderIndex headers;
    const auto m = index(bytes.text(), headers);
    ASSERT_TRUE(m);
    EXPECT_TRUE(m->is_request());
    EXPECT_EQ(m->method(), Method::Options);
    EXPECT_EQ(m->request_uri(), "sip:b@example.com");
    EXPECT_EQ(m->version(), "SIP/2.0");
    EXPECT_EQ(m->status(), 0);
    EXPECT_EQ(m->headers().size(), 7U);
    EXPECT_EQ(m->value(HeaderId::ContentLength), "4");
    EXPECT_EQ(m->find(HeaderId::ContentLength)->name, "l");
    EXPECT_EQ(m->body(), "body");
    EXPECT_TRUE(m->has(Problem::TrailingOctets));
    EXPECT_FALSE(m->first_problem());
    EXPECT_EQ(m->head().size() + 4, m->bytes().size());
    EXPECT_EQ(m->find(HeaderId::Contact), nullptr);
    EXPECT_EQ(m->value(HeaderId::Contact), "");
}

TEST(Message, AResponseIsSplitIntoItsParts) {
    HeaderIndex headers;
    auto m = index("SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n", headers);
    ASSERT_TRUE(m);
    EXPECT_FALSE(m->is_request());
    EXPECT_EQ(m->method(), Method::None);
    EXPECT_EQ(m->status(), 486);
    EXPECT_EQ(m->reason(), "Busy Here");
    EXPECT_EQ(m->request_uri(), "");
    m = index("SIP/2.0 200\r\n\r\n", headers); // the SP before an empty phrase left out
    ASSERT_TRUE(m);
    EXPECT_EQ(m->status(), 200);
    EXPECT_FALSE(m->first_problem());
    for (const auto* odd : {"SIP/2.0 2000 x\r\n\r\n", "SIP/2.0 20 x\r\n\r\n",
                            "SIP/2.0 +20 x\r\n\r\n", "SIP/2.0 abc x\r\n\r\n"}) {
        m = index(odd, headers);
        ASSERT_TRUE(m) << odd;
        EXPECT_TRUE(m->has(Problem::BadStatusLine)) << odd;
        EXPECT_EQ(m->status(), 0) << odd;
        EXPECT_FALSE(parse(odd, headers)) << odd;
    }
}

TEST(Message, WhatIsNoSipIsRefused) {
    HeaderIndex headers;
    for (const auto* text :
         {"", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "INVITE\r\n\r\n", "INVITE sip:a@b\r\n\r\n",
          "SIP\r\n\r\n", " SIP/2.0\r\n\r\n", "\xff\xfe", "SIP/2.0", "INVITE sip:a"}) {
        EXPECT_FALSE(index(text, headers)) << text;
    }
    EXPECT_EQ(index("INVITE sip:a@exam", headers).error().code, Code::Truncated);
    EXPECT_EQ(index("hello world\r\n", headers).error().code, Code::Malformed);
}

TEST(Message, EachDefectOfShapeIsNamed) {
    struct Case {
        std::string text;
        Problem problem;
    };
    const std::vector<Case> cases{
        {"OPTIONS sip:b SIP/2.0\nVia: x\r\n\r\n", Problem::BareLf},
        {"OPTIONS sip:b SIP/2.0\r\nVia: x\n\r\n", Problem::BareLf},
        {"OPTIONS sip:b SIP/2.0\r\nVia: x\r\n\n", Problem::BareLf},
        {"OPTIONS sip:b SIP/2.0\r\nVia: x\ry\r\n\r\n", Problem::BareCr},
        {"OPTIONS sip:b SIP/2.0\r\nVia: x\r\n", Problem::NoBlankLine},
        {"OPTIONS sip:b SIP/2.0\r\nVia: x", Problem::NoBlankLine},
        {"OPTIONS  sip:b SIP/2.0\r\n\r\n", Problem::StartLineSpace},
        {"OPTIONS sip:b  SIP/2.0\r\n\r\n", Problem::StartLineSpace},
        {"OPTIONS sip:b SIP/2.0 \r\n\r\n", Problem::StartLineSpace},
        {"OPTIONS\tsip:b SIP/2.0\r\n\r\n", Problem::StartLineSpace},
        {"OPTIONS  SIP/2.0\r\n\r\n", Problem::BadRequestLine},
        {"OPT(IONS sip:b SIP/2.0\r\n\r\n", Problem::BadRequestLine},
        {"OPTIONS sip:b SIP/2\r\n\r\n", Problem::BadVersion},
        {"SIP/2.x 200 OK\r\n\r\n", Problem::BadVersion},
        {"SIP/2.0 999999 OK\r\n\r\n", Problem::BadStatusLine},
        {"OPTIONS sip:b SIP/2.0\r\nno header\r\n\r\n", Problem::NotAHeader},
        {"OPTIONS sip:b SIP/2.0\r\nVi(a: x\r\n\r\n", Problem::NotAHeader},
        {"OPTIONS sip:b SIP/2.0\r\n: x\r\n\r\n", Problem::NotAHeader},
        {"OPTIONS sip:b SIP/2.0\r\n folded: x\r\n\r\n", Problem::NotAHeader},
        {"OPTIONS sip:b SIP/2.0\r\nl: -1\r\n\r\n", Problem::BadLength},
        {"OPTIONS sip:b SIP/2.0\r\nl: 4294967296\r\n\r\n", Problem::BadLength},
        {"OPTIONS sip:b SIP/2.0\r\nl:\r\n\r\n", Problem::BadLength},
        {"OPTIONS sip:b SIP/2.0\r\nl: 1\r\nContent-Length: 0\r\n\r\nx", Problem::LengthsDiffer},
        {"OPTIONS sip:b SIP/2.0\r\nl: 2\r\n\r\nx", Problem::BodyTooShort},
    };
    for (const auto& c : cases) {
        const test::ExactBytes bytes{c.text};
        HeaderIndex headers;
        const auto m = index(bytes.text(), headers);
        ASSERT_TRUE(m) << c.text;
        EXPECT_TRUE(m->has(c.problem)) << c.text;
        EXPECT_TRUE(m->first_problem()) << c.text;
        EXPECT_FALSE(parse(bytes.text(), headers)) << c.text;
        // None of these is let through by a check that is strict.
        EXPECT_FALSE(check(*index(bytes.text(), headers)).ok) << c.text;
    }
}

TEST(Message, FoldsBlanksAndOddBytesStayInOneValue) {
    const std::string text = with("Subject : one\r\n two\r\n\tthree  \r\n"
                                  "X-Odd:\x01\xc3\xa9\r\n"
                                  "X-Empty:\r\n"
                                  "X-Folded-Empty: \r\n \r\n");
    const test::ExactBytes bytes{text};
    HeaderIndex headers;
    const auto m = parse(bytes.text(), headers);
    ASSERT_TRUE(m) << m.error().what;
    EXPECT_EQ(m->find(HeaderId::Subject)->name, "Subject");
    EXPECT_EQ(m->value(HeaderId::Subject), "one\r\n two\r\n\tthree");
    std::string buffer;
    EXPECT_EQ(unfold(m->value(HeaderId::Subject), buffer), "one two three");
    EXPECT_EQ(m->find_by_name("x-odd")->value, "\x01\xc3\xa9");
    EXPECT_EQ(m->find_by_name("X-EMPTY")->value, "");
    EXPECT_EQ(m->find_by_name("X-Folded-Empty")->value, "");
    EXPECT_EQ(m->find_by_name("X-None"), nullptr);
    EXPECT_EQ(m->find_by_name("SUBJECT"), m->find(HeaderId::Subject));
    // What has no fold is not copied.
    EXPECT_EQ(unfold(m->value(HeaderId::To), buffer).data(), m->value(HeaderId::To).data());
}

std::string with_lower_version(std::string text) {
    const auto at = text.find("SIP/2.0");
    return at == std::string::npos ? text : text.replace(at, 3, "sip");
}

// Every header field's id, value and place, and all that was found wrong.
std::string described(std::string_view text) {
    const test::ExactBytes bytes{text};
    HeaderIndex headers;
    const auto m = index(bytes.text(), headers);
    if (!m) {
        return std::string{"none: "} + m.error().what;
    }
    std::string out = std::to_string(static_cast<int>(m->method())) + "|" +
                      std::to_string(m->status()) + "|" + std::string{m->request_uri()} + "|" +
                      std::string{m->reason()} + "|" + std::string{m->status_text()} + "|" +
                      (m->is_plain() ? "plain\n" : "not plain\n");
    for (const auto& header : m->headers()) {
        out += std::to_string(static_cast<int>(header.id)) + " " +
               std::to_string(header.name.data() - bytes.text().data()) + "+" +
               std::to_string(header.name.size()) + " " +
               std::to_string(header.value.data() - bytes.text().data()) + ":" +
               std::string{header.value} + "\n";
    }
    for (int problem = 0; problem <= static_cast<int>(Problem::TrailingOctets); ++problem) {
        out += m->has(static_cast<Problem>(problem)) ? "!" : ".";
    }
    const auto first = m->first_problem();
    return out + (first ? std::to_string(first->offset) + first->what : "") + "\n" +
           std::string{m->body()};
}

// Lines as nearly all are have a shorter way than others; that of another case is always the long
// one.
TEST(Message, ALineOfTheShortWayIsReadLikeOneOfTheLongWay) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> names{
        {{"To", "TO"},
         {"Via", "VIA"},
         {"Contact", "contact"},
         {"Session-Expires", "Session-expires"},
         {"WWW-Authenticate", "Www-Authenticate"},
         {"Content-Length", "CONTENT-LENGTH"}}};
    constexpr std::string_view nul{": a\0b\r\n", 7};
    constexpr std::array<std::string_view, 27> rests{
        ": 1\r\n",
        ":1\r\n",
        ":  1\r\n",
        ":\t1\r\n",
        ": 1 \r\n",
        ": 1\t\r\n",
        ":\r\n",
        ": \r\n",
        ": 1\n",
        ": 1\r",
        ": 1",
        ":",
        "",
        " : 1\r\n",
        ": 1\r2\r\n",
        ": 1\n2\r\n",
        ": 1\t2\r\n",
        ": 1\r\n 2\r\n",
        ": 1\r\n\t2\r\n",
        ": 1\r\n\n",
        ": 1\r\r\n",
        nul,
        "::\r\n",
        ": :\r\n",
        ": <sip:alice@192.0.2.1>\r\n",
        ": sixteen-letters-and-more-than-forty-eight-of-them-here\r\n",
        ": sixteen-letters-and-more-than-forty-eight-\rof-them-here \r\n"};
    for (const auto& [usual, other] : names) {
        for (const auto rest : rests) {
            for (const std::string_view behind : {"", "\r\n", "\r\n1", "Subject: x\r\n\r\n"}) {
                const std::string text{rest};
                EXPECT_EQ(described(with(std::string{usual} + text, behind)),
                          described(with(std::string{other} + text, behind)))
                    << usual << rest << behind;
                // The same as the first header field.
                const std::string start{"SIP/2.0 200 OK\r\n"};
                EXPECT_EQ(described(start + std::string{usual} + text + std::string{behind}),
                          described(start + std::string{other} + text + std::string{behind}))
                    << usual << rest << behind;
            }
        }
    }
}

TEST(Message, AStartLineOfTheShortWayIsReadLikeOneOfTheLongWay) {
    for (const std::string_view line : {"SIP/2.0 200 OK",
                                        "SIP/2.0 200 ",
                                        "SIP/2.0 200",
                                        "SIP/2.0 200 Not  so ",
                                        "SIP/2.0  200 OK",
                                        "SIP/2.0 200  OK",
                                        "SIP/2.0 20 OK",
                                        "SIP/2.0 2000 OK",
                                        "SIP/2.0 2x0 OK",
                                        "SIP/2.0 200\tOK",
                                        "SIP/2.0 200 OK\r",
                                        "SIP/2.0 200 \rOK",
                                        "SIP/2.0 ",
                                        "SIP/2.0",
                                        "INVITE sip:b SIP/2.0",
                                        "INVITE  sip:b SIP/2.0",
                                        "INVITE sip:b  SIP/2.0",
                                        "INVITE sip:b SIP/2.0 ",
                                        "INVITE\tsip:b SIP/2.0",
                                        "INVITE \tsip:b SIP/2.0",
                                        "INVITE \rsip:b SIP/2.0",
                                        "INVITE sip:b\r SIP/2.0",
                                        "INVITE sip:b c SIP/2.0",
                                        "INVITE SIP/2.0",
                                        "INVITE  SIP/2.0",
                                        "invite sip:b SIP/2.0",
                                        "FOO sip:b SIP/2.0",
                                        " INVITE sip:b SIP/2.0",
                                        " SIP/2.0"}) {
        for (const std::string_view end : {"\r\n\r\n", "\n\n", "\r\nTo: x\r\n\r\n", "\r", ""}) {
            const auto text = std::string{line} + std::string{end};
            EXPECT_EQ(described(text), described(with_lower_version(text))) << text;
        }
    }
}

TEST(Message, NothingHidesBehindCompactFormsOrCase) {
    const test::ExactBytes bytes{with("i: other\r\nCONTACT: <sip:x@y>\r\nm: <sip:z@y>\r\n")};
    HeaderIndex headers;
    const auto m = parse(bytes.text(), headers);
    ASSERT_TRUE(m);
    EXPECT_TRUE(m->repeated(HeaderId::CallId));
    EXPECT_TRUE(m->repeated(HeaderId::Contact));
    EXPECT_FALSE(m->repeated(HeaderId::From));
    EXPECT_EQ(check(*m).header, HeaderId::CallId);
    EXPECT_EQ(check(*m).status, 400);
}

TEST(Message, TheIndexGrowsStopsAtItsCapAndIsReusable) {
    HeaderIndex headers;
    std::string many{"OPTIONS sip:b SIP/2.0\r\n"};
    for (int i = 0; i < 3000; ++i) {
        many += "X-" + std::to_string(i) + ": " + std::to_string(i) + "\r\n";
    }
    many += "\r\nbody";
    auto m = index(many, headers);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->headers().size(), HeaderIndex::max_headers);
    EXPECT_TRUE(m->has(Problem::TooManyHeaders));
    EXPECT_EQ(m->headers()[2047].value, "2047");
    EXPECT_EQ(m->body(), "body");
    EXPECT_FALSE(parse(many, headers, Policy::tolerant()));
    m = index(minimal, headers);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->headers().size(), 6U);
    EXPECT_EQ(m->find_by_name("X-1"), nullptr);
}

TEST(Message, EveryPrefixIsReadWithoutLookingBeyondIt) {
    const auto text = with("Subject: a\r\n b\r\nl: 3\r\n", "abc");
    HeaderIndex headers;
    for (std::size_t n = 0; n <= text.size(); ++n) {
        const test::ExactBytes bytes{text.substr(0, n)};
        const auto m = index(bytes.text(), headers);
        EXPECT_EQ(m.has_value(), n >= 30) << n; // "… SIP/" is there
        EXPECT_EQ(m && !m->first_problem(), n == text.size()) << n;
    }
}

TEST(Header, EveryNameIsFoundInAnyCaseAndByItsCompactForm) {
    for (std::size_t n = 1; n < header_id_count; ++n) {
        const auto id = static_cast<HeaderId>(n);
        const std::string name{to_string(id)};
        EXPECT_EQ(header_id(name), id);
        auto lower = name;
        auto upper = name;
        for (auto& c : lower) {
            c = static_cast<char>(std::tolower(c));
        }
        for (auto& c : upper) {
            c = static_cast<char>(std::toupper(c));
        }
        EXPECT_EQ(header_id(lower), id) << name;
        EXPECT_EQ(header_id(upper), id) << name;
        EXPECT_EQ(header_id(name + "x"), HeaderId::Other) << name;
        if (name.size() > 3) {
            EXPECT_EQ(header_id(name.substr(1)), HeaderId::Other) << name;
        }
        if (compact_form(id) != 0) {
            EXPECT_EQ(header_id(std::string(1, compact_form(id))), id) << name;
        }
        EXPECT_FALSE(defined_in(id).empty());
    }
    EXPECT_EQ(header_id(""), HeaderId::Other);
    EXPECT_EQ(header_id("Call\rID"), HeaderId::Other);
    EXPECT_EQ(header_id("z"), HeaderId::Other);
    EXPECT_EQ(header_id("\xf6"), HeaderId::Other);
    EXPECT_EQ(header_id("V"), HeaderId::Via);
    EXPECT_EQ(header_id("h"), HeaderId::Other);
    EXPECT_TRUE(is_list(HeaderId::Via) && !is_list(HeaderId::From));
}

TEST(Method, EveryTokenIsKnownAndCaseCounts) {
    for (int n = 1; n < static_cast<int>(Method::Other); ++n) {
        const auto method = static_cast<Method>(n);
        EXPECT_EQ(method_of(to_string(method)), method);
    }
    for (const auto* other :
         {"invite", "INVITES", "PUBLISHX", "AC", "", "NOTIFU", "INFE", "XTTIFY"}) {
        EXPECT_EQ(method_of(other), Method::Other) << other;
    }
}

TEST(List, CommasInQuotesAndBracketsDoNotCount) {
    ListCursor list{R"(, "a,\",b" <sip:x,y@z>;p="1,2" ,, <sip:c>, d)"};
    EXPECT_EQ(list.next(), R"("a,\",b" <sip:x,y@z>;p="1,2")");
    EXPECT_EQ(list.next(), "<sip:c>");
    EXPECT_EQ(list.next(), "d");
    EXPECT_FALSE(list.next());
    ListCursor open{"a, \"b, c"};
    EXPECT_EQ(open.next(), "a");
    EXPECT_EQ(open.next(), "\"b, c");
    EXPECT_FALSE(open.next());
}

TEST(List, ValuesOfSeveralFieldsComeInOrder) {
    const test::ExactBytes bytes{with("k: timer, path\r\nX: y\r\nSupported: REPLACES\r\n")};
    HeaderIndex headers;
    const auto m = parse(bytes.text(), headers);
    ASSERT_TRUE(m);
    ValueCursor values{*m, HeaderId::Supported};
    EXPECT_EQ(values.next(), "timer");
    EXPECT_EQ(values.next(), "path");
    EXPECT_EQ(values.next(), "REPLACES");
    EXPECT_FALSE(values.next());
    EXPECT_TRUE(list_has(*m, HeaderId::Supported, "replaces"));
    EXPECT_FALSE(list_has(*m, HeaderId::Require, "replaces"));
}

TEST(Check, EachRefusalNamesItsHeaderAndResponse) {
    struct Case {
        std::string text;
        int status;
        HeaderId header;
    };
    const auto replaced = [](std::string_view from, std::string_view to) {
        auto text = with("");
        text.replace(text.find(from), from.size(), to);
        return text;
    };
    const std::vector<Case> cases{
        {replaced("Via: SIP/2.0/TCP a.example.com;branch=z9hG4bK1\r\n", ""), 400, HeaderId::Via},
        {replaced("From: <sip:a@example.com>;tag=1\r\n", ""), 400, HeaderId::From},
        {replaced("sip:b@example.com SIP", "sips:b@[2001:db8::zz] SIP"), 400, HeaderId::Other},
        {replaced("sip:b@example.com SIP", "urn:x SIP"), 416, HeaderId::Other},
        {replaced("SIP/2.0\r\n", "SIP/3.0\r\n"), 505, HeaderId::Other},
        {replaced("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 400, HeaderId::CSeq},
        {replaced("CSeq: 1 ", "CSeq: 2147483648 "), 400, HeaderId::CSeq},
        {replaced("CSeq: 1 ", "CSeq: -1 "), 400, HeaderId::CSeq},
        {replaced("Max-Forwards: 70", "Max-Forwards: 256"), 400, HeaderId::MaxForwards},
        {replaced("Call-ID: 1@a", "Call-ID: 1 2"), 400, HeaderId::CallId},
        {replaced("<sip:b@example.com>\r\n", "<sip:b@example.com>, <sip:c@d>\r\n"), 400,
         HeaderId::To},
        {replaced("<sip:b@example.com>\r\n", "*\r\n"), 400, HeaderId::To},
        {with("Contact: *, <sip:a@b>\r\n"), 400, HeaderId::Contact},
        {with("Contact: <sip:a@b>,\r\n"), 400, HeaderId::Contact},
        {with("Contact: <sip:a@b\r\n"), 400, HeaderId::Contact},
        {with("Route: sip:a@b\r\n"), 400, HeaderId::Route},
        {with("Max-Forwards: 70\r\n"), 400, HeaderId::MaxForwards},
    };
    for (const auto& c : cases) {
        HeaderIndex headers;
        const auto m = index(c.text, headers);
        ASSERT_TRUE(m) << c.text;
        const auto verdict = check(*m);
        EXPECT_FALSE(verdict.ok) << c.text;
        EXPECT_EQ(verdict.status, c.status) << c.text;
        EXPECT_EQ(verdict.header, c.header) << c.text << verdict.error.what;
        EXPECT_STRNE(verdict.error.what, "");
    }
    HeaderIndex headers;
    const auto fine = with("Contact: *\r\nRoute: <sip:a@b;lr>, <sip:c@d;lr>\r\n");
    EXPECT_TRUE(check(*index(fine, headers)).ok);
    const auto huge = with("X: " + std::string(70'000, 'x') + "\r\n");
    EXPECT_EQ(check(*index(huge, headers)).status, 513);
}

// Sixty-four bytes are looked at in a step: what ends a line, or is out of order, may stand
// anywhere in one.
TEST(Message, LinesAreFoundWhereverTheyEnd) {
    struct Shape {
        std::string_view line_end;
        std::string_view third; // the value of the third header
        std::size_t headers;
        bool well_formed;
    };
    const std::vector<Shape> shapes{
        {"\r\n", "c:d", 4, true},
        {"\n", "c:d", 4, false},
        {" \t\r\n", "c:d", 4, true},
        {"\r\n folded\r\n", "c:d", 4, true},
        {"\rb: c\r\n", "c:d", 4, false},
        {"\r\nno colon\r\n", "c:d", 4, false},
        {"\r\n: no name\r\n", "c:d", 4, false},
    };
    for (const auto& shape : shapes) {
        for (std::size_t n = 0; n < 200; ++n) {
            const std::string filler(n, 'x');
            const test::ExactBytes bytes{"BYE sip:b@example.com SIP/2.0\r\nFirst:  " + filler +
                                         std::string{shape.line_end} +
                                         "Second : \r\nThird:c:d\r\n" + "l: 3\r\n\r\nb:\n"};
            HeaderIndex headers;
            const auto m = index(bytes.text(), headers);
            ASSERT_TRUE(m);
            ASSERT_EQ(m->headers().size(), shape.headers) << n << ' ' << shape.line_end;
            EXPECT_EQ(m->first_problem().has_value(), !shape.well_formed) << n << shape.line_end;
            const auto& first = m->headers()[0];
            EXPECT_EQ(first.name, "First");
            EXPECT_EQ(first.value.substr(0, n), filler);
            EXPECT_EQ(m->headers()[1].name, "Second");
            EXPECT_EQ(m->headers()[1].value, "");
            EXPECT_EQ(m->headers()[2].value, shape.third);
            EXPECT_EQ(m->body(), "b:\n");
            EXPECT_FALSE(m->is_plain()) << "a blank before the colon";
        }
    }
}

// Cut anywhere, a message has the headers that are whole.
TEST(Message, TheEndMayComeAnywhere) {
    const auto whole = with("X: " + std::string(100, 'y') + "\r\nZ: z\r\n", "body");
    const auto start = minimal.find('\n') + 1;
    for (auto size = start; size < whole.size() - 4; ++size) {
        const test::ExactBytes bytes{whole.substr(0, size)};
        HeaderIndex headers;
        const auto m = index(bytes.text(), headers);
        ASSERT_TRUE(m) << size;
        EXPECT_TRUE(m->has(Problem::NoBlankLine) || size + 4 == whole.size()) << size;
        const auto lines = std::ranges::count(bytes.text().substr(start), '\n');
        EXPECT_GE(m->headers().size(), static_cast<std::size_t>(lines)) << size;
        EXPECT_LE(m->headers().size(), static_cast<std::size_t>(lines) + 1) << size;
    }
}

} // namespace
} // namespace cw::sip
