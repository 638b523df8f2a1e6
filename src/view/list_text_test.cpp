#include "view/list_text.hpp"

#include <sstream>

#include <gtest/gtest.h>

#include "view/cells.hpp"
#include "view/test_calls.hpp"

namespace cw::view {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

TEST(ListText, LinesFitTheTerminal) {
    for (const std::size_t width : {60, 72, 80, 96, 100, 108, 112, 128, 200}) {
        std::string out;
        ListText list{[&](std::string_view piece) { out += piece; }, {.width = width}};
        for (auto call : {made::dropped_call(), made::good_call(), made::hostile_call(),
                          made::unreadable_call(), made::slow_registration()}) {
            list.call(call);
        }
        list.finish({}, {.calls = 5});
        for (const auto& line : lines_of(out)) {
            EXPECT_LE(cell_width(line), width) << line;
        }
    }
}

TEST(ListText, ShowsTheWeakestPointWhereThereIsRoom) {
    auto call = made::good_call();
    call.security.weakest = "192.0.2.1:5060 → 192.0.2.9:5060 over udp: anyone can read it";
    for (const auto& [width, words] : {std::pair{120, ""},
                                       {180, "anyone can read it"},
                                       {220, "192.0.2.9:5060 over udp: anyone can read it"}}) {
        std::string out;
        ListText list{[&](std::string_view piece) { out += piece; },
                      {.width = static_cast<std::size_t>(width)}};
        list.call(call);
        list.finish({}, {.calls = 1});
        EXPECT_TRUE(lines_of(out).at(1).ends_with(words)) << out;
        EXPECT_EQ(lines_of(out).at(0).ends_with("weakest"), width > 120);
        EXPECT_EQ(out.contains("anyone"), width > 120);
        EXPECT_EQ(out.contains("over udp"), width > 200);
    }
}

TEST(ListText, PiecesMakeTheSameList) {
    auto said = made::good_call();
    said.security.weakest = "192.0.2.1:5060 → 192.0.2.9:5060 over udp: anyone can read it";
    auto silent = said;
    silent.security.weakest.clear();
    const std::vector<flow::Call> calls{
        said, said, silent, silent, made::dropped_call(), silent, said, said, made::hostile_call()};
    const ListOptions options{.width = 220};
    std::string whole;
    ListText list{[&](std::string_view piece) { whole += piece; }, options};
    for (const auto& call : calls) {
        list.call(call);
    }
    list.finish({}, {.calls = calls.size()});

    std::string out;
    ListText parts{[&](std::string_view text) { out += text; }, options};
    parts.rows({}, 0); // of a piece in which nothing fits
    ListText piece{ListText::Piece{[&](std::string_view text) { parts.rows(text, 0); }}, options};
    for (std::size_t i = 0; i < calls.size(); i += 3) {
        for (std::size_t k = i; k < i + 3; ++k) {
            piece.call(calls[k]);
        }
        if (i == 3) {
            piece.flush();
        }
        parts.rows(piece.kept(), 3);
        piece.restart();
    }
    parts.finish({}, {.calls = calls.size()});
    EXPECT_EQ(out, whole);
}

TEST(ListText, UndecryptedConnectionsAreCountedByReason) {
    std::string out;
    ListText list{[&](std::string_view piece) { out += piece; }};
    for (int i = 0; i < 1000; ++i) {
        flow::Connection c;
        c.version = "TLSv1.3";
        c.client = made::at("192.0.2.1:" + std::to_string(1000 + i));
        c.server = made::at("192.0.2.9:5061");
        c.reason = i % 2 == 0 ? "no key for client random " + std::to_string(100'000 + i) + "…"
                              : "handshake not captured";
        list.connection(c);
    }
    list.finish({}, {.tls_connections = 1000});
    EXPECT_NE(out.find("not decrypted: 500 TLS connections: handshake not captured (the first: "
                       "192.0.2.1:1001 → 192.0.2.9:5061)"),
              std::string::npos)
        << out;
    EXPECT_NE(out.find("500 TLS connections: no key for client random 100000…"), std::string::npos);
    EXPECT_EQ(lines_of(out).size(), 3U);
}

TEST(ListText, ReasonsWithoutEndAreBounded) {
    std::string out;
    ListText list{[&](std::string_view piece) { out += piece; }};
    for (int i = 0; i < 1000; ++i) {
        flow::Connection c;
        c.version = "TLSv1.2";
        c.reason = std::string(static_cast<std::size_t>(i) + 1, 'x');
        list.connection(c);
    }
    list.finish({}, {});
    EXPECT_LT(lines_of(out).size(), 40U);
    EXPECT_NE(out.find("968 more, for other reasons"), std::string::npos);
}

TEST(ListText, NoEscapeFromTheWireReachesTheTerminal) {
    std::string out;
    ListText list{[&](std::string_view piece) { out += piece; }};
    list.call(made::hostile_call());
    const InputReport input{.file = "\x1b[31mx.pcap",
                            .packets = 0,
                            .bytes = 0,
                            .first = {},
                            .last = {},
                            .ignored = {{"\x1b]", 1}},
                            .problems = {"\x07"}};
    list.finish({&input, 1}, {.calls = 1});
    EXPECT_EQ(out.find('\x1b'), std::string::npos);
    EXPECT_EQ(out.find('\x07'), std::string::npos);
}

TEST(ListText, AFilterSaysHowManyItLetThrough) {
    std::string out;
    ListText list{[&](std::string_view piece) { out += piece; }};
    list.call(made::good_call());
    list.finish({}, {.calls = 3});
    EXPECT_NE(out.find("3 calls · 1 shown"), std::string::npos);
}

} // namespace
} // namespace cw::view
