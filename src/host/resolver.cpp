#include "host/resolver.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "sip/params.hpp"
#include "sip/uri.hpp"

namespace cw::host {
namespace {

net::DnsSettings settings_with(const std::string& servers) {
    net::DnsSettings settings;
    settings.servers = servers;
    settings.timeout = seconds(1); // a caller waits: three seconds with the second try
    return settings;
}

net::DnsType type_of(RecordType type) {
    switch (type) {
    case RecordType::Naptr:
        return net::DnsType::Naptr;
    case RecordType::Srv:
        return net::DnsType::Srv;
    case RecordType::A:
        return net::DnsType::A;
    case RecordType::Aaaa:
        return net::DnsType::Aaaa;
    }
    return net::DnsType::A;
}

Records records_of(const net::DnsAnswer& answer) {
    Records records;
    records.no_such_name = answer.status == net::DnsAnswer::Status::NoSuchName;
    records.silent = answer.silent;
    for (const auto& r : answer.naptr) {
        records.naptr.push_back({r.order, r.preference, r.flags, r.services, r.replacement});
    }
    for (const auto& r : answer.srv) {
        records.srv.push_back({r.priority, r.weight, r.port, r.target});
    }
    records.addresses = answer.addresses;
    return records;
}

} // namespace

Resolver::Resolver(net::Loop& loop, const Abilities& abilities, const std::string& servers,
                   std::shared_ptr<const FixedPlaces> fixed, Found found)
    : abilities_(abilities), fixed_(std::move(fixed)), found_(std::move(found)),
      dns_(loop, settings_with(servers)) {}

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
        hand_out(question, std::move(*hops));
        return;
    }
    const auto random = [this](std::uint32_t below) {
        return std::uniform_int_distribution<std::uint32_t>{0, below - 1}(random_);
    };
    const auto id = ++last_;
    searches_.try_emplace(
        id, Search{question, NextHops{question.uri, question.secure, abilities_, random}});
    go_on(id);
}

// Asks what the search needs, until it has to wait or is finished. An answer that is known comes
// within query(), any other from a turn of the loop.
void Resolver::go_on(std::uint64_t id) {
    auto& search = searches_.at(id);
    search.asking = true;
    while (!search.hops.finished()) {
        const std::vector<Question> questions{search.hops.questions().begin(),
                                              search.hops.questions().end()};
        const auto left = std::make_shared<std::size_t>(questions.size());
        for (std::size_t i = 0; i < questions.size(); ++i) {
            dns_.query(questions[i].name, type_of(questions[i].type),
                       [this, id, i, left](const net::DnsAnswer& answer) {
                           auto& it = searches_.at(id);
                           it.hops.answer(i, records_of(answer));
                           if (--*left == 0 && !it.asking) {
                               go_on(id);
                           }
                       });
        }
        if (*left > 0) {
            search.asking = false;
            return;
        }
    }
    auto finished = std::move(searches_.extract(id).mapped());
    hand_out(finished.question, finished.hops.take_hops());
}

// The name that will do as well is the question's, not the search's.
void Resolver::hand_out(const server::Resolve& question, std::vector<server::Hop> hops) const {
    for (auto& hop : hops) {
        hop.identity = question.identity;
    }
    found_(question.token, std::move(hops));
}

} // namespace cw::host
