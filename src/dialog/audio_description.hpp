// The audio that one side of a call offers or answers, as a session description: codecs, keys
// pressed as events, direction, and how the media is protected: not at all, by keys in the
// description (SDES, RFC 4568), by DTLS (RFC 5763, RFC 5764), or if the other side likes (RFC
// 8643). What both descriptions together mean is in media_plan.hpp. Pure values and text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "rtp/media_settings.hpp"
#include "rtp/srtp_suite.hpp"
#include "sdp/session.hpp"

namespace cw::dialog {

enum class MediaProtection : std::uint8_t {
    Clear,         // RTP/AVP
    Sdes,          // RTP/SAVP with a=crypto
    Dtls,          // UDP/TLS/RTP/SAVP with a=fingerprint
    Opportunistic, // offered: RTP/AVP with a=crypto; as an answer: whatever was offered
};
std::string_view to_string(MediaProtection protection); // "RTP", "SRTP", "DTLS-SRTP", "OSRTP"

struct AudioDescription {
    std::uint64_t session_id = 1;
    std::uint64_t session_version = 1; // one more with each change [RFC 3264 §8]
    Endpoint rtp = {};
    std::uint16_t rtcp_port = 0; // 0: the port above that of RTP
    bool rtcp_mux = false;
    // In order of preference; telephone-event besides, where it has a number.
    std::vector<rtp::PayloadLaw> codecs = {{0, rtp::Law::Mu}, {8, rtp::Law::A}};
    std::optional<std::uint8_t> event_type = std::uint8_t{101};
    Duration ptime = milliseconds(20);
    sdp::Direction direction = sdp::Direction::SendRecv;
    MediaProtection protection = MediaProtection::Sdes;
    // Our keys, one for each suite that we take, the most wanted first. Kept through re-INVITEs;
    // others are new keys.
    std::vector<rtp::SrtpParameters> keys = {};
    std::string fingerprint = {}; // "sha-256 AB:CD:…", of the certificate of DTLS
    // What our answer says to actpass [RFC 5763 §5]: active, or passive.
    bool dtls_active = true;
};

// A random key for each suite, to be put into `keys`.
Result<std::vector<rtp::SrtpParameters>> random_keys(std::span<const rtp::SrtpSuite> suites);

// As an offer.
std::string write_offer(const AudioDescription& own);

// The answer to `offer`, in its shape [RFC 3264 §6]: one audio stream is taken, the others are
// refused. Its codecs are those that both have; of SDES, the first a=crypto whose suite is among
// our keys, with its tag [RFC 4568 §5.1.2]. Fails with a reason, and the offer deserves 488, when
// no stream can be taken as `own.protection` wants it.
Result<std::string> write_answer(std::string_view offer, const AudioDescription& own);

} // namespace cw::dialog
