#include "flow/media_line.hpp"

#include "base/text.hpp"
#include "rtp/payload_types.hpp"

namespace cw::flow {
namespace {

// "PCMU PCMA telephone-event": what the line offers, in its order of preference.
std::string codecs_of(const sdp::Session& session, const sdp::Media& media) {
    std::string names;
    for (const auto format : session.formats_of(media)) {
        std::string_view name = format;
        if (const auto number = parse_number<std::uint8_t>(format)) {
            if (const auto* map = session.rtpmap(media, *number)) {
                name = map->encoding;
            } else if (const auto* known = rtp::static_payload_type(*number)) {
                name = known->name;
            }
        }
        names.append(names.empty() ? "" : " ").append(name);
    }
    return names;
}

bool is_secure_profile(std::string_view profile) {
    return profile.find("SAVP") != std::string_view::npos;
}

char direction_letter(sdp::Direction direction) {
    switch (direction) {
    case sdp::Direction::SendRecv:
        return 'b';
    case sdp::Direction::SendOnly:
        return 's';
    case sdp::Direction::RecvOnly:
        return 'r';
    case sdp::Direction::Inactive:
        return 'i';
    }
    return 'b';
}

} // namespace

MediaLine media_line_of(const sdp::Session& session, const sdp::Media& media, TextPool& pool) {
    MediaLine line;
    const auto cryptos = session.cryptos_of(media);
    line.receive = sdp::rtp_endpoint(media).value_or(Endpoint{{}, media.port});
    line.type = pool.add(media.type);
    line.profile = pool.add(media.protocol);
    line.codecs = pool.add(codecs_of(session, media));
    line.crypto_suite = cryptos.empty() ? Text{} : pool.add(cryptos.front().suite);
    line.dtls = !media.fingerprint.value.empty();
    line.secure_profile = is_secure_profile(media.protocol);
    line.direction = direction_letter(media.direction);
    return line;
}

std::string srtp_of(const sdp::Session& session, const sdp::Media& media) {
    const auto cryptos = session.cryptos_of(media);
    if (!cryptos.empty()) {
        return std::string{cryptos.front().suite};
    }
    const bool dtls = is_secure_profile(media.protocol) && !media.fingerprint.value.empty();
    return dtls ? "DTLS-SRTP" : "";
}

} // namespace cw::flow
