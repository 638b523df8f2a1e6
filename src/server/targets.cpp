#include "server/targets.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/hash.hpp"
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
    std::optional<Target> other_way(const Target& failed, std::span<const std::uint64_t> tried);

  private:
    using Bindings = std::vector<Binding>;

    void by_flow();
    void by_route();
    void by_location(const DomainEntry& domain);
    void abroad();
    void by_maddr();
    [[nodiscard]] Bindings bindings_of(const sip::Uri& user) const;
    [[nodiscard]] Bindings bindings_of_temporary(const TemporaryGruu& gruu,
                                                 std::string_view host) const;
    [[nodiscard]] Bindings all_bindings(std::string_view aor) const;
    [[nodiscard]] std::optional<Target> target_of(const Binding& binding,
                                                  std::span<const std::uint64_t> tried = {}) const;
    [[nodiscard]] int nearness(const Binding& binding, const Target& failed) const;
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
        const std::array<std::uint64_t, 1> gone{target.way()};
        if (auto other = other_way(target, gone)) {
            targets_.all.push_back(std::move(*other));
        } else {
            refuse(status_of_gone_flow(in_));
        }
        return;
    }
    if (const auto* place = directory_.place(route_.flow.place)) {
        target.wire->local = place->listener->at;
    }
    if (sip::find_param(uri_.params, "gr") && directory_.find_domain(uri_.host) != nullptr) {
        // "the Request-URI will be rewritten with the registered contacts [...]. This is the case
        // for both out-of-dialog requests targeted to the GRUU, and mid-dialog requests" [RFC 5627
        // §6.1]
        if (const auto bindings = bindings_of(uri_); !bindings.empty()) {
            target.uri = bindings.front().uri;
        }
    }
    targets_.all.push_back(std::move(target));
}

