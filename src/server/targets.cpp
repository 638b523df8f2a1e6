#include "server/targets.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "server/address_of_record.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::server {
namespace {

class Finder {
  public:
    Finder(const Core& core, const Incoming& in, const Route& route, Sender sender)
        : core_(core), directory_(*core.directory), in_(in), route_(route), sender_(sender) {}

    Targets run();

  private:
    void by_flow();
    void by_route();
    void by_location(const DomainEntry& domain);
    void abroad();
    void add_binding(const Binding& binding);
    void refuse(std::uint16_t status, std::string_view why = {}) {
        targets_.status = status;
        targets_.why = why;
    }
    // Another domain may send to our users, not through us to anybody else.
    [[nodiscard]] bool may_leave() const {
        return sender_ == Sender::User || sender_ == Sender::Open || sender_ == Sender::Dialog;
    }
    [[nodiscard]] std::string peer_identity() const;

    const Core& core_;
    const Directory& directory_;
    const Incoming& in_;
    const Route& route_;
    Sender sender_;
    sip::Uri uri_;
    Targets targets_;
};

void Finder::by_flow() {
    Target target;
    target.uri = route_.request_uri;
    target.wire = *route_.flow.wire;
    target.secure = uri_.scheme == sip::Scheme::Sips;
    if (route_.flow.earlier_start) {
        // [RFC 5626 §5.3.1]: the flow of the token is no more
        refuse(430);
        return;
    }
    if (const auto* place = directory_.place(route_.flow.place)) {
        target.wire->local = place->listener->at;
    }
    targets_.all.push_back(std::move(target));
}

// What the certificate of the other end may say besides the host of the URI that leads there:
// within a dialog the domain of the other party, for a Contact is often a bare address.
std::string Finder::peer_identity() const {
    const auto to = sip::parse_name_addr(in_.message.value(sip::HeaderId::To));
    if (!to || directory_.find_domain(to->uri.host) != nullptr) {
        const auto* trunk = directory_.default_trunk();
        return trunk != nullptr ? trunk->identity : std::string{};
    }
    const auto* trunk = directory_.find_trunk(to->uri.host);
    return trunk != nullptr && !trunk->identity.empty()
               ? trunk->identity
               : std::string{LowerHost{to->uri.host}.text()};
}

void Finder::by_route() {
    if (!may_leave()) {
        refuse(403);
        return;
    }
    Target target;
    target.uri = route_.request_uri;
    target.next = route_.next;
    target.identity = sender_ == Sender::Dialog ? peer_identity() : std::string{};
    target.secure = uri_.scheme == sip::Scheme::Sips;
    targets_.all.push_back(std::move(target));
}

void Finder::add_binding(const Binding& binding) {
    Target target;
    target.uri = binding.uri;
    target.q = binding.q;
    const bool sips_contact = istarts_with(binding.uri, "sips:");
    if (uri_.scheme == sip::Scheme::Sips) {
        if (!sips_contact) {
            return; // no downgrade [RFC 5630 §5.3]
        }
        target.secure = true;
    } else if (sips_contact) {
        // No upgrade half way, and yet "The proxy MUST use TLS to forward the request to the UAS"
        // [RFC 5630 §5.3].
        target.uri.erase(3, 1);
        target.secure = true;
    }
    if (!binding.path.empty()) {
        target.route = binding.path;
        const auto first = sip::parse_name_addr(binding.path);
        target.next = first ? first->uri_text : std::string_view{};
    } else if (binding.over_wire && (!binding.wire.reliable() || binding.boot == core_.boot)) {
        target.wire = binding.wire;
    } else if (binding.over_wire && !binding.direct) {
        return; // over a connection of an earlier start, which nobody can open from here
    } else {
        target.next = binding.uri;
    }
    targets_.all.push_back(std::move(target));
}

void Finder::by_location(const DomainEntry& domain) {
    const auto name = user_name(uri_);
    const bool known = domain.domain->users.empty() || domain.find_user(name) != nullptr;
    targets_.local = true;
    const auto aor = address_of_record(uri_);
    const auto gr = sip::find_param(uri_.params, "gr");
    bool any = false;
    std::vector<std::pair<Binding, const Location::Record*>> bindings;
    for (const auto* record = core_.location.first(aor); record != nullptr;
         record = core_.location.next(*record)) {
        const auto binding = decode(record->data);
        if (!binding || record->expires <= in_.now) {
            continue;
        }
        // A GRUU means one instance [RFC 5627 §5.2].
        auto instance = binding->instance;
        instance.remove_prefix(instance.starts_with('<') ? 1 : 0);
        instance.remove_suffix(instance.ends_with('>') ? 1 : 0);
        if (gr && instance != *gr) {
            continue;
        }
        any = true;
        bindings.emplace_back(*binding, record);
    }
    // "The proxy MUST NOT populate the target set with more than one contact with the same AOR and
    // instance-id at a time." [RFC 5626 §7]: the one that was refreshed last.
    std::ranges::sort(bindings, [](const auto& a, const auto& b) {
        return a.first.updated_ns > b.first.updated_ns;
    });
    for (auto at = bindings.begin(); at != bindings.end(); ++at) {
        const auto same = [&](const auto& b) {
            return !b.first.instance.empty() && b.first.instance == at->first.instance;
        };
        if (std::none_of(bindings.begin(), at, same)) {
            add_binding(at->first);
        }
    }
    std::ranges::stable_sort(targets_.all,
                             [](const Target& a, const Target& b) { return a.q > b.q; });
    if (!targets_.all.empty()) {
        return;
    }
    if (any && uri_.scheme == sip::Scheme::Sips) {
        refuse(480);
        targets_.headers = fmt::format("Warning: 380 {} \"SIPS Not Allowed\"\r\n",
                                       domain.domain->name); // [RFC 5630 §5.3]
        return;
    }
    refuse(known || any ? 480 : 404);
}

void Finder::abroad() {
    if (!may_leave()) {
        refuse(sender_ == Sender::Nobody ? 403 : 404);
        return;
    }
    Target target;
    target.uri = route_.request_uri;
    target.secure = uri_.scheme == sip::Scheme::Sips;
    const bool is_sip = uri_.scheme == sip::Scheme::Sip || uri_.scheme == sip::Scheme::Sips;
    const auto* trunk = is_sip ? directory_.find_trunk(uri_.host) : nullptr;
    // A user who authenticated may also be within a dialog that was set up through us: our seal in
    // its Route is for this Call-ID.
    const bool within = sender_ == Sender::Dialog || (route_.sealed && in_.in_dialog());
    if (within && trunk == nullptr && is_sip) {
        target.next = route_.request_uri; // the Contact of the other party
        target.identity = peer_identity();
    } else if (trunk == nullptr && is_sip && directory_.settings().federation) {
        target.next = route_.request_uri;
        target.secure = true;
        target.identity = LowerHost{uri_.host}.text();
    } else {
        trunk = trunk != nullptr ? trunk : directory_.default_trunk();
        if (trunk == nullptr) {
            refuse(404, "No Route To That Domain");
            return;
        }
        target.next = !trunk->next_hop.empty() ? trunk->next_hop : "sip:" + trunk->domain;
        target.identity = !trunk->identity.empty() ? trunk->identity
                          : trunk->domain != "*"   ? trunk->domain
                                                   : std::string{};
        target.secure = target.secure || trunk->require_tls;
    }
    targets_.all.push_back(std::move(target));
}

Targets Finder::run() {
    if (const auto r = sip::parse_uri(route_.request_uri, uri_); !r) {
        refuse(400);
        return std::move(targets_);
    }
    if (route_.sealed && route_.flow.wire) {
        by_flow();
    } else if (!route_.next.empty()) {
        by_route();
    } else if (const auto* domain = directory_.find_domain(uri_.host);
               domain != nullptr && uri_.scheme != sip::Scheme::Tel) {
        if (uri_.user.empty()) {
            refuse(404);
        } else {
            by_location(*domain);
        }
    } else if (directory_.is_listener(uri_)) {
        refuse(404);
    } else {
        abroad();
    }
    return std::move(targets_);
}

} // namespace

Targets find_targets(const Core& core, const Incoming& in, const Route& route, Sender sender) {
    return Finder{core, in, route, sender}.run();
}

} // namespace cw::server
