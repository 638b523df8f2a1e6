#include "view/mermaid.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/figures.hpp"

namespace cw::view {
namespace {

// maxTextSize of Mermaid's defaults, which GitHub leaves as they are; some room for the last note.
constexpr std::size_t most_characters = 49'000;
constexpr std::size_t label_cells = 64;
constexpr std::size_t note_cells = 26; // what fits between two neighbouring columns

std::string_view entity_of(char c) {
    switch (c) {
    case '#': // begins an entity, and cuts the label where it does not
        return "#35;";
    case ';': // ends the statement
        return "#59;";
    case '<':
        return "#lt;";
    case '>':
        return "#gt;";
    case '"':
        return "#quot;";
    case '&':
        return "#amp;";
    case '%': // "%%{" begins a directive, even in the middle of a line
        return "#37;";
    case '{':
        return "#123;";
    case '}':
        return "#125;";
    case '$': // "$$…$$" is mathematics
        return "#36;";
    case '`':
        return "#96;";
    case '\\':
        return "#92;";
    default:
        return {};
    }
}

class MermaidPainter {
  public:
    MermaidPainter(std::string& out, const Ladder& ladder)
        : out_(out), ladder_(ladder), begin_(out.size()) {}

    void paint() {
        out_ += "sequenceDiagram\n    title ";
        label(fmt::format("{} · {} → {} · {}", ladder_.title_call, shorten(ladder_.title_from, 40),
                          shorten(ladder_.title_to, 40), ladder_.title_end));
        out_ += "\n    autonumber\n";
        for (std::size_t i = 0; i < ladder_.columns.size(); ++i) {
            participant(i);
        }
        if (ladder_.columns.empty()) {
            out_ += "    participant p1 as nobody\n    Note over p1: nothing was seen\n";
            return;
        }
        for (const auto& row : ladder_.rows) {
            const auto before = out_.size();
            paint_row(row);
            if (out_.size() - begin_ > most_characters) {
                out_.resize(before);
                say_what_is_missing(row);
                break;
            }
        }
        verdict();
    }

  private:
    void participant(std::size_t i) {
        const auto& column = ladder_.columns[i];
        out_ += "    participant "; // an actor's figure has no room for the address
        id(i);
        out_ += " as ";
        label(shorten(column.name, 40));
        if (!column.address.empty()) {
            out_ += "<br/>";
            label(column.address);
        }
        out_ += '\n';
    }

    // "p1": no name from the wire can be a keyword or hold a character that ids must not have.
    void id(std::size_t column) {
        out_ += 'p';
        append_number(out_, column + 1);
    }
    void label(std::string_view text) { append_mermaid_text(out_, text); }

    void arrow(const Row& row, std::string_view link) {
        out_ += "    ";
        id(row.from);
        out_ += link;
        id(row.to);
        out_ += ": ";
    }
    void note_over(const Row& row) {
        out_ += "    Note over ";
        id(std::min(row.from, row.to));
        if (row.from != row.to) {
            out_ += ',';
            id(std::max(row.from, row.to));
        }
        out_ += ": ";
    }
    void words(std::string_view first, std::string_view second = {}) {
        label(shorten(first, label_cells));
        if (!second.empty()) {
            out_ += " · ";
            label(shorten(second, label_cells));
        }
        out_ += '\n';
    }
    // A note does not grow with its text: lines are broken to fit between its columns.
    void note(const Row& row, std::string_view first, std::string_view second = {}) {
        note_over(row);
        const auto span = std::max(row.from, row.to) - std::min(row.from, row.to);
        const auto room = static_cast<std::size_t>(std::clamp(span, 1, 3)) * note_cells;
        broken(first, room);
        if (!second.empty()) {
            out_ += "<br/>";
            broken(second, room);
        }
        out_ += '\n';
    }
    void broken(std::string_view text, std::size_t room) {
        std::size_t used = 0;
        for (std::size_t at = 0; at < text.size();) {
            const auto end = std::min(text.find(' ', at), text.size());
            const auto word = shorten(text.substr(at, end - at), label_cells);
            const auto cells = cell_width(word);
            if (used > 0) {
                const bool fits = used + 1 + cells <= room;
                out_ += fits ? " " : "<br/>";
                used = fits ? used + 1 : 0;
            }
            label(word);
            used += cells;
            at = end + 1;
        }
    }

