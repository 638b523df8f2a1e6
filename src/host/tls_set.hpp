// The TLS contexts that are in force: one a listener, one for connections of ours, and those with a
// certificate of their own for a trunk. Immutable; a reload makes another set, and connections that
// were opened under the old one live on.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crypto/identity.hpp"
#include "net/tls.hpp"

namespace cw::host {

struct TlsSet {
    std::shared_ptr<const net::TlsContext> server; // null: no listener speaks TLS
    std::shared_ptr<const net::TlsContext> client;
    std::map<std::string, std::shared_ptr<const net::TlsContext>> client_for; // by domain
    crypto::IdentityPolicy policy;

    [[nodiscard]] const net::TlsContext* towards(const std::string& domain) const {
        const auto own = client_for.find(domain);
        return own != client_for.end() ? own->second.get() : client.get();
    }
};

} // namespace cw::host
