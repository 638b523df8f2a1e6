#include "dialog/media_line.hpp"

#include "base/text.hpp"
#include "rtp/payload_types.hpp"

namespace cw::dialog {

bool is_secure_profile(std::string_view protocol) {
    return protocol == "RTP/SAVP" || protocol == "RTP/SAVPF" || protocol == "UDP/TLS/RTP/SAVP" ||
           protocol == "UDP/TLS/RTP/SAVPF";
}

bool is_rtp_profile(std::string_view protocol) {
    return protocol == "RTP/AVP" || protocol == "RTP/AVPF" || is_secure_profile(protocol);
}

Keying keying_of(const sdp::Session& session, const sdp::Media& media) {
    const bool dtls = !media.fingerprint.value.empty();
    const bool sdes = !session.cryptos_of(media).empty();
    if (dtls && (!sdes || media.protocol.starts_with("UDP/TLS"))) {
        return Keying::Dtls;
    }
    return sdes ? Keying::Sdes : Keying::None;
}

AudioFormats audio_formats(const sdp::Session& session, const sdp::Media& media) {
    AudioFormats out;
    for (const auto format : session.formats_of(media)) {
        const auto number = parse_number<std::uint8_t>(format);
        if (!number || *number > 127) {
            continue;
        }
        const auto* map = session.rtpmap(media, *number);
        const auto* fixed = rtp::static_payload_type(*number);
        const auto name = map != nullptr ? map->encoding : fixed != nullptr ? fixed->name : "";
        const auto clock = map != nullptr ? map->clock_rate : fixed != nullptr ? fixed->clock : 0;
        for (const auto law : {rtp::Law::Mu, rtp::Law::A}) {
            if (iequals(name, rtp::codec_name(law)) && clock == 8000) {
                out.codecs.push_back({*number, law});
            }
        }
        if (iequals(name, "telephone-event") && clock == 8000 && !out.event_type) {
            out.event_type = *number;
            out.event_clock = clock;
        }
    }
    return out;
}

Result<rtp::SdesCrypto> read_crypto(const sdp::Crypto& line) {
    return rtp::parse_sdes({.tag = line.tag,
                            .suite = line.suite,
                            .key_parameters = line.key_parameters,
                            .session_parameters = line.session_parameters});
}

} // namespace cw::dialog
