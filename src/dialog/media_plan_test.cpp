#include "dialog/media_plan.hpp"

#include <gtest/gtest.h>

#include "dialog/session_description.hpp"

namespace cw::dialog {
namespace {

using rtp::SrtpSuite;
using sdp::Direction;

Endpoint at(std::string_view text) {
    return *parse_endpoint(text, 0);
}

AudioDescription side(std::string_view address, MediaProtection protection,
                      std::vector<SrtpSuite> suites = {SrtpSuite::AesCm128Sha1_80}) {
    AudioDescription out;
    out.rtp = at(address);
    out.protection = protection;
    out.keys = *random_keys(suites);
    out.fingerprint = "sha-256 0A:0B";
    return out;
}
AudioDescription alice(MediaProtection protection,
                       std::vector<SrtpSuite> suites = {SrtpSuite::AesCm128Sha1_80}) {
    return side("192.0.2.1:4000", protection, std::move(suites));
}
AudioDescription bob(MediaProtection protection,
                     std::vector<SrtpSuite> suites = {SrtpSuite::AesCm128Sha1_80}) {
    return side("192.0.2.2:5000", protection, std::move(suites));
}

struct Both {
    Result<MediaPlan> offerer;
    Result<MediaPlan> answerer;
};
Both plans(const std::string& offer, const std::string& answer) {
    return {plan_media(offer, answer, true), plan_media(answer, offer, false)};
}
Both plans(const AudioDescription& offerer, const AudioDescription& answerer) {
    const auto offer = write_offer(offerer);
    const auto answer = write_answer(offer, answerer);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().what);
    return plans(offer, answer.value_or(""));
}

TEST(MediaPlan, an_offer_says_everything_that_a_telephone_has_to_say) {
    auto own = alice(MediaProtection::Sdes);
    own.rtcp_mux = true;
    own.session_id = 7;
    own.session_version = 3;
    const auto text = write_offer(own);
    const auto crypto = text.find("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:");
    ASSERT_NE(crypto, std::string::npos);
    auto rest = text;
    rest.erase(crypto, text.find("\r\n", crypto) + 2 - crypto);
    EXPECT_EQ(rest, "v=0\r\no=- 7 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
                    "m=audio 4000 RTP/SAVP 0 8 101\r\n"
                    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
                    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
                    "a=ptime:20\r\na=rtcp-mux\r\na=sendrecv\r\n");
    const auto parsed = sdp::parse(std::string_view{text});
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed->problem().has_value());
    EXPECT_NE(write_offer(side("[2001:db8::1]:4000", MediaProtection::Clear))
                  .find("c=IN IP6 2001:db8::1\r\n"),
              std::string::npos);
}

TEST(MediaPlan, clear_rtp_is_planned_from_both_sides) {
    auto b = bob(MediaProtection::Clear);
    b.rtcp_port = 5555;
    const auto both = plans(alice(MediaProtection::Clear), b);
    ASSERT_TRUE(both.offerer && both.answerer);
    const auto& s = both.offerer->settings;
    EXPECT_EQ(s.local, at("192.0.2.1:4000"));
    EXPECT_EQ(s.remote, at("192.0.2.2:5000"));
    EXPECT_EQ(s.remote_rtcp, at("192.0.2.2:5555"));
    EXPECT_EQ(both.answerer->settings.remote_rtcp, at("192.0.2.1:4001"));
    EXPECT_FALSE(s.rtcp_mux || s.send_keys || s.receive_keys);
    EXPECT_TRUE(s.send && s.receive);
    EXPECT_EQ(s.codec, (rtp::PayloadLaw{0, rtp::Law::Mu}));
    EXPECT_EQ(s.event_type, 101);
    EXPECT_EQ(both.offerer->protection, MediaProtection::Clear);
    EXPECT_FALSE(both.offerer->refused);
}

TEST(MediaPlan, sdes_takes_the_first_suite_that_both_have_and_gives_each_its_own_key) {
    const auto a =
        alice(MediaProtection::Sdes,
              {SrtpSuite::AeadAes256Gcm, SrtpSuite::AesCm256Sha1_80, SrtpSuite::AesCm128Sha1_80});
    const auto b =
        bob(MediaProtection::Sdes, {SrtpSuite::AesCm128Sha1_80, SrtpSuite::AesCm256Sha1_80});
    const auto answer = write_answer(write_offer(a), b);
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->find("a=crypto:2 AES_256_CM_HMAC_SHA1_80 inline:"), std::string::npos);
    const auto both = plans(a, b);
    ASSERT_TRUE(both.offerer && both.answerer);
    EXPECT_EQ(both.offerer->protection, MediaProtection::Sdes);
    EXPECT_EQ(both.offerer->settings.send_keys, a.keys[1]);
    EXPECT_EQ(both.offerer->settings.receive_keys, b.keys[1]);
    EXPECT_EQ(both.answerer->settings.send_keys, b.keys[1]);
    EXPECT_EQ(both.answerer->settings.receive_keys, a.keys[1]);
}

