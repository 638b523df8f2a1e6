// Session timers: a call whose far end is gone ends by itself [RFC 4028]. One SessionTimer a
// dialog. It says what the fields of requests and responses must be, who refreshes, and when. A
// plain struct and functions; time is an argument.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "dialog/draft.hpp"
#include "sip/message.hpp"
#include "sip/session_expires.hpp"

namespace cw::dialog {

struct SessionTimerPolicy {
    bool supported = true;
    std::uint32_t interval = 0; // that we ask for; 0: we do not ask
    std::uint32_t min_se = 90;  // the shortest that we accept; never below 90 [RFC 4028 §5]
    sip::Refresher refresher = sip::Refresher::None; // whom we ask to refresh
};

struct SessionTimer {
    std::uint32_t interval = 0; // 0: no session timer runs
    bool we_refresh = false;
    std::uint32_t min_se = 0; // the largest Min-SE met; 0: none [RFC 4028 §7.4]
    Instant refresh_at;       // not known(): not armed
    Instant end_at;           // when to give the session up

    enum class Due : std::uint8_t { Nothing, Refresh, Expired };
    [[nodiscard]] Instant next_deadline() const;
    // Expired stops the timer; Refresh disarms the refresh until the next 2xx.
    Due advance(Instant now);
    void stop();
};

// Client: what an INVITE or UPDATE says [RFC 4028 §7.1, §7.4].
void ask(const SessionTimer& timer, const SessionTimerPolicy& policy, Draft& request);
// Client: a 2xx to a request that asked for `asked` seconds (0: it did not) [§7.2].
void on_success(SessionTimer& timer, const SessionTimerPolicy& policy, std::uint32_t asked,
                const sip::MessageView& response, Instant now);
// Client: a 422. True: the request is worth another try, with the larger Min-SE [§7.3].
bool on_too_small(SessionTimer& timer, const sip::MessageView& response);

// Server: 0, or 422 because the interval is too short [§9].
std::uint16_t refusal_of_interval(const SessionTimerPolicy& policy,
                                  const sip::MessageView& request);
// Server: what the 2xx says, and the timer runs accordingly [§9 table 2].
void answer(SessionTimer& timer, const SessionTimerPolicy& policy, const sip::MessageView& request,
            Draft& response, Instant now);
// What a request asks for; 0: nothing.
std::uint32_t asked_interval(const sip::MessageView& request);

} // namespace cw::dialog
