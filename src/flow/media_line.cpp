#include "flow/media_line.hpp"

#include <algorithm>
#include <span>
#include <string>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "rtp/payload_types.hpp"
#include "rtp/sdes.hpp"

namespace cw::flow {
namespace {

constexpr std::uint8_t no_event_type = 255;

bool is_telephone_event(std::string_view encoding) {
    constexpr std::string_view name = "telephone-event";
    return encoding == name || iequals(encoding, name); // mostly it is written so
}

// "PCMU PCMA telephone-event": what the line offers, in its order of preference. Returns the
// payload type of telephone-event [RFC 4733].
std::uint8_t append_codecs(std::string& names, const sdp::Session& session,
                           const sdp::Media& media) {
    auto events = no_event_type;
    bool first = true;
    for (const auto format : session.formats_of(media)) {
        std::string_view name = format;
        if (const auto number = parse_number<std::uint8_t>(format)) {
            if (const auto* map = session.rtpmap(media, *number)) {
                name = map->encoding;
                if (events == no_event_type && is_telephone_event(name)) {
                    events = *number;
                }
            } else if (const auto* known = rtp::static_payload_type(*number)) {
                name = known->name;
            }
        }
        if (!first) {
            names += ' ';
        }
        names.append(name);
        first = false;
    }
    return events;
}

// What was added to `texts` from `begin` on, or what stands in `like` already.
Text text_from(std::string& texts, std::size_t begin, Text like) {
    const Text added{static_cast<std::uint32_t>(begin),
                     static_cast<std::uint32_t>(texts.size() - begin)};
    if (like.length == added.length &&
        TextPool::view(texts, like) == TextPool::view(texts, added)) {
        texts.resize(begin);
        return like;
    }
    return added;
}

Text add(std::string& texts, std::string_view text, Text like) {
    const auto begin = texts.size();
    texts.append(text);
    return text_from(texts, begin, like);
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

// Which keys there are, and nothing of the keys but what tells two alike.
void add_cryptos(MediaLine& line, std::span<const sdp::Crypto> cryptos, const MediaLine& like,
                 std::string& texts) {
    constexpr std::size_t most = 16;
    const auto begin = texts.size();
    for (const auto& crypto : cryptos.first(std::min(cryptos.size(), most))) {
        texts.append(texts.size() == begin ? "" : ",");
        texts.append(fmt::format_int{crypto.tag}.c_str()).append(" ").append(crypto.suite);
    }
    line.cryptos = text_from(texts, begin, like.cryptos);
    const auto& first = cryptos.front();
    auto key = first.key_parameters;
    const auto* key_end = find_first<'|', ';'>(key.data(), key.data() + key.size());
    key = key.substr(0, static_cast<std::size_t>(key_end - key.data())); // no lifetime, no MKI
    line.key = static_cast<std::uint32_t>(hash_bytes(key)) | 1U;
    const auto problem =
        rtp::sdes_problem({first.tag, first.suite, first.key_parameters, first.session_parameters});
    line.key_invalid = problem && problem->code == Code::Malformed;
}

char setup_letter(std::string_view setup) {
    return setup == "active"     ? 'a'
           : setup == "passive"  ? 'p'
           : setup == "actpass"  ? 'x'
           : setup == "holdconn" ? 'h'
                                 : '\0';
}

} // namespace

MediaLine media_line_of(const sdp::Session& session, const sdp::Media& media, const MediaLine& like,
                        std::string& texts) {
    MediaLine line;
    const auto cryptos = session.cryptos_of(media);
    line.receive = sdp::rtp_endpoint(media).value_or(Endpoint{{}, media.port});
    line.type = add(texts, media.type, like.type);
    line.profile = add(texts, media.protocol, like.profile);
    const auto codecs = texts.size();
    line.event_type = append_codecs(texts, session, media);
    line.codecs = text_from(texts, codecs, like.codecs);
    if (!cryptos.empty()) {
        line.crypto_suite = add(texts, cryptos.front().suite, like.crypto_suite);
        add_cryptos(line, cryptos, like, texts);
    }
    line.setup = setup_letter(media.setup);
    line.dtls = !media.fingerprint.value.empty();
    line.secure_profile = is_secure_profile(media.protocol);
    line.direction = direction_letter(media.direction);
    line.ice = !media.ice_ufrag.empty() || media.candidates.count > 0;
    return line;
}

std::string_view srtp_of(const sdp::Session& session, const sdp::Media& media) {
    const auto cryptos = session.cryptos_of(media);
    if (!cryptos.empty()) {
        return cryptos.front().suite;
    }
    const bool dtls = is_secure_profile(media.protocol) && !media.fingerprint.value.empty();
    return dtls ? "DTLS-SRTP" : "";
}

} // namespace cw::flow
