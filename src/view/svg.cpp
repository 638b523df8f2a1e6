#include "view/svg.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/figures.hpp"

namespace cw::view {
namespace {

constexpr int gutter_time = 24;    // the time begins here,
constexpr int gutter_delta = 168;  // the delta ends here,
constexpr int gutter_number = 196; // and the number
constexpr int gutter_end = 208;
constexpr int arrow_y = 26; // within the row of a message
constexpr int widest_gap = 470;
constexpr std::size_t most_spans = 16;

// Fonts differ; this is what a wide one takes for a cell, in tenths of a pixel.
int pixels(std::string_view text, int tenths) {
    return (static_cast<int>(std::min<std::size_t>(cell_width(text), 400)) * tenths + 9) / 10;
}
constexpr int normal = 74; // 12.5 px
constexpr int small = 66;  // 11 px
constexpr int mono = 65;   // 10.5 px

std::string_view class_of(Tone tone) {
    switch (tone) {
    case Tone::Good:
        return " good";
    case Tone::Bad:
        return " bad";
    case Tone::Slow:
        return " slow";
    case Tone::Dim:
        return " dim";
    case Tone::Plain:
        break;
    }
    return "";
}

template <class... Args>
void draw(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

std::string fitting(std::string_view text, int room, int tenths) {
    return shorten(text, static_cast<std::size_t>(std::max(room * 10 / tenths, 6)));
}

std::string fold_words(const Row& row) {
    std::string out = fmt::format("{} {} {} ×{} over ", row.from <= row.to ? "▸" : "◂", row.label,
                                  row.detail, row.count);
    append_duration(out, row.delta);
    return out;
}

// What of a pill's detail must be seen: the name of whom the client talks to.
std::string_view first_clause(std::string_view detail) {
    return detail.substr(0, detail.find(" · "));
}

std::string_view lock_words(const Row& row) {
    if (row.lock == Lock::Open) {
        return "in clear";
    }
    return row.lock == Lock::Unknown ? ""
           : row.part_clear          ? "TLS here, another hop is clear"
           : row.sips                ? "TLS, as its sips URI wants"
                                     : "TLS";
}

// How wide a row wants to be, from lifeline to lifeline.
int wanted(const Row& row) {
    switch (row.kind) {
    case RowKind::Message:
        return pixels(row.label, normal) + 58;
    case RowKind::Alert:
    case RowKind::Connection:
    case RowKind::Dtmf:
        return pixels(row.label, normal) + 40;
    case RowKind::Handshake:
        return pixels(row.label, small) + pixels(first_clause(row.detail), small) + 74;
    case RowKind::Undecrypted:
        return std::max(pixels(row.label, normal), pixels(row.detail, small)) + 40;
    case RowKind::Media:
    case RowKind::NoMedia:
        return pixels(row.label, small) + pixels(row.detail, small) + 72;
    case RowKind::Retransmissions:
        return pixels(fold_words(row), small) + 36;
    case RowKind::HandshakeMessage:
    case RowKind::Gap:
    case RowKind::Note:
        break;
    }
    return 0;
}

std::size_t count_badges(std::string_view badge) {
    return badge.empty() ? 0 : static_cast<std::size_t>(std::ranges::count(badge, ' ')) + 1;
}

} // namespace

void append_xml(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += c;
        }
    }
}

SvgPainter::SvgPainter(const Ladder& ladder) : ladder_(ladder) {
    mixed_ = std::ranges::any_of(ladder.rows, &Row::part_clear);
    find_columns();
    find_handshakes();
    find_spans();
    find_holds();
}

