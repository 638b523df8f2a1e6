// What one m= line of audio over RTP says: its profile, its codecs, its keys. For the files of this
// folder that read offers and answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "rtp/media_settings.hpp"
#include "rtp/sdes.hpp"
#include "sdp/session.hpp"

namespace cw::dialog {

bool is_rtp_profile(std::string_view protocol);    // RTP/AVP, RTP/SAVPF, UDP/TLS/RTP/SAVP…
bool is_secure_profile(std::string_view protocol); // those with an S

// By what the media would be keyed. Of both, DTLS where its profile stands, else SDES.
enum class Keying : std::uint8_t { None, Sdes, Dtls };
Keying keying_of(const sdp::Session& session, const sdp::Media& media);

struct AudioFormats {
    std::vector<rtp::PayloadLaw> codecs; // those that we know, in the order of the line
    std::optional<std::uint8_t> event_type;
    std::uint32_t event_clock = 8000;
};
AudioFormats audio_formats(const sdp::Session& session, const sdp::Media& media);

Result<rtp::SdesCrypto> read_crypto(const sdp::Crypto& line);

} // namespace cw::dialog
