#include "view/screen/screen.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cw::view {
namespace {

constexpr std::ptrdiff_t far = 1'000'000'000; // to the first or the last
constexpr std::size_t longest_typed = 400;
constexpr std::size_t narrow = 110; // below, the pane stands under the ladder

std::string lower(std::string_view text) {
    std::string out{text};
    for (auto& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
    }
    return out;
}

// All words occur, each in some column. They are in lower case.
bool has_words(const ScreenRow& row, std::string_view words) {
    const auto same = [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 'a' - 'A') : a) == b;
    };
    const std::string* texts[] = {&row.kind, &row.time,     &row.from,  &row.to,
                                  &row.end,  &row.security, &row.rules, &row.weakest};
    while (!words.empty()) {
        const auto word = words.substr(0, words.find(' '));
        words.remove_prefix(std::min(word.size() + 1, words.size()));
        const bool there = std::ranges::any_of(texts, [&](const std::string* text) {
            return !std::ranges::search(*text, word, same).empty();
        });
        if (!word.empty() && !there) {
            return false;
        }
    }
    return true;
}

const std::string& text_column(const ScreenRow& row, std::size_t column) {
    switch (column) {
    case 1:
        return row.kind;
    case 2:
        return row.from;
    case 3:
        return row.to;
    case 4:
        return row.end;
    case 6:
        return row.security;
    case 7:
        return row.rules;
    case 8:
        return row.weakest;
    default:
        return row.time;
    }
}

} // namespace

Screen::Screen(std::vector<ScreenRow> rows, ScreenSource source, const ScreenOptions& options)
    : rows_(std::move(rows)), source_(std::move(source)), options_(options) {
    read_columns(options_.columns);
    arrange();
    all_here();
}

void Screen::all_here() {
    tell({}, Tone::Plain);
    settle();
    if (rows_.size() == 1 && at_ == At::List && !live()) {
        open_flow();
    }
}

void Screen::resize(std::size_t width, std::size_t height) {
    options_.width = std::max<std::size_t>(width, 20);
    options_.height = std::max<std::size_t>(height, 6);
    if (at_ != At::List && !call_.ladder.columns.empty()) {
        lay_out_flow();
    }
}

std::size_t Screen::page() const {
    return std::max<std::size_t>(options_.height > 8 ? options_.height - 8 : 1, 1);
}

std::ptrdiff_t Screen::step_of(const std::string& key) const {
    const auto whole = static_cast<std::ptrdiff_t>(page());
    const std::pair<std::string_view, std::ptrdiff_t> steps[] = {{"down", 1},
                                                                 {"j", 1},
                                                                 {"up", -1},
                                                                 {"wheel-down", 3},
                                                                 {"wheel-up", -3},
                                                                 {"k", -1},
                                                                 {"page-down", whole},
                                                                 {"ctrl-f", whole},
                                                                 {"page-up", -whole},
                                                                 {"ctrl-b", -whole},
                                                                 {"ctrl-d", whole / 2 + 1},
                                                                 {"ctrl-u", -(whole / 2) - 1},
                                                                 {"home", -far},
                                                                 {"ctrl-a", -far},
                                                                 {"end", far},
                                                                 {"ctrl-e", far}};
    for (const auto& [name, step] : steps) {
        if (name == key) {
            return step;
        }
    }
    return 0;
}

void Screen::move(std::ptrdiff_t by) {
    const bool dialog = at_ == At::Settings || at_ == At::Columns;
    auto& place = dialog ? dialog_ : at_ == At::List ? chosen_ : at_ == At::Flow ? place_ : top_;
    const auto size = at_ == At::Settings  ? settings_count
                      : at_ == At::Columns ? columns_.size()
                      : at_ == At::List    ? shown_.size()
                      : at_ == At::Flow    ? places_.size()
                      : at_ == At::Verdict ? verdict_lines().size()
                                           : raw_lines_.size();
    const auto last = static_cast<std::ptrdiff_t>(size) - 1;
    place =
        static_cast<std::size_t>(std::clamp(static_cast<std::ptrdiff_t>(place) + by,
                                            std::ptrdiff_t{0}, std::max(last, std::ptrdiff_t{0})));
}