TEST(MediaPlan, suites_that_only_one_has_lead_to_a_refusal) {
    const auto answer =
        write_answer(write_offer(alice(MediaProtection::Sdes, {SrtpSuite::AesCm128Sha1_80})),
                     bob(MediaProtection::Sdes, {SrtpSuite::AeadAes128Gcm}));
    ASSERT_FALSE(answer);
    EXPECT_STREQ(answer.error().what, "none of the offered a=crypto lines can be taken");
}

TEST(MediaPlan, a_key_that_is_too_short_is_refused_and_named) {
    auto offer = write_offer(alice(MediaProtection::Sdes, {SrtpSuite::AesCm128Sha1_80}));
    offer.erase(offer.find("inline:") + 7, 4);
    const auto answer =
        write_answer(offer, bob(MediaProtection::Sdes, {SrtpSuite::AesCm128Sha1_80}));
    ASSERT_FALSE(answer);
    EXPECT_STREQ(answer.error().what, "the SRTP key is no base64 of its suite's length");
}

TEST(MediaPlan, clear_and_protected_do_not_mix_unless_asked_to) {
    EXPECT_FALSE(
        write_answer(write_offer(alice(MediaProtection::Clear)), bob(MediaProtection::Sdes)));
    EXPECT_FALSE(
        write_answer(write_offer(alice(MediaProtection::Sdes)), bob(MediaProtection::Clear)));
    EXPECT_FALSE(
        write_answer(write_offer(alice(MediaProtection::Dtls)), bob(MediaProtection::Sdes)));
    for (const auto offered :
         {MediaProtection::Clear, MediaProtection::Sdes, MediaProtection::Dtls}) {
        const auto both = plans(alice(offered), bob(MediaProtection::Opportunistic));
        ASSERT_TRUE(both.offerer && both.answerer);
        EXPECT_EQ(both.offerer->protection, offered);
        EXPECT_EQ(both.answerer->protection, offered);
    }
}

TEST(MediaPlan, opportunistic_srtp_is_protected_when_both_know_it_and_clear_when_not) {
    const auto offer = alice(MediaProtection::Opportunistic);
    EXPECT_NE(write_offer(offer).find("m=audio 4000 RTP/AVP 0"), std::string::npos);
    for (const auto answering : {MediaProtection::Opportunistic, MediaProtection::Sdes}) {
        const auto both = plans(offer, bob(answering));
        ASSERT_TRUE(both.offerer && both.answerer);
        EXPECT_EQ(both.offerer->protection, MediaProtection::Sdes);
        EXPECT_EQ(both.offerer->settings.send_keys, offer.keys[0]);
    }
    const auto both = plans(offer, bob(MediaProtection::Clear));
    ASSERT_TRUE(both.offerer && both.answerer);
    EXPECT_EQ(both.offerer->protection, MediaProtection::Clear);
    EXPECT_FALSE(both.offerer->settings.send_keys.has_value());
    // Other suites than ours are declined, and the call is in clear.
    const auto other =
        plans(offer, bob(MediaProtection::Opportunistic, {SrtpSuite::AeadAes128Gcm}));
    ASSERT_TRUE(other.offerer);
    EXPECT_EQ(other.offerer->protection, MediaProtection::Clear);
}

TEST(MediaPlan, dtls_has_one_who_opens) {
    auto a = alice(MediaProtection::Dtls);
    a.fingerprint = "sha-256 AA:AA";
    auto b = bob(MediaProtection::Dtls);
    b.fingerprint = "sha-256 BB:BB";
    for (const bool active : {true, false}) {
        b.dtls_active = active;
        const auto both = plans(a, b);
        ASSERT_TRUE(both.offerer && both.answerer);
        EXPECT_EQ(both.offerer->protection, MediaProtection::Dtls);
        EXPECT_EQ(both.offerer->dtls_client, !active);
        EXPECT_EQ(both.answerer->dtls_client, active);
        EXPECT_EQ(both.offerer->peer_fingerprint, "sha-256 BB:BB");
        EXPECT_EQ(both.answerer->peer_fingerprint, "sha-256 AA:AA");
    }
    const auto offer = write_offer(a);
    EXPECT_NE(offer.find("m=audio 4000 UDP/TLS/RTP/SAVP"), std::string::npos);
    EXPECT_NE(offer.find("a=setup:actpass\r\n"), std::string::npos);
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    const auto found = text.find(what);
    EXPECT_NE(found, std::string::npos) << what;
    return text.replace(found, what.size(), by);
}

