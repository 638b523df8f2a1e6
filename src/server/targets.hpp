// Where a request goes: the target set of RFC 3261 §16.5, from flow tokens, Route, the location
// service, trunks and other domains; with the sips rules of RFC 5630 §5.3.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/admission.hpp"
#include "server/core.hpp"
#include "server/route.hpp"

namespace cw::server {

struct Target {
    std::string uri;                       // the Request-URI
    std::string route;                     // values for Route on top, from Path
    std::optional<transaction::Wire> wire; // to go over, when it is known
    std::string next;                      // else the URI to be resolved
    std::string identity;                  // and what its certificate may say instead of its host
    std::uint16_t q = 1000;
    bool secure = false;        // over TLS only
    std::uint64_t instance = 0; // which phone it is, hashed; 0: not known

    // Tells this way from others to the same phone.
    [[nodiscard]] std::uint64_t way() const;
};

struct Targets {
    std::uint16_t status = 0; // else the refusal
    std::string_view why{};
    std::string headers{};     // of the refusal
    std::vector<Target> all{}; // highest q first
    bool local = false;        // a user of ours
};

Targets find_targets(const Core& core, const Incoming& in, const Route& route, Sender sender);

// What is answered when a flow is gone and there is no other way.
std::uint16_t status_of_gone_flow(const Incoming& in);

// Another way to the phone that `failed` meant, for its flow is gone: what the location service
// knows of the same phone by now [RFC 5626 §7]. `tried`: ways that are of no use any more.
std::optional<Target> find_other_way(const Core& core, const Incoming& in, const Route& route,
                                     const Target& failed, std::span<const std::uint64_t> tried);

} // namespace cw::server
