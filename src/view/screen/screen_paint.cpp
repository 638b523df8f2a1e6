// What the screens look like.
#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/findings_text.hpp"
#include "view/screen/screen.hpp"
#include "view/screen/screen_cells.hpp"

namespace cw::view {
namespace {

constexpr std::string_view plain = "\x1b[0m";

// First of `size` that are in sight when `chosen` is.
std::size_t first_seen(std::size_t chosen, std::size_t size, std::size_t room) {
    return size <= room ? 0 : std::min(chosen > room / 2 ? chosen - room / 2 : 0, size - room);
}

constexpr std::string_view help[] = {
    // 80 columns, 24 lines with what is live, and the bar
    "  everywhere  arrows j k  move         PgUp PgDn ^B ^F  a page, ^U ^D  half",
    "              ? F1  this               Home End ^A ^E  first, last",
    "              Esc q  back, leave       K  the other keys in the last line",
    "  list        Enter F4 x  the ladder of the call, or of all that are selected",
    "              Space  select   * all   ^W  none      I  only INVITE, or all",
    "              F2 s        save all, selected, shown: .txt .mmd .svg .html .pcapng",
    "              F3 / Tab    search while you type",
    "              F5 ^L       show all again",
    "              F6 r        its messages",
    "              F7 f        filter: status >= 400 and to ~ 4930",
    "              < > z  i    sort by another column, turn the order; statistics",
    "              F8 o        settings     F10 t   columns of the list",
    "  ladder      Enter       the message  Space  on two: compare them",
    "              F2 d D      only SDP     F3 m   media on, off   M  only media",
    "              F4 x        this leg     F5 s   a column for each port, or program",
    "              F6 r        all messages F7 c   colour by leg",
    "              F8 C        syntax       F9 a   names or addresses",
    "              w  time of the day, or since the start      S  save",
    "              t  9 0 T    message pane, its size      v  how safe each hop was",
    "              left right  what is wider than the screen",
};

} // namespace

std::string Screen::ink(std::string_view text, Tone tone) const {
    if (!options_.colour) {
        return std::string{text};
    }
    const std::string_view code = tone == Tone::Bad    ? "\x1b[31m"
                                  : tone == Tone::Good ? "\x1b[32m"
                                  : tone == Tone::Slow ? "\x1b[33m"
                                  : tone == Tone::Dim  ? "\x1b[2m"
                                                       : "";
    return code.empty() ? std::string{text} : fmt::format("{}{}{}", code, text, plain);
}

void Screen::paint_list(std::vector<Line>& out) const {
    std::string head = fmt::format("callwright · {} of {} calls", shown_.size(), rows_.size());
    if (!status_.empty()) {
        head += " · " + ink(status_, status_tone_);
    }
    head += paused_ ? " · " + ink("paused", Tone::Slow) : "";
    if (!selected_.empty()) {
        head += fmt::format(" · {} selected", selected_.size());
    }
    head += filter_.empty() ? "" : " · filter: " + filter_;
    head += search_.empty() ? "" : " · search: " + search_;
    out.push_back({head, false});
    out.push_back({list_line(nullptr), false});
    const auto first = first_seen(chosen_, shown_.size(), room());
    for (auto i = first; i < std::min(first + room(), shown_.size()); ++i) {
        out.push_back({list_line(&rows_[shown_[i]]), i == chosen_});
    }
}

std::vector<std::string> Screen::message_lines(std::uint32_t number) const {
    std::vector<std::string> out;
    if (number != 0) {
        append_message(out, number);
        return out;
    }
    for (const auto& row : call_.ladder.rows) {
        if (row.kind != RowKind::Message || row.number == 0) {
            continue;
        }
        std::string time;
        append_time_of_day(time, row.time);
        const auto name = [&](std::uint16_t column) {
            const auto& at = call_.ladder.columns[column];
            return at.address.empty() ? at.name : fmt::format("{} {}", at.name, at.address);
        };
        out.push_back(
            ink(fmt::format("{:>3}  {}  {} → {}", row.number, time, name(row.from), name(row.to)),
                Tone::Slow));
        append_message(out, row.number);
        out.emplace_back();
    }
    return out;
}

void Screen::append_message(std::vector<std::string>& out, std::uint32_t number) const {
    if (number == 0 || number > call_.messages.size()) {
        return;
    }
    const auto& bytes = call_.messages[number - 1];
    bool head = true;
    bool first = true;
    for (std::string_view rest = bytes; !rest.empty();) {
        auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        auto text = printable(line, 8192);
        const auto colon = text.find(head ? ':' : '=');
        const bool coloured = options_.colour && syntax_;
        if (coloured && first) {
            text = fmt::format("\x1b[1m{}{}", text, plain);
        } else if (coloured && colon != std::string::npos && (head ? colon < 40 : colon == 1)) {
            text = fmt::format("\x1b[{}m{}{}{}", head ? 36 : 32, text.substr(0, colon + 1), plain,
                               text.substr(colon + 1));
        }
        first = false;
        head = head && !line.empty();
        out.push_back(std::move(text));
    }
    if (bytes.empty()) {
        out.emplace_back("(its bytes are not known)");
    }
}

// What was found at the message, and the message.
std::vector<std::string> Screen::pane_lines(std::uint32_t number, std::size_t width) const {
    std::vector<std::string> out;
    for (const auto& f : call_.ladder.findings) {
        if (number == 0 || f.numbers.empty() || f.numbers.front() != number) {
            continue;
        }
        out.push_back(ink(fmt::format("{}{}", sign_of(f.tone, options_.ascii), f.rule), f.tone) +
                      " " + f.title);
        for (const auto& [name, words] :
             {std::pair{"seen", &f.evidence}, std::pair{"do", &f.advice}}) {
            auto lines = fmt::format("  {:4} ", name);
            append_wrapped(lines, said_in(*words, options_.ascii), 7, width);
            for (std::string_view rest = words->empty() ? std::string_view{} : lines;
                 !rest.empty();) {
                const auto line = rest.substr(0, rest.find('\n'));
                rest.remove_prefix(std::min(rest.size(), line.size() + 1));
                out.emplace_back(line);
            }
        }
        out.emplace_back();
    }
    for (auto& line : message_lines(number)) {
        out.push_back(std::move(line));
    }
    return out;
}

void Screen::paint_flow(std::vector<Line>& out) const {
    const auto& l = call_.ladder;
    auto title = l.title_call;
    if (!l.title_from.empty()) {
        title += fmt::format(" · {} → {}", l.title_from, l.title_to);
    }
    out.push_back({fmt::format("{} · {}", title, ink(l.title_end, l.state)), false});
    out.push_back({ink(l.summary, Tone::Dim), false});
    for (std::size_t i = 0; i < std::min<std::size_t>(l.findings.size(), 2); ++i) {
        const auto& f = l.findings[i];
        out.push_back({ink(fmt::format("{}{}", sign_of(f.tone, options_.ascii), f.rule), f.tone) +
                           " " + f.title +
                           (i == 1 && l.findings.size() > 2
                                ? fmt::format(" (and {} more)", l.findings.size() - 2)
                                : ""),
                       false});
    }
    const auto width = ladder_width();
    for (const auto& head : lines_.heads) {
        out.push_back({window(head, sideways_, width), false});
    }
    const bool beside = width < options_.width;
    const auto rows = room();
    const auto under = options_.height - 2 - std::min(out.size(), options_.height - 3) - rows;
    const auto first = first_seen(place_, places_.size(), rows);
    const auto pane = pane_lines(chosen_number(), beside ? options_.width - width - 1 : width);
    for (std::size_t i = 0; i < rows; ++i) {
        Line line;
        if (first + i < places_.size()) {
            const auto& ladder_line = lines_.rows[places_[first + i]];
            const auto& row = l.rows[ladder_line.row];
            line.text = ladder_line.text;
            line.chosen = first + i == place_;
            const bool marked = row.number > 0 && !marked_.empty() && marked_.front() == row.number;
            if (by_leg_ && options_.colour && row.leg != no_leg && !line.chosen) {
                line.text = fmt::format("\x1b[{}m{}{}", 31 + (row.leg + 3) % 6,
                                        without_colour(line.text), plain);
            }
            line.text = window(line.text, sideways_, width);
            if (marked) {
                line.text = "*" + window(line.text, 1, width - 1);
            }
        }
        if (beside) {
            // Only the ladder's half shows which row is chosen.
            auto left = window(line.text, 0, width);
            if (line.chosen) {
                left = fmt::format("\x1b[7m{}{}", without_colour(left), plain);
                line.chosen = false;
            }
            line.text = left + (options_.ascii ? "|" : "│") +
                        (i < pane.size() ? window(pane[i], 0, options_.width - width - 1) : "");
        }
        out.push_back(std::move(line));
    }
    for (std::size_t i = 0; i < under; ++i) {
        out.push_back({i == 0                ? std::string(options_.width, '-')
                       : i - 1 < pane.size() ? pane[i - 1]
                                             : std::string{},
                       false});
    }
}

void Screen::paint_raw(std::vector<Line>& out) const {
    out.push_back({raw_ == 0 ? fmt::format("All {} messages", call_.messages.size())
                             : fmt::format("Message {} of {}", raw_, call_.messages.size()),
                   false});
    for (auto i = top_; i < raw_lines_.size() && out.size() < options_.height - 2; ++i) {
        out.push_back({window(raw_lines_[i], sideways_, options_.width), false});
    }
}

// Line beside line; those that are not the same are marked. A line that the other message has, too,
// a little further down, moves there.
void Screen::paint_compare(std::vector<Line>& out) const {
    const auto half = (options_.width - 3) / 2;
    const auto left = message_lines(raw_);
    const auto right = message_lines(other_);
    out.push_back({in_cells(fmt::format("Message {}", raw_), half, options_.ascii) + "   " +
                       fmt::format("Message {}", other_),
                   false});
    std::vector<std::pair<std::string, std::string>> rows;
    std::size_t i = 0;
    std::size_t j = 0;
    constexpr std::size_t reach = 40;
    const auto ahead = [](const std::vector<std::string>& lines, std::size_t from,
                          const std::string& line) {
        const auto end = std::min(lines.size(), from + reach);
        for (auto at = from; at < end; ++at) {
            if (lines[at] == line) {
                return at - from;
            }
        }
        return reach;
    };
    while (i < left.size() || j < right.size()) {
        const auto skip_left = j < right.size() ? ahead(left, i, right[j]) : reach;
        const auto skip_right = i < left.size() ? ahead(right, j, left[i]) : reach;
        if (skip_right == 0) {
            rows.emplace_back(left[i++], right[j++]);
        } else if (j >= right.size() ||
                   (i < left.size() && skip_left < skip_right && skip_left < reach)) {
            rows.emplace_back(left[i++], "");
        } else if (i >= left.size() || skip_right < reach) {
            rows.emplace_back("", right[j++]);
        } else {
            rows.emplace_back(left[i++], right[j++]);
        }
    }
    for (auto at = top_; at < rows.size() && out.size() < options_.height - 2; ++at) {
        const bool same = rows[at].first == rows[at].second;
        out.push_back({window(rows[at].first, sideways_, half) +
                           (same ? " | " : ink(" # ", Tone::Slow)) +
                           window(rows[at].second, sideways_, half),
                       false});
    }
}

std::vector<std::string> Screen::verdict_lines() const {
    const auto& l = call_.ladder;
    std::vector<std::string> out;
    const auto add = [&](std::string_view sign, std::string_view text, Tone tone) {
        std::string wrapped{sign};
        append_wrapped(wrapped, said_in(text, options_.ascii), cell_width(sign),
                       options_.width - 1);
        for (std::string_view rest = wrapped; !rest.empty();) {
            const auto line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            out.push_back(ink(line, tone));
        }
    };
    if (!l.weakest.empty()) {
        add("weakest: ", l.weakest, Tone::Plain);
        out.emplace_back();
    }
    for (const auto& [tone, line] : l.safety) {
        add(sign_of(tone, options_.ascii), line, tone);
    }
    if (l.safety.empty()) {
        out.emplace_back("Nothing is known of how it was protected");
    }
    return out;
}

void Screen::paint_verdict(std::vector<Line>& out) const {
    out.push_back({fmt::format("{} · {}", call_.ladder.title_call, call_.ladder.security), false});
    const auto lines = verdict_lines();
    for (auto i = top_; i < lines.size() && out.size() < options_.height - 2; ++i) {
        out.push_back({window(lines[i], sideways_, options_.width), false});
    }
}

void Screen::paint_help(std::vector<Line>& out) const {
    out.push_back({"Keys", false});
    out.push_back({"", false});
    for (auto line : help) {
        if (live() && line.contains("F5 ^L")) {
            line = "              F5 ^L       forget ended calls  F9  those that the filter hides";
        }
        out.push_back({std::string{line}, false});
    }
    if (live()) {
        out.push_back({"              p  pause    A  follow the newest call", false});
    }
}

// How many there are of each kind, end and protection.
void Screen::paint_stats(std::vector<Line>& out) const {
    const std::pair<std::string_view, std::string ScreenRow::*> tables[] = {
        {"By kind", &ScreenRow::kind},
        {"By end", &ScreenRow::outcome},
        {"By protection", &ScreenRow::security}};
    out.push_back({fmt::format("{} calls are shown, of {}", shown_.size(), rows_.size()), false});
    for (const auto& [name, field] : tables) {
        std::map<std::string_view, std::size_t> counts;
        for (const auto place : shown_) {
            ++counts[rows_[place].*field];
        }
        std::vector<std::pair<std::size_t, std::string_view>> order;
        for (const auto& [text, count] : counts) {
            order.emplace_back(count, text);
        }
        std::ranges::sort(order, std::greater{});
        out.push_back({"", false});
        out.push_back({ink(name, Tone::Dim), false});
        const auto most = order.empty() ? 1 : order.front().first;
        constexpr std::size_t longest = 24; // of a bar
        for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 8); ++i) {
            const auto [count, text] = order[i];
            std::string bar;
            for (std::size_t n = 0; n < std::max<std::size_t>(count * longest / most, 1); ++n) {
                bar += options_.ascii ? "#" : "█";
            }
            out.push_back(
                {fmt::format("{:>9}  {} {}", count,
                             in_cells(text.empty() ? "none" : text, 26, options_.ascii), bar),
                 false});
        }
    }
}