bool Screen::key(const std::string& key) {
    said_.clear();
    if (prompt_ != Prompt::None) {
        return prompt_key(key);
    }
    if (key == "ctrl-c") {
        return leave();
    }
    if (at_ == At::Save) {
        save_key(key);
        return true;
    }
    if (at_ == At::Help || at_ == At::Stats) {
        at_ = before_;
        return true;
    }
    if (at_ == At::Settings || at_ == At::Columns) {
        const auto step = step_of(key);
        step != 0 ? move(step) : dialog_key(key);
        return true;
    }
    if (key == "?" || key == "f1") {
        before_ = at_ == At::Flow || at_ == At::List ? at_ : At::Flow;
        at_ = At::Help;
        return true;
    }
    if (const auto step = step_of(key); step != 0) {
        move(step);
        return true;
    }
    if (key.starts_with("click ")) {
        click(std::string_view{key}.substr(6));
        return true;
    }
    switch (at_) {
    case At::List:
        return list_key(key);
    case At::Flow:
        return flow_key(key);
    case At::Raw:
    case At::Compare:
    case At::Verdict:
        return raw_key(key);
    case At::Help:
    case At::Stats:
    case At::Settings:
    case At::Columns:
    case At::Save:
        break;
    }
    return true;
}

bool Screen::list_key(const std::string& key) {
    if (key == "esc" || key == "q" || key == "Q") {
        return leave();
    }
    if (key == "h" || key == "H") {
        before_ = At::List;
        at_ = At::Help;
    } else if (shown_.empty() && (key == "enter" || key == "space")) {
        said_ = "No call is shown";
    } else if (key == "enter" || key == "f4" || key == "x" || key == "X") {
        open_flow();
    } else if (key == "f6" || key == "r" || key == "R") {
        open_flow();
        if (at_ == At::Flow) {
            open_raw(0);
        }
    } else if (key == "space") {
        const auto id = rows_[shown_[chosen_]].id;
        if (selected_.erase(id) == 0) {
            selected_.insert(id);
        }
        move(1);
    } else if (key == "ctrl-w") {
        selected_.clear();
    } else if (key == "*") {
        select_all();
    } else if (key == "f2" || key == "s" || key == "S") {
        open_save();
    } else if (key == "f3" || key == "/" || key == "tab") {
        ask(Prompt::Search);
    } else if (key == "f7" || key == "f" || key == "F") {
        ask(Prompt::Filter);
    } else if (key == "I") {
        only_invites();
    } else if (key == "K") {
        letters_ = !letters_;
    } else if (live() && (key == "f5" || key == "ctrl-l" || key == "f9")) {
        source_.forget(key == "f9");
        settle();
    } else if (key == "f5" || key == "ctrl-l") {
        search_.clear();
        filter_.clear();
        arrange();
    } else if (live() && key == "p") {
        pause();
    } else if (live() && key == "A") {
        follow_ = !follow_;
        said_ = follow_ ? "The newest call is followed; A ends it" : "The choice stays where it is";
        settle();
    } else if (key == "i") {
        before_ = At::List;
        at_ = At::Stats;
    } else if (key == "f8" || key == "o") {
        open_dialog(At::Settings);
    } else if (key == "f10" || key == "t") {
        open_dialog(At::Columns);
    } else if (key == "<" || key == ">") {
        sort_by_neighbour(key == ">");
    } else if (key == "z") {
        upwards_ = !upwards_;
        arrange();
    }
    return true;
}

