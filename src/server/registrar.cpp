#include "server/registrar.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "server/address_of_record.hpp"
#include "server/contacts.hpp"
#include "sip/check.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::server {
namespace {

constexpr std::array<std::string_view, 3> supported{"path", "outbound", "gruu"};

// One REGISTER on its way through the steps of RFC 3261 §10.3.
class Registration {
  public:
    Registration(Core& core, const Incoming& in, const DomainEntry& domain)
        : core_(core), in_(in), domain_(domain), settings_(core.directory->settings()) {}

    void run() {
        if (options() && address() && authentic() && wishes() && path() && outbound() && order()) {
            update();
            answer();
        }
    }

  private:
    // Each returns false when it has answered.
    bool options();
    bool address();
    bool authentic();
    bool wishes();
    bool path();
    bool outbound();
    bool order();
    void update();
    void answer();

    bool refuse(std::uint16_t status, std::string_view reason = {}, std::string_view headers = {}) {
        core_.answer(in_, {.status = status, .reason = reason, .headers = headers});
        return false;
    }
    [[nodiscard]] std::string key_of(const ContactAsked& contact) const;
    [[nodiscard]] bool by_flow(const ContactAsked& contact) const {
        return outbound_ && contact.reg_id != 0 && !contact.instance.empty();
    }
    void change(std::string key, std::int64_t expires_ns, std::string data);
    void store(const ContactAsked& contact, const std::string& key);
    [[nodiscard]] bool uses_wire(const ContactAsked& contact) const;
    [[nodiscard]] std::int64_t since(const ContactAsked& contact) const;
    void append_contact(std::string& out, const Location::Record& record) const;
    void append_gruus(std::string& out, const Binding& binding) const;