void SvgPainter::find_columns() {
    const auto count = ladder_.columns.size();
    for (const auto& column : ladder_.columns) {
        const auto inside = std::max(pixels(column.name, 79), pixels(column.address, mono));
        box_.push_back(std::clamp(inside + 26, 96, 230));
    }
    std::vector<int> gap(count > 0 ? count - 1 : 0);
    for (std::size_t i = 0; i < gap.size(); ++i) {
        gap[i] = std::max((box_[i] + box_[i + 1]) / 2 + 18, 215);
    }
    // Rows between neighbours first: what spans several columns may then fit already.
    std::size_t badges = 0;
    for (const std::size_t wide : {false, true}) {
        for (const auto& row : ladder_.rows) {
            const std::size_t begin = std::min(row.from, row.to);
            const std::size_t end = std::max(row.from, row.to);
            badges = std::max(badges, count_badges(row.badge));
            if (end >= count || begin == end || (end - begin > 1) != (wide != 0)) {
                continue;
            }
            int there = 0;
            for (auto i = begin; i < end; ++i) {
                there += gap[i];
            }
            const auto lacking = std::min(wanted(row), widest_gap) - there;
            for (auto i = begin; i < end && lacking > 0; ++i) {
                gap[i] += lacking / static_cast<int>(end - begin) + 1;
            }
        }
    }
    left_ = gutter_end;
    const auto margin = std::min(static_cast<int>(badges), 4) * 38 + 16;
    int at = gutter_end + 4 + std::max(count > 0 ? box_[0] / 2 : 0, margin);
    for (std::size_t i = 0; i < count; ++i) {
        x_.push_back(at);
        at += i < gap.size() ? gap[i] : 0;
    }
    right_ = x_.empty() ? at : x_.back();
    width_ = right_ + std::max(count > 0 ? box_.back() / 2 : 0, margin) + 24;
    for (const auto& row : ladder_.rows) {
        if (row.from >= count || row.to >= count) {
            continue;
        }
        if (row.kind == RowKind::Note || row.kind == RowKind::Media ||
            row.kind == RowKind::NoMedia) {
            const auto size = pixels(row.label, small) + pixels(row.detail, small) + 40;
            const auto middle = (x_[row.from] + x_[row.to]) / 2;
            width_ = std::max(width_, std::max(middle - size / 2, gutter_end) + size + 12);
        } else if (row.from == row.to && row.kind != RowKind::Gap) {
            width_ = std::max(width_, x_[row.from] + 90 + wanted(row));
        }
    }
}

// The messages of a handshake are told by its pill, which comes behind the last of them.
void SvgPainter::find_handshakes() {
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::string> told;
    for (std::size_t i = 0; i < ladder_.rows.size(); ++i) {
        const auto& row = ladder_.rows[i];
        auto& text = told[std::minmax(row.from, row.to)];
        if (row.kind == RowKind::HandshakeMessage) {
            text += row.from < row.to ? "\n→ " : "\n← ";
            text += row.label;
        } else if (row.kind == RowKind::Handshake && !text.empty()) {
            handshakes_.emplace(i, std::exchange(text, {}));
        }
    }
}

void SvgPainter::find_spans() {
    std::vector<int> lanes(2 * x_.size());
    for (std::size_t i = 0; i < ladder_.rows.size() && spans_.size() < most_spans; ++i) {
        const auto& row = ladder_.rows[i];
        if (row.kind != RowKind::Media || !row.until.known() || row.to >= x_.size() ||
            row.from == row.to) {
            continue;
        }
        auto last = i;
        while (last + 1 < ladder_.rows.size() && ladder_.rows[last + 1].time <= row.until) {
            ++last;
        }
        // Beside the lifeline of who sends, on the side that it goes to.
        const auto column = row.toward_left ? row.to : row.from;
        auto& lane = lanes[2U * column + (row.toward_left ? 1U : 0U)];
        const auto aside = 4 + 6 * std::min(lane++, 3);
        spans_.push_back({.x = row.toward_left ? x_[column] - aside - 4 : x_[column] + aside,
                          .first = i,
                          .last = last,
                          .secure = row.lock == Lock::Secure});
    }
}

void SvgPainter::find_holds() {
    for (const auto& hold : ladder_.holds) {
        const auto first = std::ranges::find_if(
            ladder_.rows, [&](const Row& row) { return row.time > hold.begin; });
        const auto end = std::ranges::find_if(first, ladder_.rows.end(),
                                              [&](const Row& row) { return row.time >= hold.end; });
        if (first == end || hold.to >= x_.size() || hold.from >= hold.to) {
            continue;
        }
        SvgHold shown{.x = x_[hold.from] + 3,
                      .width = x_[hold.to] - x_[hold.from] - 6,
                      .first = static_cast<std::size_t>(first - ladder_.rows.begin()),
                      .last = static_cast<std::size_t>(end - ladder_.rows.begin()) - 1,
                      .label = "hold "};
        append_duration(shown.label, hold.end - hold.begin);
        holds_.push_back(std::move(shown));
    }
}