bool Screen::flow_key(const std::string& key) {
    if (key == "esc" || key == "q" || key == "Q") {
        if (rows_.size() == 1 && !live()) {
            return leave();
        }
        back();
    } else if (key == "enter") {
        const auto number = chosen_number();
        number == 0 ? static_cast<void>(said_ = "No message here") : open_raw(number);
    } else if (key == "f6" || key == "r" || key == "R") {
        open_raw(0);
    } else if (key == "w") {
        shift_times(!since_start_);
        lay_out_flow();
        said_ = since_start_ ? "Times since the first row" : "Times of the day";
    } else if (key == "f5" || key == "s") {
        const bool programs = ladder_columns_ == flow::Boxes::Of::Programs;
        ladder_columns_ = programs ? flow::Boxes::Of::Endpoints : flow::Boxes::Of::Programs;
        load_again(programs ? "A column for each address and port" : "A column for each program");
    } else if (key == "K") {
        letters_ = !letters_;
    } else if (key == "space") {
        mark();
    } else if (key == "f2" || key == "d" || key == "D") {
        only_sdp_ = !only_sdp_;
        lay_out_flow();
    } else if (key == "f3" || key == "m") {
        media_ = !media_;
        lay_out_flow();
    } else if (key == "M") {
        only_media_ = !only_media_;
        lay_out_flow();
    } else if (key == "f4" || key == "x" || key == "X") {
        one_leg_ = !one_leg_;
        lay_out_flow();
        said_ = one_leg_ ? "One leg only" : "All legs";
    } else if (key == "f7" || key == "c") {
        by_leg_ = !by_leg_;
    } else if (key == "f8" || key == "C") {
        syntax_ = !syntax_;
    } else if (key == "f9" || key == "a") {
        swap_names();
    } else if (key == "v") {
        top_ = sideways_ = 0;
        at_ = At::Verdict;
    } else if (key == "t") {
        pane_ = !pane_;
        lay_out_flow();
    } else if (key == "9" || key == "0") {
        pane_change_ += key == "9" ? 4 : -4;
        lay_out_flow();
    } else if (key == "T") {
        pane_change_ = 0;
        lay_out_flow();
    } else if (key == "left" || key == "h") {
        sideways_ -= std::min<std::size_t>(sideways_, 8);
    } else if (key == "right" || key == "l") {
        sideways_ += 8;
    } else if (key == "S") {
        open_save();
    }
    return true;
}

bool Screen::raw_key(const std::string& key) {
    if (key == "esc" || key == "q" || key == "Q" || key == "enter" ||
        (key == "v" && at_ == At::Verdict)) {
        back();
    } else if (key == "left" || key == "h") {
        sideways_ -= std::min<std::size_t>(sideways_, 8);
    } else if (key == "right" || key == "l") {
        sideways_ += 8;
    } else if (at_ == At::Raw && (key == "f2" || key == "s" || key == "S")) {
        open_save();
    } else if (key == "space" && at_ == At::Raw && raw_ != 0) { // the next one
        open_raw(
            std::min<std::uint32_t>(raw_ + 1, static_cast<std::uint32_t>(call_.messages.size())));
    }
    return true;
}

void Screen::back() {
    sideways_ = 0;
    at_ = at_ == At::Flow ? At::List : At::Flow;
}

void Screen::ask(Prompt prompt) {
    prompt_ = prompt;
    typed_ = prompt == Prompt::Search ? search_ : filter_;
}

// False: the user leaves.
bool Screen::prompt_key(const std::string& key) {
    const auto prompt = prompt_;
    if (prompt == Prompt::Overwrite || prompt == Prompt::Leave) {
        prompt_ = Prompt::None;
        const bool yes = key == "y" || key == "Y";
        if (prompt == Prompt::Overwrite && yes) {
            save_chosen();
        } else if (prompt == Prompt::Leave && (key == "s" || key == "S" || key == "f2")) {
            open_save();
        }
        return prompt == Prompt::Overwrite || !(yes || key == "ctrl-c");
    }
    if (key == "esc" || key == "ctrl-c") {
        prompt_ = Prompt::None;
    } else if (key == "enter" || key == "tab") {
        prompt_ = Prompt::None;
        if (prompt == Prompt::Filter) {
            filter_ = typed_;
            apply_filter();
        }
    } else {
        edit_typed(key);
    }
    if (prompt == Prompt::Search) {
        search_ = prompt_ == Prompt::None && key == "esc" ? std::string{} : typed_;
        arrange();
    }
    return true;
}

