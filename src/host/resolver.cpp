#include "host/resolver.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "sip/params.hpp"
#include "sip/uri.hpp"

namespace cw::host {

Resolver::Resolver(net::Loop& loop, const Abilities& abilities,
                   std::shared_ptr<const FixedPlaces> fixed, Found found)
    : loop_(loop), abilities_(abilities), fixed_(std::move(fixed)), found_(std::move(found)) {}

Resolver::~Resolver() = default;

// The places of a fixed name that the URI allows; nothing when the name is not fixed.
std::optional<std::vector<server::Hop>>
Resolver::fixed_hops(const server::Resolve& question) const {
    if (fixed_ == nullptr || fixed_->by_name.empty()) {
        return std::nullopt;
    }
    const auto uri = sip::parse_uri(question.uri);
    if (!uri) {
        return std::nullopt;
    }
    std::string name{uri->host};
    std::ranges::transform(name, name.begin(), ascii_lower);
    const auto at = fixed_->by_name.find(name);
    if (at == fixed_->by_name.end()) {
        return std::nullopt;
    }
    const auto wanted = sip::find_param(uri->params, "transport");
    std::vector<server::Hop> hops;
    for (const auto& place : at->second) {
        const bool allowed = question.secure || uri->scheme == sip::Scheme::Sips
                                 ? place.transport == sip::Transport::Tls
                                 : !wanted || iequals(*wanted, sip::to_string(place.transport));
        if (allowed) {
            const auto port = uri->port != 0 ? uri->port : place.endpoint.port;
            hops.push_back({place.transport, {place.endpoint.address, port}, name, {}});
        }
    }
    return hops;
}

void Resolver::resolve(const server::Resolve& question) {
    if (auto hops = fixed_hops(question)) {
        found_(question.token, std::move(*hops));
        return;
    }
    NextHops search{question.uri, question.secure, abilities_, [this](std::uint32_t below) {
                        return std::uniform_int_distribution<std::uint32_t>{0, below - 1}(random_);
                    }};
    found_(question.token, search.take_hops());
}

} // namespace cw::host