int SvgPainter::height(std::size_t row) const {
    switch (ladder_.rows[row].kind) {
    case RowKind::HandshakeMessage:
        return 0;
    case RowKind::Message:
        return ladder_.rows[row].detail.empty() ? 34 : 46;
    case RowKind::Alert:
    case RowKind::Connection:
    case RowKind::Dtmf:
        return 34;
    case RowKind::Handshake:
        return 36;
    case RowKind::Undecrypted:
        return 52;
    case RowKind::Media:
    case RowKind::NoMedia:
        return 28;
    case RowKind::Retransmissions:
        return 38;
    case RowKind::Gap:
        return 34;
    case RowKind::Note:
        return 17;
    }
    return 0;
}

void SvgPainter::append_row(std::string& out, std::size_t index) const {
    const auto& row = ladder_.rows[index];
    if (row.kind == RowKind::HandshakeMessage || row.from >= x_.size() || row.to >= x_.size()) {
        return;
    }
    switch (row.kind) {
    case RowKind::Message:
        append_arrow(out, row, "message");
        break;
    case RowKind::Alert:
        append_arrow(out, row, "alert");
        break;
    case RowKind::Connection:
        append_arrow(out, row, "connection");
        break;
    case RowKind::Dtmf:
        append_arrow(out, row, "dtmf");
        break;
    case RowKind::Handshake: {
        append_pill(out, row);
        const auto told = handshakes_.find(index);
        append_title(out, row, told == handshakes_.end() ? std::string_view{} : told->second);
        out += "</g>\n";
        return;
    }
    case RowKind::Undecrypted:
        append_grey(out, row);
        break;
    case RowKind::Media:
    case RowKind::NoMedia:
        append_media(out, row);
        break;
    case RowKind::Retransmissions:
        append_fold(out, row);
        break;
    case RowKind::Gap:
        append_gap(out, row);
        break;
    case RowKind::Note:
        append_note(out, row);
        break;
    case RowKind::HandshakeMessage:
        break;
    }
    append_title(out, row);
    out += "</g>\n";
}

void SvgPainter::append_title(std::string& out, const Row& row, std::string_view more) const {
    if (row.kind == RowKind::Note || row.kind == RowKind::Gap) {
        return;
    }
    out += "<title>";
    if (row.number > 0) {
        draw(out, "{} · ", row.number);
    }
    if (row.has_time) {
        append_time_of_day(out, row.time);
        out += " · ";
    }
    const bool backwards = row.toward_left;
    append_xml(out, ladder_.columns[backwards ? row.to : row.from].name);
    out += " → ";
    append_xml(out, ladder_.columns[backwards ? row.from : row.to].name);
    out += "\n";
    append_xml(out, row.kind == RowKind::Retransmissions ? fold_words(row) : row.label);
    if (!row.detail.empty() && row.kind != RowKind::Retransmissions) {
        out += " · ";
        append_xml(out, row.detail);
    }
    if (const auto words = row.kind == RowKind::Message ? lock_words(row) : std::string_view{};
        !words.empty()) {
        draw(out, "\n{}", words);
    }
    append_xml(out, more);
    out += "</title>";
}

void SvgPainter::append_gutter(std::string& out, const Row& row, int y) const {
    out += "<g class=\"gutter\">";
    if (row.has_time) {
        draw(out, "<text x=\"{}\" y=\"{}\">", gutter_time, y);
        append_time_of_day(out, row.time);
        out += "</text>";
    }
    if (row.has_delta && row.kind != RowKind::Retransmissions) {
        const bool late = row.delta >= seconds(1);
        draw(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\"{}>{}", gutter_delta, y,
             late ? " class=\"late\"" : "", row.delta.ns < 0 ? "" : "+");
        append_duration(out, row.delta);
        out += "</text>";
    }
    if (row.number > 0 && row.kind == RowKind::Message) {
        draw(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" class=\"number\">{}</text>",
             gutter_number, y, row.number);
    }
    out += "</g>";
}

