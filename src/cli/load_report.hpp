// What came of a load: for people, as JSON, as CSV, and the failed calls that were kept.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal.hpp"
#include "host/load/load.hpp"
#include "play/load/tally.hpp"
#include "script/plan.hpp"

namespace cw::cli {

std::string load_text(const std::string& file, const script::Plan& plan,
                      const host::LoadResult& result, const std::vector<play::Judgement>& judged,
                      bool good, const Terminal& terminal);

// Of a second, what the JSON has: a load may last for days.
struct BriefSecond {
    std::uint64_t number = 0, due = 0, started = 0, held_back = 0, passed = 0, failed = 0;
    std::uint64_t in_progress = 0;
    Duration answer_50, answer_99, late_99;
    Duration cpu;
};
BriefSecond brief(const host::LoadSecond& second);

std::string load_json(const std::string& file, const script::Plan& plan,
                      const host::LoadResult& result, const std::vector<play::Judgement>& judged,
                      const std::vector<BriefSecond>& seconds, bool good);

std::string load_csv_heading();
std::string load_csv_line(const host::LoadSecond& second);

// Where failed calls are to be kept: before the first of them is there. Nothing where none is
// named. Empty, or why it could not be made.
std::string make_folder(const std::string& folder);
// A ladder and a capture for each, in `folder`. Empty, or why it could not be done.
std::string write_failed(const std::string& folder, const std::string& file,
                         const script::Plan& plan, const std::vector<play::FailedCall>& failed);

// "1.2 ms", "35 µs", "2.1 s"
std::string short_time(Duration time);
// The same of what a share of them took at most; "-" where nothing was measured.
std::string short_time(const play::Histogram& times, double share);

// The flow's title, else its file.
std::string title_of(const script::Plan& plan, const std::string& file);

} // namespace cw::cli