TEST(MediaPlan, an_answer_that_does_not_fit_says_how) {
    const auto a =
        alice(MediaProtection::Sdes, {SrtpSuite::AesCm128Sha1_80, SrtpSuite::AesCm256Sha1_80});
    const auto offer = write_offer(a);
    const auto answer = *write_answer(offer, bob(MediaProtection::Sdes));
    const auto why = [&](const std::string& changed) -> std::string {
        const auto plan = plan_media(offer, changed, true);
        return plan ? "" : plan.error().what;
    };
    EXPECT_EQ(why(answer), "");
    EXPECT_EQ(why(replaced(answer, "a=crypto:1 ", "a=crypto:2 ")),
              "the answer's a=crypto has no tag and suite of the offer");
    EXPECT_EQ(why(replaced(answer, "a=crypto:1 AES_CM_128", "a=x:1 AES_CM_128")),
              "a secure profile was agreed on, but no keys");
    EXPECT_EQ(why(replaced(answer, "RTP/SAVP", "RTP/AVP")),
              "an m= line of the answer has another profile");
    EXPECT_EQ(why(replaced(answer, "m=audio", "m=video")),
              "an m= line of the answer is of another kind");
    EXPECT_EQ(why(answer + "m=video 0 RTP/SAVP 99\r\n"),
              "the answer has not as many m= lines as the offer");
    EXPECT_EQ(why(replaced(answer, "inline:", "inline:A")),
              "the SRTP key is no base64 of its suite's length");
    EXPECT_EQ(why(replaced(answer, " 0 8 101", " 18")),
              "offer and answer have no codec in common that we know");
    EXPECT_EQ(why(replaced(answer, "c=IN IP4 192.0.2.2", "c=IN IP4 media.example.com")),
              "a media address that is a name, or missing");
    EXPECT_EQ(why("nonsense"), "no v= and no m= line");
    const auto line = answer.substr(answer.find("a=crypto"));
    EXPECT_EQ(why(answer + line), "the answer has not exactly one a=crypto");
}

TEST(MediaPlan, roles_of_dtls_that_do_not_fit_are_refused) {
    const auto offer = write_offer(alice(MediaProtection::Dtls));
    const auto answer = *write_answer(offer, bob(MediaProtection::Dtls));
    EXPECT_FALSE(plan_media(offer, replaced(answer, "setup:active", "setup:actpass"), true));
    EXPECT_FALSE(plan_media(offer, replaced(answer, "a=setup:active\r\n", ""), true));
    EXPECT_FALSE(plan_media(replaced(offer, "setup:actpass", "setup:active"), answer, true));
    EXPECT_TRUE(plan_media(replaced(offer, "setup:actpass", "setup:passive"), answer, true));
    const auto passive =
        write_answer(replaced(offer, "setup:actpass", "setup:active"), bob(MediaProtection::Dtls));
    ASSERT_TRUE(passive);
    EXPECT_NE(passive->find("a=setup:passive"), std::string::npos);
}

TEST(MediaPlan, a_hold_stops_one_direction_and_a_resume_starts_it_with_the_same_keys) {
    auto a = alice(MediaProtection::Sdes);
    const auto b = bob(MediaProtection::Sdes);
    const auto before = plans(a, b);
    a.direction = hold_direction(a.direction);
    ++a.session_version;
    const auto held = plans(a, b);
    ASSERT_TRUE(held.offerer && held.answerer);
    EXPECT_TRUE(held.offerer->settings.send);
    EXPECT_FALSE(held.offerer->settings.receive);
    EXPECT_FALSE(held.answerer->settings.send);
    EXPECT_TRUE(held.answerer->settings.receive);
    EXPECT_EQ(held.offerer->settings.send_keys, before.offerer->settings.send_keys);
    a.direction = Direction::SendRecv;
    const auto resumed = plans(a, b);
    ASSERT_TRUE(resumed.offerer);
    EXPECT_EQ(resumed.offerer->settings, before.offerer->settings);
}

