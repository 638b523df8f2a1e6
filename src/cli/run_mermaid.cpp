#include "cli/run_mermaid.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/run_text.hpp"
#include "view/mermaid.hpp"

namespace cw::cli {

using play::ArrowReport;

namespace {

constexpr std::string_view red = "rect rgba(248,81,73,0.18)";

bool begins_block(std::string_view line) {
    constexpr std::array words{"alt", "opt", "loop", "par", "critical", "break", "box", "rect"};
    const auto word = line.substr(0, line.find_first_of(" \t"));
    return std::ranges::find(words, word) != words.end();
}

// "12 ms": since its request; nothing where that is not known.
std::string measured(const ArrowReport& line) {
    return line.took.ns > 0 ? fmt::format(" · {:.0f} ms", std::max(line.took.milliseconds(), 1.0))
                            : "";
}

// "a-->>b: …" → "a--xb: …".
std::string crossed_out(std::string line) {
    for (const std::string_view link : {"<<-->>", "<<->>", "-->>", "->>"}) {
        if (const auto at = line.find(link); at != std::string::npos) {
            line.replace(at, link.size(), link.contains("--") ? "--x" : "-x");
            break;
        }
    }
    return line;
}

// What was expected, and what came.
std::string words_of(const ArrowReport& line) {
    const auto& differs = line.difference;
    std::string out = line.why;
    if (!differs.expected.empty() || !differs.received.empty()) {
        out = fmt::format("Expected {}, received {}", differs.expected, differs.received);
    }
    constexpr std::size_t longest = 120;
    if (out.size() > longest) {
        auto end = longest;
        while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0U) == 0x80U) {
            --end; // not within a character
        }
        out = out.substr(0, end) + "…";
    }
    return out;
}

class Writer {
  public:
    Writer(const script::Plan& plan, const play::Report& report) : plan_(plan), report_(report) {
        for (const auto* line : in_order(report)) {
            const auto& place = plan.steps[line->step].place;
            if (place.file == 0) {
                at_[place.line] = line;
            }
        }
    }

    std::string write(std::string_view text) {
        while (!text.empty() && failed_ == nullptr) {
            take(split_line(text));
        }
        while (failed_ != nullptr && trim(text).starts_with("%%")) { // facts of what has failed
            append(split_line(text));
        }
        if (failed_ != nullptr) {
            conclude();
        } else {
            over_all("✗ " + why_of_all());
        }
        return std::move(out_);
    }

  private:
    std::string_view split_line(std::string_view& text) {
        ++number_;
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        line = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
        return line;
    }
    void append(std::string_view line) { out_ += fmt::format("{}\n", line); }

    void take(std::string_view line) {
        const auto plain = trim(line);
        begun_ = begun_ || plain == "sequenceDiagram";
        if (begun_ && begins_block(plain)) {
            ++depth_;
        } else if (begun_ && plain == "end") {
            --depth_;
        }
        const auto found = at_.find(number_);
        if (found == at_.end()) {
            append(line);
            return;
        }
        const auto& report = *found->second;
        if (play::is_wrong(report.verdict)) {
            failed_ = &report;
            append("    " + std::string{red});
            append(crossed_out(std::string{line}));
        } else if (line.contains(" · ")) {
            append(line);
        } else {
            append(std::string{line} + measured(report));
        }
    }

    // Behind the failure: what it was, the ends of what was open, and how much was not reached.
    void conclude() {
        const auto& step = plan_.steps[failed_->step];
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        const auto* act = std::get_if<script::Act>(&step.what);
        const auto from = arrow != nullptr ? arrow->from : act != nullptr ? act->party : 0;
        const auto to = arrow != nullptr ? arrow->to : from;
        std::string note = fmt::format("        Note over {}", plan_.parties[from].id);
        note += from != to ? "," + plan_.parties[to].id : "";
        note += ": ✗ ";
        view::append_mermaid_text(note, words_of(*failed_));
        append(note);
        for (int open = depth_ + 1; open > 0; --open) {
            append("    end");
        }
        const auto left = std::ranges::count_if(at_, [&](const auto& one) {
            return one.second->step > failed_->step &&
                   one.second->verdict != play::Verdict::Passed &&
                   std::holds_alternative<script::Arrow>(plan_.steps[one.second->step].what);
        });
        if (left > 0) {
            over_all(fmt::format("Not reached: {} arrow{}", left, left == 1 ? "" : "s"));
        }
    }
    void over_all(std::string_view words) {
        auto note =
            fmt::format("    Note over {},{}: ", plan_.parties.front().id, plan_.parties.back().id);
        view::append_mermaid_text(note, words);
        append(note);
    }
    // Where no arrow is to blame.
    [[nodiscard]] std::string why_of_all() const {
        for (const auto& extra : report_.extras) {
            if (!extra.implied && report_.why.empty()) {
                return fmt::format("Not in the flow: {} from {} to {}", extra.text,
                                   plan_.parties[extra.from].id, plan_.parties[extra.to].id);
            }
        }
        return report_.why.empty() ? "It failed" : report_.why;
    }

    const script::Plan& plan_;
    const play::Report& report_;
    std::map<std::uint32_t, const ArrowReport*> at_; // by line
    std::uint32_t number_ = 0;                       // of the line at hand
    bool begun_ = false;                             // front matter is behind
    int depth_ = 0;                                  // blocks that are open
    const ArrowReport* failed_ = nullptr;
    std::string out_;
};

} // namespace

std::string failed_flow(std::string_view text, const script::Plan& plan,
                        const play::Report& report) {
    if (!text.contains("sequenceDiagram")) {
        return {}; // a scenario of SIPp
    }
    return Writer{plan, report}.write(text);
}

} // namespace cw::cli
