#include "host/probe/resolution.hpp"

#include <memory>

#include <fmt/format.h>
#include <netdb.h>

#include "net/socket.hpp"

namespace cw::host {
namespace {

sip::Transport transport_of(const ProbeTarget& target) {
    return target.transport.value_or(target.secure ? sip::Transport::Tls : sip::Transport::Udp);
}

} // namespace

Resolution resolve(const ProbeTarget& target, Duration) {
    Resolution out;
    const auto transport = transport_of(target);
    const auto port = target.port != 0 ? target.port : default_port(transport);
    if (const auto address = IpAddress::parse(target.host)) {
        out.places.push_back({transport, {*address, port}});
        return out;
    }
    if (target.host == "localhost") { // [RFC 6761 §6.3] never a question for DNS
        out.steps.emplace_back("localhost is this machine");
        out.places.push_back({transport, {*IpAddress::parse("127.0.0.1"), port}});
        out.places.push_back({transport, {*IpAddress::parse("::1"), port}});
        return out;
    }
    out.failure = "not found";
    return out;
}

} // namespace cw::host
