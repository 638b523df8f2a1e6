// Several calls on one ladder.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "view/screen/screen.hpp"

namespace cw::view {
namespace {

// Where each column of `more` stands in `columns`, which get those that are new.
std::vector<std::uint16_t> add_columns(std::vector<Column>& columns, std::vector<Column> more) {
    std::vector<std::uint16_t> places;
    for (auto& column : more) {
        const auto same = std::ranges::find_if(columns, [&](const Column& known) {
            return known.name == column.name && known.address == column.address;
        });
        places.push_back(static_cast<std::uint16_t>(same - columns.begin()));
        if (same == columns.end()) {
            columns.push_back(std::move(column));
        }
    }
    return places;
}

void move_row(Row& row, const std::vector<std::uint16_t>& places, std::uint32_t numbers,
              std::uint32_t legs) {
    row.from = row.from < places.size() ? places[row.from] : row.from;
    row.to = row.to < places.size() ? places[row.to] : row.to;
    if ((row.kind == RowKind::Media || row.kind == RowKind::NoMedia) && row.from > row.to) {
        std::swap(row.from, row.to); // its columns stand from left to right
        row.toward_left = !row.toward_left;
    }
    row.number += row.number > 0 ? numbers : 0;
    if (row.leg != no_leg) {
        row.leg = static_cast<std::uint8_t>(std::min<std::uint32_t>(row.leg + legs, no_leg - 1U));
    }
}

// Rows in the order of time; what stands below a row that has one goes with it.
void sort_rows(std::vector<Row>& rows) {
    std::vector<std::pair<Instant, std::size_t>> order; // of each row, and its place
    for (const auto& row : rows) {
        const bool own = row.has_time || order.empty();
        order.emplace_back(own ? row.time : order.back().first, order.size());
    }
    std::ranges::stable_sort(order, {}, &std::pair<Instant, std::size_t>::first);
    std::vector<Row> sorted;
    sorted.reserve(rows.size());
    Instant before;
    for (const auto& [time, place] : order) {
        auto& row = sorted.emplace_back(std::move(rows[place]));
        if (row.has_time) {
            row.has_delta = before.ns != 0;
            row.delta = row.kind == RowKind::Retransmissions ? row.delta : row.time - before;
            before = row.time;
        }
    }
    rows = std::move(sorted);
}

} // namespace

ScreenCall merge_calls(std::vector<ScreenCall> calls) {
    if (calls.size() == 1) {
        return std::move(calls.front());
    }
    ScreenCall out;
    std::uint32_t legs = 0;
    for (auto& call : calls) {
        auto& ladder = call.ladder;
        if (ladder.columns.empty()) {
            continue; // not kept any more
        }
        const auto numbers = static_cast<std::uint32_t>(out.messages.size());
        const auto places = add_columns(out.ladder.columns, std::move(ladder.columns));
        std::uint32_t most_leg = 0;
        std::erase_if(ladder.rows, [](const Row& row) { return row.kind == RowKind::Gap; });
        for (auto& row : ladder.rows) {
            most_leg = std::max<std::uint32_t>(most_leg, row.leg == no_leg ? 0 : row.leg);
            move_row(row, places, numbers, legs);
            out.ladder.rows.push_back(std::move(row));
        }
        legs += most_leg + 1;
        for (auto& finding : ladder.findings) {
            for (auto& number : finding.numbers) {
                number += numbers;
            }
            out.ladder.findings.push_back(std::move(finding));
        }
        for (auto& [tone, line] : ladder.safety) {
            out.ladder.safety.emplace_back(tone, fmt::format("{}: {}", ladder.title_call, line));
        }
        out.ladder.weakest = out.ladder.weakest.empty() ? ladder.weakest : out.ladder.weakest;
        std::ranges::move(call.messages, std::back_inserter(out.messages));
        out.sdp.insert(out.sdp.end(), call.sdp.begin(), call.sdp.end());
        out.ladder.title_end += (out.ladder.title_end.empty() ? "" : ", ") + ladder.title_end;
    }
    sort_rows(out.ladder.rows);
    out.ladder.title_call = fmt::format("{} calls", calls.size());
    out.ladder.summary = fmt::format("{} messages · {} legs", out.messages.size(), legs);
    return out;
}

} // namespace cw::view
