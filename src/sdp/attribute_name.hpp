// Which attribute of a session description it is, told by its name. For the files of this folder.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "sdp/session.hpp"

namespace cw::sdp {

// The attributes that a Session knows.
enum class AttributeName : std::uint8_t {
    Other,
    Mid,
    Rtcp,
    Fmtp,
    Group,
    Label,
    Setup,
    Ptime,
    Rtpmap,
    Crypto,
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
    RtcpMux,
    IceLite,
    IceUfrag,
    Candidate,
    Fingerprint,
    BundleOnly,
};

// By the length first: then each comparison is of a known size, and inline.
inline AttributeName name_of(std::string_view name) {
    const auto is = [name]<std::size_t N>(const char(&text)[N]) {
        return std::memcmp(name.data(), text, N - 1) == 0;
    };
    switch (name.size()) {
    case 3:
        return is("mid") ? AttributeName::Mid : AttributeName::Other;
    case 4:
        return is("fmtp")   ? AttributeName::Fmtp
               : is("rtcp") ? AttributeName::Rtcp
                            : AttributeName::Other;
    case 5:
        return is("ptime")   ? AttributeName::Ptime
               : is("setup") ? AttributeName::Setup
               : is("group") ? AttributeName::Group
               : is("label") ? AttributeName::Label
                             : AttributeName::Other;
    case 6:
        return is("rtpmap")   ? AttributeName::Rtpmap
               : is("crypto") ? AttributeName::Crypto
                              : AttributeName::Other;
    case 8:
        return is("sendrecv")   ? AttributeName::SendRecv
               : is("sendonly") ? AttributeName::SendOnly
               : is("recvonly") ? AttributeName::RecvOnly
               : is("inactive") ? AttributeName::Inactive
               : is("rtcp-mux") ? AttributeName::RtcpMux
               : is("ice-lite") ? AttributeName::IceLite
                                : AttributeName::Other;
    case 9:
        return is("candidate")   ? AttributeName::Candidate
               : is("ice-ufrag") ? AttributeName::IceUfrag
                                 : AttributeName::Other;
    case 11:
        return is("fingerprint")   ? AttributeName::Fingerprint
               : is("bundle-only") ? AttributeName::BundleOnly
                                   : AttributeName::Other;
    default:
        return AttributeName::Other;
    }
}

constexpr bool is_direction(AttributeName name) {
    return name >= AttributeName::SendRecv && name <= AttributeName::Inactive;
}
// Of one of the four.
constexpr Direction direction_of(AttributeName name) {
    return static_cast<Direction>(std::to_underlying(name) -
                                  std::to_underlying(AttributeName::SendRecv));
}
static_assert(direction_of(AttributeName::Inactive) == Direction::Inactive);

} // namespace cw::sdp
