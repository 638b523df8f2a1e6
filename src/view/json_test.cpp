#include "view/json.hpp"

#include <array>
#include <string>

#include <boost/json/src.hpp> // the library itself: Debian has it as headers
#include <gtest/gtest.h>

#include "view/test_calls.hpp"

namespace cw::view {
namespace {

namespace json = boost::json;

json::value parsed(const std::string& text) {
    boost::system::error_code error;
    auto value = json::parse(text, error); // strict: also refuses broken UTF-8
    EXPECT_FALSE(error) << error.message() << '\n' << text;
    return value;
}

std::string written(std::string_view text) {
    JsonWriter json;
    json.value(text);
    return std::string{json.text()};
}

std::string report_of(const flow::Call& call) {
    std::string out;
    JsonReport report{[&](std::string_view piece) { out += piece; }, "0.1.0"};
    for (const auto& c : call.connections) {
        report.tls(c);
    }
    report.call(call);
    report.finish({}, {.packets = 1});
    return out;
}

TEST(JsonWriter, AnyBytesMakeAValidString) {
    for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
            const auto out = written(std::string{static_cast<char>(a), static_cast<char>(b)});
            boost::system::error_code error;
            const auto value = json::parse(out, error);
            ASSERT_FALSE(error) << a << ' ' << b << ' ' << out;
            ASSERT_TRUE(value.is_string());
        }
    }
    EXPECT_EQ(written("\"\\\n\x01\xff\xc3\xa9"), "\"\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\"");
}

TEST(JsonWriter, NothingThatReordersOrHidesTextGoesOutRaw) {
    EXPECT_EQ(written("a\u202egpj.exe"), "\"a\\u202egpj.exe\"");
    EXPECT_EQ(written("\u200b\u2028\ufeff\u00ad"), "\"\\u200b\\u2028\\ufeff\\u00ad\"");
    EXPECT_EQ(written("\U000e0041"), "\"\\udb40\\udc41\"");
    boost::system::error_code error;
    const auto back = json::parse(written("\U000e0041\u2066"), error);
    EXPECT_EQ(back.as_string(), "\U000e0041\u2066");
}

TEST(JsonReport, ARunWithoutAnythingIsStillTheContract) {
    std::string out;
    JsonReport report{[&](std::string_view piece) { out += piece; }, "0.1.0"};
    report.finish({}, {});
    const auto value = parsed(out);
    for (const auto* name : {"inputs", "tls", "calls", "findings"}) {
        EXPECT_TRUE(value.at(name).as_array().empty()) << name;
    }
    EXPECT_EQ(value.at("callwright").as_string(), "0.1.0");
    EXPECT_EQ(value.at("counts").at("packets").as_int64(), 0);
}

TEST(JsonReport, NamesAndNullsAreThoseOfTheContract) {
    const auto value = parsed(report_of(made::dropped_call()));
    const auto& call = value.at("calls").at(0);
    for (const auto* name : {"id", "kind", "call_ids", "from", "to", "state", "start", "duration_s",
                             "messages", "media", "security", "findings", "legs", "joined_by"}) {
        EXPECT_TRUE(call.as_object().contains(name)) << name;
    }
    const auto& request = call.at("messages").at(0);
    EXPECT_EQ(request.at("method").as_string(), "INVITE");
    EXPECT_TRUE(request.at("status").is_null());
    EXPECT_TRUE(request.at("reason").is_null());
    EXPECT_EQ(request.at("cseq").as_string(), "1 INVITE");
    EXPECT_EQ(request.at("src").as_string(), "192.0.2.10:40112");
    EXPECT_EQ(request.at("transport").as_string(), "tls");
    const auto& response = call.at("messages").at(3);
    EXPECT_TRUE(response.at("method").is_null());
    EXPECT_EQ(response.at("status").as_int64(), 180);
    EXPECT_EQ(response.at("reason").as_string(), "Ringing");
    EXPECT_EQ(call.at("messages").at(9).at("retransmission_of").as_int64(), 6);
    EXPECT_TRUE(request.at("retransmission_of").is_null());
    EXPECT_EQ(call.at("security").at("signalling").as_string(), "mixed");
    EXPECT_EQ(call.at("security").at("media").as_string(), "srtp");
    EXPECT_EQ(call.at("media").at(0).at("ssrc").as_string(), "0x1a2b3c4d");
    EXPECT_EQ(call.at("findings").at(0).at("messages").at(0).as_int64(), 9);

    const auto& tls = value.at("tls").at(0);
    EXPECT_TRUE(tls.at("reason").is_null());
    EXPECT_EQ(tls.at("version").as_string(), "TLSv1.3");
}

