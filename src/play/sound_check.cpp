#include "play/sound.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sdp/session.hpp"

namespace cw::play {

using script::Word;

namespace {

// Plain RTP with SRTP keys beside it [RFC 8643 §3.1].
bool is_opportunistic(std::string_view body) {
    const auto session = sdp::parse(body);
    return session && !session->media.empty() &&
           !session->media.front().protocol.contains("SAVP") &&
           !session->cryptos_of(session->media.front()).empty();
}

} // namespace

std::optional<Difference> Sound::check(const script::Facts& facts, std::string_view body,
                                       std::string_view asked) {
    const bool has = body.starts_with("v=");
    if (script::says(facts, Word::NoSdp)) {
        return has ? std::optional{Difference{"the body", "no SDP", "a session description"}}
                   : std::nullopt;
    }
    const auto* said = script::find<script::Description>(facts);
    const bool hold = script::says(facts, Word::Hold);
    const bool resume = script::says(facts, Word::Resume);
    if (said == nullptr && !hold && !resume) {
        return std::nullopt;
    }
    const auto session = sdp::parse(body);
    if (!has || !session || session->media.empty()) {
        return Difference{"the body", "a session description",
                          body.empty() ? "nothing" : "something else"};
    }
    const auto& media = session->media.front();
    const bool keys = !session->cryptos_of(media).empty();
    const bool secure = media.protocol.contains("SAVP");
    const bool fingerprint = !media.fingerprint.value.empty();
    const bool dtls = fingerprint || session->fingerprint.value.data() != nullptr ||
                      media.protocol.contains("TLS/RTP");
    const std::string seen = secure && dtls ? "DTLS-SRTP"
                             : secure       ? "SRTP"
                             : keys         ? "OSRTP"
                                            : "RTP";
    if (said != nullptr && said->protection != script::Protection::Sdp) {
        const std::string_view wanted = said->protection == script::Protection::Rtp    ? "RTP"
                                        : said->protection == script::Protection::Srtp ? "SRTP"
                                        : said->protection == script::Protection::DtlsSrtp
                                            ? "DTLS-SRTP"
                                            : "OSRTP";
        // What is offered opportunistically may be answered without keys; with keys it is SRTP, in
        // the profile of the offer [RFC 8643 §3.3].
        const bool fits =
            seen == wanted || (wanted == "OSRTP" && said->answer && seen == "RTP") ||
            (wanted == "SRTP" && said->answer && seen == "OSRTP" && is_opportunistic(asked));
        if (!fits) {
            return Difference{"the media's protection", std::string{wanted},
                              fmt::format("{} ({})", seen, media.protocol)};
        }
    }
    for (const auto& fact : facts) {
        if (const auto* suite = std::get_if<script::Suite>(&fact.value)) {
            const auto lines = session->cryptos_of(media);
            if (std::ranges::find(lines, suite->name, &sdp::Crypto::suite) == lines.end()) {
                return Difference{"the SRTP suite", suite->name,
                                  lines.empty() ? "none" : std::string{lines.front().suite}};
            }
        }
    }
    const auto direction = std::string{sdp::to_string(media.direction)};
    if (hold && media.direction == sdp::Direction::SendRecv) {
        return Difference{"the direction", "on hold", direction};
    }
    if (resume && media.direction != sdp::Direction::SendRecv) {
        return Difference{"the direction", "sendrecv", direction};
    }
    return std::nullopt;
}

} // namespace cw::play
