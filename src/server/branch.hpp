// The branches that this server writes into its Via [RFC 3261 §16.6 item 8]: the magic cookie, the
// shard that answers belong to, a number that nobody can guess, and a seal over what decides where
// the request goes, by which a request that comes round again is known [RFC 5393 §4.2.1].
//   z9hG4bKcw SS NNNNNNNNNNNNNNNN LLLLLLLLLLLL      (S shard, N number, L loop; hexadecimal)
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "crypto/siphash.hpp"
#include "sip/message.hpp"
#include "sip/via.hpp"

namespace cw::server {

class Branches {
  public:
    static constexpr std::size_t size = 9 + 2 + 16 + 12;
    using Text = std::array<char, size>;

    Branches(std::string_view secret, std::uint8_t shard, std::uint64_t boot);

    // The seal over a request as it came in.
    [[nodiscard]] std::uint64_t loop_seal(const sip::MessageView& request) const;
    // A branch for one copy of a request with this seal.
    Text next(std::uint64_t loop_seal);

    // Has this request been here before, going where it is going now? [RFC 3261 §16.3 item 4]
    [[nodiscard]] static bool looped(const sip::MessageView& request, std::uint64_t loop_seal);
    // 255: none of ours.
    static std::uint8_t shard_of(std::string_view branch);

  private:
    crypto::SipHashKey number_key_;
    std::uint64_t loop_seed_;
    std::uint8_t shard_;
    std::uint64_t boot_;
    std::uint64_t next_ = 0;
};

} // namespace cw::server