void Screen::edit_typed(const std::string& key) {
    if (key == "backspace") {
        while (!typed_.empty() && (typed_.back() & 0xc0) == 0x80) {
            typed_.pop_back(); // what follows the first octet of a character
        }
        if (!typed_.empty()) {
            typed_.pop_back();
        }
    } else if (key == "ctrl-u") {
        typed_.clear();
    } else if (key == "space") {
        typed_ += ' ';
    } else if (typed_.size() < longest_typed && (key.size() == 1 || (key.front() & 0x80) != 0)) {
        typed_ += key;
    }
}

void Screen::apply_filter() {
    fit_.clear();
    std::string why;
    if ((live() || !filter_.empty()) && !source_.filter(filter_, fit_, why)) {
        said_ = why;
        filter_.clear();
    }
    arrange();
}

bool Screen::is_shown(const ScreenRow& row) const {
    return (filter_.empty() || fit_.contains(row.id)) && has_words(row, lower(search_));
}

void Screen::arrange() {
    const auto chosen =
        chosen_ < shown_.size() && shown_[chosen_] < rows_.size() ? rows_[shown_[chosen_]].id : 0;
    shown_.clear();
    const auto words = lower(search_);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        if ((filter_.empty() || fit_.contains(rows_[i].id)) && has_words(rows_[i], words)) {
            shown_.push_back(i);
        }
    }
    const auto before = [this](std::size_t a, std::size_t b) {
        const auto& left = rows_[upwards_ ? b : a];
        const auto& right = rows_[upwards_ ? a : b];
        if (column_ == 5) {
            return left.messages < right.messages;
        }
        return column_ == 0 ? left.shown_number() < right.shown_number()
                            : text_column(left, column_) < text_column(right, column_);
    };
    // Mostly they stand already as they are to be shown.
    if (!std::ranges::is_sorted(shown_, before)) {
        std::ranges::stable_sort(shown_, before);
    }
    choose(chosen);
}

void Screen::choose(std::uint32_t id) {
    const auto same =
        std::ranges::find_if(shown_, [&](std::size_t place) { return rows_[place].id == id; });
    chosen_ = same != shown_.end() ? static_cast<std::size_t>(same - shown_.begin())
                                   : std::min(chosen_, shown_.empty() ? 0 : shown_.size() - 1);
}

std::vector<std::uint32_t> Screen::selection() const {
    if (at_ != At::List) {
        return flow_ids_; // what is on the ladder
    }
    if (!selected_.empty()) {
        return {selected_.begin(), selected_.end()};
    }
    return shown_.empty() ? std::vector<std::uint32_t>{} : std::vector{rows_[shown_[chosen_]].id};
}

// The chosen call, or all that are selected [sngrep].
void Screen::open_flow() {
    if (shown_.empty()) {
        return;
    }
    constexpr std::size_t most = 64; // calls on one ladder
    flow_ids_ = selection();
    if (flow_ids_.size() > most) {
        flow_ids_.resize(most);
        said_ = fmt::format("The first {} of {} that are selected", most, selected_.size());
    }
    auto call = load_flow();
    if (call.ladder.columns.empty()) {
        said_ = live() ? "This call is not kept any more" : "It opens when all is read";
        return;
    }
    at_ = At::Flow;
    marked_.clear();
    place_ = sideways_ = 0;
    one_leg_ = only_sdp_ = only_media_ = false;
    addresses_ = false;
    show_loaded(std::move(call));
    const auto first = std::ranges::find_if(places_, [this](std::size_t place) {
        return call_.ladder.rows[lines_.rows[place].row].kind == RowKind::Message;
    });
    place_ = first == places_.end() ? 0 : static_cast<std::size_t>(first - places_.begin());
}

ScreenCall Screen::load_flow() const {
    std::vector<ScreenCall> calls;
    for (const auto id : flow_ids_) {
        calls.push_back(source_.load(id, ladder_columns_));
    }
    return merge_calls(std::move(calls));
}

// With names and times as they were chosen.
void Screen::show_loaded(ScreenCall call) {
    call_ = std::move(call);
    if (std::exchange(addresses_, false)) {
        swap_names();
    }
    if (std::exchange(since_start_, false)) {
        shift_times(true);
    }
    lay_out_flow();
}