// What the certificate of the other end may say besides the host of the URI that leads there:
// within a dialog the domain of the other party, for a Contact is often a bare address.
std::string Finder::peer_identity() const {
    const auto& to = in_.values.to;
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

// "If the Request-URI of the request contains an maddr parameter, the Request-URI MUST be placed
// into the target set as the only target URI" [RFC 3261 §16.5]. One that names us read_route() has
// taken away.
void Finder::by_maddr() {
    if (!may_leave()) {
        refuse(403);
        return;
    }
    Target target;
    target.uri = route_.request_uri;
    target.next = route_.request_uri;
    target.secure = uri_.scheme == sip::Scheme::Sips;
    targets_.all.push_back(std::move(target));
}

// Nothing where this binding is of no use for this request, or has been tried.
std::optional<Target> Finder::target_of(const Binding& binding,
                                        std::span<const std::uint64_t> tried) const {
    Target target;
    target.uri = binding.uri;
    target.q = binding.q;
    target.instance = binding.instance.empty() ? 0 : hash_bytes(binding.instance);
    const bool sips_contact = istarts_with(binding.uri, "sips:");
    if (uri_.scheme == sip::Scheme::Sips) {
        if (!sips_contact) {
            return std::nullopt; // no downgrade [RFC 5630 §5.3]
        }
        target.secure = true;
    } else if (sips_contact) {
        // No upgrade half way, and yet "The proxy MUST use TLS to forward the request to the UAS"
        // [RFC 5630 §5.3].
        target.uri.erase(3, 1);
        target.secure = true;
    }
    const auto is_new = [&] { return std::ranges::find(tried, target.way()) == tried.end(); };
    if (!binding.path.empty()) {
        target.route = binding.path;
        const auto first = sip::parse_name_addr(binding.path);
        target.next = first ? first->uri_text : std::string_view{};
        return is_new() ? std::optional{std::move(target)} : std::nullopt;
    }
    if (binding.over_wire && (!binding.wire.reliable() || binding.boot == core_.boot)) {
        target.wire = binding.wire;
        if (is_new()) {
            return target;
        }
        target.wire.reset();
    }
    if (binding.over_wire && (!binding.direct || binding.reg_id != 0)) {
        return std::nullopt; // over a connection that is gone, which nobody can open from here
    }
    target.next = binding.uri;
    return is_new() ? std::optional{std::move(target)} : std::nullopt;
}

// Those of one address of record, the one that was refreshed last first.
Finder::Bindings Finder::all_bindings(std::string_view aor) const {
    Bindings bindings;
    for (const auto* record = core_.location.first(aor); record != nullptr;
         record = core_.location.next(*record)) {
        if (const auto binding = decode(record->data); binding && record->expires > in_.now) {
            bindings.push_back(*binding);
        }
    }
    std::ranges::stable_sort(
        bindings, [](const auto& a, const auto& b) { return a.updated_ns > b.updated_ns; });
    return bindings;
}

// A GRUU means one instance alone [RFC 5627 §6.1].
Finder::Bindings Finder::bindings_of(const sip::Uri& user) const {
    const auto gr = sip::find_param(user.params, "gr");
    if (gr && gr->empty()) {
        const auto gruu = core_.gruus.open(user.user, LowerHost{user.host}.text());
        return gruu ? bindings_of_temporary(*gruu, user.host) : Bindings{};
    }
    auto bindings = all_bindings(address_of_record(user));
    if (gr) {
        std::erase_if(bindings, [&](const Binding& binding) {
            auto instance = binding.instance;
            instance.remove_prefix(instance.starts_with('<') ? 1 : 0);
            instance.remove_suffix(instance.ends_with('>') ? 1 : 0);
            return instance != *gr;
        });
    }
    return bindings;
}

// All of its instance, unless it is older than one of them allows [RFC 5627 §5.1, §5.3].
Finder::Bindings Finder::bindings_of_temporary(const TemporaryGruu& gruu,
                                               std::string_view host) const {
    auto bindings = all_bindings(address_of_record(gruu.user, host));
    std::erase_if(bindings, [&](const Binding& binding) {
        return binding.instance.empty() ||
               core_.gruus.instance_of(binding.instance) != gruu.instance;
    });
    if (std::ranges::any_of(bindings,
                            [&](const Binding& b) { return b.since_ns > gruu.made.ns; })) {
        bindings.clear();
    }
    return bindings;
}

void Finder::by_location(const DomainEntry& domain) {
    targets_.local = true;
    const auto bindings = bindings_of(uri_);
    for (const auto& binding : bindings) {
        auto target = target_of(binding);
        // "The proxy MUST NOT populate the target set with more than one contact with the same AOR
        // and instance-id at a time." [RFC 5626 §7]
        const auto same = [&](const Target& other) {
            return other.instance != 0 && other.instance == target->instance;
        };
        if (target && std::ranges::none_of(targets_.all, same)) {
            targets_.all.push_back(std::move(*target));
        }
    }
    std::ranges::stable_sort(targets_.all,
                             [](const Target& a, const Target& b) { return a.q > b.q; });
    if (!targets_.all.empty()) {
        return;
    }
    if (!bindings.empty() && uri_.scheme == sip::Scheme::Sips) {
        refuse(480);
        targets_.headers = fmt::format("Warning: 380 {} \"SIPS Not Allowed\"\r\n",
                                       domain.domain->name); // [RFC 5630 §5.3]
        return;
    }
    // A temporary GRUU that is good has bindings; any other names nobody [RFC 5627 §6.1].
    const auto gr = sip::find_param(uri_.params, "gr");
    const bool known = (domain.domain->users.empty() && !(gr && gr->empty())) ||
                       domain.find_user(user_name(uri_)) != nullptr;
    refuse(known || !bindings.empty() ? 480 : 404);
}

// How sure it is that a binding is of the phone that was meant; 0: it is not.
int Finder::nearness(const Binding& binding, const Target& failed) const {
    if (failed.instance != 0) {
        return binding.instance.empty() || hash_bytes(binding.instance) != failed.instance ? 0 : 3;
    }
    const auto contact = sip::parse_uri(binding.uri);
    if (!contact || contact->user != uri_.user || !iequals(contact->host, uri_.host)) {
        return 0;
    }
    return contact->port == uri_.port ? 2 : 1; // a new connection often brings a new port
}

std::optional<Target> Finder::other_way(const Target& failed,
                                        std::span<const std::uint64_t> tried) {
    if (const auto r = sip::parse_uri(in_.in_dialog() ? route_.request_uri : failed.uri, uri_);
        !r) {
        return std::nullopt;
    }
    const auto& to = in_.values.to;
    const auto& asked = in_.values.request_uri;
    const auto* user = in_.in_dialog() ? (to ? &to->uri : nullptr) : (asked ? &*asked : nullptr);
    if (user == nullptr || directory_.find_domain(user->host) == nullptr) {
        return std::nullopt;
    }
    const auto bindings = bindings_of(*user);
    const auto* nearest = static_cast<const Binding*>(nullptr);
    for (const auto& binding : bindings) {
        if (const auto near = nearness(binding, failed);
            near > 0 && (nearest == nullptr || near > nearness(*nearest, failed)) &&
            target_of(binding, tried)) {
            nearest = &binding;
        }
    }
    // Within a dialog its only phone will do, whatever its contact is by now.
    const auto of_first = [&](const Binding& b) {
        return !b.instance.empty() && b.instance == bindings.front().instance;
    };
    if (nearest == nullptr && failed.instance == 0 && in_.in_dialog() && !bindings.empty() &&
        std::ranges::all_of(bindings, of_first)) {
        nearest = &bindings.front();
    }
    auto target = nearest != nullptr ? target_of(*nearest, tried) : std::nullopt;
    if (target && in_.in_dialog()) {
        target->uri = route_.request_uri; // what its dialog knows it by
    }
    return target;
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
    if (!route_.uri) {
        refuse(400);
        return std::move(targets_);
    }
    uri_ = *route_.uri;
    if (route_.sealed && route_.flow.wire) {
        by_flow();
    } else if (!route_.next.empty()) {
        by_route();
    } else if (sip::find_param(uri_.params, "maddr")) {
        by_maddr();
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

std::uint64_t Target::way() const {
    if (!wire) {
        return hash_bytes(next, hash_bytes(route));
    }
    return mix_hash(mix_hash(std::uint64_t{wire->shard} << 8 | std::to_underlying(wire->transport),
                             std::uint64_t{wire->generation} << 32 | wire->connection),
                    wire->reliable() ? 0 : hash_value(wire->remote));
}

std::uint16_t status_of_gone_flow(const Incoming& in) {
    // "If the flow no longer exists, the proxy SHOULD send a 430 (Flow Failed) response" [RFC 5626
    // §5.3.1]; "Endpoints should never receive a 430 response." [§11.5]
    return in.via.more || in.message.repeated(sip::HeaderId::Via) ? 430 : 480;
}

Targets find_targets(const Core& core, const Incoming& in, const Route& route, Sender sender) {
    return Finder{core, in, route, sender}.run();
}

std::optional<Target> find_other_way(const Core& core, const Incoming& in, const Route& route,
                                     const Target& failed, std::span<const std::uint64_t> tried) {
    return Finder{core, in, route, Sender::Dialog}.other_way(failed, tried);
}

} // namespace cw::server