void SvgPainter::append_lock(std::string& out, const Row& row, int x, int y) const {
    if (row.lock == Lock::Unknown || row.kind != RowKind::Message) {
        return;
    }
    const std::string_view shape = row.lock == Lock::Open ? "open"
                                   : row.part_clear       ? "part"
                                   : row.sips             ? "sips"
                                                          : "shut";
    draw(out, "<use href=\"#lock-{}\" class=\"lock {}\" x=\"{}\" y=\"{}\"/>", shape, shape, x, y);
}

// At the head of the arrow, outside of it.
void SvgPainter::append_badges(std::string& out, const Row& row, int y) const {
    std::string_view rest = row.badge;
    const bool right = row.from <= row.to;
    int x = x_[row.to] + (right ? 10 : -10 - 36);
    for (int shown = 0; !rest.empty() && shown < 4; ++shown) {
        const auto rule = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), rule.size() + 1));
        const auto found = std::ranges::find(ladder_.findings, rule, &LadderFinding::rule);
        const bool known = found != ladder_.findings.end();
        const auto tone = known ? found->tone : Tone::Bad;
        draw(out, "<g class=\"badge{}\" data-rule=\"",
             tone == Tone::Bad || tone == Tone::Slow ? class_of(tone) : std::string_view{" plain"});
        append_xml(out, rule);
        draw(out, "\"><title>");
        append_xml(out, rule);
        out += ": ";
        append_xml(out, known ? std::string_view{found->title} : std::string_view{});
        if (known && !found->evidence.empty()) {
            out += "\n";
            append_xml(out, found->evidence);
        }
        draw(out,
             "</title><rect x=\"{}\" y=\"{}\" width=\"36\" height=\"17\" rx=\"4\"/>"
             "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">",
             x, y - 8, x + 18, y + 4);
        append_xml(out, shorten(rule, 4));
        out += "</text></g>";
        x += right ? 40 : -40;
    }
}

void SvgPainter::append_arrow(std::string& out, const Row& row, std::string_view kind) const {
    const bool message = row.kind == RowKind::Message;
    const bool unsafe = mixed_ && message && row.lock == Lock::Open;
    draw(out, "<g class=\"row {}{}{}\">", kind, class_of(row.tone), unsafe ? " unsafe" : "");
    append_gutter(out, row, arrow_y + 4);
    if (row.from == row.to) {
        append_self(out, row);
        return;
    }
    const auto from = x_[row.from];
    const auto to = x_[row.to];
    const int way = from < to ? 1 : -1;
    const std::string_view line = message ? (row.dashed ? " dash" : "") : " dots";
    draw(out,
         "<path class=\"line{}\" d=\"M{} {}H{}\"/><path class=\"head\" d=\"M{} {}l{} -4.5v9z\"/>",
         line, from + way, arrow_y, to - 9 * way, to - way, arrow_y, -9 * way);
    append_lock(out, row, way > 0 ? from + 9 : from - 19, arrow_y - 18);
    // Left and right of the text is room for the lock.
    const auto room = (to - from) * way - (message ? 52 : 30);
    draw(out, "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">",
         (from + to) / 2 + (message ? 5 * way : 0), arrow_y - 7);
    append_xml(out, fitting(row.label, room, normal));
    out += "</text>";
    if (!row.detail.empty()) {
        draw(out, "<text class=\"label small\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">",
             (from + to) / 2, arrow_y + 14);
        append_xml(out, row.detail);
        out += "</text>";
    }
    append_badges(out, row, arrow_y);
}

void SvgPainter::append_self(std::string& out, const Row& row) const {
    const auto x = x_[row.from];
    draw(out,
         "<path class=\"line{}\" d=\"M{} {}h26v10h-17\"/>"
         "<path class=\"head\" d=\"M{} {}l9 -4.5v9z\"/>",
         row.dashed ? " dash" : "", x, arrow_y - 6, x + 1, arrow_y + 4);
    append_lock(out, row, x + 32, arrow_y - 12);
    draw(out, "<text class=\"label\" x=\"{}\" y=\"{}\">", x + 48, arrow_y + 2);
    append_xml(out, row.label);
    out += "</text>";
    append_badges(out, row, arrow_y - 14);
}

