// Session timers [RFC 4028].
#include <algorithm>

#include <fmt/format.h>

#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"
#include "sip/session_expires.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::HeaderId;
using sip::Method;

// What the last 2xx to an INVITE or UPDATE said about the session timer.
struct Timer {
    std::uint32_t message = none;
    std::uint32_t seconds = 0;
    sip::Refresher refresher = sip::Refresher::None;
};

Timer timer_before(const Case& c, std::uint8_t leg, Instant time) {
    Timer timer;
    for (const auto& t : c.transactions()) {
        if ((t.method != Method::Invite && t.method != Method::Update) || t.leg != leg ||
            t.final == none || t.status < 200 || t.status >= 300 || c.at(t.final).time > time) {
            continue;
        }
        const auto value = Facts{c.call(), c.at(t.final)}.value(HeaderId::SessionExpires);
        const auto said = sip::parse_session_expires(value);
        timer = said ? Timer{t.final, said->seconds, said->refresher} : Timer{};
    }
    return timer;
}

// D23: "[…] the minimum of 32 seconds and one third of the session interval" before the session
// expires, the side that does not refresh sends BYE [RFC 4028 §10].
void check_session_expired(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (t.method != Method::Bye || t.request == none || c.at(t.request).vias > 1) {
            continue;
        }
        const auto timer = timer_before(c, t.leg, c.at(t.request).time);
        if (timer.message == none || timer.seconds < 60) {
            continue;
        }
        const auto passed = (c.at(t.request).time - c.at(timer.message).time).seconds();
        const auto full = static_cast<double>(timer.seconds);
        const auto early = full - std::min(32.0, full / 3);
        const auto near = [passed](double moment) {
            return passed > moment - 1.0 && passed < moment + 2.0;
        };
        if (!near(early) && !near(full)) {
            continue;
        }
        const auto* who = timer.refresher == sip::Refresher::Uac   ? "the caller of that request"
                          : timer.refresher == sip::Refresher::Uas ? "the side that answered"
                                                                   : "nobody in particular";
        out.add("D23", {t.request, timer.message},
                fmt::format("Session-Expires {} s, BYE {:.0f} s after the last refresh; {} was "
                            "to refresh",
                            timer.seconds, passed, who),
                Confidence::Likely);
        return;
    }
}

} // namespace

void check_session(const Case& c, Findings& out) {
    if (c.call().duration_s < 59) {
        return; // the smallest session interval is 90 s [RFC 4028 §4]
    }
    check_session_expired(c, out);
}

} // namespace cw::flow::diagnose
