#include "rtp/media_session.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "rtp/test_media_link.hpp"

namespace cw::rtp {
namespace {

const Mark alices = mark_of(0);
const Mark bobs = mark_of(1);

SrtpParameters key(SrtpSuite suite, std::uint8_t octet) {
    const auto& facts = facts_of(suite);
    SrtpParameters out{.suite = suite, .keys = {SrtpMasterKey{}}};
    out.keys[0].secret = SrtpSecret{
        std::vector<std::uint8_t>(static_cast<std::size_t>(facts.key + facts.salt), octet)};
    return out;
}

// A call whose two sides speak their marks.
struct Call : MediaLink {
    explicit Call(std::optional<SrtpSuite> suite = std::nullopt) {
        auto a = for_alice();
        auto b = for_bob();
        if (suite) {
            set_keys(a, b, *suite, 1);
        }
        EXPECT_TRUE(alice.configure(a, now) && bob.configure(b, now));
        alice.play(AudioSource::tone(alices));
        bob.play(AudioSource::tone(bobs));
    }
    static void set_keys(MediaSettings& a, MediaSettings& b, SrtpSuite suite, std::uint8_t octet) {
        a.send_keys = b.receive_keys = key(suite, octet);
        b.send_keys = a.receive_keys = key(suite, static_cast<std::uint8_t>(octet + 1));
    }
};

TEST(MediaSession, two_parties_hear_each_other_and_nobody_else) {
    Call call;
    call.run(seconds(3));
    EXPECT_GE(call.alice.listener().heard(bobs), milliseconds(2800));
    EXPECT_GE(call.bob.listener().heard(alices), milliseconds(2800));
    EXPECT_EQ(call.bob.listener().heard(bobs), Duration{});
    EXPECT_LE(call.bob.listener().unmarked(), milliseconds(40)); // where it begins
    ASSERT_EQ(call.bob.streams().size(), 1U);
    const auto& stream = call.bob.streams()[0];
    EXPECT_EQ(stream.ssrc, 0xa11ceU);
    EXPECT_EQ(stream.codec, "PCMU");
    EXPECT_FALSE(stream.suite.has_value());
    EXPECT_EQ(stream.stats.missing(), 0U);
    EXPECT_EQ(stream.source, call.alice_at);
    EXPECT_GT(stream.mos(), 4.3);
    EXPECT_EQ(call.alice.counts().sent_packets, 151U);
    EXPECT_EQ(call.bob.counts().received_packets, 150U); // one is on its way
}

TEST(MediaSession, it_is_deaf_where_the_peer_is_silent) {
    Call call;
    call.alice.play(AudioSource{});
    call.run(seconds(2));
    EXPECT_EQ(call.bob.listener().sound(), Duration{});
    EXPECT_GE(call.bob.listener().silence(), milliseconds(1900));
    EXPECT_GE(call.alice.listener().heard(bobs), milliseconds(1800));
}

TEST(MediaSession, nothing_that_comes_is_silence_too) {
    Call call;
    call.delay = [](const MediaLink::Flight&) { return std::optional<Duration>{}; };
    call.run(seconds(2));
    EXPECT_GE(call.bob.listener().silence(), milliseconds(1900));
    EXPECT_EQ(call.bob.listener().sound(), Duration{});
}

TEST(MediaSession, music_is_sound_without_a_mark) {
    Call call;
    call.alice.play(AudioSource::music());
    call.run(seconds(6));
    EXPECT_GE(call.bob.listener().unmarked(), milliseconds(5700));
    for (unsigned i = 0; i < mark_count; ++i) {
        EXPECT_EQ(call.bob.listener().heard(mark_of(i)), Duration{}) << i;
    }
}

TEST(MediaSession, srtp_of_every_suite_is_heard_and_named) {
    for (const auto& facts : all_srtp_suites()) {
        Call call{facts.suite};
        call.run(seconds(1));
        EXPECT_GE(call.bob.listener().heard(alices), milliseconds(800)) << facts.name;
        EXPECT_GE(call.alice.listener().heard(bobs), milliseconds(800)) << facts.name;
        ASSERT_EQ(call.bob.streams().size(), 1U);
        EXPECT_EQ(call.bob.streams()[0].suite, facts.suite);
        EXPECT_EQ(call.bob.counts().authentication_failures, 0U);
        // On the wire is no octet of the tone.
        const auto& wire = call.seen.front().packet.bytes;
        EXPECT_EQ(wire.size(), 172U + facts.rtp_tag);
    }
}

TEST(MediaSession, a_wrong_key_is_heard_as_silence_and_counted) {
    Call call{SrtpSuite::AesCm128Sha1_80};
    auto wrong = call.bob.settings();
    wrong.receive_keys = key(SrtpSuite::AesCm128Sha1_80, 9);
    Call other;
    ASSERT_TRUE(other.alice.configure(call.alice.settings(), other.now));
    ASSERT_TRUE(other.bob.configure(wrong, other.now));
    other.run(seconds(1));
    EXPECT_EQ(other.bob.listener().sound(), Duration{});
    EXPECT_EQ(other.bob.counts().authentication_failures, 50U);
    EXPECT_EQ(other.bob.counts().clear_instead_of_srtp, 0U);
    EXPECT_TRUE(other.bob.streams().empty());
}

TEST(MediaSession, clear_rtp_where_srtp_was_agreed_on_is_refused_and_counted_apart) {
    Call call{SrtpSuite::AeadAes128Gcm};
    auto clear = call.alice.settings();
    clear.send_keys.reset();
    ASSERT_TRUE(call.alice.configure(clear, call.now));
    ASSERT_TRUE(call.alice.press("5"));
    call.run(seconds(1));
    EXPECT_EQ(call.bob.counts().clear_instead_of_srtp, 50U);
    EXPECT_EQ(call.bob.counts().authentication_failures, 0U);
    EXPECT_EQ(call.bob.listener().sound(), Duration{});
}

TEST(MediaSession, srtp_where_clear_rtp_was_agreed_on_is_refused_and_not_heard_as_noise) {
    for (const auto& facts : all_srtp_suites()) {
        Call call;
        auto keyed = call.alice.settings();
        keyed.send_keys = key(facts.suite, 1);
        Call fresh;
        ASSERT_TRUE(fresh.alice.configure(keyed, fresh.now));
        fresh.run(seconds(1));
        EXPECT_EQ(fresh.bob.counts().srtp_instead_of_clear, 50U) << facts.name;
        EXPECT_EQ(fresh.bob.listener().sound(), Duration{}) << facts.name;
    }
}

TEST(MediaSession, loss_and_reordering_are_measured_and_the_mark_is_still_heard) {
    Call call{SrtpSuite::AesCm128Sha1_32};
    unsigned number = 0;
    call.delay = [&](const MediaLink::Flight& flight) -> std::optional<Duration> {
        if (!flight.to_bob || flight.packet.rtcp) {
            return milliseconds(5);
        }
        ++number;
        if (number % 10 == 0) {
            return std::nullopt;
        }
        return milliseconds(number % 10 == 4 ? 30 : 5); // comes behind its successor
    };
    call.run(seconds(10));
    const auto& stream = call.bob.streams()[0];
    EXPECT_NEAR(static_cast<double>(stream.stats.missing()), 50, 1);
    EXPECT_NEAR(stream.loss(), 0.1, 0.01);
    EXPECT_GE(stream.stats.out_of_order(), 45U);
    EXPECT_GT(stream.stats.mean_jitter_ms(), 2);
    EXPECT_GT(stream.mos(), 1);
    EXPECT_LT(stream.mos(), 4);
    EXPECT_EQ(stream.late, 0U);
    EXPECT_GE(call.bob.listener().heard(alices), milliseconds(7500));
    EXPECT_EQ(call.bob.counts().authentication_failures, 0U);
}

TEST(MediaSession, loss_is_a_share_even_where_the_first_packet_came_late) {
    ReceivedStream stream;
    for (const std::uint16_t sequence : {std::uint16_t{0}, std::uint16_t{0xfffa}}) {
        stream.stats.add({.time = Instant{1}, .sequence = sequence});
    }
    EXPECT_EQ(stream.stats.missing(), 5U);
    EXPECT_NEAR(stream.loss(), 5.0 / 7, 0.001);
}

TEST(MediaSession, what_comes_too_late_is_counted_and_not_heard) {
    Call call;
    unsigned number = 0;
    call.delay = [&](const MediaLink::Flight& flight) {
        return std::optional{milliseconds(flight.to_bob && ++number % 5 == 0 ? 150 : 5)};
    };
    call.run(seconds(4));
    const auto& stream = call.bob.streams()[0];
    EXPECT_NEAR(static_cast<double>(stream.late), 39, 3);
    EXPECT_LE(stream.stats.missing(), 2U); // those that are on their way
}

TEST(MediaSession, new_keys_take_effect_and_packets_on_their_way_still_open) {
    Call call{SrtpSuite::AesCm128Sha1_80};
    call.run(milliseconds(1500));
    auto a = call.alice.settings();
    auto b = call.bob.settings();
    Call::set_keys(a, b, SrtpSuite::AeadAes256Gcm, 7);
    // Bob knows the new keys while packets with the old ones are flying, and Alice 40 ms later.
    ASSERT_TRUE(call.bob.configure(b, call.now));
    call.run(milliseconds(40));
    ASSERT_TRUE(call.alice.configure(a, call.now));
    call.run(milliseconds(1500));
    EXPECT_GE(call.bob.counts().opened_with_old_key, 2U);
    EXPECT_EQ(call.bob.counts().authentication_failures, 0U);
    EXPECT_EQ(call.bob.streams()[0].stats.missing(), 0U);
    EXPECT_EQ(call.bob.streams()[0].suite, SrtpSuite::AeadAes256Gcm);
    EXPECT_GE(call.bob.listener().heard(alices), milliseconds(2800));
    // Alice did not know yet what Bob's first packets with the new key were protected with.
    EXPECT_LE(call.alice.counts().authentication_failures, 3U);
    // Bob's first sequence number lies in the lower half; after the old key's time has passed, its
    // packets open no more.
    call.run(seconds(1));
    ASSERT_TRUE(call.alice.configure({}, call.now));
}

TEST(MediaSession, the_rollover_counter_goes_on_through_new_keys) {
    MediaLink link;
    auto a = link.for_alice();
    auto b = link.for_bob();
    Call::set_keys(a, b, SrtpSuite::AesCm128Sha1_80, 1);
    a.send = b.receive = false;
    b.ptime = milliseconds(60);
    ASSERT_TRUE(link.bob.configure(b, link.now) && link.alice.configure(a, link.now));
    link.bob.play(AudioSource::tone(bobs));
    // Bob's first number is 0x7fff: 33 thousand packets to the wrap, of which one in a hundred
    // comes through.
    std::vector<MediaPacket> out;
    for (int i = 0; i < 33'000; ++i, link.now = link.now + milliseconds(60)) {
        link.bob.advance(link.now, out);
        if (i % 100 == 0 && !out[0].rtcp) {
            link.alice.receive(out[0].bytes, link.bob_at, link.now);
        }
        out.clear();
    }
    EXPECT_EQ(link.alice.streams()[0].stats.wraps(), 1U);
    Call::set_keys(a, b, SrtpSuite::AesCm128Sha1_80, 7);
    ASSERT_TRUE(link.bob.configure(b, link.now) && link.alice.configure(a, link.now));
    const auto before = link.alice.listener().heard(bobs);
    link.run(seconds(2));
    EXPECT_GE(link.alice.listener().heard(bobs), before + milliseconds(1900));
    EXPECT_EQ(link.alice.counts().authentication_failures, 0U);
}

TEST(MediaSession, a_call_on_hold_is_silent_one_way_or_both_and_resumes) {
    Call call{SrtpSuite::AesCm128Sha1_80};
    call.run(seconds(1));
    // Alice holds: she sends music, bob sends nothing.
    auto a = call.alice.settings();
    auto b = call.bob.settings();
    a.receive = false;
    b.send = false;
    call.alice.play(AudioSource::music());
    ASSERT_TRUE(call.bob.configure(b, call.now));
    ASSERT_TRUE(call.alice.configure(a, call.now));
    call.run(milliseconds(200)); // what is in flight and in the buffer
    const auto alice_before = call.alice.listener();
    const auto bob_before = call.bob.listener();
    call.run(seconds(2));
    EXPECT_GE(call.alice.listener().silence(), alice_before.silence() + milliseconds(1900));
    EXPECT_EQ(call.alice.listener().sound(), alice_before.sound());
    EXPECT_GE(call.bob.listener().unmarked(), bob_before.unmarked() + milliseconds(1900));

    a.receive = true;
    b.send = true;
    call.alice.play(AudioSource::tone(alices));
    ASSERT_TRUE(call.alice.configure(a, call.now) && call.bob.configure(b, call.now));
    call.run(seconds(2));
    EXPECT_GE(call.alice.listener().heard(bobs), alice_before.heard(bobs) + milliseconds(1800));
    EXPECT_GE(call.bob.listener().heard(alices), bob_before.heard(alices) + milliseconds(1700));
    // The pause is no loss: numbers went on, and the timestamps went with the clock.
    EXPECT_EQ(call.alice.streams()[0].stats.missing(), 0U);
    EXPECT_EQ(call.alice.streams()[0].stats.timestamp_jumps(), 0U);
    EXPECT_LT(call.alice.streams()[0].stats.max_jitter_ms(), 2);
    EXPECT_EQ(call.alice.counts().authentication_failures, 0U);
}

TEST(MediaSession, rtp_that_comes_although_we_receive_none_is_counted) {
    Call call;
    auto a = call.alice.settings();
    a.receive = false;
    ASSERT_TRUE(call.alice.configure(a, call.now));
    call.run(seconds(1));
    EXPECT_EQ(call.alice.counts().on_hold, 50U);
    EXPECT_EQ(call.alice.listener().sound(), Duration{});
}

TEST(MediaSession, keys_that_are_pressed_arrive_in_order_even_with_loss) {
    Call call{SrtpSuite::AesCm256Sha1_80};
    unsigned number = 0;
    call.delay = [&](const MediaLink::Flight&) -> std::optional<Duration> {
        return ++number % 7 == 0 ? std::nullopt : std::optional{milliseconds(5)};
    };
    call.run(milliseconds(500));
    ASSERT_TRUE(call.alice.press("12#"));
    EXPECT_FALSE(call.alice.keys_pressed());
    call.run(seconds(2));
    EXPECT_TRUE(call.alice.keys_pressed());
    std::string keys;
    for (const auto& digit : call.bob.digits()) {
        keys += digit.digit;
        EXPECT_NEAR(digit.duration_ms, 100, 21);
    }
    EXPECT_EQ(keys, "12#");
    EXPECT_FALSE(call.alice.press("x"));
    auto without = call.alice.settings();
    without.event_type.reset();
    ASSERT_TRUE(call.alice.configure(without, call.now));
    EXPECT_FALSE(call.alice.press("1"));
}

TEST(MediaSession, reports_say_how_the_peer_receives_us) {
    Call call{SrtpSuite::AesCm128Sha1_80};
    unsigned number = 0;
    call.delay = [&](const MediaLink::Flight& flight) -> std::optional<Duration> {
        const bool lost = flight.to_bob && !flight.packet.rtcp && ++number % 20 == 0;
        return lost ? std::nullopt : std::optional{milliseconds(10)};
    };
    call.run(seconds(30));
    EXPECT_GE(call.alice.counts().sent_rtcp, 5U);
    EXPECT_LE(call.alice.counts().sent_rtcp, 13U);
    EXPECT_EQ(call.bob.counts().received_rtcp, call.alice.counts().sent_rtcp);
    EXPECT_EQ(call.bob.counts().rtcp_authentication_failures, 0U);
    const auto& report = call.alice.peer_report();
    ASSERT_TRUE(report.has_value());
    EXPECT_NEAR(report->fraction_lost, 0.05, 0.02);
    EXPECT_GT(report->lost, 50);
    ASSERT_TRUE(report->round_trip.has_value());
    EXPECT_NEAR(report->round_trip->milliseconds(), 20, 1);
    EXPECT_EQ(call.bob.streams()[0].cname, "alice@example.com");
}

TEST(MediaSession, the_end_is_said_and_nothing_follows) {
    Call call{SrtpSuite::AesCm128Sha1_80};
    call.run(seconds(1));
    std::vector<MediaPacket> out;
    call.alice.stop(call.now, out);
    ASSERT_EQ(out.size(), 1U);
    EXPECT_TRUE(out[0].rtcp && out[0].from_rtcp_socket);
    call.send(call.alice, out);
    const auto sent = call.alice.counts().sent_packets;
    std::vector<MediaPacket> nothing;
    call.alice.advance(call.now + seconds(1), nothing);
    EXPECT_TRUE(nothing.empty());
    EXPECT_FALSE(call.alice.next_deadline().known());
    EXPECT_EQ(call.alice.counts().sent_packets, sent);
    call.bob.receive(call.seen.back().packet.bytes, call.alice_at, call.now);
    EXPECT_TRUE(call.bob.streams()[0].said_bye);
}

TEST(MediaSession, rtcp_shares_the_port_of_rtp_where_that_was_agreed_on) {
    Call call;
    auto a = call.alice.settings();
    a.rtcp_mux = true;
    a.remote_rtcp = a.remote;
    ASSERT_TRUE(call.alice.configure(a, call.now));
    call.run(seconds(6));
    const auto rtcp = std::ranges::find_if(
        call.seen, [](const auto& flight) { return flight.to_bob && flight.packet.rtcp; });
    ASSERT_NE(rtcp, call.seen.end());
    EXPECT_EQ(rtcp->packet.to, call.bob_at);
    EXPECT_FALSE(rtcp->packet.from_rtcp_socket);
    EXPECT_GE(call.bob.counts().received_rtcp, 1U);
}

TEST(MediaSession, it_follows_a_peer_behind_an_address_translator) {
    Call call;
    call.run(seconds(1));
    call.alice_at = test_endpoint(9, 6000);
    call.run(seconds(2));
    EXPECT_EQ(call.bob.counts().source_changes, 1U);
    EXPECT_EQ(call.bob.target(), call.alice_at);
    EXPECT_GE(call.alice.listener().heard(bobs), milliseconds(1800));
}

TEST(MediaSession, it_does_not_follow_when_told_not_to_nor_while_the_peer_still_speaks) {
    Call call;
    auto b = call.bob.settings();
    b.follow_source = false;
    ASSERT_TRUE(call.bob.configure(b, call.now));
    call.alice_at = test_endpoint(9, 6000);
    call.run(seconds(1));
    EXPECT_EQ(call.bob.target(), test_endpoint(1, 4000));
    EXPECT_GE(call.bob.counts().source_changes, 1U);

    Call other;
    other.run(seconds(1));
    const auto stranger = other.seen.front();
    other.bob.receive(stranger.packet.bytes, test_endpoint(66, 666), other.now);
    EXPECT_EQ(other.bob.target(), other.alice_at);
}

TEST(MediaSession, the_source_that_spoke_first_is_heard_until_it_is_quiet) {
    Call call;
    MediaSession eve{{.ssrc = 0xe5e, .first_sequence = 5}};
    ASSERT_TRUE(eve.configure(call.for_alice(), call.now));
    eve.play(AudioSource::tone(mark_of(2)));
    for (int i = 0; i < 50; ++i) {
        call.run(milliseconds(20));
        std::vector<MediaPacket> out;
        eve.advance(call.now, out);
        for (const auto& packet : out) {
            call.bob.receive(packet.bytes, call.alice_at, call.now);
        }
    }
    EXPECT_EQ(call.bob.listener().heard(mark_of(2)), Duration{});
    ASSERT_EQ(call.bob.streams().size(), 2U);
    EXPECT_GT(call.bob.streams()[1].unheard, 40U);
}

TEST(MediaSession, packets_from_many_sources_do_not_grow_it) {
    Call call;
    for (std::uint32_t ssrc = 1; ssrc <= 1000; ++ssrc) {
        MediaSession stranger{{.ssrc = ssrc}};
        ASSERT_TRUE(stranger.configure(call.for_alice(), call.now));
        std::vector<MediaPacket> out;
        stranger.advance(call.now, out);
        ASSERT_EQ(out.size(), 1U);
        call.bob.receive(out[0].bytes, call.alice_at, call.now);
    }
    EXPECT_EQ(call.bob.streams().size(), MediaReceiver::most_streams);
    EXPECT_EQ(call.bob.counts().too_many_sources, 1000 - MediaReceiver::most_streams);
}

TEST(MediaSession, any_octets_do_no_harm) {
    for (const bool keyed : {false, true}) {
        Call call{keyed ? std::optional{SrtpSuite::AesCm128Sha1_80} : std::nullopt};
        call.run(seconds(6));
        const auto seen = call.seen;
        for (const auto& flight : seen) {
            for (std::size_t size = 0; size < flight.packet.bytes.size(); size += 7) {
                auto bytes = flight.packet.bytes;
                bytes.resize(size);
                call.bob.receive(bytes, call.alice_at, call.now);
                bytes.assign(size, 0x9f);
                call.bob.receive(bytes, call.alice_at, call.now);
            }
        }
        EXPECT_GT(call.bob.counts().malformed, 0U);
    }
}

TEST(MediaSession, an_unknown_payload_type_is_counted_and_not_decoded) {
    Call call;
    auto a = call.alice.settings();
    a.codec = {8, Law::A};
    ASSERT_TRUE(call.alice.configure(a, call.now));
    call.run(seconds(1));
    EXPECT_EQ(call.bob.counts().unknown_payload, 50U);
    auto b = call.bob.settings();
    b.accepted = {{0, Law::Mu}, {8, Law::A}};
    ASSERT_TRUE(call.bob.configure(b, call.now));
    call.run(seconds(1));
    EXPECT_EQ(call.bob.streams()[0].codec, "PCMA");
    EXPECT_GE(call.bob.listener().heard(alices), milliseconds(800));
}

TEST(MediaSession, what_was_heard_can_be_recorded_up_to_a_bound) {
    Call call;
    call.bob.record(seconds(1));
    call.run(seconds(3));
    EXPECT_EQ(call.bob.recording().size(), 8000U);
    ToneListener listener;
    listener.hear(call.bob.recording());
    EXPECT_GE(listener.heard(alices), milliseconds(880));
}

TEST(MediaSession, a_file_is_said_once) {
    Call call;
    auto samples = std::make_shared<Samples>(8000);
    ToneSender{mark_of(5)}.fill(*samples);
    call.alice.play(AudioSource::samples(samples));
    call.run(milliseconds(900));
    EXPECT_FALSE(call.alice.source_finished());
    call.run(milliseconds(1100));
    EXPECT_TRUE(call.alice.source_finished());
    EXPECT_GE(call.bob.listener().heard(mark_of(5)), milliseconds(960));
    EXPECT_LE(call.bob.listener().heard(mark_of(5)), milliseconds(1040));
}

TEST(MediaSession, a_clock_that_jumps_brings_no_flood) {
    Call call;
    call.run(seconds(1));
    std::vector<MediaPacket> out;
    call.alice.advance(call.now + seconds(3600), out);
    EXPECT_LE(out.size(), 2U);
}

TEST(MediaSession, keys_that_do_not_fit_change_nothing) {
    Call call{SrtpSuite::AesCm128Sha1_80};
    auto bad = call.alice.settings();
    bad.receive_keys->suite = SrtpSuite::AeadAes256Gcm;
    bad.send_keys = key(SrtpSuite::AeadAes256Gcm, 4);
    EXPECT_FALSE(call.alice.configure(bad, call.now));
    call.run(seconds(1));
    EXPECT_GE(call.bob.listener().heard(alices), milliseconds(800));
    EXPECT_EQ(call.bob.counts().authentication_failures, 0U);
}

} // namespace
} // namespace cw::rtp
