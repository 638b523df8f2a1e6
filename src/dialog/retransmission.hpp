// A response that is sent again and again until the peer's user agent says that it has it: the 2xx
// to an INVITE until its ACK [RFC 3261 §13.3.1.4], a reliable provisional response until its PRACK
// [RFC 3262 §3]. End to end, so over every transport. A plain struct; time is an argument.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/time.hpp"
#include "transaction/timer.hpp"

namespace cw::dialog {

struct Retransmission {
    enum class Due : std::uint8_t { Nothing, Resend, GiveUp };

    std::string bytes; // empty: nothing is underway
    Instant resend;
    Instant limit; // 64*T1 after the first
    Duration pause;
    bool capped = true; // at T2, which a reliable provisional response is not [RFC 3262 §3]

    [[nodiscard]] bool active() const { return !bytes.empty(); }
    [[nodiscard]] Instant next_deadline() const {
        return !active() ? Instant{} : resend < limit ? resend : limit;
    }
    void start(std::string message, bool cap, Instant now) {
        bytes = std::move(message);
        capped = cap;
        pause = transaction::timer::t1;
        resend = now + pause;
        limit = now + transaction::timer::t1x64;
    }
    void stop() { bytes.clear(); }
    // GiveUp stops it.
    Due advance(Instant now) {
        if (!active() || now < next_deadline()) {
            return Due::Nothing;
        }
        if (limit <= now) {
            stop();
            return Due::GiveUp;
        }
        pause = pause + pause;
        if (capped && pause > transaction::timer::t2) {
            pause = transaction::timer::t2;
        }
        resend = now + pause;
        return Due::Resend;
    }
};

} // namespace cw::dialog
