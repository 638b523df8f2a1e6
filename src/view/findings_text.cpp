#include "view/findings_text.hpp"

#include <algorithm>

#include "view/canvas.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"

namespace cw::view {
namespace {

Ink finding_ink(Tone tone) {
    return tone == Tone::Bad ? Ink::Red : tone == Tone::Slow ? Ink::Amber : Ink::Normal;
}

// One paragraph of a finding: a dim word before it.
void append_part(std::string& out, std::string_view head, std::string_view text, std::size_t indent,
                 const TextOptions& options) {
    if (text.empty()) {
        return;
    }
    constexpr std::size_t head_width = 6;
    out.append(indent, ' ');
    append_inked(out, head, Ink::Dim, options.colour);
    out.append(head_width - std::min(head.size(), head_width - 1), ' ');
    append_wrapped(out, said_in(text, options.ascii), indent + head_width, options.width);
    out += '\n';
}

} // namespace

std::string said_in(std::string_view text, bool ascii) {
    if (!ascii) {
        return std::string{text};
    }
    constexpr std::string_view section = "§";
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto sign = std::min(text.find(section, at), text.size());
        out += to_ascii(text.substr(at, sign - at));
        out += sign < text.size() ? "section " : "";
        at = sign + section.size();
    }
    return out;
}

void append_wrapped(std::string& out, std::string_view text, std::size_t indent,
                    std::size_t width) {
    constexpr std::size_t narrowest = 24;
    const auto room = width > indent + narrowest ? width - indent : narrowest;
    std::size_t used = 0;
    while (!text.empty()) {
        const auto blank = std::min(text.find(' '), text.size());
        const auto word = text.substr(0, blank);
        text.remove_prefix(std::min(blank + 1, text.size()));
        const auto cells = cell_width(word);
        if (used > 0 && used + 1 + cells > room) {
            out += '\n';
            out.append(indent, ' ');
            used = 0;
        } else if (used > 0) {
            out += ' ';
            ++used;
        }
        out += word;
        used += cells;
    }
}

void append_findings(std::string& out, const Ladder& ladder, const TextOptions& options) {
    const bool any = std::ranges::any_of(ladder.findings, [](const LadderFinding& finding) {
        return finding.tone == Tone::Bad || finding.tone == Tone::Slow;
    });
    if (!any) {
        return;
    }
    for (const auto& finding : ladder.findings) {
        if (finding.tone != Tone::Bad && finding.tone != Tone::Slow) {
            continue;
        }
        const auto indent = 2 * std::size_t{finding.depth};
        out += '\n';
        out.append(indent, ' ');
        append_inked(out, finding.rule, finding_ink(finding.tone), options.colour);
        out += ' ';
        append_inked(out, finding.title, Ink::Bold, options.colour);
        if (!finding.rfc.empty()) {
            out += "  ";
            append_inked(out, said_in(finding.rfc, options.ascii), Ink::Dim, options.colour);
        }
        out += '\n';
        append_part(out, "seen", finding.evidence, indent + 4, options);
        append_part(out, "do", finding.advice, indent + 4, options);
    }
}

} // namespace cw::view
