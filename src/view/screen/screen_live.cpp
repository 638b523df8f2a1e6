// The screens while calls go on: rows that come, change and go, and a ladder that grows.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/screen/screen.hpp"

namespace cw::view {
namespace {

// So many changes are held while it is paused; then it goes on by itself.
constexpr std::size_t most_held_rows = 100'000;

std::string end_of(const flow::Call& call, bool live) {
    if (!live || call.kind != flow::Kind::Call) {
        return outcome_text(call);
    }
    if (call.state == flow::State::Answered) {
        std::string length;
        append_duration(length, Duration{static_cast<std::int64_t>(call.duration_s * 1e9)});
        return "up, " + length;
    }
    const bool going_on = call.state == flow::State::Trying || call.state == flow::State::Ringing;
    return going_on ? std::string{to_string(call.state)} : outcome_text(call);
}

} // namespace

ScreenRow screen_row(const flow::Call& call, bool live) {
    ScreenRow row;
    row.id = call.id;
    row.kind = to_string(call.kind);
    append_time_of_day(row.time, call.start);
    row.from = printable(address_of_record(call.text(call.from)), 256);
    row.to = printable(address_of_record(call.text(call.to)), 256);
    row.end = end_of(call, live);
    row.outcome = to_string(call.state);
    row.security = security_text(call);
    row.weakest = printable(call.security.weakest, 256);
    for (const auto& finding : call.findings) {
        row.rules += row.rules.empty() ? "" : " ";
        row.rules += printable(finding.rule, 16);
    }
    row.messages = call.messages.size();
    row.state = outcome_tone(call);
    row.safe = security_tone(call);
    return row;
}

void Screen::put(ScreenRow row, bool fits) {
    if (paused_) {
        held_.emplace_back(std::move(row), fits);
        if (held_.size() >= most_held_rows) {
            pause();
            said_ = "So much came that the pause is over";
        }
        return;
    }
    take(std::move(row), fits);
}

void Screen::take(ScreenRow row, bool fits) {
    if (!filter_.empty()) {
        fits ? static_cast<void>(fit_.insert(row.id)) : static_cast<void>(fit_.erase(row.id));
    }
    flow_stale_ = flow_stale_ || std::ranges::find(flow_ids_, row.id) != flow_ids_.end();
    const auto [at, fresh] = place_of_.try_emplace(row.id, rows_.size());
    if (!fresh) {
        saved_.erase(row.id);
        disordered_ = disordered_ || column_ != 0 || !filter_.empty() || !search_.empty() ||
                      rows_[at->second].shown_number() != row.shown_number();
        rows_[at->second] = std::move(row);
        return;
    }
    const bool in_order = column_ == 0 && !upwards_ &&
                          (rows_.empty() || rows_.back().shown_number() < row.shown_number());
    if (in_order && !disordered_ && is_shown(row)) {
        shown_.push_back(rows_.size());
    } else {
        disordered_ = disordered_ || !in_order;
    }
    rows_.push_back(std::move(row));
}

void Screen::remove(std::uint32_t id, std::uint32_t into) {
    removed_.emplace(id, into);
}

// Several at once: each costs a look at all rows.
void Screen::drop_removed() {
    if (removed_.empty() || paused_) {
        return;
    }
    const auto gone = [this](std::uint32_t id) { return removed_.contains(id); };
    const auto chosen = chosen_ < shown_.size() ? rows_[shown_[chosen_]].id : 0;
    std::erase_if(rows_, [&](const ScreenRow& row) { return gone(row.id); });
    for (const auto& [id, into] : removed_) {
        fit_.erase(id);
        saved_.erase(id);
        saved_.erase(into);
        if (selected_.erase(id) > 0 && into != 0) {
            selected_.insert(into);
        }
        const auto shown = std::ranges::find(flow_ids_, id);
        if (shown == flow_ids_.end() || into == 0) {
            continue;
        }
        flow_stale_ = true;
        std::ranges::find(flow_ids_, into) == flow_ids_.end()
            ? static_cast<void>(*shown = into)
            : static_cast<void>(flow_ids_.erase(shown));
    }
    place_of_.clear();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        place_of_.emplace(rows_[i].id, i);
    }
    const auto became = removed_.find(chosen);
    const auto wanted = became == removed_.end() ? chosen : became->second;
    removed_.clear();
    shown_.clear();
    arrange();
    choose(wanted);
    disordered_ = false;
}

void Screen::settle() {
    drop_removed();
    if (std::exchange(disordered_, false)) {
        arrange();
    }
    if (follow_ && !paused_ && at_ == At::List && !shown_.empty()) {
        // The newest stands where the order by time puts it.
        chosen_ = column_ == 0 && upwards_ ? 0 : shown_.size() - 1;
    }
    if (flow_stale_ && !paused_) {
        reload_flow();
    }
}

// The call on the ladder, or on a screen that came from it, as it is now. The cursor stays at its
// message; at the end of the ladder it stays at the end.
void Screen::reload_flow() {
    flow_stale_ = false;
    const bool on_screen = at_ == At::Flow || at_ == At::Raw || at_ == At::Compare ||
                           at_ == At::Verdict || (at_ == At::Save && before_ != At::List) ||
                           ((at_ == At::Help || at_ == At::Stats) && before_ == At::Flow);
    if (!on_screen) {
        return;
    }
    auto call = load_flow();
    if (call.ladder.columns.empty()) {
        return; // what was shown stays
    }
    const auto number = chosen_number();
    const bool at_end = place_ + 1 >= places_.size();
    show_loaded(std::move(call));
    if (at_ == At::Raw) {
        raw_lines_ = message_lines(raw_);
    }
    const auto same = std::ranges::find_if(places_, [&](std::size_t place) {
        return number != 0 && call_.ladder.rows[lines_.rows[place].row].number == number;
    });
    if (at_end && !places_.empty()) {
        place_ = places_.size() - 1;
    } else if (same != places_.end()) {
        place_ = static_cast<std::size_t>(same - places_.begin());
    }
}

void Screen::tell(std::string status, Tone tone) {
    status_ = std::move(status);
    status_tone_ = tone;
}

void Screen::pause() {
    paused_ = !paused_;
    if (paused_) {
        said_ = "Paused: calls are still taken; p goes on";
        return;
    }
    for (auto& [row, fits] : std::exchange(held_, {})) {
        take(std::move(row), fits);
    }
    settle();
}

} // namespace cw::view
