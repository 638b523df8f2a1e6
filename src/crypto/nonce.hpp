// Nonces that need no memory to be recognised: the time, a number, and a tag over both and the
// realm under a secret key [RFC 7616 §3.3 describes such]. A bounded memory of nonce counts sees to
// it that no answer is taken twice. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/time.hpp"
#include "crypto/siphash.hpp"

namespace cw::crypto {

class Nonces {
  public:
    struct Limits {
        Duration lifetime = seconds(300);
        std::size_t remembered = 65'536;
    };
    // All shards have one secret. `shard` is that of this object: a nonce of another one is stale
    // here, since only there its counts are known. So is one of an earlier `boot`.
    Nonces(std::string_view secret, std::uint8_t shard, std::uint64_t boot, Limits limits);
    Nonces(std::string_view secret, std::uint8_t shard, std::uint64_t boot)
        : Nonces(secret, shard, boot, Limits{}) {}

    // Appends a fresh one.
    void append(std::string& out, std::string_view realm, Instant now);

    enum class Verdict : std::uint8_t {
        Fresh,
        Stale,   // ours, but too old, of another shard, or answered with this count before
        Unknown, // not ours, or not for this realm
    };
    // To be asked only once the response is known to be right: a count that was seen counts as
    // used. `nc` is 1 for an answer without qop.
    Verdict use(std::string_view nonce, std::string_view realm, std::uint32_t nc, Instant now);

    [[nodiscard]] std::size_t remembered() const { return counts_.size(); }

  private:
    struct Seen {
        std::uint32_t highest = 0;
        std::uint64_t window = 0; // bit n: highest − n was used
        std::uint64_t time_ms = 0;
    };
    [[nodiscard]] std::uint64_t tag(std::string_view payload, std::string_view realm) const;
    bool count(std::uint64_t number, std::uint64_t time_ms, std::uint32_t nc);
    void make_room(std::uint64_t now_ms);

    SipHashKey key_;
    std::uint8_t shard_;
    std::uint16_t boot_;
    Limits limits_;
    std::uint64_t next_ = 0;
    std::uint64_t floor_ms_ = 0; // nonces of before and not remembered may have been used
    boost::unordered_flat_map<std::uint64_t, Seen> counts_;
};

} // namespace cw::crypto
