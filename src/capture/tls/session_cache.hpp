// What the TLS connections of one capture share: sessions for resumption, certificates, cipher
// contexts and scratch memory, and the budget for guessing. Belongs to one thread, and must outlive
// the connections that use it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "capture/tls/certificates.hpp"
#include "capture/tls/key_schedule.hpp"
#include "capture/tls/record_cipher.hpp"

namespace cw::capture::tls {

class SessionCache {
  public:
    static constexpr std::size_t most_sessions = 16384;

    SessionCache() = default;
    ~SessionCache();
    SessionCache(const SessionCache&) = delete;
    SessionCache& operator=(const SessionCache&) = delete;

    // The master secret of a session that may be resumed, by session id or ticket [RFC 5246
    // §7.3, RFC 5077 §3]. Past most_sessions the oldest goes.
    void remember(Bytes id_or_ticket, const MasterSecret& master);
    // Null when not known. Valid until the next remember().
    [[nodiscard]] const MasterSecret* find(Bytes id_or_ticket);

    CipherPool& ciphers() { return ciphers_; }
    Hasher& hasher() { return ciphers_.hasher(); }
    CertificateCache& certificates() { return certificates_; }

    // Which entries of the key ring belong to a connection whose hello was seen.
    void mark_used(std::uint32_t entry);
    [[nodiscard]] bool is_used(std::uint32_t entry) const {
        return entry < used_.size() && used_[entry];
    }

    // Guessing sequence numbers and keys costs work that a hostile capture could ask for without
    // end. So all of it together is kept proportional to the bytes read.
    void earn(std::size_t bytes) { credit_ += static_cast<std::int64_t>(bytes) * work_per_byte; }
    // False when the budget does not hold another try over `bytes` bytes.
    bool spend(std::size_t bytes);

  private:
    using Key = std::array<std::uint8_t, 32>; // SHA-256: tickets are long
    static constexpr std::int64_t work_per_byte = 64;
    static constexpr std::int64_t first_credit = std::int64_t{512} * 1024 * 1024;
    static constexpr std::int64_t cost_of_try = 512; // a try costs about as much besides its bytes

    bool key_of(Bytes id_or_ticket, Key& key);

    CipherPool ciphers_;
    CertificateCache certificates_;
    std::map<Key, MasterSecret> sessions_;
    std::vector<Key> order_; // a ring, the oldest at next_
    std::size_t next_ = 0;
    std::vector<bool> used_;
    std::int64_t credit_ = first_credit;
};

} // namespace cw::capture::tls
