// Who sent a request, by digest [RFC 3261 §22, RFC 8760].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/digest.hpp"
#include "crypto/nonce.hpp"
#include "server/directory.hpp"
#include "server/incoming.hpp"

namespace cw::server {

class Authenticator {
  public:
    Authenticator(std::string_view secret, std::uint8_t shard, std::uint64_t boot)
        : nonces_(secret, shard, boot) {}

    enum class Verdict : std::uint8_t {
        Good,
        Missing, // no credentials for this realm
        Stale,   // right, but for a nonce that is used up: to be asked again with stale=true
        Wrong,
    };
    struct Answer {
        Verdict verdict = Verdict::Missing;
        const User* user = nullptr; // of Good
    };
    // `id` is Authorization or ProxyAuthorization; other realms' credentials are passed over.
    Answer check(const Incoming& in, sip::HeaderId id, const DomainEntry& domain);

    // Appends one header line an algorithm, strongest first [RFC 8760 §2.4]; `id` as for check().
    // `user` is who the sender says to be; nullptr: nobody of ours.
    void append_challenge(std::string& out, const Incoming& in, sip::HeaderId id,
                          const DomainEntry& domain, const User* user, bool stale);

  private:
    Answer check_one(const Incoming& in, std::string_view value, const DomainEntry& domain);

    crypto::Digester digester_;
    crypto::Nonces nonces_;
};

} // namespace cw::server