void SvgPainter::append_pill(std::string& out, const Row& row) const {
    draw(out, "<g class=\"row pill{}\">", class_of(row.tone));
    append_gutter(out, row, 22);
    const auto begin = std::min(x_[row.from], x_[row.to]) + 8;
    const auto end =
        row.from == row.to ? begin + wanted(row) + 20 : std::max(x_[row.from], x_[row.to]) - 8;
    draw(out, "<rect x=\"{}\" y=\"6\" width=\"{}\" height=\"24\" rx=\"12\"/>", begin, end - begin);
    draw(out, "<use href=\"#lock-{0}\" class=\"lock {0}\" x=\"{1}\" y=\"11\"/>",
         row.tone == Tone::Bad ? "open" : "shut", begin + 10);
    auto text = row.label;
    for (std::string_view rest = row.detail; !rest.empty();) {
        const auto next = first_clause(rest);
        rest.remove_prefix(std::min(rest.size(), next.size() + std::string_view{" · "}.size()));
        auto longer = fmt::format("{} · {}", text, next);
        if (pixels(longer, small) > end - begin - 40) {
            break;
        }
        text = std::move(longer);
    }
    draw(out, "<text x=\"{}\" y=\"22\" text-anchor=\"middle\" class=\"small{}\">",
         (begin + end) / 2 + 8, class_of(row.tone));
    append_xml(out, fitting(text, end - begin - 34, small));
    out += "</text>";
    append_badges(out, row, 18);
}

void SvgPainter::append_grey(std::string& out, const Row& row) const {
    out += "<g class=\"row grey\">";
    append_gutter(out, row, 22);
    const auto begin = std::min(x_[row.from], x_[row.to]) + 6;
    const auto end =
        row.from == row.to ? begin + wanted(row) : std::max(x_[row.from], x_[row.to]) - 6;
    draw(out, "<rect x=\"{}\" y=\"5\" width=\"{}\" height=\"42\" rx=\"4\"/>", begin, end - begin);
    draw(out, "<text x=\"{}\" y=\"22\" text-anchor=\"middle\">", (begin + end) / 2);
    append_xml(out, fitting(row.label, end - begin - 16, normal));
    draw(out, "</text><text class=\"small\" x=\"{}\" y=\"38\" text-anchor=\"middle\">",
         (begin + end) / 2);
    append_xml(out, fitting(row.detail, end - begin - 12, small));
    out += "</text>";
    append_badges(out, row, 26);
}

void SvgPainter::append_fold(std::string& out, const Row& row) const {
    out += "<g class=\"row fold slow\">";
    append_gutter(out, row, 23);
    const auto text = fold_words(row);
    const auto begin = std::min(x_[row.from], x_[row.to]) + 7;
    const auto end = row.from == row.to ? begin + pixels(text, small) + 30
                                        : std::max(x_[row.from], x_[row.to]) - 7;
    draw(out, "<rect x=\"{}\" y=\"6\" width=\"{}\" height=\"26\" rx=\"4\"/>", begin, end - begin);
    draw(out, "<text class=\"small slow\" x=\"{}\" y=\"23\" text-anchor=\"middle\">",
         (begin + end) / 2);
    append_xml(out, fitting(text, end - begin - 12, small));
    out += "</text>";
    append_badges(out, row, 19);
}

