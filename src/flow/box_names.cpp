#include "flow/box_names.hpp"

#include <algorithm>
#include <string_view>

#include "base/scan.hpp"

namespace cw::flow {
namespace {

// What a box did with requests that open something (no tag in To).
struct Role {
    std::uint32_t first_sent = none;
    std::uint32_t first_received = none;
    bool own_contact = false;   // it answered with a Contact at one of its addresses
    bool other_contact = false; // …at another address: it passed the answer on
};

std::string_view without_scheme(std::string_view uri) {
    const auto colon = uri.find(':');
    const auto at = uri.find('@');
    return colon < at && colon <= 4 ? uri.substr(colon + 1) : uri;
}

bool is_address_of(const Box& box, std::string_view host) {
    const auto address = IpAddress::parse(host);
    return address && std::ranges::find(box.addresses, *address) != box.addresses.end();
}

std::vector<Role> roles_of(const Call& call, const Boxes& boxes) {
    std::vector<Role> roles(boxes.all().size());
    const auto opening = std::ranges::find_if(
        call.messages, [](const Message& m) { return m.status == 0 && !m.to_tag; });
    const auto method = opening == call.messages.end() ? sip::Method::Invite : opening->method;
    for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
        const auto& m = call.messages[i];
        const auto from = boxes.of(m.source);
        const auto to = boxes.of(m.destination);
        if (from == to || from == no_box || to == no_box) {
            continue;
        }
        if (m.status != 0) {
            if (m.contact.length > 0 && m.status > 100 && m.status < 300) {
                const bool own = is_address_of(boxes.all()[from], host_of(call.text(m.contact)));
                (own ? roles[from].own_contact : roles[from].other_contact) = true;
            }
            continue;
        }
        if (m.method == method && !m.to_tag) {
            roles[from].first_sent = std::min(roles[from].first_sent, i);
            roles[to].first_received = std::min(roles[to].first_received, i);
        }
    }
    return roles;
}

std::string_view person(const Call& call, Text name, Text aor) {
    if (name.length > 0) {
        return call.text(name);
    }
    const auto user = user_of(call.text(aor));
    return user.empty() ? host_of(call.text(aor)) : user;
}

// The name of a server by the TLS connections that were made to it.
std::string_view tls_name(const Call& call, const Boxes& boxes, std::uint16_t number) {
    for (const auto& c : call.connections) {
        if (boxes.of(c.server) == number) {
            if (!c.sni.empty()) {
                return c.sni;
            }
            for (const auto& chain : c.server_chain) {
                for (const std::string_view name : chain.names) {
                    if (name.starts_with("DNS:")) {
                        return name.substr(4);
                    }
                }
                break; // only the server's own certificate names it
            }
        }
    }
    return {};
}

class Namer {
  public:
    Namer(const Call& call, const Boxes& boxes) : call_(call), boxes_(boxes) {
        roles_ = roles_of(call, boxes);
    }

    std::string_view name(std::uint16_t number, Box& box) const {
        const auto& role = roles_[number];
        const bool caller = role.first_sent != none && role.first_received == none;
        const bool callee = role.first_received != none && role.first_sent == none;
        if (caller) {
            const auto& m = call_.messages[role.first_sent];
            if (m.vias <= 1 && m.leg < call_.legs.size()) {
                box.user_agent = true;
                return person(call_, call_.legs[m.leg].from_name, call_.legs[m.leg].from);
            }
        }
        if (callee && takes_calls(role, box)) {
            const auto& m = call_.messages[role.first_received];
            if (m.leg < call_.legs.size()) {
                box.user_agent = true;
                return person(call_, call_.legs[m.leg].to_name, call_.legs[m.leg].to);
            }
        }
        if (const auto known = tls_name(call_, boxes_, number); !known.empty()) {
            return known;
        }
        return role.first_received == none ? std::string_view{} : domain(role);
    }

  private:
    // It answers for itself: what it got was addressed to it, or its answer says where it is.
    bool takes_calls(const Role& role, const Box& box) const {
        const auto& m = call_.messages[role.first_received];
        if (m.method == sip::Method::Register) {
            return false;
        }
        return role.own_contact ||
               (!role.other_contact && is_address_of(box, host_of(call_.text(m.request_uri))));
    }

    // Whoever gets a REGISTER is the registrar of the domain in the Request-URI [RFC 3261 §10.2];
    // a server that gets a request from a user of that same domain stands for it, too.
    std::string_view domain(const Role& role) const {
        const auto& m = call_.messages[role.first_received];
        const auto host = host_of(call_.text(m.request_uri));
        if (host.empty() || IpAddress::parse(host) || m.vias > 1 || m.leg >= call_.legs.size()) {
            return {};
        }
        return host == host_of(call_.text(call_.legs[m.leg].from)) ? host : std::string_view{};
    }

    const Call& call_;
    const Boxes& boxes_;
    std::vector<Role> roles_;
};

} // namespace

std::string_view user_of(std::string_view uri) {
    const auto rest = without_scheme(uri);
    const auto at = rest.find('@');
    if (at != std::string_view::npos) {
        const auto user = rest.substr(0, at);
        return user.substr(0, user.find(':')); // without a password [RFC 3261 §19.1.1]
    }
    return uri.starts_with("tel:") ? rest.substr(0, rest.find(';')) : std::string_view{};
}

std::string_view host_of(std::string_view uri) {
    if (uri.starts_with("tel:")) {
        return {};
    }
    auto host = without_scheme(uri);
    if (const auto at = host.find('@'); at != std::string_view::npos) {
        host.remove_prefix(at + 1);
    }
    if (host.starts_with('[')) {
        return host.substr(0, host.find(']') + 1);
    }
    const auto* end = host.data() + host.size();
    return {host.data(), find_first<':', ';', '?', '>'>(host.data(), end)};
}

void name_boxes(const Call& call, const Boxes& boxes, KnownNames names, std::vector<Box>& named) {
    const Namer namer{call, boxes};
    for (std::uint16_t i = 0; i < named.size(); ++i) {
        auto& box = named[i];
        box.name = namer.name(i, box);
        for (const auto& [address, name] : names) {
            if (address == box.at.address && !box.show_port) {
                box.name = name;
                break;
            }
        }
    }
}

} // namespace cw::flow
