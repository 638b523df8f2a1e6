// The list's columns, which the user chooses, and the dialogs for them and for settings.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "view/screen/screen.hpp"
#include "view/screen/screen_cells.hpp"
#include "view/security_words.hpp"

namespace cw::view {
namespace {

constexpr std::string_view names[] = {"time", "kind",     "from",     "to",     "end",
                                      "msgs", "security", "findings", "weakest"};
constexpr std::size_t security = 6;
constexpr std::size_t findings = 7;
constexpr std::size_t weakest = 8;
constexpr std::size_t number_width = 7; // mark and number, before all columns
constexpr std::size_t wide_from = 100;
constexpr std::size_t sentence_from = 170;
constexpr std::size_t least_rest = 40; // of parties and end
constexpr std::size_t least_of_own = 24;

// What a column takes, with a blank behind it; 0: a share of the rest.
std::size_t width_of(std::size_t column, bool wide) {
    const std::size_t widths[] = {wide ? 13U : 9U, 6, 0, 0, 0, 6, 18, 9, 0}; // time: ms or not
    return widths[column];
}
std::size_t share_of(std::size_t column) {
    constexpr std::size_t shares[] = {0, 0, 3, 3, 4, 0, 0, 0, 6};
    return shares[column];
}

std::string_view short_kind(std::string_view kind) {
    return kind == "registration"   ? "reg"
           : kind == "message"      ? "msg"
           : kind == "subscription" ? "sub"
           : kind == "options"      ? "opt"
                                    : kind;
}

} // namespace

// "time from -kind": in this order; those behind a minus, and those that are not named, are not
// shown. Names that are none are passed over.
void Screen::read_columns(std::string_view text) {
    columns_.clear();
    const auto has = [this](std::size_t which) {
        return std::ranges::find(columns_, which, &ListColumn::which) != columns_.end();
    };
    own_columns_ = !text.empty();
    while (!text.empty()) {
        auto word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        const bool hidden = word.starts_with('-');
        word.remove_prefix(hidden ? 1 : 0);
        const auto* name = std::ranges::find(names, word);
        const auto which = static_cast<std::size_t>(name - std::begin(names));
        if (name != std::end(names) && !has(which)) {
            columns_.push_back({which, !hidden});
        }
    }
    const bool any = std::ranges::any_of(columns_, &ListColumn::shown);
    own_columns_ = own_columns_ && any;
    for (std::size_t which = 0; which < std::size(names); ++which) {
        if (!has(which)) {
            columns_.push_back({which, !own_columns_});
        }
    }
}

std::string Screen::columns_text() const {
    std::string out;
    for (const auto& column : columns_) {
        out += out.empty() ? "" : " ";
        out += column.shown ? "" : "-";
        out += names[column.which];
    }
    return out;
}

std::vector<std::size_t> Screen::seen_columns() const {
    std::vector<std::size_t> out;
    for (const auto& column : columns_) {
        const auto from = column.which == security  ? wide_from
                          : column.which == weakest ? sentence_from
                                                    : 0;
        const bool fits = own_columns_ || options_.width >= from;
        if (column.shown && fits) {
            out.push_back(column.which);
        }
    }
    return out;
}

void Screen::sort_by_neighbour(bool next) {
    const auto order = seen_columns();
    const auto at = static_cast<std::size_t>(std::ranges::find(order, column_) - order.begin());
    const auto now = at == order.size() ? (next ? order.size() - 1 : 0) : at;
    column_ = order[(now + (next ? 1 : order.size() - 1)) % order.size()];
    arrange();
}

std::string Screen::list_line(const ScreenRow* row) const {
    const auto seen = seen_columns();
    const bool wide = options_.width >= wide_from;
    std::size_t fixed = number_width - 1; // there is no blank behind the last one
    std::size_t shares = 0;
    for (const auto column : seen) {
        fixed += width_of(column, wide);
        shares += share_of(column);
    }
    const auto least = own_columns_ ? least_of_own : least_rest;
    const auto rest = options_.width > fixed + least ? options_.width - fixed : least;
    auto left = rest; // the last one that shares gets what division leaves over
    auto shares_left = shares;
    std::string out =
        row == nullptr
            ? "     # "
            : fmt::format("{}{:>5} ", selected_.contains(row->id) ? "*" : " ", row->shown_number());
    for (const auto column : seen) {
        auto cells = width_of(column, wide);
        if (cells == 0) {
            shares_left -= share_of(column);
            cells = shares_left == 0 ? left : rest * share_of(column) / shares;
            left -= cells;
        }
        const bool last = column == seen.back();
        const auto cell = [&](std::string_view text, Tone tone) {
            out += ink(in_cells(text, cells - 1, options_.ascii), tone);
            out += last ? "" : " ";
        };
        if (row == nullptr) {
            cell(std::string{names[column]} + (column == column_ ? (upwards_ ? "^" : "v") : ""),
                 Tone::Dim);
            continue;
        }
        switch (column) {
        case 0:
            cell(std::string_view{row->time}.substr(0, wide ? 12 : 8), Tone::Plain);
            break;
        case 1:
            cell(short_kind(row->kind), Tone::Plain);
            break;
        case 2:
            cell(row->from, Tone::Plain);
            break;
        case 3:
            cell(row->to, Tone::Plain);
            break;
        case 4:
            cell(std::string{sign_of(row->state, options_.ascii)} + row->end, row->state);
            break;
        case 5:
            cell(fmt::format("{}", row->messages), Tone::Plain);
            break;
        case security:
            cell(row->security, row->safe);
            break;
        case findings:
            cell(row->rules, Tone::Bad);
            break;
        default:
            cell(weakest_in(row->weakest, cells - 1), Tone::Dim);
        }
    }
    return out;
}

// ---- dialogs

void Screen::open_dialog(At dialog) {
    before_ = at_;
    at_ = dialog;
    dialog_ = 0;
}

template <class Self>
auto Screen::settings_of(Self& self) {
    return std::array<std::pair<std::string_view, decltype(&self.media_)>, settings_count>{{
        {"media on the ladder", &self.media_},
        {"messages beside or below the ladder", &self.pane_},
        {"arrows coloured by leg", &self.by_leg_},
        {"messages coloured by their syntax", &self.syntax_},
        {"colours", &self.options_.colour},
        {"256 colours", &self.options_.colours_256},
        {"ASCII characters only", &self.options_.ascii},
    }};
}

void Screen::dialog_key(const std::string& key) {
    const bool columns = at_ == At::Columns;
    if (key == "esc" || key == "q" || key == "enter" || key == (columns ? "f10" : "f8") ||
        key == (columns ? "t" : "o")) {
        at_ = before_;
    } else if (!columns && key == "space") {
        auto& on = *settings_of(*this)[dialog_].second;
        on = !on;
    } else if (columns && key == "space") {
        auto& shown = columns_[dialog_].shown;
        shown = !shown;
        if (std::ranges::none_of(columns_, &ListColumn::shown)) {
            shown = true;
            said_ = "One column has to stay";
        }
        own_columns_ = true;
    } else if (columns && (key == "+" || key == "-")) {
        const auto to = key == "+" ? dialog_ + 1 : dialog_ - 1; // wraps to far above the size
        if (to < columns_.size()) {
            std::swap(columns_[dialog_], columns_[to]);
            dialog_ = to;
            own_columns_ = true;
        }
    } else if (columns && key == "s" && source_.keep_columns) {
        said_ = source_.keep_columns(columns_text());
    }
}

void Screen::paint_settings(std::vector<Line>& out) const {
    out.push_back({"Settings", false});
    out.push_back({"", false});
    std::size_t at = 0;
    for (const auto& [name, on] : settings_of(*this)) {
        out.push_back({fmt::format("  [{}] {}", *on ? "x" : " ", name), at++ == dialog_});
    }
}

void Screen::paint_columns(std::vector<Line>& out) const {
    out.push_back({"Columns of the list", false});
    out.push_back({"", false});
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        out.push_back(
            {fmt::format("  [{}] {}", columns_[i].shown ? "x" : " ", names[columns_[i].which]),
             i == dialog_});
    }
    out.push_back({"", false});
    out.push_back({list_line(nullptr), false});
}

// Heads with addresses where names stood, and the other way round.
void Screen::swap_names() {
    addresses_ = !addresses_;
    for (auto& column : call_.ladder.columns) {
        if (!column.address.empty()) {
            std::swap(column.name, column.address);
        }
    }
    lay_out_flow();
}

} // namespace cw::view