TEST(MediaPlan, a_hold_in_the_old_way_sends_nothing_to_nowhere) {
    const auto offer = write_offer(alice(MediaProtection::Clear));
    const auto held = replaced(offer, "c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0");
    const auto answer = write_answer(held, bob(MediaProtection::Clear));
    ASSERT_TRUE(answer);
    const auto plan = plan_media(*answer, held, false);
    ASSERT_TRUE(plan);
    EXPECT_FALSE(plan->settings.send);
    EXPECT_EQ(plan->settings.remote.port, 0);
}

TEST(MediaPlan, rtcp_shares_a_port_only_when_both_say_so) {
    auto a = alice(MediaProtection::Clear);
    a.rtcp_mux = true;
    auto b = bob(MediaProtection::Clear);
    auto both = plans(a, b);
    ASSERT_TRUE(both.offerer && both.answerer);
    EXPECT_FALSE(both.offerer->settings.rtcp_mux);
    EXPECT_EQ(both.answerer->settings.remote_rtcp, at("192.0.2.1:4001"));
    b.rtcp_mux = true;
    both = plans(a, b);
    ASSERT_TRUE(both.offerer && both.answerer);
    EXPECT_TRUE(both.offerer->settings.rtcp_mux);
    EXPECT_EQ(both.offerer->settings.remote_rtcp, at("192.0.2.2:5000"));
}

TEST(MediaPlan, each_side_sends_with_the_numbers_of_the_other) {
    const std::string offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\n"
                              "t=0 0\r\nm=audio 4000 RTP/AVP 18 8 96\r\n"
                              "a=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n";
    const auto answer = write_answer(offer, bob(MediaProtection::Clear));
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->find("m=audio 5000 RTP/AVP 8 96\r\n"), std::string::npos);
    const auto plan = plan_media(*answer, offer, false);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->settings.codec, (rtp::PayloadLaw{8, rtp::Law::A}));
    EXPECT_EQ(plan->settings.event_type, 96);
    EXPECT_EQ(plan->settings.ptime, milliseconds(30));
}

TEST(MediaPlan, of_a_clear_and_a_protected_stream_the_protected_one_is_taken) {
    const auto secure = write_offer(alice(MediaProtection::Sdes));
    const auto line = secure.find("m=audio");
    const auto offer = secure.substr(0, line) +
                       "m=audio 4100 RTP/AVP 0\r\nm=video 4200 RTP/AVP 31\r\n" +
                       secure.substr(line);
    const auto answer = write_answer(offer, bob(MediaProtection::Opportunistic));
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->find("m=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\nm=audio 5000 RTP/SAVP"),
              std::string::npos);
    const auto both = plans(offer, *answer);
    ASSERT_TRUE(both.offerer && both.answerer);
    EXPECT_EQ(both.offerer->protection, MediaProtection::Sdes);
    EXPECT_EQ(both.answerer->settings.remote, at("192.0.2.1:4000"));
    const auto clear = write_answer(offer, bob(MediaProtection::Clear));
    ASSERT_TRUE(clear);
    EXPECT_NE(clear->find("m=audio 5000 RTP/AVP 0\r\n"), std::string::npos);
}

TEST(MediaPlan, an_offer_without_audio_deserves_no_answer_and_a_refusal_is_a_plan) {
    EXPECT_FALSE(write_answer("v=0\r\nm=image 4000 udptl t38\r\n", bob(MediaProtection::Clear)));
    EXPECT_FALSE(write_answer("", bob(MediaProtection::Clear)));
    const auto offer = write_offer(alice(MediaProtection::Clear));
    const auto answer = *write_answer(offer, bob(MediaProtection::Clear));
    const auto plan = plan_media(offer, replaced(answer, "m=audio 5000", "m=audio 0"), true);
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->refused);
}

TEST(MediaPlan, every_beginning_of_a_description_is_read_without_harm) {
    const auto offer = write_offer(alice(MediaProtection::Sdes));
    const auto answer = *write_answer(offer, bob(MediaProtection::Sdes));
    for (std::size_t size = 0; size < offer.size(); ++size) {
        const auto cut = offer.substr(0, size);
        (void)write_answer(cut, bob(MediaProtection::Opportunistic));
        const auto plan = plan_media(cut, answer, true);
        EXPECT_FALSE(plan && !plan->refused && size < offer.find("a=crypto")) << cut;
    }
}

} // namespace
} // namespace cw::dialog