// A band from who sends to who receives; hollow when what was promised never came.
void SvgPainter::append_media(std::string& out, const Row& row) const {
    const bool absent = row.kind == RowKind::NoMedia;
    draw(out, "<g class=\"row media{}{}\">", absent ? " absent" : "", class_of(row.tone));
    append_gutter(out, row, 18);
    const auto need = pixels(row.label, small) + pixels(row.detail, small) + 60;
    const auto begin = x_[row.from] + 4;
    const auto end = row.from == row.to ? begin + need : x_[row.to] - 4;
    draw(out, "<rect x=\"{}\" y=\"3\" width=\"{}\" height=\"21\" rx=\"3\"/>", begin, end - begin);
    const auto head = row.toward_left ? begin + 5 : end - 5;
    draw(out, "<path class=\"head\" d=\"M{} 13.5l{} -5v10z\"/>", head, row.toward_left ? 8 : -8);
    auto text = row.label;
    for (std::string_view rest = row.detail; !rest.empty();) {
        constexpr std::string_view blanks = "  "; // between the clauses of a stream's quality
        const auto next = rest.substr(0, rest.find(blanks));
        rest.remove_prefix(std::min(rest.size(), next.size() + blanks.size()));
        text += " · ";
        text += next;
    }
    draw(out, "<text class=\"small{}{}\" x=\"{}\" y=\"18\" text-anchor=\"middle\">",
         class_of(row.tone), end - begin < need ? " label" : "",
         std::max((begin + end) / 2, left_ + need / 2));
    append_xml(out, text);
    out += "</text>";
    append_badges(out, row, 13);
}

void SvgPainter::append_gap(std::string& out, const Row& row) const {
    out += "<g class=\"row gap\">";
    for (const auto x : x_) {
        draw(out, "<path class=\"break\" d=\"M{} 2v30\"/>", x);
    }
    const auto middle = (x_.front() + right_) / 2;
    const auto half = pixels(row.label, small) / 2 + 22;
    draw(out,
         "<path class=\"line\" d=\"M{} 17H{}\"/><path class=\"line\" d=\"M{} 17H{}\"/>"
         "<text class=\"label small\" x=\"{}\" y=\"21\" text-anchor=\"middle\">– ",
         x_.front() + 10, std::max(x_.front() + 10, middle - half),
         std::min(right_ - 10, middle + half), right_ - 10, middle);
    append_xml(out, row.label);
    out += " –</text>";
}

void SvgPainter::append_note(std::string& out, const Row& row) const {
    draw(out, "<g class=\"row note{}\">", class_of(row.tone));
    const auto size = pixels(row.label, small);
    const auto middle = std::max((x_[row.from] + x_[row.to]) / 2, left_ + size / 2);
    draw(out, "<text class=\"label small{}\" x=\"{}\" y=\"8\" text-anchor=\"middle\">",
         class_of(row.tone), middle);
    append_xml(out, row.label);
    out += "</text>";
}

void SvgPainter::append_heads(std::string& out, int y) const {
    for (std::size_t i = 0; i < x_.size(); ++i) {
        const auto& column = ladder_.columns[i];
        draw(out, "<g class=\"column\"><title>");
        append_xml(out, column.name);
        out += column.address.empty() ? "" : "\n";
        append_xml(out, column.address);
        draw(out,
             "</title><rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"42\" rx=\"{}\"/>"
             "<text class=\"name\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">",
             x_[i] - box_[i] / 2, y + 4, box_[i], column.user_agent ? 21 : 6, x_[i],
             y + (column.address.empty() ? 30 : 22));
        append_xml(out, fitting(column.name, box_[i] - 14, 79));
        draw(out, "</text><text class=\"mono\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">", x_[i],
             y + 37);
        append_xml(out, fitting(column.address, box_[i] - 8, mono));
        out += "</text></g>\n";
    }
}

void SvgPainter::append_shapes(std::string& out) {
    out += R"(<defs>
<g id="lock-shut"><rect y="5" width="10" height="8.5" rx="1.8"/><path class="shackle" d="M2.2 5V3.4a2.8 2.8 0 0 1 5.6 0V5"/></g>
<g id="lock-sips"><rect y="5" width="10" height="8.5" rx="1.8"/><path class="shackle" d="M2.2 5V3.4a2.8 2.8 0 0 1 5.6 0V5"/><circle class="hole" cx="5" cy="9.2" r="1.9"/></g>
<g id="lock-part"><rect y="5" width="10" height="8.5" rx="1.8"/><path class="shackle" d="M2.2 5V3.4a2.8 2.8 0 0 1 5.6 0V5"/><path class="crack" d="M8 4L4.2 8.6l3 1.2L3.6 14.2"/></g>
<g id="lock-open"><rect y="5" width="10" height="8.5" rx="1.8"/><path class="shackle" d="M2.2 5.5V2.6a2.7 2.7 0 0 1 5.2 -1"/></g>
</defs>
)";
}

} // namespace cw::view
