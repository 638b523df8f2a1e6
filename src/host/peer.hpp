// What a shard knows of a connection: where it leads, who is at its other end, and what of a
// message has come. One for each place in the loop's table, so it is kept small.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <openssl/types.h>

#include "base/result.hpp"
#include "crypto/identity.hpp"
#include "host/message_stream.hpp"
#include "net/loop.hpp"
#include "net/websocket.hpp"
#include "transaction/wire.hpp"

namespace cw::host {

struct Peer {
    transaction::Wire wire; // as the server sees the connection; its generation is the loop's
    bool open = false;
    bool incoming = false;
    bool unfinished = false; // its deadline is that of a message which has begun
    Instant deadline;        // as set in the loop; moved only when it has come much nearer
    std::unique_ptr<MessageStream> stream;
    std::unique_ptr<net::WebSocket> websocket; // instead of the stream [RFC 7118]
    // Who the peer's verified certificate speaks for; none without one.
    std::unique_ptr<const crypto::Identity> identity;

    [[nodiscard]] std::span<const std::string> domains() const {
        return identity != nullptr ? std::span<const std::string>{identity->domains}
                                   : std::span<const std::string>{};
    }
};

inline net::Key key_of(const transaction::Wire& wire) {
    return {wire.connection, wire.generation};
}

// The identity in the certificate at the other end of `ssl`, once its chain has been verified and
// its purposes are good enough for `role`; null when there is none, with the reason in `why` when
// there is a certificate.
std::unique_ptr<const crypto::Identity> verified_identity(const SSL* ssl, crypto::Role role,
                                                          const crypto::IdentityPolicy& policy,
                                                          std::string& why);

} // namespace cw::host
