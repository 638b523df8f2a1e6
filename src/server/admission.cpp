#include "server/admission.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "server/address_of_record.hpp"
#include "sip/name_addr.hpp"

namespace cw::server {
namespace {

bool contains(std::span<const std::string> domains, std::string_view domain) {
    return std::ranges::any_of(domains, [domain](const auto& d) { return iequals(d, domain); });
}

// Is the other end this trunk? By its certificate; without TLS by the address in next_hop.
bool is_trunk(const Trunk& trunk, const Incoming& in) {
    if (contains(in.peer_domains, trunk.identity.empty() ? trunk.domain : trunk.identity)) {
        return true;
    }
    if (trunk.require_tls) {
        return false;
    }
    const auto uri = sip::parse_uri(trunk.next_hop);
    const auto address = uri ? sip::host_address(*uri) : std::nullopt;
    return address && *address == in.wire.remote.address;
}

bool speaks_for(const Trunk& trunk, std::string_view domain) {
    return iequals(trunk.domain, domain) || contains(trunk.from_domains, domain);
}

// An identity that is hidden on purpose [RFC 3323 §4.1.1.3].
bool is_anonymous(std::string_view host) {
    return iequals(host, "anonymous.invalid");
}

Sender forbid(Core& core, const Incoming& in, const char* why, std::string_view from) {
    ++core.counters.forbidden;
    Core::log(in, LogLevel::Warning, why,
              fmt::format("from={} source={}", from, to_string(in.wire.remote)));
    core.answer(in, {.status = 403});
    return Sender::Nobody;
}

// A user of ours. ACK and CANCEL are never asked [RFC 3261 §22.1].
Sender admit_user(Core& core, const Incoming& in, const DomainEntry& domain,
                  const sip::NameAddr& from) {
    if (!domain.domain->authenticate) {
        return Sender::Open;
    }
    const auto checked = core.authenticator.check(in, sip::HeaderId::ProxyAuthorization, domain);
    if (checked.verdict != Authenticator::Verdict::Good) {
        if (checked.verdict == Authenticator::Verdict::Wrong) {
            ++core.counters.rejected_credentials;
            Core::log(in, LogLevel::Warning, "credentials refused",
                      fmt::format("from={}", from.uri_text));
        }
        core.challenge(in, sip::HeaderId::ProxyAuthorization, domain,
                       domain.find_user(user_name(from.uri)),
                       checked.verdict == Authenticator::Verdict::Stale);
        return Sender::Nobody;
    }
    const bool hidden = is_anonymous(from.uri.host);
    if (!hidden && (checked.user->name != user_name(from.uri))) {
        return forbid(core, in, "From is not the user who authenticated", from.uri_text);
    }
    return Sender::User;
}

} // namespace

Sender admit(Core& core, const Incoming& in, const Route& route) {
    if (route.from_its_flow && in.in_dialog()) {
        return Sender::Dialog;
    }
    const auto& from = in.values.from;
    if (!from) {
        return Sender::Nobody; // check() has seen to it that there is one
    }
    const auto& directory = *core.directory;
    if (const auto* domain = directory.find_domain(from->uri.host)) {
        return admit_user(core, in, *domain, *from);
    }
    const auto& settings = directory.settings();
    for (const auto& trunk : settings.trunks) {
        if (trunk.inbound && is_trunk(trunk, in) && speaks_for(trunk, from->uri.host)) {
            return Sender::Trunk;
        }
    }
    if (route.sealed && in.in_dialog() && !in.peer_domains.empty()) {
        return Sender::Dialog;
    }
    if (settings.federation && contains(in.peer_domains, from->uri.host)) {
        return Sender::Peer;
    }
    if (is_anonymous(from->uri.host) && in.peer_domains.empty() && !settings.domains.empty()) {
        return admit_user(core, in, *directory.find_domain(settings.domains.front().name), *from);
    }
    return forbid(core, in, "From is of a domain that the sender cannot prove", from->uri_text);
}

} // namespace cw::server
