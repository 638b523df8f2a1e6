// What an offer and its answer have settled for the audio of a call, as one side sees it: what it
// sends and receives, where, and with which keys [RFC 3264 §6, §7; RFC 4568 §5.1.3; RFC 5763 §5;
// RFC 8643 §3.3]. An answer that does not fit its offer is an error that says how.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "dialog/audio_description.hpp"
#include "rtp/media_settings.hpp"

namespace cw::dialog {

struct MediaPlan {
    bool refused = false; // there is no audio stream that both want
    // Of Clear, Sdes and Dtls the one that is in use.
    MediaProtection protection = MediaProtection::Clear;
    // Complete, but for the keys of DTLS, which its handshake yields.
    rtp::MediaSettings settings = {};
    bool dtls_client = false;          // we send the ClientHello
    std::string peer_fingerprint = {}; // "sha-256 AB:CD:…", of the certificate that must be shown
};

// `local` and `remote` are one offer and its answer; `we_offered`, which is which. From
// OfferAnswer: its local and its remote.
Result<MediaPlan> plan_media(std::string_view local, std::string_view remote, bool we_offered);

} // namespace cw::dialog
