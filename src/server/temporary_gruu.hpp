// Temporary GRUUs: addresses that mean one phone of one user, and tell nobody whose it is [RFC 5627
// §3.1.2]. What a GRUU means is sealed in it, so that nothing is kept of the many that are given
// out: a binding's `since` says which of them are still good. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "crypto/siphash.hpp"

namespace cw::server {

struct TemporaryGruu {
    std::string user; // of the address of record, as a URI has it
    std::uint64_t instance = 0;
    Instant made;
};

class TemporaryGruus {
  public:
    static constexpr std::string_view mark = "tgruu."; // begins the user part
    static constexpr std::size_t longest_user = 128;

    TemporaryGruus(std::string_view secret, std::uint8_t shard, std::uint64_t boot);

    // Appends a user part that was never given out before; false: the user's name is too long.
    bool append(std::string& out, const TemporaryGruu& gruu, std::string_view domain);
    // Nothing: none of ours, or of another domain.
    [[nodiscard]] std::optional<TemporaryGruu> open(std::string_view user_part,
                                                    std::string_view domain) const;
    // By which an instance is known in them.
    [[nodiscard]] std::uint64_t instance_of(std::string_view instance) const;

  private:
    void cover(std::uint64_t start, std::string& text) const; // and uncover
    [[nodiscard]] std::uint64_t seal(std::string_view text, std::string_view domain) const;

    crypto::SipHashKey start_key_;
    crypto::SipHashKey cover_key_;
    crypto::SipHashKey seal_key_;
    crypto::SipHashKey instance_key_;
    std::uint64_t counter_ = 0;
};

} // namespace cw::server
