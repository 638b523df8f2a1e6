// What is counted of a load: arrivals against their schedule, how calls ended and why, and how long
// responses took. One for a whole run, one for each second; they add up. The measures of RFC 6076
// are computed from it (measures.hpp). Values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "play/load/histogram.hpp"
#include "play/report.hpp"
#include "script/plan.hpp"

namespace cw::play {

namespace limit {
inline constexpr std::size_t causes = 100; // different ones; what is beyond is "others"
}

struct Tally {
    // Arrivals.
    std::uint64_t due = 0;       // by the schedule
    std::uint64_t started = 0;   // of those that were due
    std::uint64_t held_back = 0; // not started, because too many were in progress
    Histogram lateness;          // of those that started, against the schedule

    // Calls that ended.
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::uint64_t interrupted = 0; // by us, at the end
    std::map<std::string, std::uint64_t, std::less<>> causes;
    Histogram length; // of those that passed, from when they should have started

    // INVITEs of ours outside a dialog, by what became of them.
    struct Sessions {
        std::uint64_t asked = 0;
        std::uint64_t answered = 0;    // 2xx
        std::uint64_t redirected = 0;  // 3xx
        std::uint64_t challenged = 0;  // 401, 402, 407 and no more
        std::uint64_t refused = 0;     // the callee's word: 480, 486, 600, 603
        std::uint64_t ineffective = 0; // 408, 500, 503, 504, or nothing at all
    };
    Sessions sessions;
    // The first request of a call counts from when the call should have started.
    Histogram ringing;       // INVITE → a response above 100 that is not final
    Histogram answers;       // INVITE → 2xx
    Histogram registrations; // REGISTER → 2xx, a challenge included
    Histogram hanging_up;    // BYE → 2xx
    std::uint64_t registrations_asked = 0;
    std::uint64_t registrations_failed = 0;

    // Connections.
    Histogram handshakes; // asked → open
    std::uint64_t refused = 0;
    std::uint64_t resumed = 0;
    std::uint64_t lost = 0;   // closed by others while they were needed
    std::uint64_t silent = 0; // left a keep-alive unanswered

    // Messages.
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t late = 0; // for calls that were over, or for nobody

    std::vector<Histogram> steps; // by StepId: responses that are drawn

    [[nodiscard]] std::uint64_t ended() const { return passed + failed + interrupted; }
    void merge(const Tally& other);
    void clear();
    // A call has ended. `due`: when it should have started.
    void count(const script::Plan& plan, const Report& report, Instant due);
};

// Why it failed, in words that are the same for all calls that failed so.
std::string cause_of(const script::Plan& plan, const Report& report);

// Is the criterion met, and what was measured?
struct Judgement {
    script::Criterion criterion;
    bool met = false;
    bool measured = false; // false: there was nothing to measure, so it is not met
    double share = 0;      // of failures, or of those that were quick enough
    Duration time;         // the percentile asked for
};
std::vector<Judgement> judge(const std::vector<script::Criterion>& criteria, const Tally& tally);
// "95% of answers < 800ms"
std::string to_string(const script::Criterion& criterion);

} // namespace cw::play
