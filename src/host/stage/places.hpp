// Where the parties of ours are reached: what --listen says, and else at the address that this
// machine has towards the real systems of the flow; at the loopback when there are none elsewhere.
// Opens nothing.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "host/stage/scenery.hpp"
#include "net/socket.hpp"
#include "play/cast.hpp"

namespace cw::host {

class Places {
  public:
    // `listen` names parties of ours and transports that they speak; `cast` knows where the real
    // systems are. Fails with a sentence.
    static std::expected<Places, std::string> make(const play::Cast& cast,
                                                   std::vector<RealSystem> listen);

    // What to bind for `member`; port 0: any that is free.
    [[nodiscard]] Endpoint of(const play::Member& member, sip::Transport transport,
                              bool ipv6) const;
    // Of its media.
    [[nodiscard]] IpAddress media_of(const play::Member& member, bool ipv6) const;

  private:
    struct Asked {
        std::string party;
        sip::Transport transport = sip::Transport::Tls;
        Endpoint at;
    };
    std::vector<Asked> asked_;
    IpAddress own_[2]; // IPv4, IPv6
};

// Bound to what Places says for `id`; `alone`: nobody else has it. Fails with a sentence.
std::expected<net::Descriptor, std::string> bind_place(const std::string& id, const Endpoint& at,
                                                       sip::Transport transport, bool alone);

} // namespace cw::host
