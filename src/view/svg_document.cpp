// The SVG that stands for itself: what is above, behind and below the rows of a ladder.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/page/files.hpp"
#include "view/svg.hpp"

namespace cw::view {
namespace {

constexpr int margin = 24;
constexpr int narrowest = 720;
constexpr int screen = 1000;          // a ladder higher than that has its boxes below, too
constexpr int chip_cell = 7;          // pixels, with a wide font
constexpr std::size_t most_lines = 6; // of a finding's advice

std::string_view tone_class(Tone tone) {
    return tone == Tone::Bad    ? "bad"
           : tone == Tone::Slow ? "slow"
           : tone == Tone::Good ? "good"
                                : "plain";
}

// Lines of at most `cells`, broken between words.
std::vector<std::string> lines_of(std::string_view text, std::size_t cells) {
    std::vector<std::string> out;
    std::string line;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (!line.empty() && cell_width(line) + 1 + cell_width(word) > cells) {
            out.push_back(std::exchange(line, {}));
            if (out.size() == most_lines) {
                out.back() += " …";
                return out;
            }
        }
        line += line.empty() ? "" : " ";
        line += shorten(word, cells);
    }
    if (!line.empty()) {
        out.push_back(std::move(line));
    }
    return out;
}

class Document {
  public:
    Document(const Ladder& ladder, std::string& out)
        : ladder_(ladder), painter_(ladder), out_(out) {
        width_ = std::max(painter_.width(), narrowest);
    }

    void paint() {
        paint_head();
        paint_findings();
        paint_ladder();
        paint_connections();
        std::string begin;
        fmt::format_to(std::back_inserter(begin),
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
                       "width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"",
                       width_, y_ + 8);
        append_xml(begin, plain_title());
        begin += "\">\n<title>";
        append_xml(begin, plain_title());
        begin += "</title>\n<style>\n";
        begin += page::ladder_css;
        begin += "@media print { .paper { fill: none; } }\n</style>\n";
        SvgPainter::append_shapes(begin);
        begin += "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n";
        out_ += begin;
        out_ += body_;
        out_ += "</svg>\n";
    }

  private:
    [[nodiscard]] std::string plain_title() const {
        auto title = ladder_.title_call;
        if (!ladder_.title_from.empty()) {
            title += fmt::format(" · {} → {}", ladder_.title_from, ladder_.title_to);
        }
        return title + " · " + ladder_.title_end;
    }

    void text(int x, int y, std::string_view kind, std::string_view words) {
        fmt::format_to(std::back_inserter(body_), "<text x=\"{}\" y=\"{}\" class=\"{}\">", x, y,
                       kind);
        append_xml(body_, words);
        body_ += "</text>\n";
    }

    void paint_head() {
        const auto room = static_cast<std::size_t>((width_ - 2 * margin) / 12);
        std::string title = ladder_.title_call;
        if (!ladder_.title_from.empty()) {
            const auto side = std::max<std::size_t>(room > 24 ? (room - 16) / 2 : 10, 10);
            title += fmt::format(" · {} → {}", shorten(ladder_.title_from, side),
                                 shorten(ladder_.title_to, side));
        }
        text(margin, 38, "title", title);
        y_ = 52;
        chip_x_ = margin;
        // A call that ended well and still has a fault gets no mark for its end.
        const bool fault = std::ranges::any_of(ladder_.findings,
                                               [](const auto& f) { return f.tone == Tone::Bad; });
        const auto state = fault && ladder_.state == Tone::Good ? Tone::Plain : ladder_.state;
        const std::string_view sign = state == Tone::Bad ? "✗ " : state == Tone::Good ? "✓ " : "";
        chip(state, std::string{sign} + ladder_.title_end);
        constexpr std::string_view dot = " · ";
        auto others = ladder_.summary; // how it was protected gets a chip of its own
        if (const auto at = others.find(ladder_.security); at != std::string::npos) {
            others.erase(at, ladder_.security.size());
        }
        std::string_view rest = others;
        while (!rest.empty()) {
            const auto words = rest.substr(0, rest.find(dot));
            rest.remove_prefix(std::min(rest.size(), words.size() + dot.size()));
            if (!words.empty()) {
                chip(Tone::Plain, words);
            }
        }
        const auto weak = ladder_.security_state == Tone::Bad ? Tone::Bad : Tone::Slow;
        if (!ladder_.security.empty()) {
            std::string hops; // in the tooltip
            for (const auto& [tone, line] : ladder_.safety) {
                hops += hops.empty() ? "" : "\n";
                hops += line;
            }
            chip(ladder_.security_state, ladder_.security, hops);
        }
        if (!ladder_.weakest.empty()) {
            chip(ladder_.security_state == Tone::Good ? Tone::Plain : weak,
                 "weakest: " + ladder_.weakest);
        }
        y_ += 36;
    }

    void chip(Tone tone, std::string_view words, std::string_view title = {}) {
        const auto most = static_cast<std::size_t>((width_ - 2 * margin - 20) / chip_cell);
        const auto shown = shorten(words, most);
        const auto size = static_cast<int>(cell_width(shown)) * chip_cell + 20;
        if (chip_x_ > margin && chip_x_ + size > width_ - margin) {
            chip_x_ = margin;
            y_ += 28;
        }
        fmt::format_to(
            std::back_inserter(body_),
            "<g class=\"chip {}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"22\" "
            "rx=\"11\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\" class=\"chip-text\">",
            tone_class(tone), chip_x_, y_, size, chip_x_ + size / 2, y_ + 15);
        append_xml(body_, shown);
        body_ += "</text>";
        if (!title.empty()) {
            body_ += "<title>";
            append_xml(body_, title);
            body_ += "</title>";
        }
        body_ += "</g>\n";
        chip_x_ += size + 8;
    }

