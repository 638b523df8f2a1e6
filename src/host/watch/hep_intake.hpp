// Packets that capture agents send by HEP, over UDP or TCP (Kamailio's siptrace, heplify,
// captagent): made into IP packets as they were on their way to us, so that they are decoded and
// stored as all others are. Not thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <poll.h>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "net/socket.hpp"

namespace cw::host {

class HepIntake {
  public:
    // A raw IP packet (LINKTYPE_RAW); valid during the call.
    using To = std::function<void(Instant now, Bytes packet)>;
    static constexpr std::size_t most_agents = 256; // TCP connections; more are not accepted

    // Both for UDP and TCP. Port 0 chooses a free one, the same for both.
    static std::expected<std::unique_ptr<HepIntake>, std::string> open(const Endpoint& at);

    [[nodiscard]] Endpoint endpoint() const { return at_; }
    void add_to(std::vector<pollfd>& watched) const;
    // What has come, up to some hundred packets.
    void take(Instant now, const To& to);
    [[nodiscard]] std::size_t agents() const { return agents_.size(); }

  private:
    struct Agent {
        net::Descriptor fd;
        Endpoint from;
        std::uint32_t sequence = 0;
    };
    HepIntake() = default;
    void take_datagrams(Instant now, const To& to);
    void accept_agents(Instant now, const To& to);
    bool take_stream(Agent& agent, Instant now, const To& to);

    Endpoint at_;
    net::Descriptor datagrams_;
    net::Descriptor listener_;
    std::vector<Agent> agents_;
    std::string buffer_;
};

} // namespace cw::host