    // How safe each hop, the promises and the media were: below it all, across all columns.
    void verdict() {
        constexpr std::size_t most_lines = 12; // as many as a note may have and still be read
        const auto before = out_.size();
        for (const auto lines : {most_lines, std::size_t{1}}) {
            write_verdict(lines);
            if (out_.size() - begin_ <= most_characters + 900) {
                return;
            }
            out_.resize(before); // Mermaid would draw nothing at all
        }
    }
    void write_verdict(std::size_t most_lines) {
        if (ladder_.safety.empty()) {
            return;
        }
        Row all;
        all.to = static_cast<std::uint16_t>(ladder_.columns.size() - 1);
        note_over(all);
        const auto span = std::clamp<std::size_t>(ladder_.columns.size() - 1, 1, 4);
        std::size_t lines = 0;
        auto left = ladder_.safety.size();
        const auto add = [&](std::string_view sign, std::string_view text) {
            out_ += lines++ == 0 ? "" : "<br/>";
            out_ += sign;
            broken(text, span * note_cells);
        };
        if (!ladder_.weakest.empty()) {
            add("weakest: ", ladder_.weakest);
        }
        for (const auto& [tone, line] : ladder_.safety) {
            if (lines == most_lines) {
                out_ += fmt::format("<br/>and {} more", left);
                break;
            }
            --left;
            add(tone == Tone::Good ? "✓ " : tone == Tone::Bad ? "✗ " : "· ", line);
        }
        out_ += '\n';
    }

    void paint_row(const Row& row);

    void say_what_is_missing(const Row& from) {
        const auto left = std::ranges::count_if(ladder_.rows, [&](const Row& row) {
            return row.kind == RowKind::Message && row.number >= from.number;
        });
        out_ += "    Note over p1: ";
        label(fmt::format("and {} more messages: Mermaid draws no longer diagram", left));
        out_ += '\n';
    }

    std::string& out_;
    const Ladder& ladder_;
    std::size_t begin_;
    std::uint32_t next_number_ = 1; // what autonumber gives the next arrow
};

void MermaidPainter::paint_row(const Row& row) {
    const auto* way = row.from < row.to ? " ▶" : " ◀";
    switch (row.kind) {
    case RowKind::Message:
        // Only messages are arrows, so that Mermaid's numbers are ours; folded ones leave holes.
        if (row.number != next_number_) {
            out_ += fmt::format("    autonumber {} 1\n", row.number);
        }
        next_number_ = row.number + 1;
        arrow(row, row.dashed ? "-->>" : "->>");
        out_ += row.lock == Lock::Secure ? "🔒 " : row.lock == Lock::Open ? "🔓 " : "";
        words(row.label, row.badge);
        break;
    case RowKind::Handshake:
        note(row, "🔒 " + row.label, row.detail);
        break;
    case RowKind::Undecrypted:
        note(row, "▒ " + row.label + ", not readable", row.detail);
        break;
    case RowKind::Alert:
    case RowKind::Connection:
        note(row, "✗ " + row.label + way);
        break;
    case RowKind::Dtmf:
    case RowKind::HandshakeMessage:
        note(row, row.label + way);
        break;
    case RowKind::Media:
    case RowKind::NoMedia:
        note(row, row.label + (row.toward_left ? " ◀" : " ▶"), row.detail);
        break;
    case RowKind::Retransmissions: {
        std::string times = fmt::format("{} {} ×{} ▸ ", row.label, row.detail, row.count);
        append_duration(times, row.delta);
        note(row, times, row.badge);
        break;
    }
    case RowKind::Gap:
        note(row, "– " + row.label + " –");
        break;
    case RowKind::Note:
        note(row, row.label);
        break;
    }
}

} // namespace

void append_mermaid_text(std::string& out, std::string_view text) {
    // Mermaid reads "wrap:" and "nowrap:" at the beginning of a text as orders.
    const auto colon = text.substr(0, 8).find(':');
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i == colon && text.substr(0, i).ends_with("wrap")) {
            out += "#58;";
        } else if (const auto entity = entity_of(text[i]); !entity.empty()) {
            out += entity;
        } else if (static_cast<std::uint8_t>(text[i]) >= 0x20) {
            out += text[i];
        } else {
            out += ' ';
        }
    }
}

void append_mermaid(std::string& out, const Ladder& ladder) {
    MermaidPainter{out, ladder}.paint();
}

void append_mermaid_section(std::string& out, const Ladder& ladder) {
    out += "## ";
    const auto heading = fmt::format("{} · {} → {} · {}", ladder.title_call, ladder.title_from,
                                     ladder.title_to, ladder.title_end);
    // A backslash takes the meaning from every ASCII punctuation character [CommonMark §2.4].
    for (const char c : heading) {
        if ((c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
            (c >= '{' && c <= '~')) {
            out += '\\';
        }
        out += c;
    }
    out += "\n\n";
    if (!ladder.summary.empty()) {
        out += ladder.summary;
        out += "\n\n";
    }
    out += "```mermaid\n";
    append_mermaid(out, ladder);
    out += "```\n\n";
}

} // namespace cw::view
