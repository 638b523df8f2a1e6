#include "dialog/audio_description.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "dialog/media_line.hpp"
#include "dialog/session_description.hpp"
#include "rtp/sdes.hpp"

namespace cw::dialog {
namespace {

std::string_view profile_of(MediaProtection protection) {
    switch (protection) {
    case MediaProtection::Sdes:
        return "RTP/SAVP";
    case MediaProtection::Dtls:
        return "UDP/TLS/RTP/SAVP"; // [RFC 5764 §8]
    case MediaProtection::Clear:
    case MediaProtection::Opportunistic: // [RFC 8643 §3.1]
        break;
    }
    return "RTP/AVP";
}

// What stands in the media section besides formats, address and direction.
struct Section {
    std::string profile;
    std::string keying; // a=crypto, a=fingerprint and a=setup lines
    bool rtcp_mux = false;
    std::vector<rtp::PayloadLaw> codecs;
    std::optional<std::uint8_t> event_type;
};

std::string write(const AudioDescription& own, const Section& section) {
    const std::string_view family = own.rtp.address.is_v4() ? "IP4" : "IP6";
    const auto address = to_string(own.rtp.address);
    auto out = fmt::format("v=0\r\no=- {} {} IN {} {}\r\ns=-\r\nc=IN {} {}\r\nt=0 0\r\n",
                           own.session_id, own.session_version, family, address, family, address);
    out += fmt::format("m=audio {} {}", own.rtp.port, section.profile);
    for (const auto& codec : section.codecs) {
        out += fmt::format(" {}", codec.payload_type);
    }
    if (section.event_type) {
        out += fmt::format(" {}", *section.event_type);
    }
    out += "\r\n";
    for (const auto& codec : section.codecs) {
        out +=
            fmt::format("a=rtpmap:{} {}/8000\r\n", codec.payload_type, rtp::codec_name(codec.law));
    }
    if (section.event_type) {
        // [RFC 4733 §2.4.1] the keys of a telephone
        out += fmt::format("a=rtpmap:{0} telephone-event/8000\r\na=fmtp:{0} 0-15\r\n",
                           *section.event_type);
    }
    out += fmt::format("a=ptime:{}\r\n", own.ptime.ns / 1'000'000);
    if (section.rtcp_mux) {
        out += "a=rtcp-mux\r\n";
    }
    if (own.rtcp_port != 0) {
        out += fmt::format("a=rtcp:{}\r\n", own.rtcp_port);
    }
    out += section.keying;
    return out + fmt::format("a={}\r\n", to_string(own.direction));
}

std::string crypto_line(std::uint32_t tag, const rtp::SrtpParameters& key) {
    return "a=crypto:" + rtp::to_sdes({tag, key}) + "\r\n";
}

std::string dtls_lines(const AudioDescription& own, std::string_view setup) {
    return fmt::format("a=fingerprint:{}\r\na=setup:{}\r\n", own.fingerprint, setup);
}

std::string offered_keying(const AudioDescription& own) {
    std::string out;
    if (own.protection == MediaProtection::Dtls) {
        return dtls_lines(own, "actpass"); // [RFC 5763 §5]
    }
    for (std::uint32_t tag = 1; own.protection != MediaProtection::Clear && tag <= own.keys.size();
         ++tag) {
        out += crypto_line(tag, own.keys[tag - 1]);
    }
    return out;
}

// [RFC 4568 §5.1.2] "the first valid supported crypto attribute in the list", and our key for it.
Result<std::string> answered_crypto(const sdp::Session& offer, const sdp::Media& media,
                                    const AudioDescription& own) {
    const char* broken = nullptr;
    for (const auto& line : offer.cryptos_of(media)) {
        const auto crypto = read_crypto(line);
        if (!crypto) {
            broken = crypto.error().code == Code::Malformed ? crypto.error().what : broken;
            continue;
        }
        const auto key =
            std::ranges::find(own.keys, crypto->parameters.suite, &rtp::SrtpParameters::suite);
        if (key != own.keys.end()) {
            return crypto_line(crypto->tag, *key);
        }
    }
    return fail(Code::Unsupported, 0,
                broken != nullptr ? broken : "none of the offered a=crypto lines can be taken");
}

// [RFC 5763 §5] To actpass: active or passive, as we like; to the others their opposite.
Result<std::string> answered_dtls(const sdp::Media& media, const AudioDescription& own) {
    if (own.fingerprint.empty()) {
        return fail(Code::Unsupported, 0, "DTLS-SRTP is offered, and we have no certificate");
    }
    if (media.setup == "actpass") {
        return dtls_lines(own, own.dtls_active ? "active" : "passive");
    }
    if (media.setup == "active" || media.setup == "passive") {
        return dtls_lines(own, media.setup == "active" ? "passive" : "active");
    }
    return fail(Code::Malformed, 0, "DTLS-SRTP is offered without a=setup");
}

// How we answer the protection that this media offers.
Result<std::string> answered_keying(const sdp::Session& offer, const sdp::Media& media,
                                    const AudioDescription& own) {
    const auto keying = keying_of(offer, media);
    const bool any = own.protection == MediaProtection::Opportunistic;
    const bool secure = is_secure_profile(media.protocol);
    if (secure && keying == Keying::None) {
        return fail(Code::Malformed, 0, "a secure profile is offered without any keys");
    }
    if (keying == Keying::Dtls && (any || own.protection == MediaProtection::Dtls)) {
        return answered_dtls(media, own);
    }
    if (keying == Keying::Sdes && (any || own.protection == MediaProtection::Sdes)) {
        auto line = answered_crypto(offer, media, own);
        // [RFC 8643 §3.2] To decline is to leave the keys out, where the profile is a clear one.
        return !line && any && !secure ? std::string{} : line;
    }
    if (secure) {
        return own.protection == MediaProtection::Clear
                   ? fail(Code::Unsupported, 0, "SRTP is offered, and we want clear RTP")
                   : fail(Code::Unsupported, 0, "SRTP is offered with another kind of keys");
    }
    if (any || own.protection == MediaProtection::Clear) {
        return std::string{};
    }
    return fail(Code::Unsupported, 0, "clear RTP is offered, and we want SRTP");
}

// What both have, in the offer's order and with its numbers [RFC 3264 §6.1].
Result<Section> answered_section(const sdp::Session& offer, const sdp::Media& media,
                                 const AudioDescription& own) {
    Section out{.profile = std::string{media.protocol},
                .keying = {},
                .rtcp_mux = own.rtcp_mux && media.rtcp_mux,
                .codecs = {},
                .event_type = {}};
    const auto formats = audio_formats(offer, media);
    for (const auto& offered : formats.codecs) {
        if (std::ranges::find(own.codecs, offered.law, &rtp::PayloadLaw::law) != own.codecs.end()) {
            out.codecs.push_back(offered);
        }
    }
    if (out.codecs.empty()) {
        return fail(Code::Unsupported, 0, "none of the offered codecs can be taken");
    }
    out.event_type = own.event_type ? formats.event_type : std::nullopt;
    auto keying = answered_keying(offer, media, own);
    if (!keying) {
        return std::unexpected(keying.error());
    }
    out.keying = std::move(*keying);
    return out;
}

} // namespace

std::string_view to_string(MediaProtection protection) {
    constexpr std::array<std::string_view, 4> names{"RTP", "SRTP", "DTLS-SRTP", "OSRTP"};
    return names[static_cast<std::size_t>(protection)];
}

Result<std::vector<rtp::SrtpParameters>> random_keys(std::span<const rtp::SrtpSuite> suites) {
    std::vector<rtp::SrtpParameters> out;
    for (const auto suite : suites) {
        auto key = rtp::random_srtp_parameters(suite);
        if (!key) {
            return std::unexpected(key.error());
        }
        out.push_back(std::move(*key));
    }
    return out;
}

std::string write_offer(const AudioDescription& own) {
    return write(own, {.profile = std::string{profile_of(own.protection)},
                       .keying = offered_keying(own),
                       .rtcp_mux = own.rtcp_mux,
                       .codecs = own.codecs,
                       .event_type = own.event_type});
}

// Several audio streams may be offered, the same once in clear and once protected: of each profile
// the first is looked at, the protected ones first.
Result<std::string> write_answer(std::string_view offer, const AudioDescription& own) {
    const auto offered = sdp::parse(offer);
    if (!offered) {
        return std::unexpected(offered.error());
    }
    std::vector<const sdp::Media*> candidates;
    for (const auto& media : offered->media) {
        const bool first = std::ranges::none_of(
            candidates, [&](const auto* m) { return m->protocol == media.protocol; });
        if (media.type == "audio" && media.port != 0 && is_rtp_profile(media.protocol) && first) {
            candidates.push_back(&media);
        }
    }
    std::ranges::stable_partition(
        candidates, [](const auto* media) { return is_secure_profile(media->protocol); });
    Result<std::string> out = fail(Code::Unsupported, 0, "no audio stream over RTP is offered");
    for (const auto* media : candidates) {
        const auto section = answered_section(*offered, *media, own);
        if (section) {
            return answer_to(offer, write(own, *section));
        }
        out = std::unexpected(section.error());
    }
    return out;
}

} // namespace cw::dialog
