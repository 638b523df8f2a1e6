#include "sdp/session.hpp"

#include <gtest/gtest.h>

#include "sdp/known_lines.hpp"

namespace cw::sdp {
namespace {

template <class S>
concept CanParse = requires(S&& s, Session& session) { parse(std::forward<S>(s), session); };
static_assert(CanParse<std::string&> && CanParse<std::string_view> && !CanParse<std::string>);

constexpr std::string_view secure_call =
    "v=0\r\n"
    "o=dave 1680 1681 IN IP4 198.51.100.23\r\n"
    "s=-\r\n"
    "c=IN IP4 198.51.100.23\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "a=fingerprint:sha-256 AB:CD\r\n"
    "a=setup:actpass\r\n"
    "a=sendonly\r\n"
    "m=audio 41520 RTP/SAVP 0 8 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-16\r\n"
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20|1:4\r\n"
    "a=crypto:2 AEAD_AES_256_GCM inline:def UNENCRYPTED_SRTCP\r\n"
    "a=ptime:20\r\n"
    "a=mid:0\r\n"
    "a=recvonly\r\n"
    "m=video 41530/2 UDP/TLS/RTP/SAVPF 96\r\n"
    "c=IN IP6 2001:db8::9\r\n"
    "a=rtpmap:96 opus/48000/2\r\n"
    "a=rtcp:53020 IN IP4 192.0.2.7\r\n"
    "a=fingerprint:sha-1 11:22\r\n"
    "a=setup:active\r\n"
    "a=mid:1\r\n"
    "a=rtcp-mux\r\n"
    "a=ice-ufrag:8hhY\r\n"
    "a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host\r\n"
    "m=image 0 udptl t38\r\n";

TEST(Session, ASecureCallIsUnderstood) {
    const auto s = parse(secure_call);
    ASSERT_TRUE(s);
    EXPECT_FALSE(s->problem()) << s->problem()->what;
    EXPECT_EQ(s->origin.username, "dave");
    EXPECT_EQ(s->origin.session_version, "1681");
    EXPECT_EQ(s->origin.address, "198.51.100.23");
    EXPECT_EQ(s->name, "-");
    EXPECT_EQ(s->time, "0 0");
    EXPECT_EQ(s->session_attributes().size(), 4U);
    ASSERT_EQ(s->media.size(), 3U);

    const auto& audio = s->media[0];
    EXPECT_EQ(audio.type, "audio");
    EXPECT_EQ(audio.port, 41520);
    EXPECT_EQ(audio.port_count, 1);
    EXPECT_EQ(audio.protocol, "RTP/SAVP");
    EXPECT_EQ(audio.direction, Direction::RecvOnly);
    EXPECT_EQ(audio.ptime_ms, 20U);
    EXPECT_EQ(audio.fingerprint.hash, "sha-256");
    EXPECT_EQ(audio.setup, "actpass");
    ASSERT_EQ(s->formats_of(audio).size(), 3U);
    EXPECT_EQ(s->formats_of(audio)[2], "101");
    ASSERT_NE(s->rtpmap(audio, 101), nullptr);
    EXPECT_EQ(s->rtpmap(audio, 101)->encoding, "telephone-event");
    EXPECT_EQ(s->rtpmap(audio, 101)->clock_rate, 8000U);
    EXPECT_EQ(s->rtpmap(audio, 8), nullptr);
    EXPECT_EQ(s->fmtps_of(audio)[0].parameters, "0-16");
    ASSERT_EQ(s->cryptos_of(audio).size(), 2U);
    EXPECT_EQ(s->cryptos_of(audio)[0].suite, "AES_CM_128_HMAC_SHA1_80");
    EXPECT_EQ(s->cryptos_of(audio)[0].key_parameters, "inline:abc|2^20|1:4");
    EXPECT_EQ(s->cryptos_of(audio)[1].session_parameters, "UNENCRYPTED_SRTCP");
    EXPECT_TRUE(s->in_bundle(audio));
    EXPECT_EQ(to_string(rtp_endpoint(audio).value()), "198.51.100.23:41520");
    EXPECT_EQ(to_string(rtcp_endpoint(audio).value()), "198.51.100.23:41521");

    const auto& video = s->media[1];
    EXPECT_EQ(video.port_count, 2);
    EXPECT_EQ(video.direction, Direction::SendOnly); // the session's
    EXPECT_EQ(video.fingerprint.hash, "sha-1");
    EXPECT_EQ(video.setup, "active");
    EXPECT_EQ(video.ice_ufrag, "8hhY");
    EXPECT_EQ(video.rtcp_port, 53020);
    EXPECT_EQ(s->rtpmap(video, 96)->channels, 2);
    EXPECT_EQ(s->candidates_of(video).size(), 1U);
    EXPECT_EQ(to_string(rtp_endpoint(video).value()), "[2001:db8::9]:41530");
    EXPECT_EQ(rtcp_endpoint(video), rtp_endpoint(video)); // rtcp-mux
    auto no_mux = video;
    no_mux.rtcp_mux = false;
    EXPECT_EQ(to_string(rtcp_endpoint(no_mux).value()), "192.0.2.7:53020");

    const auto& fax = s->media[2];
    EXPECT_EQ(fax.port, 0);
    EXPECT_EQ(s->formats_of(fax)[0], "t38");
    EXPECT_FALSE(s->in_bundle(fax));
}

TEST(Session, LfAloneAndLinesOutOfOrderAreRead) {
    const auto s = parse("v=0\ns=x\no=- 1 1 IN IP4 h\nt=0 0\nc=IN IP4 224.2.1.1/127/3\n"
                         "m=audio 4 RTP/AVP 0\na=sendrecv\n");
    ASSERT_TRUE(s);
    EXPECT_STREQ(s->problem()->what, "a line out of order");
    EXPECT_EQ(s->origin.address, "h");
    EXPECT_EQ(s->media[0].connection.address, "224.2.1.1");
    EXPECT_EQ(s->media[0].connection.range, "127/3");
}

TEST(Session, WhatIsWrongIsSaidAndTheRestIsKept) {
    struct Case {
        const char* line;
        const char* problem;
    };
    for (const auto& c : {
             Case{"a=rtpmap:x PCMU/8000", "a=rtpmap is malformed"},
             Case{"a=rtpmap:200 PCMU/8000", "a=rtpmap is malformed"},
             Case{"a=rtpmap:0 PCMU", "a=rtpmap is malformed"},
             Case{"a=rtpmap:0 PCMU/x", "a=rtpmap without a clock rate"},
             Case{"a=crypto:x S inline:k", "a=crypto without tag, suite or key"},
             Case{"a=crypto:1 S", "a=crypto without tag, suite or key"},
             Case{"a=rtcp:99999", "a=rtcp without a port"},
             Case{"c=IN IP4", "c= does not have three parts"},
             Case{"nonsense", "a line that is not type=value"},
             Case{"y=1", "a line of an unknown type"},
             Case{"t=0 0", "a line out of order"},
             Case{"m=audio 70000 RTP/AVP 0", "m= does not have a port, a protocol and a format"},
             Case{"m=audio", "m= does not have a port, a protocol and a format"},
         }) {
        const auto text = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
                          "m=audio 4 RTP/AVP 0\r\n" +
                          std::string{c.line} + "\r\na=inactive\r\n";
        const auto s = parse(text);
        ASSERT_TRUE(s) << c.line;
        ASSERT_TRUE(s->problem()) << c.line;
        EXPECT_STREQ(s->problem()->what, c.problem) << c.line;
        EXPECT_EQ(s->problem()->offset, text.rfind(std::string{c.line} + "\r\n")) << c.line;
        EXPECT_EQ(s->media.back().direction, Direction::Inactive) << c.line;
        EXPECT_EQ(s->media.front().connection.address, "192.0.2.1") << c.line;
    }
    EXPECT_TRUE(parse("v=0\r\ns=-\r\n")->problem()); // no o=
    EXPECT_TRUE(parse("v=1\r\no=- 1 1 IN IP4 h\r\n")->problem());
    EXPECT_TRUE(parse("v=0\r\no=- 1 IN IP4 h\r\n")->problem());
}

TEST(Session, WhatIsNoSessionDescriptionIsRefused) {
    for (const auto* bad : {"", "\r\n\r\n", "hello", "o=- 1 1 IN IP4 h\r\n", "<xml/>", "=0\r\n"}) {
        EXPECT_FALSE(parse(bad)) << bad;
    }
}

TEST(Session, HostileSizesAreBounded) {
    std::string text = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n";
    for (int i = 0; i < 1000; ++i) {
        text += "m=audio 4 RTP/AVP 0 8 101\r\na=x:y\r\na=crypto:1 S inline:k\r\n";
    }
    Session s;
    ASSERT_TRUE(parse(text, s));
    EXPECT_EQ(s.media.size(), Session::max_media);
    EXPECT_STREQ(s.problem()->what, "more media than are looked at");
    EXPECT_EQ(s.cryptos_of(s.media.back()).size(), 1U);

    text = "v=0\r\nm=audio 4 RTP/AVP";
    for (int i = 0; i < 100'000; ++i) {
        text += " 0";
    }
    ASSERT_TRUE(parse(text, s));
    EXPECT_EQ(s.formats_of(s.media[0]).size(), Session::max_elements);
    EXPECT_TRUE(s.problem());
}

TEST(Session, AReusedSessionKeepsNothingOfTheLastOne) {
    Session s;
    ASSERT_TRUE(parse(secure_call, s));
    ASSERT_TRUE(parse(
        std::string_view{"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n"}, s));
    EXPECT_FALSE(s.problem());
    EXPECT_EQ(s.media.size(), 1U);
    EXPECT_TRUE(s.groups.empty());
    EXPECT_TRUE(s.session_attributes().empty());
    EXPECT_TRUE(s.attributes_of(s.media[0]).empty());
    EXPECT_TRUE(s.cryptos_of(s.media[0]).empty());
    EXPECT_EQ(s.media[0].direction, Direction::SendRecv);
    EXPECT_FALSE(rtp_endpoint(s.media[0]));
    EXPECT_FALSE(s.connection.present());
}

TEST(Session, WhetherItHasFingerprintsAndCandidatesIsToldOfAllLines) {
    Session session;
    ASSERT_TRUE(parse("v=0\na=fingerprint:sha-1 AB\nm=audio 1 RTP/AVP 0\n", session));
    EXPECT_TRUE(session.has_fingerprints);
    EXPECT_FALSE(session.has_candidates);
    ASSERT_TRUE(
        parse("v=0\nm=audio 1 RTP/AVP 0\na=candidate:1 1 UDP 1 192.0.2.1 2 typ host\n", session));
    EXPECT_FALSE(session.has_fingerprints) << "that was another";
    EXPECT_TRUE(session.has_candidates);
    std::string many = "v=0\n";
    for (std::size_t i = 0; i < Session::max_media; ++i) {
        many += "m=audio 1 RTP/AVP 0\na=mid:1\n";
    }
    ASSERT_TRUE(parse(many, session));
    EXPECT_FALSE(session.has_fingerprints || session.has_candidates);
    many += "m=audio 1 RTP/AVP 0\na=fingerprint:sha-1 AB\n";
    ASSERT_TRUE(parse(many, session));
    EXPECT_TRUE(session.has_fingerprints);
}

// All that is said of codecs, and by whom.
std::string told(const Session& s) {
    std::string out;
    for (const auto& m : s.media) {
        out += std::to_string(m.ptime_ms) + ' ' + std::string{to_string(m.direction)} + '\n';
        for (const auto& a : s.attributes_of(m)) {
            out.append(a.name).append("=").append(a.value).append("\n");
        }
        for (const auto& map : s.rtpmaps_of(m)) {
            out += std::to_string(map.payload_type) + ' ' + std::to_string(map.clock_rate) + ' ' +
                   std::to_string(map.channels) + ' ' + std::string{map.encoding} + '\n';
        }
        for (const auto& f : s.fmtps_of(m)) {
            out.append(f.format).append(" ").append(f.parameters).append("\n");
        }
        for (const auto& c : s.cryptos_of(m)) {
            out.append(c.suite).append("\n");
        }
    }
    return out + (s.problem() ? std::to_string(s.problem()->offset) + s.problem()->what : "");
}

TEST(KnownLines, WhatWasMetBeforeIsToldAsIfItWereNew) {
    const std::string head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
    const std::string line = "m=audio 4000 RTP/SAVP 0 101\r\n";
    const std::string maps = "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
                             "a=fmtp:101 0-15\r\n";
    const std::string key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n";
    const std::string opus = "m=audio 4002 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\na=inactive\n";
    const std::string broken = "a=rtpmap:0 PCMU\r\n";
    KnownLines lines;
    Session knowing;
    for (int round = 0; round < 3; ++round) {
        for (const auto& text :
             {head + line + maps, head + line + maps + "a=ptime:20\r\na=sendonly\r\n",
              head + line + maps + key + "a=recvonly\r\n", head + line + key + maps + opus,
              head + opus + line + maps + maps, head + line + broken + maps,
              head + line + maps + "a=rtpmap:102", head + "a=sendonly\r\n" + opus + opus + opus,
              head + line + maps + "a=rtpmap:103 x/1\r\na=ptime:30\r\n" + opus}) {
            const auto whole = parse(text);
            ASSERT_TRUE(whole);
            ASSERT_TRUE(parse(text, knowing, lines));
            EXPECT_EQ(told(knowing), told(*whole)) << text;
            for (const auto& m : knowing.media) {
                for (const auto& map : knowing.rtpmaps_of(m)) { // views of this very text
                    EXPECT_GE(map.encoding.data(), text.data());
                    EXPECT_LE(map.encoding.data(), text.data() + text.size());
                }
            }
        }
    }
}

TEST(KnownLines, NoMoreAreTakenThanAreLookedAt) {
    const std::string maps = "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n";
    std::string text = "v=0\r\nm=audio 4000 RTP/AVP 0 8\r\n";
    for (int i = 0; i < 600; ++i) {
        text += maps + "a=x\r\n";
    }
    KnownLines lines;
    Session knowing;
    ASSERT_TRUE(parse(text, knowing, lines));
    EXPECT_EQ(told(knowing), told(*parse(text)));
}

} // namespace
} // namespace cw::sdp
