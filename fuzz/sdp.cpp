// The SDP parser, with a session that was used before and with what is known by then.
#include <algorithm>
#include <string_view>

#include "base/bytes.hpp"
#include "fuzz.hpp"
#include "sdp/known_lines.hpp"
#include "sdp/session.hpp"

namespace {

using namespace cw;

bool within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

void check_media(const sdp::Session& s, const sdp::Media& m, std::string_view text) {
    for (const auto part : {m.type, m.protocol, m.format_list, m.connection.address, m.mid, m.setup,
                            m.fingerprint.value, m.ice_ufrag}) {
        require(within(part, text));
    }
    for (const auto& a : s.attributes_of(m)) {
        require(within(a.name, text) && within(a.value, text));
    }
    for (const auto& map : s.rtpmaps_of(m)) {
        require(map.payload_type < 128 && within(map.encoding, text));
        require(s.rtpmap(m, map.payload_type) != nullptr);
    }
    for (const auto& c : s.cryptos_of(m)) {
        require(!c.suite.empty() && within(c.key_parameters, text));
    }
    for (const auto& f : s.fmtps_of(m)) {
        require(within(f.parameters, text));
    }
    for (const auto format : s.formats_of(m)) {
        require(!format.empty() && within(format, m.format_list));
    }
    for (const auto candidate : s.candidates_of(m)) {
        require(within(candidate, text));
    }
    static_cast<void>(s.in_bundle(m));
    const auto rtp = sdp::rtp_endpoint(m);
    require(!rtp || rtp->port == m.port);
    static_cast<void>(sdp::rtcp_endpoint(m));
}

void check_alike(const sdp::Session& a, const sdp::Session& b) {
    require(a.media.size() == b.media.size());
    for (std::size_t i = 0; i < a.media.size(); ++i) {
        const auto& of_a = a.media[i];
        const auto& of_b = b.media[i];
        require(of_a.direction == of_b.direction && of_a.ptime_ms == of_b.ptime_ms);
        require(std::ranges::equal(a.attributes_of(of_a), b.attributes_of(of_b),
                                   [](const sdp::Attribute& x, const sdp::Attribute& y) {
                                       return x.name.data() == y.name.data() &&
                                              x.name.size() == y.name.size() &&
                                              x.value.data() == y.value.data() &&
                                              x.value.size() == y.value.size();
                                   }));
        require(std::ranges::equal(
            a.rtpmaps_of(of_a), b.rtpmaps_of(of_b), [](const sdp::Rtpmap& x, const sdp::Rtpmap& y) {
                return x.payload_type == y.payload_type && x.clock_rate == y.clock_rate &&
                       x.channels == y.channels && x.encoding.data() == y.encoding.data() &&
                       x.encoding.size() == y.encoding.size();
            }));
        require(std::ranges::equal(a.fmtps_of(of_a), b.fmtps_of(of_b),
                                   [](const sdp::Fmtp& x, const sdp::Fmtp& y) {
                                       return x.format.data() == y.format.data() &&
                                              x.parameters.data() == y.parameters.data() &&
                                              x.parameters.size() == y.parameters.size();
                                   }));
        require(a.cryptos_of(of_a).size() == b.cryptos_of(of_b).size());
        require(a.candidates_of(of_a).size() == b.candidates_of(of_b).size());
    }
}

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    static sdp::Session reused;
    static sdp::KnownLines known;
    const auto text = as_text(input);
    const auto fresh = sdp::parse(text);
    const auto again = sdp::parse(text, reused, known);
    require(fresh.has_value() == again.has_value());
    if (!fresh) {
        return;
    }
    check_alike(*fresh, reused);
    require(reused.problem().has_value() == fresh->problem().has_value());
    require(reused.session_attributes().size() == fresh->session_attributes().size());
    require(fresh->media.size() <= sdp::Session::max_media);
    for (const auto& m : fresh->media) {
        check_media(*fresh, m, text);
    }
}
