#include "host/stage/scenery.hpp"

#include <netdb.h>

#include <algorithm>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "base/text.hpp"
#include "crypto/identity.hpp"
#include "net/socket.hpp"
#include "net/tls_facts.hpp"

namespace cw::host {

using script::Control;
using script::PartyId;
using sip::Transport;

namespace {

std::string key_name(const X509* certificate) {
    const auto* key = certificate != nullptr ? X509_get0_pubkey(certificate) : nullptr;
    if (key == nullptr) {
        return {};
    }
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return "RSA";
    case EVP_PKEY_EC:
        return "ECDSA";
    case EVP_PKEY_ED25519:
        return "Ed25519";
    default:
        return "another key";
    }
}

} // namespace

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

std::expected<void, std::string> mark_real_systems(script::Plan& plan,
                                                   const std::vector<RealSystem>& at) {
    for (const auto& real : at) {
        const auto party = std::ranges::find(plan.parties, real.party, &script::Party::id);
        if (party == plan.parties.end()) {
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

std::expected<void, std::string> mark_listeners(script::Plan& plan,
                                                const std::vector<RealSystem>& listen) {
    for (const auto& own : listen) {
        const auto party = std::ranges::find(plan.parties, own.party, &script::Party::id);
        if (party == plan.parties.end()) {
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
    return {};
}

namespace {

// Who speaks with real systems alone, all of them at IPv6 addresses, has one as well: a datagram
// does not get from the one family to the other.
void follow_families(const script::Plan& plan, play::Cast& cast) {
    for (PartyId party = 0; party < cast.members.size(); ++party) {
        bool some = false;
        bool all = true;
        for (const auto& step : plan.steps) {
            const auto* arrow = std::get_if<script::Arrow>(&step.what);
            if (arrow == nullptr || (arrow->from != party && arrow->to != party)) {
                continue;
            }
            const auto& other = cast.members[arrow->from == party ? arrow->to : arrow->from];
            const bool there = other.control == Control::External &&
                               std::ranges::any_of(other.at, [](const auto& at) {
                                   return at && !at->address.is_v4();
                               });
            some = some || there;
            all = all && there;
        }
        auto& member = cast.members[party];
        if (member.control == Control::Played && some && all) {
            member.ipv6 = true;
            for (auto& [call, place] : member.media) {
                place.ipv6 = true;
            }
        }
    }
}

} // namespace

std::expected<void, std::string> find_real_systems(const script::Plan& plan, play::Cast& cast) {
    for (PartyId party = 0; party < cast.members.size(); ++party) {
        if (cast.members[party].control != Control::External) {
            continue;
        }
        const auto* at = script::find<script::At>(plan.parties[party].facts);
        // Whom a literal party hears from first shows where it is.
        if (at == nullptr && script::has_literal(plan)) {
            continue;
        }
        if (at == nullptr) {
            return std::unexpected{fmt::format("line {}: where is {}? Say --at {}=tls:HOST:PORT, "
                                               "or '%% at: tls:HOST:PORT' beneath it",
                                               plan.parties[party].place.line,
                                               plan.parties[party].id, plan.parties[party].id)};
        }
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const int error = getaddrinfo(at->host.c_str(), nullptr, &hints, &found);
        if (error != 0 || found == nullptr) {
            return std::unexpected{
                fmt::format("{}, where {} (line {}) is to be: {}", at->host, plan.parties[party].id,
                            plan.parties[party].place.line, gai_strerror(error))};
        }
        sockaddr_storage address{};
        std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen,
                    reinterpret_cast<char*>(&address));
        freeaddrinfo(found);
        auto endpoint = net::from_sockaddr(address);
        endpoint.port = at->port != 0 ? at->port : std::uint16_t{5060};
        cast.members[party].at[static_cast<std::size_t>(at->transport)] = endpoint;
    }
    follow_families(plan, cast);
    return {};
}

std::vector<std::vector<std::string>> names_in_handshakes(const script::Plan& plan) {
    std::vector<std::vector<std::string>> out(plan.parties.size());
    for (const auto& step : plan.steps) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        const auto* name =
            arrow != nullptr ? script::find<script::ServerName>(arrow->facts) : nullptr;
        if (name != nullptr &&
            std::ranges::find(out[arrow->to], name->name) == out[arrow->to].end()) {
            out[arrow->to].push_back(name->name);
        }
    }
    return out;
}

play::HandshakeFacts handshake_facts(SSL* ssl) {
    play::HandshakeFacts out;
    if (ssl == nullptr) {
        return out;
    }
    const auto facts = net::tls_facts(ssl);
    out.version = facts.version;
    out.cipher = facts.cipher;
    out.resumed = facts.resumed;
    const auto chain = net::peer_chain(ssl);
    out.peer_certificate = !chain.empty() && facts.verify_result == X509_V_OK;
    out.peer_key = chain.empty() ? "" : key_name(chain.front());
    // close_notify ends every connection; it tells nothing.
    if (facts.alert_received.value_or(0) != 0) {
        out.alert = *facts.alert_received;
    } else if (facts.alert_sent.value_or(0) != 0) {
        out.alert = *facts.alert_sent;
    }
    return out;
}

std::string judge_server(SSL* ssl, const std::string& expected) {
    const auto chain = net::peer_chain(ssl);
    if (chain.empty()) {
        return "the server showed no certificate";
    }
    const auto verdict = crypto::judge(chain.front(), expected, crypto::Role::Server);
    return verdict.accepted() ? "" : verdict.why;
}

// Somebody with a certificate: it must be one of the cast.
std::string judge_client(SSL* ssl, const play::Cast& cast) {
    const auto chain = net::peer_chain(ssl);
    if (chain.empty()) {
        return "";
    }
    for (const auto& member : cast.members) {
        if (crypto::judge(chain.front(), member.name, crypto::Role::Client).accepted() ||
            member.control == Control::External) {
            return "";
        }
    }
    return "the client's certificate is nobody's in this flow";
}

} // namespace cw::host
