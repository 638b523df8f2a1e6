// The keys of session tickets [RFC 5077 §4]. All shards, and the same server after a restart, share
// a set of them; so a client resumes wherever it lands. A set is never changed, only replaced as a
// whole: the first key seals; all of them open, and what a later one opens is sealed afresh.
// Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <openssl/types.h>

namespace cw::net {

// Secret, all but the name.
struct TicketKey {
    std::array<std::uint8_t, 16> name{};
    std::array<std::uint8_t, 32> cipher{};
    std::array<std::uint8_t, 32> mac{};

    static TicketKey random();
};

class Tickets {
  public:
    static constexpr std::size_t most_keys = 8;
    using Keys = std::vector<TicketKey>;

    Tickets(); // with one random key
    ~Tickets();
    Tickets(const Tickets&) = delete;
    Tickets& operator=(const Tickets&) = delete;

    // Those beyond `most_keys` are dropped; none: nothing is sealed or opened any more.
    void replace(Keys keys);
    // A new key in front of those that were.
    void rotate();
    [[nodiscard]] std::shared_ptr<const Keys> keys() const;

    // Of OpenSSL's callback (SSL_CTX_set_tlsext_ticket_key_evp_cb): prepares sealing, or opening by
    // the key of that name. Negative: an error; 0: no ticket; 1; 2: opened, and to be renewed.
    int prepare(bool seal, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                EVP_MAC_CTX* mac) const;

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Keys> keys_;
    EVP_CIPHER* aes_; // fetched once: a fetch costs more than the sealing
};

} // namespace cw::net
