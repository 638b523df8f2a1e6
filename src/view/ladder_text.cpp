#include "view/ladder_text.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/text.hpp"
#include "view/canvas.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"

namespace cw::view {
namespace {

// The signs that lines are drawn with. Those of one cell unless said otherwise.
struct Signs {
    std::string_view life, life_gap;
    std::string_view tail_right, tail_left; // where an arrow leaves its column
    std::string_view head_right, head_left;
    std::string_view solid, dashed, heavy, dotted;
    std::string_view pill_left, pill, pill_right;
    std::string_view grey, media, absent;
    std::string_view locked, open; // two cells beside the tail in UTF-8
    std::string_view to_right, to_left;
    std::string_view itself, folded, ellipsis;
};

constexpr Signs utf8_signs{
    .life = "│",
    .life_gap = "┊",
    .tail_right = "├",
    .tail_left = "┤",
    .head_right = "▶",
    .head_left = "◀",
    .solid = "─",
    .dashed = "╌",
    .heavy = "━",
    .dotted = "┄",
    .pill_left = "╞",
    .pill = "═",
    .pill_right = "╡",
    .grey = "░",
    .media = "┃",
    .absent = "┊",
    .locked = "🔒",
    .open = "!",
    .to_right = "▶",
    .to_left = "◀",
    .itself = "↺",
    .folded = "×",
    .ellipsis = "…",
};
constexpr Signs ascii_signs{
    .life = "|",
    .life_gap = ":",
    .tail_right = "|",
    .tail_left = "|",
    .head_right = ">",
    .head_left = "<",
    .solid = "-",
    .dashed = "-",
    .heavy = "=",
    .dotted = ".",
    .pill_left = "|",
    .pill = "=",
    .pill_right = "|",
    .grey = ":",
    .media = "#",
    .absent = ":",
    .locked = "[tls]",
    .open = "[clear]",
    .to_right = "->",
    .to_left = "<-",
    .itself = "(to itself)",
    .folded = "x",
    .ellipsis = "...",
};

constexpr std::size_t time_cells = 12;
constexpr std::size_t delta_cells = 10;
constexpr std::size_t least_spacing = 16;
constexpr std::size_t least_fitted = 18; // where texts are shortened: "200 Ans…g SRTP"
constexpr std::size_t most_spacing = 40;

Ink ink_of(Tone tone) {
    switch (tone) {
    case Tone::Good:
        return Ink::Green;
    case Tone::Bad:
        return Ink::Red;
    case Tone::Slow:
        return Ink::Amber;
    case Tone::Dim:
        return Ink::Dim;
    case Tone::Plain:
        break;
    }
    return Ink::Normal;
}

class TextPainter {
  public:
    TextPainter(const Ladder& ladder, const TextOptions& options, std::string& out)
        : ladder_(ladder), options_(options), out_(out),
          sign_(options.ascii ? ascii_signs : utf8_signs) {}

    void paint_lines(TextLines& lines) {
        find_spacing();
        if (ladder_.columns.empty()) {
            return;
        }
        paint_columns();
        take_lines([&](std::string_view text) { lines.heads.emplace_back(text); });
        for (std::size_t i = 0; i < ladder_.rows.size(); ++i) {
            paint_row(ladder_.rows[i]);
            take_lines(
                [&](std::string_view text) { lines.rows.push_back({std::string{text}, i}); });
        }
    }

    void paint() {
        find_spacing();
        paint_head();
        if (!ladder_.columns.empty()) {
            paint_columns();
        }
        for (const auto& row : ladder_.rows) {
            paint_row(row);
        }
        paint_connections();
    }

  private:
    template <class Take>
    void take_lines(Take take) {
        for (std::string_view rest = out_; !rest.empty();) {
            const auto line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            take(line);
        }
        out_.clear();
    }
    std::string said(std::string_view text) const {
        return options_.ascii ? to_ascii(text) : std::string{text};
    }
    std::size_t x(std::size_t column) const { return gutter_ + column * spacing_; }
    std::size_t last_x() const { return x(ladder_.columns.size() - 1); }

    std::string_view lock_sign(Lock lock) const {
        return lock == Lock::Secure ? sign_.locked : lock == Lock::Open ? sign_.open : "";
    }
    static Ink lock_ink(Lock lock) { return lock == Lock::Secure ? Ink::Green : Ink::Red; }