std::string Screen::bar() const {
    if (prompt_ != Prompt::None) {
        switch (prompt_) {
        case Prompt::Overwrite:
            return printable(typed_, 400) + " is there already. Overwrite it? (y/n)";
        case Prompt::Leave:
            return fmt::format("{} of {} calls {} not saved, and gone when you leave. Leave? "
                               "(y/n, s saves)",
                               unsaved(), rows_.size(), unsaved() == 1 ? "is" : "are");
        case Prompt::Search:
        case Prompt::Filter:
        case Prompt::None:
            break;
        }
        return (prompt_ == Prompt::Search ? "Search: " : "Filter: ") + printable(typed_, 400) + "_";
    }
    if (!said_.empty()) {
        return printable(said_, 400);
    }
    switch (at_) {
    case At::List:
        if (letters_) {
            return live() ? "q Quit  Enter Show  h Help  s Save  / Search  ^L Clear  f Filter  p "
                            "Pause  <> Sort"
                          : "q Quit  Enter Show  Space Select  h Help  s Save  / Search  f Filter  "
                            "<> Sort";
        }
        if (live()) {
            return "Esc Quit  Enter Show  F1 Help  F2 Save  F3 Search  F5 Clear  F7 Filter  p "
                   "Pause  "
                   "<> Sort";
        }
        return "Esc Quit  Enter Show  Space Select  F1 Help  F2 Save  F3 Search  F7 Filter  <> "
               "Sort";
    case At::Flow:
        if (letters_) {
            return "q Back  Enter Raw  Space Compare  v Security  ? Help  d SDP  m RTP  x Legs  s "
                   "Ports  r Raw  c Colour  w Time";
        }
        return "Esc Back  Enter Raw  Space Compare  v Security  F1 Help  F2 SDP  F3 RTP  F4 Legs  "
               "F5 Ports  F7 Colour  t Pane";
    case At::Raw:
        return raw_ == 0 ? "Esc Back  F2 Save" : "Esc Back  Space Next  F2 Save";
    case At::Settings:
        return "Esc Back  Space Change";
    case At::Columns:
        return source_.keep_columns ? "Esc Back  Space Show  + - Move  s Keep for the next time"
                                    : "Esc Back  Space Show  + - Move";
    case At::Save:
        return "Enter Save  Up Down Which calls  Esc Back";
    case At::Compare:
    case At::Verdict:
    case At::Help:
    case At::Stats:
        break;
    }
    return "Esc Back";
}

