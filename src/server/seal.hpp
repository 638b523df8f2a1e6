// Flow tokens: the user part of the Record-Route URIs that this server writes. A token says over
// which wire one side of a dialog is reached, and is sealed together with the Call-ID of that
// dialog, so that it can neither be made nor used elsewhere [RFC 5626 §5.2]. No state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/siphash.hpp"
#include "transaction/wire.hpp"

namespace cw::server {

struct FlowToken {
    // A wire, when this side is reached over one that is open; else by where its URI leads.
    std::optional<transaction::Wire> wire;
    bool earlier_start = false; // the wire was of an earlier start of this process: it is gone
    std::uint8_t place = 0;     // the listener
};

class Seal {
  public:
    static constexpr std::size_t longest = 64; // of a token's text

    Seal(std::string_view secret, std::uint64_t boot);

    // Appends a token. `wire` may be nullptr.
    void append_flow(std::string& out, const transaction::Wire* wire, std::uint8_t place,
                     std::string_view call_id) const;
    // Nothing: not ours, or of another dialog. The wire's local end is not in a token.
    [[nodiscard]] std::optional<FlowToken> open_flow(std::string_view token,
                                                     std::string_view call_id) const;

    // A To tag for what this server itself answers; the same for the same Call-ID, so that the ACK
    // of an answer given without a transaction is known.
    void append_tag(std::string& out, std::string_view call_id) const;
    [[nodiscard]] bool is_tag(std::string_view tag, std::string_view call_id) const;

  private:
    crypto::SipHashKey flow_key_;
    crypto::SipHashKey tag_key_;
    std::uint32_t boot_;
};

} // namespace cw::server