TEST(JsonReport, AConnectionThatWasNotDecryptedSaysWhy) {
    const auto value = parsed(report_of(made::unreadable_call()));
    EXPECT_EQ(value.at("tls").as_array().size(), 2U); // the third is plain TCP
    EXPECT_FALSE(value.at("tls").at(0).at("decrypted").as_bool());
    EXPECT_EQ(value.at("tls").at(0).at("reason").as_string(), "no key for client random 3f9a61c2…");
}

TEST(JsonReport, HostileTextsStayValid) {
    const auto value = parsed(report_of(made::hostile_call()));
    const auto& broken = value.at("calls").at(0).at("messages").at(1);
    EXPECT_TRUE(broken.at("malformed").as_bool());
    EXPECT_NE(broken.at("problem").as_string().find('\r'), std::string::npos);
}

TEST(JsonReport, ManyCallsGoOutInPieces) {
    std::string out;
    std::size_t largest = 0;
    JsonReport report{[&](std::string_view piece) {
                          largest = std::max(largest, piece.size());
                          out += piece;
                      },
                      "0.1.0"};
    const auto call = made::good_call();
    for (int i = 0; i < 500; ++i) {
        report.call(call);
    }
    report.finish({}, {});
    EXPECT_LT(largest, 144U * 1024); // of some 3 MB
    EXPECT_EQ(parsed(out).at("calls").as_array().size(), 500U);
}

// By whatever pieces, the report is the same; what is too large for one overflows.
TEST(JsonReport, PiecesMakeTheSameReport) {
    auto call = made::good_call();
    std::string whole;
    JsonReport report{[&](std::string_view text) { whole += text; }, "0.1.0"};
    std::string put_together;
    JsonReport of_pieces{[&](std::string_view text) { put_together += text; }, "0.1.0"};
    bool begun = false;
    std::size_t overflows = 0;
    JsonReport piece{JsonReport::Piece{[&](std::string_view text) {
        of_pieces.calls(text, begun);
        begun = true;
        ++overflows;
    }}};
    const auto end_piece = [&] {
        if (!piece.kept().empty()) {
            of_pieces.calls(piece.kept(), begun);
        }
        piece.restart();
        begun = false;
    };
    for (std::uint32_t i = 1; i <= 12; ++i) {
        call.id = i;
        if (i == 7) {
            const auto message = call.messages.front();
            call.messages.insert(call.messages.end(), 8000, message);
        }
        report.call(call);
        piece.call(call);
        if (i % 3 == 0) {
            end_piece();
        }
        if (i == 7) {
            call = made::good_call();
        }
    }
    report.finish({}, {});
    of_pieces.finish({}, {});
    EXPECT_GT(overflows, 1U);
    EXPECT_EQ(whole, put_together);
    EXPECT_EQ(parsed(put_together).at("calls").as_array().size(), 12U);
}

// What is kept from message to message never stands in another's place.
TEST(JsonReport, EachMessageHasItsOwnEndsAndCallId) {
    const std::array<std::string, 5> call_ids{"a\"b", std::string(300, 'x'), "\xff\x01",
                                              std::string(170, 'y'), "plain@example.com"};
    const std::array<std::string, 3> ends{"192.0.2.1:5060", "[2001:db8::1]:5060", "192.0.2.1:5076"};
    made::CallMaker maker{flow::Kind::Call, "sip:alice@example.com", "sip:bob@example.com"};
    for (const auto& id : call_ids) {
        maker.leg(id, "sip:a@example.com", "sip:b@example.com");
    }
    constexpr std::size_t messages = 60;
    for (std::size_t i = 0; i < messages; ++i) {
        maker.on_leg(static_cast<std::uint8_t>(1 + i % call_ids.size()))
            .over(i % 7 == 0 ? flow::Transport::Tls : flow::Transport::Udp)
            .request(static_cast<std::int64_t>(i) * 7'000, ends[i % 3], ends[i / 3 % 3], "OPTIONS");
    }
    const auto& call = maker.call();
    const auto value = parsed(report_of(call));
    const auto& written = value.at("calls").at(0).at("messages").as_array();
    ASSERT_EQ(written.size(), messages);
    for (std::size_t i = 0; i < messages; ++i) {
        const auto& m = written[i];
        const auto& id = call_ids[i % call_ids.size()];
        EXPECT_EQ(m.at("call_id").as_string(), id == "\xff\x01" ? "\xef\xbf\xbd\x01" : id) << i;
        EXPECT_EQ(m.at("src").as_string(), ends[i % 3]) << i;
        EXPECT_EQ(m.at("dst").as_string(), ends[i / 3 % 3]) << i;
        EXPECT_EQ(m.at("transport").as_string(), i % 7 == 0 ? "tls" : "udp") << i;
        EXPECT_EQ(m.at("leg").as_int64(), static_cast<std::int64_t>(1 + i % call_ids.size())) << i;
        EXPECT_EQ(m.at("time").as_string(), to_rfc3339(call.messages[i].time)) << i;
    }
}

} // namespace
} // namespace cw::view
