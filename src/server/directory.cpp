#include "server/directory.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "server/known_phones.hpp"

namespace cw::server {
namespace {

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), ascii_lower);
    return out;
}

std::string host_of(const Listener& listener, const Settings& settings) {
    if (!listener.host.empty()) {
        return listener.host;
    }
    if (listener.at.address.is_unspecified() && !settings.domains.empty()) {
        return settings.domains.front().name;
    }
    const auto text = to_string(listener.at.address);
    return listener.at.address.is_v4() ? text : "[" + text + "]";
}

} // namespace

LowerHost::LowerHost(std::string_view host) {
    if (host.ends_with('.')) {
        host.remove_suffix(1); // a name that is said to be whole [RFC 1034 §3.1]
    }
    if (host.size() > sizeof text_) {
        return;
    }
    for (const auto c : host) {
        text_[size_++] = ascii_lower(c);
    }
}

std::uint16_t default_port(sip::Transport transport) {
    switch (transport) {
    case sip::Transport::Tls:
        return 5061;
    case sip::Transport::Ws:
        return 80;
    case sip::Transport::Wss:
        return 443;
    case sip::Transport::Udp:
    case sip::Transport::Tcp:
    case sip::Transport::Sctp:
    case sip::Transport::Hep:
        break;
    }
    return 5060;
}

std::string_view via_word(sip::Transport transport) {
    switch (transport) {
    case sip::Transport::Udp:
        return "UDP";
    case sip::Transport::Tcp:
        return "TCP";
    case sip::Transport::Tls:
        return "TLS";
    case sip::Transport::Ws:
        return "WS";
    case sip::Transport::Wss:
        return "WSS";
    case sip::Transport::Sctp:
        return "SCTP";
    case sip::Transport::Hep:
        break;
    }
    return "UDP";
}

std::string_view hash_of(const User& user, crypto::DigestAlgorithm algorithm) {
    switch (algorithm) {
    case crypto::DigestAlgorithm::Md5:
        return user.ha1_md5;
    case crypto::DigestAlgorithm::Sha256:
        return user.ha1_sha256;
    case crypto::DigestAlgorithm::Sha512_256:
        return user.ha1_sha512_256;
    }
    return {};
}

std::vector<crypto::DigestAlgorithm> DomainEntry::algorithms(const User* user,
                                                             std::string_view user_agent) const {
    std::vector<crypto::DigestAlgorithm> out;
    if (user == nullptr && !domain->users.empty()) {
        user = &domain->users.front();
    }
    for (const auto algorithm : crypto::digest_algorithms) {
        if ((algorithm != crypto::DigestAlgorithm::Md5 || domain->allow_md5) && user != nullptr &&
            !hash_of(*user, algorithm).empty()) {
            out.push_back(algorithm);
        }
    }
    const auto too_much = [&](auto algorithm) { return !copes_with(user_agent, algorithm); };
    if (!std::ranges::all_of(out, too_much)) {
        std::erase_if(out, too_much);
    }
    return out;
}

const User* DomainEntry::find_user(std::string_view name) const {
    const auto at = users.find(name);
    return at != users.end() ? at->second : nullptr;
}

Directory::Directory(std::shared_ptr<const Settings> settings) : settings_(std::move(settings)) {
    for (const auto& domain : settings_->domains) {
        auto& entry = domains_[lower(domain.name)];
        entry.domain = &domain;
        for (const auto& user : domain.users) {
            entry.users.emplace(user.name, &user);
        }
    }
    for (const auto& trunk : settings_->trunks) {
        if (trunk.domain == "*") {
            default_trunk_ = &trunk;
        } else {
            trunks_.emplace(lower(trunk.domain), &trunk);
        }
    }
    for (const auto& listener : settings_->listeners) {
        Place place;
        place.number = static_cast<std::uint8_t>(places_.size());
        place.listener = &listener;
        place.host_port = fmt::format("{}:{}", host_of(listener, *settings_), listener.at.port);
        place.via_start =
            fmt::format("SIP/2.0/{} {};branch=", via_word(listener.transport), place.host_port);
        place.uri_end = fmt::format("@{};transport={};lr>", place.host_port,
                                    sip::to_string(listener.transport == sip::Transport::Wss
                                                       ? sip::Transport::Ws
                                                       : listener.transport));
        places_.push_back(std::move(place));
        if (places_.size() == 255) {
            break; // their number is one octet in what we seal
        }
    }
}

const DomainEntry* Directory::find_domain(std::string_view host) const {
    const auto at = domains_.find(LowerHost{host}.text());
    return at != domains_.end() ? &at->second : nullptr;
}

const Trunk* Directory::find_trunk(std::string_view host) const {
    const auto at = trunks_.find(LowerHost{host}.text());
    return at != trunks_.end() ? at->second : nullptr;
}

namespace {

// Names and addresses of this machine for itself [RFC 6761 §6.3].
bool hears_loopback(const Listener& listener, std::string_view host,
                    const std::optional<IpAddress>& address) {
    const auto& at = listener.at.address;
    if (address) {
        return address->is_loopback() && at.is_unspecified() && at.is_v4() == address->is_v4();
    }
    constexpr std::string_view name = "localhost";
    const bool named = host.size() >= name.size() &&
                       iequals(host.substr(host.size() - name.size()), name) &&
                       (host.size() == name.size() || host[host.size() - name.size() - 1] == '.');
    return named && (at.is_loopback() || at.is_unspecified());
}

} // namespace

bool Directory::is_listener(const sip::Uri& uri) const {
    if (uri.scheme != sip::Scheme::Sip && uri.scheme != sip::Scheme::Sips) {
        return false;
    }
    const auto address = sip::host_address(uri);
    return std::ranges::any_of(places_, [&](const Place& place) {
        const auto& listener = *place.listener;
        const auto port = uri.port != 0 ? uri.port : default_port(listener.transport);
        if (port != listener.at.port) {
            return false;
        }
        return (address ? *address == listener.at.address || to_string(*address) == listener.host
                        : iequals(uri.host, listener.host)) ||
               hears_loopback(listener, uri.host, address);
    });
}

bool Directory::is_us(const sip::Uri& uri) const {
    return is_listener(uri) ||
           ((uri.scheme == sip::Scheme::Sip || uri.scheme == sip::Scheme::Sips) &&
            find_domain(uri.host) != nullptr);
}

const Place* Directory::place_of(const transaction::Wire& wire) const {
    const Place* nearest = nullptr;
    for (const auto& place : places_) {
        const auto& listener = *place.listener;
        if (listener.transport != wire.transport) {
            continue;
        }
        if (listener.at == wire.local) {
            return &place;
        }
        const bool nearer = listener.at.port == wire.local.port &&
                            (listener.at.address.is_unspecified() ||
                             listener.at.address.is_v4() == wire.local.address.is_v4());
        if (nearest == nullptr || nearer) {
            nearest = &place;
        }
    }
    return nearest;
}

const Place* Directory::place_of(sip::Transport transport) const {
    const auto at = std::ranges::find_if(
        places_, [transport](const Place& p) { return p.listener->transport == transport; });
    return at != places_.end() ? &*at : nullptr;
}

const Place* Directory::place(std::uint8_t number) const {
    return number < places_.size() ? &places_[number] : nullptr;
}

} // namespace cw::server