std::size_t Screen::lines_above() const {
    return at_ == At::List
               ? 2
               : 2 + std::min<std::size_t>(call_.ladder.findings.size(), 2) + lines_.heads.size();
}

std::size_t Screen::room() const {
    if (at_ == At::List) {
        return options_.height - 4;
    }
    const auto all = options_.height - 2 - std::min(lines_above(), options_.height - 3);
    const bool below = pane_ && ladder_width() == options_.width && options_.height >= 30;
    return below ? all - all * 2 / 5 : all;
}

// A row is chosen by a click, and opened by another one. `place`: column and row of the screen.
void Screen::click(std::string_view place) {
    const auto row = parse_number<std::size_t>(place.substr(place.find(' ') + 1)).value_or(0);
    const auto above = lines_above();
    if ((at_ != At::List && at_ != At::Flow) || row <= above || row > above + room()) {
        return;
    }
    auto& chosen = at_ == At::List ? chosen_ : place_;
    const auto size = at_ == At::List ? shown_.size() : places_.size();
    const auto now = first_seen(chosen, size, room()) + (row - above - 1);
    if (now >= size) {
        return;
    }
    if (now == chosen) {
        key("enter");
    }
    chosen = now;
}

std::vector<Screen::Line> Screen::lines() const {
    std::vector<Line> out;
    switch (at_) {
    case At::List:
        paint_list(out);
        break;
    case At::Flow:
        paint_flow(out);
        break;
    case At::Raw:
        paint_raw(out);
        break;
    case At::Compare:
        paint_compare(out);
        break;
    case At::Verdict:
        paint_verdict(out);
        break;
    case At::Help:
        paint_help(out);
        break;
    case At::Stats:
        paint_stats(out);
        break;
    case At::Settings:
        paint_settings(out);
        break;
    case At::Columns:
        paint_columns(out);
        break;
    case At::Save:
        paint_save(out);
        break;
    }
    out.resize(options_.height - 1);
    out.push_back({bar(), true});
    if (options_.ascii) { // before it is cut: a sign can become longer
        for (auto& line : out) {
            line.text = to_ascii(line.text);
        }
    }
    return out;
}

std::string Screen::frame() const {
    std::string out = "\x1b[H";
    std::size_t row = 0;
    for (const auto& line : lines()) {
        out += ++row > 1 ? "\r\n" : "";
        const auto text = window(line.text, 0, options_.width);
        if (line.chosen) {
            const bool deep = options_.colours_256 && row < options_.height;
            out += deep ? "\x1b[48;5;24m\x1b[97m" : "\x1b[7m";
            out += without_colour(text);
        } else {
            out += text;
        }
        out += plain; // the line is as wide as the screen: nothing to erase behind it
    }
    return out;
}

std::string Screen::text() const {
    std::string out;
    for (const auto& line : lines()) {
        auto text = without_colour(window(line.text, 0, options_.width));
        text.erase(text.find_last_not_of(' ') + 1);
        out += (line.chosen ? ">" : " ") + text + "\n";
    }
    return out;
}

} // namespace cw::view
