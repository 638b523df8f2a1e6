#include "dialog/session_timer.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "sip/list.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;
using sip::Refresher;

constexpr std::uint32_t shortest = 90; // "MUST NOT be less than 90 seconds" [RFC 4028 §5]

std::uint32_t min_se_of(const sip::MessageView& message) {
    const auto value = sip::parse_seconds(message.value(HeaderId::MinSe));
    return value ? value->seconds : 0;
}

// "The minimum of 32 seconds and one third of the session interval is RECOMMENDED" [RFC 4028 §10];
// half the interval for the refresh [§7.2].
void run(SessionTimer& timer, std::uint32_t interval, bool we_refresh, Instant now) {
    timer.interval = interval;
    timer.we_refresh = we_refresh;
    const auto whole = seconds(interval);
    timer.refresh_at = we_refresh ? now + Duration{whole.ns / 2} : Instant{};
    timer.end_at = now + (whole - std::min(seconds(32), Duration{whole.ns / 3}));
}

std::string field(std::uint32_t interval, Refresher refresher) {
    auto out = std::to_string(interval);
    if (refresher != Refresher::None) {
        out += refresher == Refresher::Uac ? ";refresher=uac" : ";refresher=uas";
    }
    return out;
}

bool supports_timer(const sip::MessageView& message) {
    return sip::list_has(message, HeaderId::Supported, "timer") ||
           sip::list_has(message, HeaderId::Require, "timer");
}

} // namespace

Instant SessionTimer::next_deadline() const {
    if (interval == 0) {
        return {};
    }
    return refresh_at.known() && refresh_at < end_at ? refresh_at : end_at;
}

SessionTimer::Due SessionTimer::advance(Instant now) {
    if (interval == 0) {
        return Due::Nothing;
    }
    if (end_at <= now) {
        stop();
        return Due::Expired;
    }
    if (refresh_at.known() && refresh_at <= now) {
        refresh_at = {};
        return Due::Refresh;
    }
    return Due::Nothing;
}

void SessionTimer::stop() {
    interval = 0;
    refresh_at = {};
    end_at = {};
}

void ask(const SessionTimer& timer, const SessionTimerPolicy& policy, Draft& request) {
    if (!policy.supported) {
        return;
    }
    // "listing the option tag 'timer' […] even if the UAC is not requesting usage" [RFC 4028 §7.1]
    request.add("Supported", "timer");
    if (timer.min_se != 0) {
        request.set("Min-SE", std::to_string(timer.min_se)); // [RFC 4028 §7.4]
    }
    const auto current = timer.interval != 0 ? timer.interval : policy.interval;
    if (current == 0) {
        return;
    }
    // The role of refresher stays where it is [RFC 4028 §7.4].
    const auto refresher = timer.interval == 0 ? policy.refresher
                           : timer.we_refresh  ? Refresher::Uac
                                               : Refresher::Uas;
    request.set("Session-Expires", field(std::max({current, timer.min_se, shortest}), refresher));
}

void on_success(SessionTimer& timer, const SessionTimerPolicy& policy, std::uint32_t asked,
                const sip::MessageView& response, Instant now) {
    const auto granted = sip::parse_session_expires(response.value(HeaderId::SessionExpires));
    if (policy.supported && response.has(HeaderId::SessionExpires) && granted) {
        // A refresher must be there; without one, the sender of the request does it.
        run(timer, std::max(granted->seconds, 1U), granted->refresher != Refresher::Uas, now);
    } else if (policy.supported && asked != 0) {
        // The peer does not support it: "it has to perform them" itself [RFC 4028 §7.2].
        run(timer, asked, true, now);
    } else {
        timer.stop();
    }
}

bool on_too_small(SessionTimer& timer, const sip::MessageView& response) {
    const auto wanted = min_se_of(response);
    if (wanted <= timer.min_se) {
        return false; // it asks for nothing new: another try would end the same way
    }
    timer.min_se = wanted;
    return true;
}

std::uint32_t asked_interval(const sip::MessageView& request) {
    const auto asked = sip::parse_session_expires(request.value(HeaderId::SessionExpires));
    return request.has(HeaderId::SessionExpires) && asked ? asked->seconds : 0;
}

std::uint16_t refusal_of_interval(const SessionTimerPolicy& policy,
                                  const sip::MessageView& request) {
    const auto asked = asked_interval(request);
    // Only of a client that can try again; the others are served as they are [RFC 4028 §9].
    return policy.supported && asked != 0 && asked < std::max(policy.min_se, shortest) &&
                   supports_timer(request)
               ? std::uint16_t{422}
               : std::uint16_t{0};
}

void answer(SessionTimer& timer, const SessionTimerPolicy& policy, const sip::MessageView& request,
            Draft& response, Instant now) {
    if (!policy.supported) {
        return;
    }
    timer.min_se = std::max(timer.min_se, min_se_of(request));
    const bool client_supports = supports_timer(request);
    auto interval = asked_interval(request);
    if (interval == 0 && (policy.interval == 0 || !client_supports)) {
        timer.stop();
        return;
    }
    const auto floor = std::max(min_se_of(request), shortest);
    if (interval == 0) {
        interval = std::max(policy.interval, floor);
    } else if (policy.interval != 0 && policy.interval < interval) {
        interval = std::max(policy.interval, std::min(interval, floor));
    }
    const auto wanted = sip::parse_session_expires(request.value(HeaderId::SessionExpires))
                            .value_or(sip::SessionExpires{});
    // Table 2 of RFC 4028 §9: a client without support cannot refresh; else its wish holds.
    const bool client_refreshes =
        client_supports && wanted.refresher != Refresher::Uas &&
        (wanted.refresher == Refresher::Uac || policy.refresher != Refresher::Uas);
    response.set("Session-Expires",
                 field(interval, client_refreshes ? Refresher::Uac : Refresher::Uas));
    if (client_supports) {
        response.add("Require", "timer"); // a MUST for uac, a SHOULD for uas [RFC 4028 §9]
    }
    run(timer, interval, !client_refreshes, now);
}

} // namespace cw::dialog
