#include "sdp/session.hpp"

#include <array>
#include <utility>

#include "sdp/word.hpp"

namespace cw::sdp {

std::string_view to_string(Direction direction) {
    constexpr std::array<std::string_view, 4> names{"sendrecv", "sendonly", "recvonly", "inactive"};
    return names[static_cast<std::size_t>(direction)];
}

void Session::clear() {
    // Each vector is emptied and kept; everything else becomes as new.
    Session fresh;
    const auto keep = [](auto& now, auto& old) {
        old.clear();
        now.swap(old);
    };
    keep(fresh.media, media);
    keep(fresh.groups, groups);
    keep(fresh.attributes_, attributes_);
    keep(fresh.formats_, formats_);
    keep(fresh.rtpmaps_, rtpmaps_);
    keep(fresh.fmtps_, fmtps_);
    keep(fresh.cryptos_, cryptos_);
    keep(fresh.candidates_, candidates_);
    *this = std::move(fresh);
}

const Rtpmap* Session::rtpmap(const Media& m, std::uint8_t payload_type) const {
    for (const auto& map : rtpmaps_of(m)) {
        if (map.payload_type == payload_type) {
            return &map;
        }
    }
    return nullptr;
}

bool Session::in_bundle(const Media& m) const {
    for (const auto& group : groups) {
        auto mids = group.mids;
        while (group.semantics == "BUNDLE" && !m.mid.empty() && !mids.empty()) {
            if (take_word(mids) == m.mid) {
                return true;
            }
        }
    }
    return false;
}

namespace {

std::optional<Endpoint> endpoint(const Connection& connection, std::uint16_t port) {
    return connection.ip ? std::optional{Endpoint{*connection.ip, port}} : std::nullopt;
}

} // namespace

std::optional<Endpoint> rtp_endpoint(const Media& media) {
    return endpoint(media.connection, media.port);
}

std::optional<Endpoint> rtcp_endpoint(const Media& media) {
    const auto next = static_cast<std::uint16_t>(media.port + 1);
    const auto implied = media.port == 0 || media.rtcp_mux ? media.port : next;
    const auto port = media.rtcp_port != 0 && !media.rtcp_mux ? media.rtcp_port : implied;
    const bool own = media.rtcp_connection.present() && !media.rtcp_mux;
    return endpoint(own ? media.rtcp_connection : media.connection, port);
}

} // namespace cw::sdp
