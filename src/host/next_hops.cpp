#include "host/next_hops.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/text.hpp"
#include "sip/params.hpp"

namespace cw::host {
namespace {

using sip::Transport;

constexpr std::uint16_t port_of(Transport transport) {
    return sip::is_secure(transport) ? 5061 : 5060;
}

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), ascii_lower);
    if (out.ends_with('.')) {
        out.pop_back();
    }
    return out;
}

// A transport parameter; nothing for one that no request of ours can go by.
std::optional<Transport> named_transport(std::string_view name) {
    for (const auto transport : {Transport::Udp, Transport::Tcp, Transport::Tls}) {
        if (iequals(name, sip::to_string(transport))) {
            return transport;
        }
    }
    return std::nullopt;
}

// [RFC 3263 §4.1]
std::optional<Transport> service_transport(std::string_view service) {
    if (iequals(service, "SIPS+D2T")) {
        return Transport::Tls;
    }
    if (iequals(service, "SIP+D2T")) {
        return Transport::Tcp;
    }
    if (iequals(service, "SIP+D2U")) {
        return Transport::Udp;
    }
    return std::nullopt;
}

std::string srv_name(Transport transport, const std::string& host) {
    if (transport == Transport::Tls) {
        return "_sips._tcp." + host;
    }
    return (transport == Transport::Tcp ? "_sip._tcp." : "_sip._udp.") + host;
}

} // namespace

bool Abilities::can(Transport transport) const {
    switch (transport) {
    case Transport::Udp:
        return udp;
    case Transport::Tcp:
        return tcp;
    case Transport::Tls:
        return tls;
    case Transport::Ws:
    case Transport::Wss:
    case Transport::Sctp:
    case Transport::Hep:
        return false;
    }
    return false;
}

NextHops::NextHops(std::string_view uri, bool secure, const Abilities& abilities, Random random)
    : abilities_(abilities), random_(std::move(random)), secure_(secure) {
    const auto parsed = sip::parse_uri(uri);
    if (!parsed || (parsed->scheme != sip::Scheme::Sip && parsed->scheme != sip::Scheme::Sips)) {
        give_up("not a SIP URI");
        return;
    }
    begin(*parsed);
}

void NextHops::begin(const sip::Uri& uri) {
    secure_ = secure_ || uri.scheme == sip::Scheme::Sips;
    domain_ = lower(uri.host);
    // [RFC 3263 §4] maddr takes the place of the host, as TARGET.
    const auto maddr = sip::find_param(uri.params, "maddr");
    host_ = maddr && !maddr->empty() ? lower(*maddr) : domain_;
    port_ = uri.port;
    transport_ = secure_ ? Transport::Tls : Transport::Udp;
    if (const auto name = sip::find_param(uri.params, "transport")) {
        auto transport = named_transport(*name);
        // [RFC 3261 §26.2.2] With sips, "transport=tcp" means TLS over TCP, and UDP cannot be.
        if (secure_ && transport == Transport::Tcp) {
            transport = Transport::Tls;
        }
        if (!transport || (secure_ && transport != Transport::Tls)) {
            give_up("a transport that cannot be used for this URI");
            return;
        }
        transport_ = *transport;
        chosen_ = true;
    }
    // [RFC 3263 §4.1, §4.2] A numeric host is where it says; with a port, only its addresses are
    // asked for.
    if (const auto address = IpAddress::parse(host_)) {
        add_hop(transport_, *address, port_ != 0 ? port_ : port_of(transport_));
        give_up("no transport for it");
        return;
    }
    if (port_ != 0) {
        default_target();
        return;
    }
    if (chosen_) {
        add_service(transport_, srv_name(transport_, host_));
        ask_services();
        return;
    }
    stage_ = Stage::Naptr;
    questions_ = {{RecordType::Naptr, host_}};
    answers_.assign(1, {});
    missing_ = 1;
}

void NextHops::give_up(const char* why) {
    why_ = why;
    stage_ = Stage::Done;
    questions_.clear();
}

void NextHops::answer(std::size_t question, Records records) {
    if (stage_ == Stage::Done || question >= answers_.size() || missing_ == 0) {
        return;
    }
    answers_[question] = std::move(records);
    if (--missing_ == 0) {
        advance();
    }
}

// Another question would change nothing, but take its time: whoever waits is told now. Silence is
// believed the second time, for some drop questions for NAPTR alone.
bool NextHops::hopeless() {
    if (stage_ == Stage::Naptr && answers_[0].no_such_name) {
        give_up("there is no such name");
        return true;
    }
    const bool silence = std::ranges::all_of(answers_, &Records::silent);
    if (silence && std::exchange(silence_, true)) {
        give_up("no DNS server answers");
        return true;
    }
    silence_ = silence;
    return false;
}

void NextHops::advance() {
    if (hopeless()) {
        return;
    }
    switch (stage_) {
    case Stage::Naptr:
        use_naptr();
        break;
    case Stage::Srv:
        use_srv();
        break;
    case Stage::Addresses:
        use_addresses();
        break;
    case Stage::Done:
        break;
    }
}

