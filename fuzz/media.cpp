// What a media session gets from outside: datagrams to its ports, keys and descriptions from the
// peer, WAV files. The first octet says which.
#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "dialog/media_plan.hpp"
#include "fuzz.hpp"
#include "rtp/media_session.hpp"
#include "rtp/sdes.hpp"
#include "rtp/wav.hpp"

namespace {

using namespace cw;

rtp::SrtpParameters key_of(rtp::SrtpSuite suite) {
    const auto& facts = rtp::facts_of(suite);
    rtp::SrtpParameters out{.suite = suite, .keys = {rtp::SrtpMasterKey{}}};
    out.keys[0].secret = rtp::SrtpSecret{
        std::vector<std::uint8_t>(static_cast<std::size_t>(facts.key + facts.salt), 7)};
    return out;
}

// A datagram of the input: as it is, or protected by one who has the key, so that it comes further.
void receive(rtp::MediaSession& session, rtp::SrtpSession* peer, Reader& input, Instant now) {
    const auto how = input.u8();
    const auto body = input.take(std::min<std::size_t>(input.be16() % 300, input.left()));
    std::vector<std::uint8_t> datagram(body.begin(), body.end());
    if (datagram.size() >= 2 && (how & 1U) != 0) {
        datagram[0] = static_cast<std::uint8_t>(0x80U | (datagram[0] & 0x3fU));
        datagram[1] =
            (how & 2U) != 0
                ? static_cast<std::uint8_t>(200 + datagram[1] % 8)
                : static_cast<std::uint8_t>((datagram[1] & 0x80U) | (how & 4U ? 101U : 0U));
    }
    if (peer != nullptr && (how & 8U) != 0) {
        (void)((how & 2U) != 0 ? peer->protect_rtcp(datagram) : peer->protect(datagram));
    }
    const std::array<std::uint8_t, 4> from{192, 0, 2, static_cast<std::uint8_t>(how >> 6U)};
    session.receive(datagram, {IpAddress::v4(from.data()), 4000}, now);
}

void run_session(Reader input) {
    rtp::MediaSession session{{.ssrc = 0x11223344}};
    rtp::MediaSettings settings;
    const std::array<std::uint8_t, 4> peer_at{192, 0, 2, 1};
    settings.remote = {IpAddress::v4(peer_at.data()), 4000};
    settings.remote_rtcp = {settings.remote.address, 4001};
    settings.event_type = std::uint8_t{101};
    const auto suites = rtp::all_srtp_suites();
    const auto chosen = input.u8() % (suites.size() + 1);
    std::optional<rtp::SrtpSession> peer;
    if (chosen < suites.size()) {
        settings.send_keys = settings.receive_keys = key_of(suites[chosen].suite);
        auto made = rtp::SrtpSession::make(rtp::SrtpSession::Way::Send, *settings.receive_keys);
        require(made.has_value());
        peer.emplace(std::move(*made));
    }
    Instant now{1'000'000'000};
    require(session.configure(settings, now).has_value());
    session.record(seconds(2));
    std::vector<rtp::MediaPacket> out;
    for (int i = 0; i < 200 && input.ok() && input.left() > 0; ++i) {
        receive(session, peer ? &*peer : nullptr, input, now);
        now = now + milliseconds(input.u8());
        session.advance(now, out);
        require(session.next_deadline() > now);
        require(out.size() <= 20);
        out.clear();
    }
    session.stop(now, out);
    require(session.streams().size() <= rtp::MediaReceiver::most_streams);
    require(session.digits().size() <= rtp::MediaReceiver::most_digits);
    require(session.recording().size() <= 16'000);
    for (const auto& stream : session.streams()) {
        require(stream.loss() >= 0 && stream.loss() <= 1);
        require(stream.mos() >= 0 && stream.mos() <= 4.5);
    }
}

void read_key(std::string_view text) {
    const auto take = [&](char end) {
        const auto part = text.substr(0, text.find(end));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        return part;
    };
    const auto suite = take(' ');
    const auto keys = take(' ');
    const auto crypto = rtp::parse_sdes({1, suite, keys, text});
    if (!crypto) {
        return;
    }
    require(rtp::SrtpSession::make(rtp::SrtpSession::Way::Receive, crypto->parameters).has_value());
    const auto written = rtp::to_sdes(*crypto);
    const auto at = written.find("inline:");
    const auto behind = std::min(written.find(' ', at), written.size());
    const auto again = rtp::parse_sdes({1, suite, std::string_view{written}.substr(at, behind - at),
                                        std::string_view{written}.substr(behind)});
    require(again.has_value());
    // An MKI of more than eight octets is written as the number it is, zeros before it.
    require(again->parameters == crypto->parameters);
}

void answer(std::string_view offer) {
    static const auto keys = [] {
        std::vector<rtp::SrtpParameters> out;
        for (const auto& facts : rtp::all_srtp_suites()) {
            out.push_back(key_of(facts.suite));
        }
        return out;
    }();
    const std::array<std::uint8_t, 4> at{192, 0, 2, 2};
    dialog::AudioDescription own;
    own.rtp = {IpAddress::v4(at.data()), 5000};
    own.protection = dialog::MediaProtection::Opportunistic;
    own.keys = keys;
    own.fingerprint = "sha-256 00:11";
    const auto text = dialog::write_answer(offer, own);
    if (!text) {
        return;
    }
    // What we answer is an answer, for both sides; an address that is a name is not.
    const auto ours = dialog::plan_media(*text, offer, false);
    const auto theirs = dialog::plan_media(offer, *text, true);
    require(ours.has_value() == theirs.has_value());
    if (ours) {
        require(ours->protection == theirs->protection);
        require(ours->settings.send_keys == theirs->settings.receive_keys);
        require(ours->settings.receive_keys == theirs->settings.send_keys);
        require(ours->refused || ours->protection != dialog::MediaProtection::Dtls ||
                ours->dtls_client != theirs->dtls_client);
    }
}

} // namespace

void fuzz(std::span<const std::uint8_t> data) {
    if (data.empty()) {
        return;
    }
    const auto rest = data.subspan(1);
    switch (data[0] % 4) {
    case 0:
        run_session(Reader{rest});
        break;
    case 1:
        read_key(as_text(rest));
        break;
    case 2:
        answer(as_text(rest));
        break;
    default:
        if (const auto samples = rtp::read_wav(rest)) {
            require(rtp::read_wav(rtp::write_wav(*samples)).value() == *samples);
        }
        break;
    }
}
