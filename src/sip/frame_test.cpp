#include "sip/frame.hpp"

#include <gtest/gtest.h>

#include "sip/check.hpp"
#include "sip/message.hpp"
#include "sip/test_material.hpp"

namespace cw::sip {
namespace {

using Result3 = std::variant<Need, Frame, Error>;

Result3 framed(std::string_view text, const Policy& policy = Policy::strict()) {
    const test::ExactBytes bytes{text};
    return frame(bytes.bytes(), policy);
}

bool is_frame(const Result3& r, std::size_t head, std::size_t body) {
    const auto* f = std::get_if<Frame>(&r);
    return f != nullptr && f->kind == Frame::Kind::Message && f->head == head && f->body == body;
}

TEST(Frame, ContentLengthEndsTheMessage) {
    EXPECT_TRUE(is_frame(framed("A b SIP/2.0\r\nl: 3\r\n\r\nabcNEXT"), 21, 3));
    EXPECT_TRUE(is_frame(framed("A b SIP/2.0\r\nContent-Length : 0\r\n\r\n"), 35, 0));
    EXPECT_TRUE(is_frame(framed("A b SIP/2.0\r\nCONTENT-LENGTH:\r\n 3\r\n\r\nabc"), 36, 3));
    EXPECT_TRUE(is_frame(framed("A b SIP/2.0\r\nl: 3\r\nl: 3\r\n\r\nabc"), 27, 3));
    // Neither a longer name nor a folded line is the length.
    EXPECT_TRUE(is_frame(
        framed("A b SIP/2.0\r\nContent-Lengthy: 9\r\nX: y\r\n l: 9\r\nl: 0\r\n\r\n"), 54, 0));
}

TEST(Frame, HowMuchIsMissingIsSaid) {
    EXPECT_EQ(std::get<Need>(framed("")).bytes, 1U);
    EXPECT_EQ(std::get<Need>(framed("A b SIP/2.0\r\nl: 3\r\n\r")).bytes, 1U);
    EXPECT_EQ(std::get<Need>(framed("A b SIP/2.0\r\nl: 300\r\n\r\nabc")).bytes, 297U);
}

TEST(Frame, LineEndsBetweenMessagesAreHandedOut) {
    const auto r = framed("\r\n\r\nA b");
    ASSERT_TRUE(std::holds_alternative<Frame>(r));
    EXPECT_EQ(std::get<Frame>(r).kind, Frame::Kind::LineEnd);
    EXPECT_EQ(std::get<Frame>(r).size(), 2U);
    EXPECT_TRUE(std::holds_alternative<Need>(framed("\r")));
    EXPECT_TRUE(std::holds_alternative<Error>(framed("\nA")));
    EXPECT_EQ(std::get<Frame>(framed("\nA", Policy::tolerant())).size(), 1U);
}

TEST(Frame, WhatCannotBeFramedIsAnError) {
    for (const auto* bad : {"A b SIP/2.0\r\n\r\n", "A b SIP/2.0\r\nl: -1\r\n\r\n",
                            "A b SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\nx", "A b SIP/2.0\nl: 0\r\n\r\n",
                            "A b SIP/2.0\r\nl: 0\n\n", "A b SIP/2.0\r\nl: 1 2\r\n\r\n"}) {
        EXPECT_TRUE(std::holds_alternative<Error>(framed(bad))) << bad;
        EXPECT_TRUE(std::holds_alternative<Frame>(framed(bad, Policy::tolerant()))) << bad;
    }
    const auto limit = [](const Result3& r) {
        const auto* e = std::get_if<Error>(&r);
        return e != nullptr && e->code == Code::LimitExceeded;
    };
    const std::string endless = "A b SIP/2.0\r\nX: " + std::string(70'000, 'x');
    EXPECT_TRUE(limit(framed(endless)));
    EXPECT_TRUE(limit(framed(endless + "\r\nl: 0\r\n\r\n")));
    EXPECT_TRUE(limit(framed("A b SIP/2.0\r\nl: 4000000000\r\n\r\n")));
}

TEST(Frame, ALongHeadInSmallPiecesIsScannedOnce) {
    // 60,000 pieces; looked at again from the start each time this would be 1.8 GB.
    const std::string text = "A b SIP/2.0\r\nX: " + std::string(60'000, 'x') + "\r\nl: 0\r\n\r\n";
    const auto policy = Policy::strict();
    Framer framer{policy};
    for (std::size_t n = 1; n < text.size(); ++n) {
        ASSERT_TRUE(std::holds_alternative<Need>(framer.next(as_bytes(text).first(n)))) << n;
    }
    EXPECT_TRUE(is_frame(framer.next(as_bytes(text)), text.size(), 0));
    // And it is ready for the next one.
    EXPECT_TRUE(is_frame(framer.next(as_bytes("A b SIP/2.0\r\nl: 0\r\n\r\n")), 21, 0));
}

TEST(Frame, SipIsToldFromOtherProtocols) {
    const auto likeness = [](std::string_view text) {
        const test::ExactBytes bytes{text};
        return looks_like_sip(bytes.bytes());
    };
    for (const auto* yes : {"SIP/2.0 200 OK\r\n", "sip/2.0 100\r\n", "INVITE sip:a@b SIP/2.0\r\n",
                            "\r\n\r\nACK sip:a SIP/2.0\n", "INVITE <sip:a@b> SIP/2.0\r\n",
                            "FOO tel:1 SIP/2.0  \r\n", "INVITE  sip:a@b;x y SIP/7.0\r\n"}) {
        EXPECT_EQ(likeness(yes), Likeness::Yes) << yes;
    }
    for (const auto* maybe :
         {"", "\r\n", "S", "SIP/2.0 20", "INV", "INVITE ", "INVITE sip", "INVITE sip:a@b SIP/2"}) {
        EXPECT_EQ(likeness(maybe), Likeness::Maybe) << maybe;
    }
    for (const auto* no :
         {"GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", "SIP/2.0 OK\r\n", "INVITE sip:a@b\r\n",
          "\x16\x03\x01", "INVITE:\r\n", "RTSP/1.0 200 OK\r\n", "OPTIONS rtsp://a RTSP/1.0\r\n",
          "INVITE sip\r\n", " INVITE"}) {
        EXPECT_EQ(likeness(no), Likeness::No) << no;
    }
    EXPECT_EQ(likeness(std::string(100'000, 'x')), Likeness::No);
}

TEST(Frame, TheNextMessageIsFoundAfterAGap) {
    const std::string text = "rest of a body\r\na=x:1\r\n\r\nBYE sip:a@b SIP/2.0\r\nl: 0\r\n\r\n";
    EXPECT_EQ(find_message(as_bytes(text), 0), text.find("BYE"));
    EXPECT_EQ(find_message(as_bytes(text), text.find("l: 0")), text.size());
    const std::string cut = "rest\r\nSIP/2.0 1";
    EXPECT_EQ(find_message(as_bytes(cut), 0), 6U);
    EXPECT_EQ(find_message({}, 0), 0U);
    EXPECT_EQ(find_message(as_bytes(text), text.size()), text.size());
}

// The messages of the call flow RFCs, as their text prints them. What is refused has a reason that
// is known.
TEST(Flows, TheMessagesOfTheCallFlowRfcsAreAccepted) {
    struct Book {
        const char* folder;
        std::size_t messages;
        int strict;
        int tolerant;
    };
    for (const auto& book : {
             // one Record-Route whose second line lost its indentation
             Book{"flows/rfc3665", 178, 177, 178},
             // eight Request-URIs and two Routes without "sip:", a BYE without From, an empty
             // parameter, seven bodies longer than they are
             Book{"flows/rfc3666", 175, 156, 164},
             // 119 with "Content-Length: ..." or the like, five scraps that are no messages, ten
             // with lines broken in print
             Book{"flows/rfc5359", 330, 196, 325},
         }) {
        const auto files = test::files_in(test::material(book.folder), ".sip");
        if (files.empty()) {
            GTEST_SKIP() << "no test material at " << test::material(book.folder);
        }
        EXPECT_EQ(files.size(), book.messages);
        int strict = 0;
        int tolerant = 0;
        for (const auto& file : files) {
            const auto bytes = test::read_file(file);
            HeaderIndex headers;
            const auto message = index(bytes.text(), headers);
            ASSERT_TRUE(message) << file;
            strict += check(*message, Policy::strict()).ok ? 1 : 0;
            tolerant += check(*message, Policy::tolerant()).ok ? 1 : 0;
        }
        EXPECT_EQ(strict, book.strict) << book.folder;
        EXPECT_EQ(tolerant, book.tolerant) << book.folder;
    }
}

} // namespace
} // namespace cw::sip
