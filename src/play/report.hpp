// What came of a performance: a verdict for each arrow, what came that nobody drew, what was done
// without being drawn. Values that own what they hold; may outlive the Performance.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "script/plan.hpp"

namespace cw::play {

enum class Verdict : std::uint8_t {
    Skipped,    // the flow ended before it, or took another branch
    Passed,     // it happened as drawn
    Failed,     // it happened, but otherwise
    Missing,    // it should have happened, and did not
    Unexpected, // it must not get through, and did
    Unverified, // between parties that are not ours: nobody looked
};
std::string_view to_string(Verdict verdict); // "passed", as in the JSON
constexpr bool is_wrong(Verdict verdict) {
    return verdict == Verdict::Failed || verdict == Verdict::Missing ||
           verdict == Verdict::Unexpected;
}

// What is shown side by side where an arrow failed.
struct Difference {
    std::string where;    // "Max-Forwards", "status", "SDP a=", "certificate"
    std::string expected; // as the flow has it
    std::string received;
};

struct ArrowReport {
    script::StepId step = 0;
    Verdict verdict = Verdict::Skipped;
    Instant at;              // when it happened; not known(): it did not
    Duration took;           // responses: since the request was sent
    std::uint32_t times = 0; // in a loop
    bool swapped = false;    // it came before another arrow that is drawn above it
    std::string why;         // one sentence, empty when it passed
    Difference difference;   // empty where `why` says it all
    std::string sent;        // the message as it left us; empty when its sender is not ours
    std::string received;    // …and as it arrived
};

// A message that came and is not in the flow, or that was done without being drawn.
struct Extra {
    script::PartyId from = 0;
    script::PartyId to = 0;
    script::StepId before = 0; // drawn below the arrows that had happened by then
    Instant at;
    bool implied = false; // 100, ACK, a digest retry: allowed
    std::string text;     // "183 Session Progress (INVITE)"
    std::string message;  // whole
    std::string why;
};

// What was received of a stream of media.
struct StreamReport {
    script::PartyId from = 0;
    script::PartyId to = 0;
    script::CallId call = 0;
    std::string codec;
    std::string suite; // of SRTP; empty: in clear
    std::uint64_t packets = 0;
    std::uint64_t lost = 0;
    std::uint64_t unauthentic = 0;
    double jitter_ms = 0;
    double mos = 0;
    std::vector<std::int16_t> heard; // where Given::record asks for it: 8000 samples a second
};

// What became of a request that a party of ours made.
struct Asked {
    script::StepId step = 0;
    sip::Method method = sip::Method::None;
    std::uint16_t status = 0; // the final one; 0: none came. Challenges that were answered are none
    Instant sent;             // for the first time
    Instant provisional;      // the first response above 100 that was not final; not known: none
    Instant final;            // not known: none
};

struct Report {
    enum class Result : std::uint8_t { Passed, Failed };
    Result result = Result::Passed;
    std::string why; // of the flow as a whole, where no arrow is to blame
    Instant began;
    Instant ended;
    std::vector<ArrowReport>
        arrows;                    // in the order of the flow, those of Plan::steps that are arrows
    std::vector<ArrowReport> acts; // notes that failed or passed, likewise
    std::vector<Extra> extras;     // in the order of time
    std::vector<StreamReport> streams;
    std::vector<Asked> asked;

    [[nodiscard]] bool passed() const { return result == Result::Passed; }
};

} // namespace cw::play