    void paint_findings() {
        for (const auto& finding : ladder_.findings) {
            const auto left = margin + 18 * finding.depth; // beneath what brought it about
            const auto cells = static_cast<std::size_t>((width_ - margin - left - 24) / chip_cell);
            const auto seen = lines_of(finding.evidence, cells);
            const auto advice = lines_of(finding.advice, cells);
            std::string source = finding.rfc;
            if (!finding.numbers.empty()) {
                source += source.empty() ? "message" : " · message";
                source += finding.numbers.size() > 1 ? "s" : "";
                for (std::size_t i = 0; i < finding.numbers.size() && i < 12; ++i) {
                    source += fmt::format("{}{}", i == 0 ? " " : ", ", finding.numbers[i]);
                }
                source += finding.numbers.size() > 12 ? " …" : "";
            }
            const auto height =
                22 + 17 * static_cast<int>(seen.size() + advice.size()) + (source.empty() ? 0 : 16);
            fmt::format_to(std::back_inserter(body_),
                           "<g class=\"finding {}\"><rect class=\"edge\" x=\"{}\" y=\"{}\" "
                           "width=\"3\" height=\"{}\"/>",
                           finding.tone == Tone::Bad    ? "bad"
                           : finding.tone == Tone::Slow ? "slow"
                                                        : "plain",
                           left, y_, height);
            const std::string_view sign = finding.tone == Tone::Bad    ? "✗ "
                                          : finding.tone == Tone::Slow ? "! "
                                                                       : "i ";
            text(left + 14, y_ + 15, "name",
                 fmt::format("{}{} {}", sign, finding.rule, shorten(finding.title, cells)));
            auto at = y_ + 32;
            for (const auto& line : seen) {
                text(left + 14, at, "small", line);
                at += 17;
            }
            for (const auto& line : advice) {
                text(left + 14, at, "", line);
                at += 17;
            }
            if (!source.empty()) {
                text(left + 14, at, "small", source);
            }
            body_ += "</g>\n";
            y_ += height + 12;
        }
    }

    void paint_ladder() {
        const auto heads = y_;
        std::vector<int> tops;
        auto at = heads + SvgPainter::heads_height;
        for (std::size_t i = 0; i < ladder_.rows.size(); ++i) {
            tops.push_back(at);
            at += painter_.height(i);
        }
        tops.push_back(at);
        for (const auto x : painter_.columns()) {
            fmt::format_to(std::back_inserter(body_), "<path class=\"life\" d=\"M{} {}V{}\"/>\n", x,
                           heads + 46, at + 10);
        }
        for (const auto& hold : painter_.holds()) {
            const auto height = tops[hold.last + 1] - tops[hold.first];
            fmt::format_to(std::back_inserter(body_),
                           "<g class=\"hold\"><title>{0}</title><rect x=\"{1}\" y=\"{2}\" "
                           "width=\"{3}\" height=\"{4}\" rx=\"3\"/>",
                           hold.label, hold.x, tops[hold.first], hold.width, height);
            if (height > 8 * static_cast<int>(hold.label.size())) { // else the tooltip says it
                fmt::format_to(std::back_inserter(body_),
                               "<text class=\"small\" text-anchor=\"middle\" "
                               "transform=\"translate({},{}) rotate(-90)\">{}</text>",
                               hold.x + SvgHold::label_x, tops[hold.first] + height / 2,
                               hold.label);
            }
            body_ += "</g>\n";
        }
        for (const auto& span : painter_.spans()) {
            const auto top = tops[span.first] + 13;
            fmt::format_to(std::back_inserter(body_),
                           "<rect class=\"span{}\" x=\"{}\" y=\"{}\" width=\"4\" height=\"{}\" "
                           "rx=\"2\"/>\n",
                           span.secure ? " good" : "", span.x, top,
                           std::max(tops[span.last + 1] - top - 4, 8));
        }
        painter_.append_heads(body_, heads);
        for (std::size_t i = 0; i < ladder_.rows.size(); ++i) {
            if (painter_.height(i) > 0) {
                fmt::format_to(std::back_inserter(body_), "<g transform=\"translate(0,{})\">",
                               tops[i]);
                painter_.append_row(body_, i);
                body_ += "</g>";
            }
        }
        if (at - heads > screen) {
            painter_.append_heads(body_, at + 6);
            at += SvgPainter::heads_height;
        }
        y_ = at + 24;
    }

    void paint_connections() {
        const auto cells = static_cast<std::size_t>(std::max(width_ - 2 * margin, 500) * 10 / 65);
        for (const auto& line : ladder_.connections) {
            text(margin, y_, "foot", shorten(line, cells));
            y_ += 16;
        }
    }

    const Ladder& ladder_;
    SvgPainter painter_;
    std::string& out_;
    std::string body_;
    int width_ = 0;
    int y_ = 0;
    int chip_x_ = 0;
};

} // namespace

void append_svg(std::string& out, const Ladder& ladder) {
    Document{ladder, out}.paint();
}

} // namespace cw::view