    Core& core_;
    const Incoming& in_;
    const DomainEntry& domain_;
    const Settings& settings_;
    std::string aor_;
    std::string path_;
    std::uint32_t cseq_ = 0;
    bool outbound_ = false; // by RFC 5626
    RegistrationAsked asked_;
    std::vector<std::string> keys_; // of asked_.contacts
};

bool Registration::options() {
    if (const auto unknown =
            sip::unsupported_option(in_.message, sip::HeaderId::Require, supported);
        !unknown.empty()) {
        return refuse(420, {}, fmt::format("Unsupported: {}\r\n", unknown));
    }
    return true;
}

bool Registration::address() {
    const auto& to = in_.values.to;
    if (!to || (to->uri.scheme != sip::Scheme::Sip && to->uri.scheme != sip::Scheme::Sips)) {
        return refuse(400, "No Address Of Record"); // [RFC 4475 §3.3.4]
    }
    if (core_.directory->find_domain(to->uri.host) != &domain_ || !to->uri.has_user) {
        return refuse(404);
    }
    aor_ = address_of_record(to->uri);
    if (const auto cseq = sip::parse_cseq(in_.message.value(sip::HeaderId::CSeq))) {
        cseq_ = cseq->number;
    }
    return true;
}

bool Registration::authentic() {
    const auto& to = in_.values.to;
    const auto name = user_name(to->uri);
    if (!domain_.domain->authenticate) {
        return domain_.find_user(name) != nullptr || domain_.users.empty() || refuse(404);
    }
    const auto checked = core_.authenticator.check(in_, sip::HeaderId::Authorization, domain_);
    switch (checked.verdict) {
    case Authenticator::Verdict::Good:
        break;
    case Authenticator::Verdict::Wrong:
        ++core_.counters.rejected_credentials;
        Core::log(in_, LogLevel::Warning, "credentials refused", fmt::format("aor={}", aor_));
        [[fallthrough]];
    case Authenticator::Verdict::Missing:
    case Authenticator::Verdict::Stale:
        core_.challenge(in_, sip::HeaderId::Authorization, domain_, domain_.find_user(name),
                        checked.verdict == Authenticator::Verdict::Stale);
        return false;
    }
    if (checked.user->name != name) {
        // "determine if the authenticated user is authorized to modify registrations for this
        // address-of-record" [RFC 3261 §10.3 item 4]
        ++core_.counters.forbidden;
        Core::log(in_, LogLevel::Warning, "registration of somebody else refused",
                  fmt::format("user={} aor={}", checked.user->name, aor_));
        return refuse(403);
    }
    return true;
}

bool Registration::wishes() {
    asked_ = read_contacts(in_, settings_);
    if (asked_.status == 423) {
        return refuse(423, {}, fmt::format("Min-Expires: {}\r\n", settings_.minimum_expires_s));
    }
    return asked_.status == 200 || refuse(asked_.status, asked_.why);
}

bool Registration::path() {
    if (!in_.message.has(sip::HeaderId::Path)) {
        return true;
    }
    // "The recommended policy is for the registrar to reject the request with a 420 [...] response
    // indicating the Path extension" [RFC 3327 §5.3]
    if (!sip::list_has(in_.message, sip::HeaderId::Supported, "path")) {
        return refuse(420, {}, "Unsupported: path\r\n");
    }
    sip::ValueCursor values{in_.message, sip::HeaderId::Path};
    while (const auto value = values.next()) {
        path_ += path_.empty() ? "" : ", ";
        path_ += *value;
        if (path_.size() > longest_path || !sip::parse_name_addr(*value)) {
            return refuse(400, "Bad Path");
        }
    }
    return true;
}

// [RFC 5626 §6]
bool Registration::outbound() {
    const auto wants_flow = [](const ContactAsked& c) {
        return c.reg_id != 0 && !c.instance.empty();
    };
    if (std::ranges::none_of(asked_.contacts, wants_flow)) {
        return true;
    }
    if (in_.via.more || in_.message.repeated(sip::HeaderId::Via)) { // not the first hop
        const auto first = sip::parse_name_addr(path_);
        if (!first || !sip::find_param(first->uri.params, "ob")) {
            return !sip::list_has(in_.message, sip::HeaderId::Supported, "outbound") || refuse(439);
        }
    }
    outbound_ = true;
    const auto added = std::ranges::count_if(
        asked_.contacts, [](const ContactAsked& c) { return c.expires_s != 0; });
    return added <= 1 || refuse(400, "More Than One Flow");
}

std::string Registration::key_of(const ContactAsked& contact) const {
    if (by_flow(contact)) {
        return fmt::format("{}#{}", contact.instance, contact.reg_id);
    }
    // "For each address, the registrar then searches the list of current bindings using the URI
    // comparison rules." [RFC 3261 §10.3 item 7]
    const auto asked = sip::parse_uri(contact.uri);
    for (const auto* record = core_.location.first(aor_); record != nullptr;
         record = core_.location.next(*record)) {
        const auto binding = decode(record->data);
        const auto uri = sip::parse_uri(binding ? binding->uri : std::string_view{});
        if (binding && binding->reg_id == 0 &&
            (binding->uri == contact.uri || (asked && uri && sip::same_uri(*asked, *uri)))) {
            return record->key;
        }
    }
    return std::string{contact.uri};
}

// Nothing is changed when any binding was made by a later request of the same Call-ID [RFC 3261
// §10.3 items 6, 7].
bool Registration::order() {
    const auto later = [this](const Location::Record* record) {
        const auto binding = record != nullptr ? decode(record->data) : std::nullopt;
        return binding && binding->call_id == in_.call_id() && binding->cseq >= cseq_;
    };
    std::size_t bindings = 0;
    for (const auto* record = core_.location.first(aor_); record != nullptr;
         record = core_.location.next(*record)) {
        ++bindings;
        if (asked_.star && later(record)) {
            return refuse(500, "CSeq Out Of Order");
        }
    }
    for (const auto& contact : asked_.contacts) {
        keys_.push_back(key_of(contact));
        const auto* record = core_.location.find(aor_, keys_.back());
        if (later(record)) {
            return refuse(500, "CSeq Out Of Order");
        }
        bindings += record == nullptr && contact.expires_s != 0 ? 1 : 0;
    }
    return bindings <= settings_.contacts_per_user || asked_.contacts.empty() ||
           refuse(403, "Too Many Contacts");
}

void Registration::change(std::string key, std::int64_t expires_ns, std::string data) {
    in_.out.location.push_back({aor_, std::move(key), expires_ns, std::move(data)});
    core_.location.apply(in_.out.location.back(), in_.now);
}

// Are requests for this contact to go back over the wire that it was registered on? Over a
// connection always: behind a NAT, or with a port that nobody listens on, there is no other way. A
// datagram's source counts when the phone says so by rport [RFC 3581 §4].
bool Registration::uses_wire(const ContactAsked& contact) const {
    if (in_.via.more || in_.message.repeated(sip::HeaderId::Via)) {
        return false; // the wire leads to a proxy
    }
    const auto uri = sip::parse_uri(contact.uri);
    const auto transport =
        uri ? sip::find_param(uri->params, "transport") : std::optional<std::string_view>{};
    if (in_.wire.transport == sip::Transport::Udp) {
        return in_.via.has_rport && (!transport || iequals(*transport, "udp"));
    }
    return !transport || !iequals(*transport, "udp");
}

// "If it differs from the one in the REGISTER request, the registrar MUST invalidate all previously
// generated temporary GRUUs for the AOR and instance ID." [RFC 5627 §5.1] They end with the last
// binding too [§5.3].
std::int64_t Registration::since(const ContactAsked& contact) const {
    std::int64_t since = in_.now.ns;
    std::int64_t newest = 0;
    for (const auto* record = core_.location.first(aor_); record != nullptr;
         record = core_.location.next(*record)) {
        const auto binding = decode(record->data);
        const bool same = binding && !contact.instance.empty() && record->expires > in_.now &&
                          binding->instance == contact.instance;
        if (!same) {
            continue;
        }
        if (binding->reg_id == (by_flow(contact) ? contact.reg_id : 0) &&
            binding->call_id != in_.call_id()) {
            return in_.now.ns;
        }
        newest = std::max(newest, binding->since_ns);
    }
    return newest != 0 ? newest : since;
}

void Registration::store(const ContactAsked& contact, const std::string& key) {
    Binding binding;
    binding.uri = contact.uri;
    binding.params = contact.params;
    binding.call_id = in_.call_id();
    binding.instance = contact.instance;
    binding.path = path_;
    binding.cseq = cseq_;
    binding.reg_id = by_flow(contact) ? contact.reg_id : 0;
    binding.q = contact.q;
    binding.over_wire = uses_wire(contact);
    const auto uri = sip::parse_uri(contact.uri);
    const auto address = uri ? sip::host_address(*uri) : std::nullopt;
    binding.direct =
        address && *address == in_.wire.remote.address && !in_.wire.remote.address.is_unspecified();
    binding.boot = core_.boot;
    binding.updated_ns = in_.now.ns;
    binding.since_ns = since(contact);
    binding.wire = in_.wire;
    std::string data;
    encode(binding, data);
    change(key, (in_.now + seconds(contact.expires_s)).ns, std::move(data));
}

void Registration::update() {
    if (asked_.star) {
        while (const auto* record = core_.location.first(aor_)) {
            change(record->key, 0, {});
        }
    }
    for (std::size_t i = 0; i < asked_.contacts.size(); ++i) {
        const auto& contact = asked_.contacts[i];
        if (contact.expires_s != 0) {
            store(contact, keys_[i]);
        } else if (core_.location.find(aor_, keys_[i]) != nullptr) {
            change(keys_[i], 0, {});
        }
    }
}

void Registration::append_contact(std::string& out, const Location::Record& record) const {
    const auto binding = decode(record.data);
    if (!binding) {
        return;
    }
    const auto left = (record.expires - in_.now).ns / 1'000'000'000;
    fmt::format_to(std::back_inserter(out), "Contact: <{}>{}", binding->uri, binding->params);
    if (binding->q != 1000) {
        fmt::format_to(std::back_inserter(out), ";q=0.{:03}", binding->q);
    }
    fmt::format_to(std::back_inserter(out), ";expires={}", left);
    if (settings_.gruu && !binding->instance.empty() &&
        sip::list_has(in_.message, sip::HeaderId::Supported, "gruu")) {
        append_gruus(out, *binding);
    }
    out += "\r\n";
}

// [RFC 5627 §5.2]; of a phone that is reached by SIPS, the SIPS version [RFC 5630 §5.2].
void Registration::append_gruus(std::string& out, const Binding& binding) const {
    const auto& to = in_.values.to;
    const auto* scheme = istarts_with(binding.uri, "sips:") ? "sips" : "sip";
    const LowerHost host{to->uri.host};
    // "<" and ">" do not stand in a URI [RFC 5627 §5.1].
    auto instance = binding.instance;
    instance.remove_prefix(instance.starts_with('<') ? 1 : 0);
    instance.remove_suffix(instance.ends_with('>') ? 1 : 0);
    fmt::format_to(std::back_inserter(out), ";pub-gruu=\"{}:{}@{};gr={}\"", scheme, to->uri.user,
                   host.text(), instance);
    std::string user;
    if (core_.gruus.append(
            user, {std::string{to->uri.user}, core_.gruus.instance_of(binding.instance), in_.now},
            host.text())) {
        fmt::format_to(std::back_inserter(out), ";temp-gruu=\"{}:{}@{};gr\"", scheme, user,
                       host.text());
    }
}

void Registration::answer() {
    std::string headers;
    for (const auto* record = core_.location.first(aor_); record != nullptr;
         record = core_.location.next(*record)) {
        append_contact(headers, *record);
    }
    if (!path_.empty()) {
        headers += fmt::format("Path: {}\r\n", path_);
    }
    if (!settings_.service_route.empty() && !asked_.contacts.empty()) {
        headers += fmt::format("Service-Route: {}\r\n", settings_.service_route);
    }
    // Note: not gruu [RFC 5627 §5.2].
    headers += "Supported: path, outbound\r\n";
    if (outbound_ && sip::list_has(in_.message, sip::HeaderId::Supported, "outbound")) {
        headers += "Require: outbound\r\n";
    }
    ++core_.counters.registrations;
    core_.answer(in_, {.status = 200, .headers = headers});
}

} // namespace

void Registrar::on_register(const Incoming& in, const DomainEntry& domain) {
    Registration{core_, in, domain}.run();
}

} // namespace cw::server