    void find_spacing();
    // What is between two lifelines, where texts may be shortened.
    [[nodiscard]] std::string fitted(const std::string& text, std::size_t cells) const {
        return options_.fit ? shorten(text, cells, sign_.ellipsis) : text;
    }
    std::size_t cells_of(const Row& row) const;
    void paint_head();
    void paint_columns();
    void paint_centred(std::size_t column, const std::string& text, Ink ink);
    void paint_row(const Row& row);
    void paint_gutter(const Row& row);
    void paint_lifelines(const Row& row);
    void paint_arrow(const Row& row, std::string_view line, Ink line_ink);
    void paint_self(const Row& row);
    void paint_pill(const Row& row);
    void paint_grey(const Row& row);
    void paint_media(const Row& row);
    void paint_note(const Row& row, std::string_view text);
    void paint_gap(const Row& row);
    void paint_margin(const Row& row);
    void paint_connections();
    // Text in the open space between two lifelines, beginning at `at`; runs on over others when it
    // is longer. Blank around it.
    void put_spaced(std::size_t at, std::string_view text, Ink ink);

    const Ladder& ladder_;
    const TextOptions& options_;
    std::string& out_;
    const Signs& sign_;
    Canvas canvas_;
    std::size_t gutter_ = 0; // column of the first lifeline
    std::size_t number_cells_ = 0;
    std::size_t spacing_ = least_spacing;
    std::int64_t second_ = -1; // of the time that the gutter showed last
};

// Cells between two lifelines that an arrow or a pill needs for what it must show.
std::size_t TextPainter::cells_of(const Row& row) const {
    const auto text = cell_width(said(row.label));
    switch (row.kind) {
    case RowKind::Message:
        // tail filler, lock, blank, text, blank, one of line, head
        return text + std::max<std::size_t>(cell_width(lock_sign(row.lock)), 2) + 4;
    case RowKind::Retransmissions:
        return text + cell_width(row.detail) + 6;
    case RowKind::Alert:
    case RowKind::Connection:
    case RowKind::Dtmf:
    case RowKind::Handshake:
    case RowKind::HandshakeMessage:
        return text + 5;
    case RowKind::Undecrypted:
        return text + 4;
    case RowKind::Media:
    case RowKind::NoMedia:
    case RowKind::Gap:
    case RowKind::Note:
        break; // these may run on
    }
    return 0;
}

void TextPainter::find_spacing() {
    std::size_t messages = 0;
    std::size_t margin = 0;
    std::size_t needed = least_spacing;
    for (const auto& row : ladder_.rows) {
        messages = std::max<std::size_t>(messages, row.number);
        margin = std::max(margin, row.badge.empty() ? 0 : cell_width(row.badge) + 2);
        const auto span =
            static_cast<std::size_t>(row.from < row.to ? row.to - row.from : row.from - row.to);
        if (span > 0) {
            needed = std::max(needed, (cells_of(row) + span) / span + 1);
        }
    }
    number_cells_ = std::max<std::size_t>(3, fmt::formatted_size("{}", messages) + 1);
    gutter_ = time_cells + delta_cells + number_cells_ + 1;

    const auto columns = ladder_.columns.size();
    if (columns < 2) {
        spacing_ = needed;
        return;
    }
    needed = options_.fit ? std::min(needed, least_fitted) : needed;
    // Half of the last column's name stands to the right of its lifeline.
    const auto& last = ladder_.columns.back();
    const auto name = std::max(cell_width(last.name), cell_width(last.address));
    margin = std::max(margin, std::min<std::size_t>(name / 2 + 1, 12));
    const auto room = options_.width > gutter_ + margin ? options_.width - gutter_ - margin - 1 : 0;
    spacing_ = std::max(needed, std::min(room / (columns - 1), most_spacing));
}

void TextPainter::paint_head() {
    const auto& l = ladder_;
    const auto dot = said(" · ");
    const auto arrow = said(" → ");
    auto from = said(l.title_from);
    auto to = said(l.title_to);
    const auto end = said(l.title_end);
    const auto others =
        cell_width(l.title_call) + 2 * cell_width(dot) + cell_width(arrow) + cell_width(end);
    const auto room = options_.width > others + 24 ? options_.width - others : 24;
    if (cell_width(from) + cell_width(to) > room) {
        const auto half = room / 2;
        const auto narrow_from = std::max(half, room - std::min(room, cell_width(to)));
        from = shorten(from, narrow_from, sign_.ellipsis);
        to = shorten(to, room - cell_width(from), sign_.ellipsis);
    }
    const auto parties = from.empty() && to.empty() ? std::string{} : dot + from + arrow + to;
    append_inked(out_, l.title_call + parties, Ink::Bold, options_.colour);
    out_ += dot;
    append_inked(out_, end, ink_of(l.state), options_.colour);
    out_ += '\n';
    for (const auto& finding : l.findings) {
        const auto sign = finding.tone == Tone::Bad    ? said("✗ ")
                          : finding.tone == Tone::Slow ? std::string{"! "}
                                                       : std::string{"i "};
        out_.append(2 * std::size_t{finding.depth}, ' ');
        append_inked(out_, sign + finding.rule, ink_of(finding.tone), options_.colour);
        out_ += ' ';
        out_ += said(finding.title);
        out_ += '\n';
    }
    if (!l.summary.empty()) {
        append_inked(out_, said(l.summary), Ink::Dim, options_.colour);
        out_ += '\n';
    }
    if (!l.weakest.empty()) {
        append_inked(out_, said("weakest: " + l.weakest), Ink::Dim, options_.colour);
        out_ += '\n';
    }
    out_ += '\n';
}

void TextPainter::paint_centred(std::size_t column, const std::string& text, Ink ink) {
    const auto limit = ladder_.columns.size() > 1 ? spacing_ - 1 : std::size_t{48};
    const auto shown = shorten(said(text), limit, sign_.ellipsis);
    const auto half = cell_width(shown) / 2;
    canvas_.put(x(column) - std::min(half, x(column)), shown, ink);
}

void TextPainter::paint_columns() {
    const bool addresses =
        std::ranges::any_of(ladder_.columns, [](const Column& c) { return !c.address.empty(); });
    canvas_.clear();
    for (std::size_t i = 0; i < ladder_.columns.size(); ++i) {
        paint_centred(i, ladder_.columns[i].name, Ink::Bold);
    }
    canvas_.write(out_, options_.colour);
    if (addresses) {
        canvas_.clear();
        for (std::size_t i = 0; i < ladder_.columns.size(); ++i) {
            paint_centred(i, ladder_.columns[i].address, Ink::Dim);
        }
        canvas_.write(out_, options_.colour);
    }
}

void TextPainter::paint_row(const Row& row) {
    canvas_.clear();
    paint_gutter(row);
    paint_lifelines(row);
    switch (row.kind) {
    case RowKind::Message:
        paint_arrow(row, row.dashed ? sign_.dashed : sign_.solid, Ink::Normal);
        break;
    case RowKind::Retransmissions:
        paint_arrow(row, row.dashed ? sign_.dashed : sign_.solid, Ink::Amber);
        break;
    case RowKind::Alert:
        paint_arrow(row, sign_.heavy, ink_of(row.tone));
        break;
    case RowKind::Connection:
    case RowKind::Dtmf:
        paint_arrow(row, sign_.dotted, ink_of(row.tone));
        break;
    case RowKind::HandshakeMessage:
        paint_arrow(row, row.from < row.to ? sign_.solid : sign_.dashed, Ink::Dim);
        break;
    case RowKind::Handshake:
        paint_pill(row);
        break;
    case RowKind::Undecrypted:
        paint_grey(row);
        break;
    case RowKind::Media:
    case RowKind::NoMedia:
        paint_media(row);
        break;
    case RowKind::Gap:
        paint_gap(row);
        break;
    case RowKind::Note:
        paint_note(row, row.label);
        break;
    }
    paint_margin(row);
    canvas_.write(out_, options_.colour);
    if (row.kind == RowKind::Undecrypted && !row.detail.empty()) {
        canvas_.clear(); // the reason is long, and is the point: a line of its own
        paint_lifelines(row);
        paint_note(row, row.detail);
        canvas_.write(out_, options_.colour);
    }
}

void TextPainter::paint_gutter(const Row& row) {
    if (row.has_time) {
        std::string time;
        append_time_of_day(time, row.time);
        const auto second = row.time.ns / 1'000'000'000;
        // Within the same second only the milliseconds, under those above.
        const auto shown = second == second_ ? std::string_view{time}.substr(time.size() - 4)
                                             : std::string_view{time};
        canvas_.put(time_cells - shown.size(), shown, Ink::Dim);
        second_ = second;
    }
    std::string delta;
    if (row.kind == RowKind::Retransmissions) {
        // "×10 ▸ 31.5 s" needs the number's place, too.
        delta = fmt::format("{}{} {} ", sign_.folded, row.count, said("▸"));
        append_duration(delta, row.delta);
    } else if (row.has_delta) {
        delta = row.delta.ns < 0 ? "" : "+";
        append_duration(delta, row.delta);
    }
    delta = said(delta);
    const bool fold = row.kind == RowKind::Retransmissions;
    const auto right = time_cells + delta_cells + (fold ? number_cells_ : 0);
    const auto size = cell_width(delta);
    const bool slow = row.has_delta && row.delta >= seconds(1);
    canvas_.put(std::max(right - std::min(right, size), time_cells + 1), delta,
                fold || slow ? Ink::Amber : Ink::Dim);
    if (row.number > 0 && !fold) {
        const auto number = fmt::format("{}", row.number);
        canvas_.put(time_cells + delta_cells + number_cells_ - number.size(), number);
    }
}

void TextPainter::paint_lifelines(const Row& row) {
    const auto sign = row.kind == RowKind::Gap ? sign_.life_gap : sign_.life;
    for (std::size_t i = 0; i < ladder_.columns.size(); ++i) {
        canvas_.put(x(i), sign, Ink::Dim);
    }
}

// ├🔒 INVITE ────▶│   ├─! INVITE ────▶│   │◀╌╌ 200 OK ╌╌🔒┤   │◀╌╌ 200 OK ╌!╌┤
void TextPainter::paint_arrow(const Row& row, std::string_view line, Ink line_ink) {
    if (row.from == row.to) {
        paint_self(row);
        return;
    }
    const bool right = row.from < row.to;
    const auto begin = x(std::min(row.from, row.to));
    const auto end = x(std::max(row.from, row.to));
    canvas_.fill(begin + 1, end, line, line_ink);
    const auto lock = lock_sign(row.lock);
    const auto lock_size = std::max<std::size_t>(cell_width(lock), 2);
    auto text = said(row.label);
    if (row.kind == RowKind::Retransmissions) {
        text += ' ';
        text += row.detail;
    }
    text = fitted(text, end - begin - lock_size - 6); // the head, two blanks, one of line
    const auto ink = ink_of(row.tone);
    if (right) {
        canvas_.put(begin, sign_.tail_right, Ink::Dim);
        canvas_.put(end - 1, sign_.head_right, line_ink);
        const auto at = lock.size() == 1 ? begin + 2 : begin + 1;
        canvas_.put(at, lock, lock_ink(row.lock));
        put_spaced(begin + 1 + lock_size, text, ink);
    } else {
        canvas_.put(end, sign_.tail_left, Ink::Dim);
        canvas_.put(begin + 1, sign_.head_left, line_ink);
        const auto at = lock.size() == 1 ? end - 2 : end - lock_size;
        canvas_.put(at, lock, lock_ink(row.lock));
        put_spaced(begin + 4, text, ink);
    }
}

void TextPainter::put_spaced(std::size_t at, std::string_view text, Ink ink) {
    canvas_.put(at, " ");
    const auto next = canvas_.put(at + 1, text, ink);
    canvas_.put(next, " ");
}

void TextPainter::paint_self(const Row& row) {
    const auto at = x(row.from);
    canvas_.put(at, sign_.tail_right, Ink::Dim);
    const auto lock = lock_sign(row.lock);
    const auto next = canvas_.put(at + 1, lock, lock_ink(row.lock));
    put_spaced(next, fmt::format("{} {}", said(row.label), sign_.itself), ink_of(row.tone));
}

// What fits of the detail goes into the pill; all of it stands below the ladder.
void TextPainter::paint_pill(const Row& row) {
    const auto begin = x(std::min(row.from, row.to));
    const auto ink = ink_of(row.tone);
    if (row.from == row.to) {
        canvas_.put(begin, sign_.pill_left, ink);
        put_spaced(begin + 1, said(row.label + " · " + row.detail), ink);
        return;
    }
    const auto end = x(std::max(row.from, row.to));
    canvas_.put(begin, sign_.pill_left, ink);
    canvas_.fill(begin + 1, end, sign_.pill, ink);
    canvas_.put(end, sign_.pill_right, ink);
    const auto room = end - begin - 5;
    auto text = fitted(said(row.label), room);
    const auto dot = said(" · ");
    for (std::string_view rest = row.detail; !rest.empty();) {
        const std::string_view separator = " · ";
        const auto cut = rest.find(separator);
        const auto clause = said(rest.substr(0, cut));
        rest = cut == std::string_view::npos ? std::string_view{}
                                             : rest.substr(cut + separator.size());
        const auto used = cell_width(text) + cell_width(dot);
        const auto host = clause.substr(0, clause.find('.'));
        if (used + cell_width(clause) <= room) {
            text += dot + clause;
        } else if (!host.empty() && is_alpha(host.front()) && host.size() < clause.size() &&
                   used + cell_width(host) <= room) {
            text += dot + host; // "edge" of edge.atlanta.example
        } else if (used + 8 <= room) {
            text += dot + shorten(clause, room - used, sign_.ellipsis);
            break;
        }
    }
    put_spaced(begin + 2, text, ink);
}

void TextPainter::paint_grey(const Row& row) {
    const auto begin = x(std::min(row.from, row.to));
    const auto end = x(std::max(row.from, row.to));
    canvas_.fill(begin, end + 1, sign_.grey, Ink::Dim);
    put_spaced(begin + 1, fitted(said(row.label), std::max<std::size_t>(end - begin, 4) - 3),
               Ink::Normal);
}

void TextPainter::paint_media(const Row& row) {
    const auto begin = x(row.from);
    const auto end = x(row.to);
    const bool absent = row.kind == RowKind::NoMedia;
    const auto ink = ink_of(row.tone);
    const auto bar = absent ? sign_.absent : sign_.media;
    canvas_.put(begin, bar, ink);
    canvas_.put(end, bar, ink);
    const auto way = row.from == row.to ? sign_.itself
                     : row.toward_left  ? sign_.to_left
                                        : sign_.to_right;
    canvas_.put(begin + 1, " ");
    auto at = canvas_.put(begin + 2, said(row.label), ink);
    at = canvas_.put(at + 1, way, ink);
    at = canvas_.put(at + 2, said(row.detail), ink);
    canvas_.put(at, " ");
}

void TextPainter::paint_note(const Row& row, std::string_view text) {
    const auto begin = x(std::min(row.from, row.to));
    put_spaced(begin + 3, said(text), ink_of(row.tone));
}

void TextPainter::paint_gap(const Row& row) {
    const auto text = said("– " + row.label + " –");
    const auto size = cell_width(text) + 2;
    const auto middle = gutter_ + (spacing_ + 1) / 2;
    put_spaced(middle > gutter_ + size / 2 ? middle - size / 2 : gutter_ + 1, text, Ink::Dim);
}

void TextPainter::paint_margin(const Row& row) {
    if (ladder_.columns.empty()) {
        return;
    }
    auto at = last_x() + 2;
    if (!row.badge.empty()) {
        at = canvas_.put(at, said(row.badge), Ink::Red) + 1;
    }
    if (row.kind == RowKind::Message && !row.detail.empty()) {
        canvas_.put(at, said(row.detail), Ink::Dim);
    }
}

void TextPainter::paint_connections() {
    if (ladder_.connections.empty() && ladder_.safety.empty()) {
        return;
    }
    out_ += '\n';
    for (const auto& [tone, line] : ladder_.safety) {
        const std::string_view sign = tone == Tone::Good ? "✓ " : tone == Tone::Bad ? "✗ " : "· ";
        append_inked(out_, said(std::string{sign} + line), ink_of(tone), options_.colour);
        out_ += '\n';
    }
    if (!ladder_.connections.empty() && !ladder_.safety.empty()) {
        out_ += '\n';
    }
    for (const auto& line : ladder_.connections) {
        append_inked(out_, said(line), Ink::Dim, options_.colour);
        out_ += '\n';
    }
}

} // namespace

void append_text(std::string& out, const Ladder& ladder, const TextOptions& options) {
    TextPainter{ladder, options, out}.paint();
}

TextLines ladder_lines(const Ladder& ladder, const TextOptions& options) {
    TextLines lines;
    std::string out;
    TextPainter{ladder, options, out}.paint_lines(lines);
    return lines;
}

} // namespace cw::view
