// The servers of a flow that are not played but served: one real host::Service for each, on
// loopback with ports of its own, its users made of those who talk to it.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/log.hpp"
#include "host/service.hpp"
#include "host/stage/places.hpp"
#include "host/stage/wardrobe.hpp"
#include "play/cast.hpp"
#include "script/plan.hpp"

namespace cw::host {

class Embedded {
  public:
    // Who is told, in a thread of the server's, of connections from others to it.
    using OnReached = std::function<void(script::PartyId, const Reached&)>;

    explicit Embedded(const Log& log, OnReached on_reached = {})
        : log_(log), on_reached_(std::move(on_reached)) {}
    ~Embedded();
    Embedded(const Embedded&) = delete;
    Embedded& operator=(const Embedded&) = delete;

    // Starts one for every embedded party, where `places` says, and writes into `cast` where it
    // listens. `others`: more users, as the same parties under other names.
    std::expected<void, std::string> start(const script::Plan& plan, play::Cast& cast,
                                           Wardrobe& wardrobe, const Places& places,
                                           const std::vector<play::Cast>& others = {});
    void stop();

  private:
    std::expected<Config, std::string> config_of(const script::Plan& plan, const play::Cast& cast,
                                                 script::PartyId party, Wardrobe& wardrobe,
                                                 const Places& places,
                                                 const std::vector<play::Cast>& others);

    const Log& log_;
    OnReached on_reached_;
    std::vector<std::unique_ptr<Service>> services_;
};

} // namespace cw::host
