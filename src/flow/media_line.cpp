#include "flow/media_line.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "rtp/payload_types.hpp"
#include "rtp/sdes.hpp"

namespace cw::flow {
namespace {

constexpr std::uint8_t no_event_type = 255;

// Nothing when it is no number, or too large a one.
std::optional<std::uint8_t> payload_type_of(std::string_view format) {
    if (format.size() == 1 && is_digit(format[0])) { // as of most that are static
        return static_cast<std::uint8_t>(format[0] - '0');
    }
    return parse_number<std::uint8_t>(format);
}

bool is_telephone_event(std::string_view encoding) {
    constexpr std::string_view name = "telephone-event";
    return encoding == name || iequals(encoding, name); // mostly it is written so
}

// What a format is called; `events` becomes its payload type if it is the first telephone-event
// [RFC 4733].
std::string_view name_of_format(const sdp::Session& session, const sdp::Media& media,
                                std::string_view format, std::uint8_t& events) {
    const auto number = payload_type_of(format);
    if (!number) {
        return format;
    }
    if (const auto* map = session.rtpmap(media, *number)) {
        if (events == no_event_type && is_telephone_event(map->encoding)) {
            events = *number;
        }
        return map->encoding;
    }
    const auto* known = rtp::static_payload_type(*number);
    return known != nullptr ? known->name : format;
}

// `text` in `texts`, where it is added unless it stands in `like` already.
Text add(std::string& texts, std::string_view text, Text like) {
    if (like.length == text.size() && TextPool::view(texts, like) == text) {
        return like;
    }
    const auto begin = static_cast<std::uint32_t>(texts.size());
    texts.append(text);
    return {begin, static_cast<std::uint32_t>(text.size())};
}

// Puts one text behind another, with a separator in between, as long as there is room.
class Joined {
  public:
    void add(std::string_view part) {
        if (part.size() > buffer_.size() - size_) {
            rest_.append(buffer_.data(), size_).append(part);
            size_ = 0;
            return;
        }
        std::memcpy(buffer_.data() + size_, part.data(), part.size());
        size_ += part.size();
    }
    // Valid until the next add().
    [[nodiscard]] std::string_view text() {
        if (rest_.empty()) {
            return {buffer_.data(), size_};
        }
        rest_.append(buffer_.data(), std::exchange(size_, 0));
        return rest_;
    }

  private:
    std::array<char, 256> buffer_; // as long as most are
    std::size_t size_ = 0;
    std::string rest_; // of longer ones, what came before the buffer's
};

bool is_secure_profile(std::string_view profile) {
    return profile != "RTP/AVP" && profile.find("SAVP") != std::string_view::npos;
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
    Joined all;
    for (const auto& crypto : cryptos.first(std::min(cryptos.size(), most))) {
        const fmt::format_int tag{crypto.tag};
        all.add(&crypto == cryptos.data() ? "" : ",");
        all.add({tag.data(), tag.size()});
        all.add(" ");
        all.add(crypto.suite);
    }
    line.cryptos = add(texts, all.text(), like.cryptos);
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
    Joined codecs; // what the line offers, in its order of preference
    for (const auto& format : session.formats_of(media)) {
        codecs.add(&format == session.formats_of(media).data() ? "" : " ");
        codecs.add(name_of_format(session, media, format, line.event_type));
    }
    line.codecs = add(texts, codecs.text(), like.codecs);
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

bool is_rtp(std::string_view profile) {
    constexpr std::string_view rtp{"RTP/"};
    return std::ranges::any_of(std::views::iota(std::size_t{0}, profile.size()), [&](auto at) {
        return istarts_with(profile.substr(at), rtp) && (at == 0 || profile[at - 1] == '/');
    });
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
