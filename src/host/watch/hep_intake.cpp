#include "host/watch/hep_intake.hpp"

#include <sys/socket.h>

#include "host/raw_packet.hpp"

namespace cw::host {
namespace {

constexpr int most_at_once = 256;

} // namespace

std::expected<std::unique_ptr<HepIntake>, std::string> HepIntake::open(const Endpoint& at) {
    std::unique_ptr<HepIntake> made{new HepIntake};
    // Of any free port it is TCP that has fewer: connections that have ended hold theirs.
    auto listener = net::listen_stream(at, true);
    if (!listener) {
        return std::unexpected{"hep " + to_string(at) + ", tcp: " + listener.error()};
    }
    made->at_ = net::local_endpoint(listener->get());
    auto datagrams = net::bind_datagram(made->at_, true);
    if (!datagrams) {
        return std::unexpected{"hep " + to_string(made->at_) + ", udp: " + datagrams.error()};
    }
    made->datagrams_ = std::move(*datagrams);
    made->listener_ = std::move(*listener);
    made->buffer_.resize(std::size_t{64} << 10);
    return made;
}

void HepIntake::add_to(std::vector<pollfd>& watched) const {
    watched.push_back({datagrams_.get(), POLLIN, 0});
    watched.push_back({listener_.get(), POLLIN, 0});
    for (const auto& agent : agents_) {
        watched.push_back({agent.fd.get(), POLLIN, 0});
    }
}

void HepIntake::take(Instant now, const To& to) {
    take_datagrams(now, to);
    accept_agents(now, to);
    std::erase_if(agents_, [&](Agent& agent) { return !take_stream(agent, now, to); });
}

void HepIntake::take_datagrams(Instant now, const To& to) {
    for (int i = 0; i < most_at_once; ++i) {
        sockaddr_storage from{};
        socklen_t length = sizeof from;
        const auto got = ::recvfrom(datagrams_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &length);
        if (got <= 0) {
            return;
        }
        const auto packet = make_udp_packet(
            net::from_sockaddr(from), at_,
            as_bytes(std::string_view{buffer_}.substr(0, static_cast<std::size_t>(got))));
        to(now, as_bytes(packet));
    }
}

void HepIntake::accept_agents(Instant now, const To& to) {
    while (agents_.size() < most_agents) {
        sockaddr_storage from{};
        socklen_t length = sizeof from;
        net::Descriptor fd{::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &length,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!fd.open()) {
            return;
        }
        Agent agent{std::move(fd), net::from_sockaddr(from), 1};
        const auto syn = make_tcp_packet({.from = agent.from,
                                          .to = at_,
                                          .sequence = 0,
                                          .acknowledged = 0,
                                          .flags = {.syn = true, .ack = false},
                                          .payload = {}});
        to(now, as_bytes(syn));
        agents_.push_back(std::move(agent));
    }
}

// False when the agent has gone.
bool HepIntake::take_stream(Agent& agent, Instant now, const To& to) {
    for (int i = 0; i < 8; ++i) {
        const auto got = ::recv(agent.fd.get(), buffer_.data(), most_payload, MSG_DONTWAIT);
        if (got < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        const bool ended = got == 0;
        const auto bytes =
            as_bytes(std::string_view{buffer_}.substr(0, static_cast<std::size_t>(got)));
        const auto segment = make_tcp_packet({.from = agent.from,
                                              .to = at_,
                                              .sequence = agent.sequence,
                                              .acknowledged = 1,
                                              .flags = {.fin = ended, .push = !ended},
                                              .payload = bytes});
        agent.sequence += static_cast<std::uint32_t>(got);
        to(now, as_bytes(segment));
        if (ended) {
            return false;
        }
    }
    return true;
}

} // namespace cw::host
