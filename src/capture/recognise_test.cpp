#include "capture/recognise.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cw::capture {
namespace {

TEST(Recognise, TakesRequestsAndResponsesForSip) {
    EXPECT_TRUE(looks_like_sip("INVITE sip:bob@biloxi.com SIP/2.0\r\nVia: x"));
    EXPECT_TRUE(looks_like_sip("\r\n\r\nOPTIONS sips:b@[2001:db8::1];lr SIP/2.0\r\n"));
    EXPECT_TRUE(looks_like_sip("SIP/2.0 200 OK\r\n"));
    EXPECT_TRUE(looks_like_sip("SIP/2.0 100 \r\n"));
    EXPECT_TRUE(looks_like_sip("YAHOOREF sip:a@b SIP/2.0\r\n"));
    EXPECT_TRUE(looks_like_sip("OPTIONS nobodyKnowsThisScheme:opaque SIP/2.0\n"));
    EXPECT_TRUE(looks_like_sip("INVITE tel:+1-212-555-1212 SIP/2.0\r\n"));
    EXPECT_TRUE(looks_like_sip("OPTIONS sip:t1@example.org SIP/7.0\r\n"));
    EXPECT_TRUE(looks_like_sip("OPTIONS sip:t1@example.org\r\nVia: x"));
    EXPECT_FALSE(looks_like_sip("HELLO sip:t1@example.org\r\nVia: x"));
}

TEST(Recognise, TakesTheBeginningOfALineThatIsNotComplete) {
    EXPECT_TRUE(looks_like_sip("INVITE sip:bob@bil"));
    EXPECT_TRUE(looks_like_sip("SIP/2.0 4"));
    EXPECT_FALSE(looks_like_sip("INVITE bob@biloxi"));
    EXPECT_FALSE(looks_like_sip("INVITE "));
    EXPECT_FALSE(looks_like_sip("SIP/2.0 "));
    EXPECT_FALSE(looks_like_sip(""));
    EXPECT_FALSE(looks_like_sip("\r\n\r\n"));
}

TEST(Recognise, LeavesOtherTextProtocolsAlone) {
    for (const std::string_view text : {
             "GET http://example.com/ HTTP/1.1\r\nHost: a\r\n",
             "HTTP/1.1 200 OK\r\nServer: SIP/2.0\r\n",
             "OPTIONS rtsp://10.0.0.1/media RTSP/1.0\r\nCSeq: 1\r\n",
             "RTSP/1.0 200 OK\r\n",
             "MSRP d93kswow SEND\r\nTo-Path: msrp://a\r\n",
             "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n",
             "CONNECT example.com:443 HTTP/1.1\r\n",
             "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\n",
             "To: sip:bob@biloxi.com SIP/2.0\r\n",
             "SIP/2.0/UDP pc33.atlanta.com SIP/2.0\r\n",
             "220 mail.example.com ESMTP\r\n",
             "SIP/2.0 hello\r\n",
         }) {
        EXPECT_FALSE(looks_like_sip(text)) << text;
    }
}

TEST(Recognise, TakesEveryTortureMessage) {
    const std::filesystem::path folder = CALLWRIGHT_SHARED_DIR "/material/rfc4475";
    if (!std::filesystem::exists(folder)) {
        GTEST_SKIP() << "no test material at " << folder;
    }
    int messages = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".dat") {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        EXPECT_TRUE(looks_like_sip(text.str())) << entry.path();
        ++messages;
    }
    EXPECT_GE(messages, 50);
}

TEST(Recognise, AStartLineCanBeginAtEachOfItsPrefixes) {
    for (const std::string_view line :
         {"INVITE sip:bob@biloxi.com SIP/2.0", "SIP/2.0 200 OK", "!x.%y'~ <sip:a@b> SIP/2.0"}) {
        ASSERT_TRUE(is_sip_start_line(line));
        for (std::size_t size = 0; size <= line.size(); ++size) {
            EXPECT_TRUE(can_begin_sip_start_line(line.substr(0, size))) << line.substr(0, size);
        }
    }
    EXPECT_FALSE(can_begin_sip_start_line("a=rtpmap:0"));
    EXPECT_FALSE(can_begin_sip_start_line(std::string(200, 'A')));
}

TEST(Recognise, TakesTlsRecordsAnywhereInAConnection) {
    const std::vector<std::uint8_t> hello{22, 3, 1, 0, 5, 1, 0, 0, 1, 0};
    EXPECT_TRUE(looks_like_tls(hello));
    const std::vector<std::uint8_t> data{23, 3, 3, 0, 2, 9, 9, 23, 3, 3, 1, 0};
    EXPECT_TRUE(looks_like_tls(data));
    const std::vector<std::uint8_t> then_junk{23, 3, 3, 0, 2, 9, 9, 1, 3, 3, 1, 0};
    EXPECT_FALSE(looks_like_tls(then_junk));
    const std::vector<std::uint8_t> too_long{23, 3, 3, 0x48, 1};
    EXPECT_FALSE(looks_like_tls(too_long));
    const std::vector<std::uint8_t> wrong_version{22, 3, 5, 0, 5};
    EXPECT_FALSE(looks_like_tls(wrong_version));
    const std::vector<std::uint8_t> short_header{22, 3, 1, 0};
    EXPECT_FALSE(looks_like_tls(short_header));
    EXPECT_FALSE(looks_like_tls(as_bytes("SIP/2.0 200 OK")));
}

} // namespace
} // namespace cw::capture
