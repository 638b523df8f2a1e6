#include "host/stage/embedded.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace cw::host {

using script::Arrow;
using script::Control;
using script::PartyId;
using sip::Transport;

namespace {

// Who exchanges messages with `party`.
std::vector<PartyId> neighbours(const script::Plan& plan, PartyId party) {
    std::vector<PartyId> out;
    for (const auto& step : plan.steps) {
        const auto* arrow = std::get_if<Arrow>(&step.what);
        if (arrow == nullptr || script::is_shown(arrow->link) ||
            std::holds_alternative<script::Media>(arrow->content)) {
            continue;
        }
        for (const auto& [self, other] :
             {std::pair{arrow->from, arrow->to}, std::pair{arrow->to, arrow->from}}) {
            if (self == party && std::ranges::find(out, other) == out.end()) {
                out.push_back(other);
            }
        }
    }
    return out;
}

bool wants_client_certificates(const script::Plan& plan, PartyId party) {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* arrow = std::get_if<Arrow>(&step.what);
        if (arrow == nullptr || arrow->to != party ||
            !std::holds_alternative<script::Channel>(arrow->content)) {
            return false;
        }
        const auto* bad = script::find<script::BadCertificate>(arrow->facts);
        return script::says(arrow->facts, script::Word::Mutual) ||
               (bad != nullptr && bad->of.value_or(arrow->from) == arrow->from);
    });
}

std::string transport_param(Transport over) {
    return over == Transport::Udp ? "" : ";transport=" + std::string{play::uri_transport(over)};
}

} // namespace

Embedded::~Embedded() {
    stop();
}

void Embedded::stop() {
    for (const auto& service : services_) {
        service->stop();
    }
    services_.clear();
}

std::expected<Config, std::string> Embedded::config_of(const script::Plan& plan,
                                                       const play::Cast& cast, PartyId party,
                                                       Wardrobe& wardrobe, const Places& places,
                                                       const std::vector<play::Cast>& others) {
    const auto& member = cast.members[party];
    Config config;
    config.shards = 1;
    config.data = wardrobe.folder() + "/" + member.id;
    config.log_level = LogLevel::Error;
    auto trust = wardrobe.trust_file(party);
    if (!trust) {
        return std::unexpected{trust.error()};
    }
    config.tls.trusted = *trust;
    config.tls.revoked = wardrobe.revoked();
    auto files = wardrobe.certificate(party, std::nullopt, crypto::KeyKind::EcdsaP256);
    if (!files) {
        return std::unexpected{files.error()};
    }
    config.tls.certificates = {*files};
    if (wants_client_certificates(plan, party)) {
        config.tls.clients = net::ClientCertificates::Required;
    }
    const auto listen = [&](bool v6) {
        for (std::size_t i = 0; i < member.listens.size(); ++i) {
            if (member.listens[i]) {
                const auto over = static_cast<Transport>(i);
                config.settings.listeners.push_back({over, places.of(member, over, v6), ""});
            }
        }
    };
    listen(member.ipv6);
    if (member.both_families) {
        listen(true);
    }
    std::set<std::string> known;
    const auto add_user = [&](const play::Member& phone) {
        auto& domains = config.settings.domains;
        auto domain = std::ranges::find(domains, phone.domain, &server::Domain::name);
        if (domain == domains.end()) {
            domains.push_back({phone.domain, true, true, {}});
            domain = domains.end() - 1;
        }
        auto user = make_user(phone.login, phone.domain, phone.password);
        if (known.insert(phone.login + "@" + phone.domain).second) {
            domain->users.push_back(std::move(user));
        }
    };
    for (const auto other : neighbours(plan, party)) {
        if (cast.members[other].actor) {
            add_user(cast.members[other]);
            for (const auto& more : others) {
                add_user(more.members[other]);
            }
        }
    }
    // Its own name too: an OPTIONS for it is answered here.
    for (const auto& own : {member.domain, member.name}) {
        auto& domains = config.settings.domains;
        if ((domains.empty() || own == member.name) &&
            std::ranges::find(domains, own, &server::Domain::name) == domains.end()) {
            domains.push_back({own, true, true, {}});
        }
    }
    config.settings.timer_c = seconds(181);
    config.settings.trying = {}; // a flow may draw it
    return config;
}

std::expected<void, std::string> Embedded::start(const script::Plan& plan, play::Cast& cast,
                                                 Wardrobe& wardrobe, const Places& places,
                                                 const std::vector<play::Cast>& others) {
    std::vector<std::pair<PartyId, Config>> started;
    for (PartyId party = 0; party < cast.members.size(); ++party) {
        auto& member = cast.members[party];
        if (member.control != Control::Embedded) {
            continue;
        }
        auto config = config_of(plan, cast, party, wardrobe, places, others);
        if (!config) {
            return std::unexpected{config.error()};
        }
        host::OnReached told;
        if (on_reached_) {
            told = [this, party](const Reached& reached) { on_reached_(party, reached); };
        }
        auto service = Service::start(*config, log_, nullptr, std::move(told));
        if (!service) {
            return std::unexpected{member.id + ": " + service.error()};
        }
        for (const auto& listener : (*service)->listeners()) {
            auto& at = listener.at.address.is_v4() || member.ipv6 ? member.at : member.at6;
            at[static_cast<std::size_t>(listener.transport)] = listener.at;
        }
        services_.push_back(std::move(*service));
        started.emplace_back(party, std::move(*config));
    }
    // By now all of them are reached somewhere: what is another one's goes there.
    for (std::size_t i = 0; i < started.size() && started.size() > 1; ++i) {
        auto& [party, config] = started[i];
        for (const auto& [other, theirs] : started) {
            const auto over = cast.transport(party, other);
            const auto& at = cast.members[other].at[static_cast<std::size_t>(over)];
            if (other == party || !at) {
                continue;
            }
            for (const auto& domain : theirs.settings.domains) {
                const bool own = std::ranges::any_of(
                    config.settings.domains, [&](const auto& d) { return d.name == domain.name; });
                if (!own) {
                    server::Trunk trunk;
                    trunk.domain = domain.name;
                    trunk.next_hop = "sip:" + to_string(*at) + transport_param(over);
                    trunk.require_tls = sip::is_secure(over);
                    trunk.identity = cast.members[other].name;
                    config.settings.trunks.push_back(std::move(trunk));
                }
            }
        }
        config.tls.clients = net::ClientCertificates::Optional;
        if (auto done = services_[i]->reload(config); !done) {
            return std::unexpected{cast.members[party].id + ": " + done.error()};
        }
    }
    return {};
}

} // namespace cw::host
