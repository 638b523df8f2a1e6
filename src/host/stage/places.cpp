#include "host/stage/places.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "host/own_address.hpp"

namespace cw::host {

namespace {

// "udp or tls"
std::string spoken_by(const play::Member& member) {
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < member.listens.size(); ++i) {
        if (member.listens[i]) {
            out.push_back(sip::to_string(static_cast<sip::Transport>(i)));
        }
    }
    return fmt::format("{}", fmt::join(out, " or "));
}

} // namespace

std::expected<Places, std::string> Places::make(const play::Cast& cast,
                                                std::vector<RealSystem> listen) {
    Places out;
    for (const bool ipv6 : {false, true}) {
        auto& own = out.own_[ipv6 ? 1 : 0];
        own = *IpAddress::parse(ipv6 ? "::1" : "127.0.0.1");
        for (const auto& member : cast.members) {
            for (const auto& at : member.at) {
                if (member.control == script::Control::External && at && own.is_loopback() &&
                    at->address.is_v4() != ipv6) {
                    own = own_address_towards(at->address);
                }
            }
        }
    }
    for (auto& one : listen) {
        const auto member = std::ranges::find(cast.members, one.party, &play::Member::id);
        const auto address = IpAddress::parse(one.host);
        if (member == cast.members.end()) {
            continue; // see mark_listeners()
        }
        if (!address) {
            return std::unexpected{fmt::format("--listen: {} is no IP address", one.host)};
        }
        if (member->control == script::Control::External) {
            return std::unexpected{
                fmt::format("--listen: {} is a real system; --at says where it is", one.party)};
        }
        if (!member->listens[static_cast<std::size_t>(one.transport)]) {
            return std::unexpected{
                fmt::format("--listen: {} is not reached over {} in this flow, but over {}",
                            one.party, sip::to_string(one.transport), spoken_by(*member))};
        }
        out.asked_.push_back({std::move(one.party), one.transport, {*address, one.port}});
    }
    return out;
}

Endpoint Places::of(const play::Member& member, sip::Transport transport, bool ipv6) const {
    for (const auto& one : asked_) {
        if (one.party == member.id && one.transport == transport &&
            one.at.address.is_v4() != ipv6) {
            return one.at;
        }
    }
    return {own_[ipv6 ? 1 : 0], 0};
}

IpAddress Places::media_of(const play::Member& member, bool ipv6) const {
    for (const auto& one : asked_) {
        if (one.party == member.id && one.at.address.is_v4() != ipv6) {
            return one.at.address;
        }
    }
    return own_[ipv6 ? 1 : 0];
}

std::expected<net::Descriptor, std::string> bind_place(const std::string& id, const Endpoint& at,
                                                       sip::Transport transport, bool alone) {
    auto fd = transport == sip::Transport::Udp ? net::bind_datagram(at, alone)
                                               : net::listen_stream(at, alone);
    if (!fd) {
        return std::unexpected{fmt::format("{}: {}{}", id, fd.error(),
                                           at.port != 0 ? " (" + to_string(at) + ")" : "")};
    }
    return std::move(*fd);
}

} // namespace cw::host
