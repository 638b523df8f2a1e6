// What came of a performance, for people: the ladder with its verdicts, and what differs.
#pragma once

#include <string>
#include <vector>

#include "play/cast.hpp"
#include "play/report.hpp"
#include "script/plan.hpp"
#include "view/ladder.hpp"

namespace cw::cli {

struct RunTextOptions {
    bool color = false;
    bool ascii = false;
    std::size_t width = 100;
};

// Arrows and actions as they are drawn. Valid as long as the report.
std::vector<const play::ArrowReport*> in_order(const play::Report& report);

view::Ladder ladder_of(const std::string& file, const script::Plan& plan,
                       const play::Report& report);
// The ladder, then each thing that is not as drawn, with what was expected beside what came.
std::string run_text(const std::string& file, const script::Plan& plan, const play::Report& report,
                     const RunTextOptions& options);
// "✓ alice → proxy: REGISTER (+2 ms)": one arrow, as it happens.
std::string arrow_line(const script::Plan& plan, const play::ArrowReport& arrow, Instant began,
                       const RunTextOptions& options);
// The same for a message that nobody drew.
std::string extra_line(const script::Plan& plan, const play::Extra& extra, Instant began,
                       const RunTextOptions& options);

} // namespace cw::cli