// [RFC 3263 §4.1] Records of services that we do not speak are discarded, and with sips those that
// are not secure. Those that are left are in order of order and preference.
void NextHops::use_naptr() {
    auto naptr = std::move(answers_[0].naptr);
    std::ranges::stable_sort(naptr, {},
                             [](const Naptr& r) { return std::pair{r.order, r.preference}; });
    for (auto& record : naptr) {
        const auto transport = service_transport(record.service);
        if (transport && iequals(record.flags, "s")) {
            add_service(*transport, lower(record.replacement));
        }
    }
    if (services_.empty()) {
        default_services();
    }
    ask_services();
}

void NextHops::add_service(Transport transport, std::string name) {
    if (abilities_.can(transport) && (!secure_ || transport == Transport::Tls) &&
        services_.size() < most_services && !name.empty()) {
        services_.push_back({transport, std::move(name)});
    }
}

// [RFC 3263 §4.1] Without NAPTR, SRV is asked for each transport; the safest first.
void NextHops::default_services() {
    for (const auto transport : {Transport::Tls, Transport::Tcp, Transport::Udp}) {
        add_service(transport, srv_name(transport, host_));
    }
}

void NextHops::ask_services() {
    stage_ = Stage::Srv;
    questions_.clear();
    for (const auto& service : services_) {
        questions_.push_back({RecordType::Srv, service.name});
    }
    answers_.assign(questions_.size(), {});
    missing_ = questions_.size();
    if (missing_ == 0) {
        use_srv();
    }
}

void NextHops::use_srv() {
    bool any = false;
    for (std::size_t i = 0; i < services_.size(); ++i) {
        any = any || !answers_[i].srv.empty();
        add_by_weight(std::move(answers_[i].srv), services_[i].transport);
    }
    if (!targets_.empty()) {
        ask_addresses();
    } else if (any) { // [RFC 2782] A target of "." says that there is no such service
        give_up("the domain says that it has no SIP service");
    } else {
        default_target();
    }
}

// [RFC 2782] The lowest priority first; among equals, one is drawn by weight, and then from the
// rest.
void NextHops::add_by_weight(std::vector<Srv> srv, Transport transport) {
    if (srv.size() > most_targets) {
        srv.resize(most_targets);
    }
    // Weight 0 first: it has a small chance of its own only then.
    std::ranges::stable_sort(srv, {},
                             [](const Srv& r) { return std::tuple{r.priority, r.weight != 0}; });
    while (!srv.empty()) {
        std::uint32_t sum = 0;
        std::size_t group = 0;
        for (; group < srv.size() && srv[group].priority == srv.front().priority; ++group) {
            sum += srv[group].weight;
        }
        const auto drawn = random_(sum + 1);
        std::size_t at = 0;
        for (std::uint32_t reached = srv[0].weight; reached < drawn && at + 1 < group;) {
            reached += srv[++at].weight;
        }
        auto name = lower(srv[at].target);
        if (!name.empty() && targets_.size() < most_targets) {
            targets_.push_back({transport, std::move(name), srv[at].port});
        }
        srv.erase(srv.begin() + static_cast<std::ptrdiff_t>(at));
    }
}

// [RFC 3263 §4.2] No SRV: the addresses of the name itself, with the port of the URI or the
// transport's.
void NextHops::default_target() {
    targets_.push_back({transport_, host_, port_ != 0 ? port_ : port_of(transport_)});
    ask_addresses();
}

void NextHops::ask_addresses() {
    stage_ = Stage::Addresses;
    questions_.clear();
    const auto ask = [&](RecordType type, const std::string& name) {
        if (std::ranges::find(questions_, Question{type, name}) == questions_.end()) {
            questions_.push_back({type, name});
        }
    };
    for (const auto& target : targets_) {
        if (abilities_.v6) {
            ask(RecordType::Aaaa, target.name);
        }
        if (abilities_.v4) {
            ask(RecordType::A, target.name);
        }
    }
    answers_.assign(questions_.size(), {});
    missing_ = questions_.size();
    if (missing_ == 0) {
        use_addresses();
    }
}

// Both families of a target come before the next target.
void NextHops::use_addresses() {
    for (const auto& target : targets_) {
        for (std::size_t i = 0; i < questions_.size(); ++i) {
            if (questions_[i].name != target.name) {
                continue;
            }
            for (const auto& address : answers_[i].addresses) {
                add_hop(target.transport, address, target.port);
            }
        }
    }
    give_up("the name has no address");
}

void NextHops::add_hop(Transport transport, const IpAddress& address, std::uint16_t port) {
    const bool family = address.is_v4() ? abilities_.v4 : abilities_.v6;
    if (abilities_.can(transport) && family && hops_.size() < most_hops) {
        hops_.push_back({transport, {address, port}, domain_, {}});
    }
}

} // namespace cw::host
