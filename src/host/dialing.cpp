#include "host/dialing.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/text.hpp"

namespace cw::host {

std::size_t Dialings::HashPlace::operator()(const Place& place) const {
    return mix_hash(hash_bytes(place.name, static_cast<std::uint64_t>(place.transport)),
                    hash_value(place.endpoint));
}

Dialings::Place Dialings::make_place(sip::Transport transport, const Endpoint& endpoint,
                                     std::string_view name) {
    Place place{transport, endpoint, {}};
    if (sip::is_secure(transport)) {
        place.name = name;
        std::ranges::transform(place.name, place.name.begin(), ascii_lower);
    }
    return place;
}

// What has to be proved on a connection that is on its way: one of two names.
Dialings::Place Dialings::goal_of(const server::Hop& hop) {
    return make_place(hop.transport, hop.endpoint, hop.domain + " " + hop.identity);
}

std::optional<net::Key> Dialings::open_to(const server::Hop& hop) const {
    auto at = open_.find(make_place(hop.transport, hop.endpoint, hop.domain));
    if (at == open_.end() && !hop.identity.empty()) {
        at = open_.find(make_place(hop.transport, hop.endpoint, hop.identity));
    }
    return at != open_.end() ? std::optional{at->second} : std::nullopt;
}

Dialing* Dialings::on_its_way(const server::Hop& hop) {
    const auto at = coming_.find(goal_of(hop));
    return at != coming_.end() ? &dialings_.at(at->second.index) : nullptr;
}

void Dialings::begin(net::Key key, Dialing dialing) {
    coming_[goal_of(dialing.hop)] = key;
    dialings_[key.index] = std::move(dialing);
}

std::optional<Dialing> Dialings::end(net::Key key) {
    const auto at = dialings_.find(key.index);
    if (at == dialings_.end()) {
        return std::nullopt;
    }
    auto dialing = std::move(at->second);
    dialings_.erase(at);
    coming_.erase(goal_of(dialing.hop));
    return dialing;
}

void Dialings::opened(net::Key key, sip::Transport transport, const Endpoint& endpoint,
                      std::string_view name) {
    auto place = make_place(transport, endpoint, name);
    auto& names = names_[key.index];
    if (names.size() >= most_names) {
        return;
    }
    if (const auto [at, is_new] = open_.try_emplace(place, key); !is_new) {
        if (at->second == key) {
            return;
        }
        at->second = key; // the newest: the peer may have forgotten the older one
    }
    names.push_back(std::move(place));
}

void Dialings::closed(net::Key key) {
    const auto at = names_.find(key.index);
    if (at == names_.end()) {
        return;
    }
    for (const auto& place : at->second) {
        if (const auto open = open_.find(place); open != open_.end() && open->second == key) {
            open_.erase(open);
        }
    }
    names_.erase(at);
}

} // namespace cw::host
