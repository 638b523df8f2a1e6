#include "host/stage/stage.hpp"

#include <netdb.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::host {

using script::Control;
using script::PartyId;
using sip::Transport;

std::expected<RealSystem, std::string> parse_real_system(std::string_view text) {
    RealSystem out;
    const auto equals = text.find('=');
    const auto colon = text.find(':', equals == std::string_view::npos ? 0 : equals);
    const auto wrong = [&] {
        return std::unexpected{fmt::format(
            "'{}' is not NAME=TRANSPORT:HOST:PORT, as in sbc=tls:sbc.example.com:5061", text)};
    };
    if (equals == std::string_view::npos || equals == 0 || colon == std::string_view::npos) {
        return wrong();
    }
    out.party = text.substr(0, equals);
    const auto transport = text.substr(equals + 1, colon - equals - 1);
    bool known = false;
    for (const auto one : {Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Wss}) {
        if (iequals(sip::to_string(one), transport)) {
            out.transport = one;
            known = true;
        }
    }
    const auto port_at = text.rfind(':');
    const auto port = port_at > colon ? parse_number<std::uint16_t>(text.substr(port_at + 1))
                                      : std::optional<std::uint16_t>{};
    auto host = text.substr(colon + 1, port ? port_at - colon - 1 : std::string_view::npos);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    if (!known || host.empty()) {
        return wrong();
    }
    out.host = host;
    out.port = port.value_or(sip::is_secure(out.transport) ? 5061 : 5060);
    return out;
}

Stage::Done Stage::mark_real_systems() {
    for (const auto& own : options_.listen) {
        const auto party = std::ranges::find(plan_.parties, own.party, &script::Party::id);
        if (party == plan_.parties.end()) {
            return std::unexpected{
                fmt::format("--listen: there is nobody called '{}' in the flow", own.party)};
        }
        if (script::is_literal(*party)) {
            std::erase_if(party->facts, [](const script::Fact& fact) {
                return std::holds_alternative<script::Over>(fact.value);
            });
            party->facts.push_back({{}, false, script::Over{own.transport}});
        }
    }
    for (const auto& real : options_.at) {
        const auto party = std::ranges::find(plan_.parties, real.party, &script::Party::id);
        if (party == plan_.parties.end()) {
            return std::unexpected{
                fmt::format("--at: there is no participant '{}' in the flow", real.party)};
        }
        party->control = Control::External;
        std::erase_if(party->facts, [](const script::Fact& fact) {
            return std::holds_alternative<script::At>(fact.value) ||
                   std::holds_alternative<script::Over>(fact.value);
        });
        party->facts.push_back({{}, true, script::At{real.transport, real.host, real.port}});
    }
    return {};
}

Stage::Done Stage::find_real_systems() {
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        if (cast_.members[party].control != Control::External) {
            continue;
        }
        const auto* at = script::find<script::At>(plan_.parties[party].facts);
        // Whom a literal party hears from first shows where it is.
        if (at == nullptr && script::has_literal(plan_)) {
            continue;
        }
        if (at == nullptr) {
            return std::unexpected{fmt::format("line {}: where is {}? Say --at {}=tls:HOST:PORT, "
                                               "or '%% at: tls:HOST:PORT' beneath it",
                                               plan_.parties[party].place.line,
                                               plan_.parties[party].id, plan_.parties[party].id)};
        }
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const int error = getaddrinfo(at->host.c_str(), nullptr, &hints, &found);
        if (error != 0 || found == nullptr) {
            return std::unexpected{fmt::format("{}: {}", at->host, gai_strerror(error))};
        }
        sockaddr_storage address{};
        std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen,
                    reinterpret_cast<char*>(&address));
        freeaddrinfo(found);
        auto endpoint = net::from_sockaddr(address);
        endpoint.port = at->port != 0 ? at->port : std::uint16_t{5060};
        cast_.members[party].at[static_cast<std::size_t>(at->transport)] = endpoint;
    }
    return {};
}

} // namespace cw::host
