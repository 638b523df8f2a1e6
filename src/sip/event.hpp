// Event and Subscription-State [RFC 6665 §8.2.1, §4.1.3].
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace cw::sip {

// Every view lives as long as the value that was parsed.
struct Event {
    std::string_view package; // "presence.winfo", "dialog", "refer"
    std::string_view id;      // empty when there is none
    std::string_view params;
};

Result<Event> parse_event(std::string_view value);

struct SubscriptionState {
    enum class State : std::uint8_t { Active, Pending, Terminated, Other };
    State state = State::Other;
    std::string_view text;   // the state as written
    std::string_view reason; // "timeout", "noresource"…; empty when there is none
    std::optional<std::uint32_t> expires;
    std::optional<std::uint32_t> retry_after;
};

Result<SubscriptionState> parse_subscription_state(std::string_view value);

} // namespace cw::sip
