// Finds the next hops of a URI for one shard: places that the configuration fixes, then NextHops
// with records from DNS. Answers within resolve() when nothing has to be asked. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/next_hops.hpp"
#include "net/dns.hpp"
#include "net/loop.hpp"
#include "server/host_side.hpp"

namespace cw::host {

// Names that are not asked of DNS, as /etc/hosts has them: the [[resolve]] tables. A URI with a
// port takes the addresses alone.
struct FixedPlaces {
    struct Place {
        sip::Transport transport = sip::Transport::Tls;
        Endpoint endpoint;
    };
    std::unordered_map<std::string, std::vector<Place>> by_name; // in lower case
};

class Resolver {
  public:
    using Found = std::function<void(std::uint64_t token, std::vector<server::Hop> hops)>;

    // `loop` must outlive it. `servers`: as net::DnsSettings has them.
    Resolver(net::Loop& loop, const Abilities& abilities, const std::string& servers,
             std::shared_ptr<const FixedPlaces> fixed, Found found);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    void set_fixed(std::shared_ptr<const FixedPlaces> fixed) { fixed_ = std::move(fixed); }
    void resolve(const server::Resolve& question);
    void close() { dns_.close(); } // as net::Dns

  private:
    [[nodiscard]] std::optional<std::vector<server::Hop>>
    fixed_hops(const server::Resolve& question) const;

    struct Search {
        server::Resolve question;
        NextHops hops;
        bool asking = false; // its questions are being asked: answers may come at once
    };
    void go_on(std::uint64_t id);
    void hand_out(const server::Resolve& question, std::vector<server::Hop> hops) const;

    Abilities abilities_;
    std::shared_ptr<const FixedPlaces> fixed_;
    Found found_;
    net::Dns dns_;
    std::unordered_map<std::uint64_t, Search> searches_; // in progress
    std::uint64_t last_ = 0;
    std::mt19937 random_{std::random_device{}()}; // weights: nothing secret
};

} // namespace cw::host