void Screen::load_again(const std::string& said) {
    if (auto call = load_flow(); !call.ladder.columns.empty()) {
        show_loaded(std::move(call));
        said_ = said;
    }
}

void Screen::shift_times(bool to_start) {
    auto& rows = call_.ladder.rows;
    const auto first = std::ranges::find(rows, true, &Row::has_time);
    if (first == rows.end() || to_start == since_start_) {
        return;
    }
    since_start_ = to_start;
    if (to_start) {
        start_ = first->time;
    }
    const auto by = to_start ? Instant{} - start_ : start_ - Instant{};
    for (auto& row : rows) {
        row.time = row.time + by;
        row.until = row.until + by;
    }
}

void Screen::only_invites() {
    filter_ = filter_.empty() ? "method == INVITE" : "";
    apply_filter();
}

// All that are shown, in addition; when they all are, none.
void Screen::select_all() {
    const auto before = selected_.size();
    for (const auto place : shown_) {
        selected_.insert(rows_[place].id);
    }
    if (selected_.size() == before) {
        selected_.clear();
    }
}

std::size_t Screen::ladder_width() const {
    if (!pane_ || options_.width < narrow) {
        return options_.width;
    }
    const auto pane = static_cast<std::ptrdiff_t>(options_.width * 2 / 5) + pane_change_;
    const auto most = static_cast<std::ptrdiff_t>(options_.width) - 50;
    return options_.width - static_cast<std::size_t>(std::clamp(pane, std::ptrdiff_t{30}, most));
}

void Screen::lay_out_flow() {
    const auto here = places_.empty() || lines_.rows.empty() || place_ >= places_.size()
                          ? std::size_t{0}
                          : lines_.rows[places_[place_]].row;
    lines_ = ladder_lines(
        call_.ladder,
        {.width = ladder_width(), .ascii = options_.ascii, .colour = options_.colour, .fit = true});
    const auto leg = here < call_.ladder.rows.size() ? call_.ladder.rows[here].leg : no_leg;
    places_.clear();
    for (std::size_t i = 0; i < lines_.rows.size(); ++i) {
        const auto& row = call_.ladder.rows[lines_.rows[i].row];
        const bool media =
            row.kind == RowKind::Media || row.kind == RowKind::NoMedia || row.kind == RowKind::Dtmf;
        const bool sdp = row.kind == RowKind::Message && row.number > 0 &&
                         row.number <= call_.sdp.size() && call_.sdp[row.number - 1];
        const bool wanted = only_media_ ? media
                            : only_sdp_ ? sdp
                                        : (media_ || !media) && (!one_leg_ || row.leg == no_leg ||
                                                                 leg == no_leg || row.leg == leg);
        if (wanted) {
            places_.push_back(i);
        }
    }
    const auto same = std::ranges::find_if(
        places_, [&](std::size_t place) { return lines_.rows[place].row >= here; });
    place_ = same == places_.end() ? (places_.empty() ? 0 : places_.size() - 1)
                                   : static_cast<std::size_t>(same - places_.begin());
}

std::uint32_t Screen::chosen_number() const {
    return place_ < places_.size() ? call_.ladder.rows[lines_.rows[places_[place_]].row].number : 0;
}

void Screen::open_raw(std::uint32_t number) {
    const bool all = number == 0 && !call_.messages.empty();
    if (!all && (number == 0 || number > call_.messages.size())) {
        said_ = "No message here";
        return;
    }
    raw_ = number;
    raw_lines_ = message_lines(raw_);
    top_ = sideways_ = 0;
    at_ = At::Raw;
}

void Screen::mark() {
    const auto number = chosen_number();
    if (number == 0 || number > call_.messages.size()) {
        said_ = "No message here";
        return;
    }
    if (!marked_.empty() && marked_.front() != number) {
        raw_ = marked_.front();
        raw_lines_ = message_lines(raw_);
        other_ = number;
        marked_.clear();
        top_ = sideways_ = 0;
        at_ = At::Compare;
        return;
    }
    marked_.empty() ? marked_.push_back(number) : marked_.clear();
    said_ = marked_.empty() ? "" : "Space on another message compares the two";
}

} // namespace cw::view
