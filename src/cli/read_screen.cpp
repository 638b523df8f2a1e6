#include "cli/read_screen.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/interactive.hpp"
#include "cli/output.hpp"
#include "flow/filter.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/ladder_text.hpp"
#include "view/mermaid.hpp"
#include "view/svg.hpp"

namespace cw::cli {

// The calls of the Book with these numbers, as read and as they are to be shown.
template <class Visit>
void ReadScreen::for_each(const std::vector<std::uint32_t>& ids, Visit visit) {
    auto left = ids.size();
    reading_.book().for_each_call([&](const flow::Call& call) {
        if (std::ranges::find(ids, call.id) != ids.end()) {
            if (redact_) {
                visit(call, redactor_.call(call));
            } else {
                visit(call, call);
            }
            --left;
        }
        return left > 0;
    });
}

void ReadScreen::add(const flow::Call& call) {
    view::ScreenRow row;
    row.id = call.id;
    row.kind = to_string(call.kind);
    view::append_time_of_day(row.time, call.start);
    row.from = view::printable(view::address_of_record(call.text(call.from)), 256);
    row.to = view::printable(view::address_of_record(call.text(call.to)), 256);
    row.end = view::outcome_text(call);
    row.security = view::security_text(call);
    for (const auto& finding : call.findings) {
        row.rules += row.rules.empty() ? "" : " ";
        row.rules += view::printable(finding.rule, 16);
    }
    row.messages = call.messages.size();
    row.state = view::outcome_tone(call);
    row.safe = view::security_tone(call);
    rows_.push_back(std::move(row));
}

view::ScreenCall ReadScreen::load(std::uint32_t id) {
    view::ScreenCall out;
    for_each({id}, [&](const flow::Call& call, const flow::Call& shown) {
        out.ladder = lay_out_(shown);
        for (const auto& message : call.messages) {
            out.messages.emplace_back(redact_ ? std::string_view{}
                                              : reading_.original(call, message));
            out.sdp.push_back(message.media_count > 0);
        }
    });
    return out;
}

bool ReadScreen::filter(const std::string& text, std::set<std::uint32_t>& fit, std::string& why) {
    std::string expected;
    const auto parsed = flow::Filter::parse(text, &expected);
    if (!parsed) {
        why = fmt::format("column {}: {}{}{}", parsed.error().offset + 1, parsed.error().what,
                          expected.empty() ? "" : ", expected ", expected);
        return false;
    }
    reading_.book().for_each_call([&](const flow::Call& call) {
        if (parsed->matches(call)) {
            fit.insert(call.id);
        }
        return true;
    });
    return true;
}

std::string ReadScreen::save(const std::vector<std::uint32_t>& ids, const std::string& path) {
    const auto ends = [&](std::string_view end) { return path.ends_with(end); };
    if (!ends(".txt") && !ends(".mmd") && !ends(".svg") && !ends(".html")) {
        return "Which kind? name.txt, .mmd, .svg or .html";
    }
    if (ends(".svg") && ids.size() != 1) {
        return "An SVG shows one call: select one";
    }
    auto out = Output::open(path);
    if (!out) {
        return fmt::format("{}: {}", path, out.error().what);
    }
    const view::Sink sink = [&](std::string_view text) { out->write(text); };
    if (ends(".html")) {
        view::PageWriter page{sink, page_};
        for_each(ids, [&](const flow::Call& call, const flow::Call& shown) {
            page.call(shown, lay_out_(shown), [&](const flow::Message& message) {
                return redact_ ? std::string_view{} : reading_.original(call, message);
            });
        });
        page.finish(reading_.inputs());
    } else {
        std::string text;
        for_each(ids, [&](const flow::Call&, const flow::Call& shown) {
            const auto ladder = lay_out_(shown);
            text += text.empty() ? "" : "\n";
            ends(".svg")      ? view::append_svg(text, ladder)
            : ends(".txt")    ? view::append_text(text, ladder)
            : ids.size() == 1 ? view::append_mermaid(text, ladder)
                              : view::append_mermaid_section(text, ladder);
        });
        sink(text);
    }
    return out->finish()
               ? fmt::format("{} call{} saved in {}", ids.size(), ids.size() == 1 ? "" : "s", path)
               : fmt::format("{}: writing failed", path);
}

bool ReadScreen::run(const view::ScreenOptions& options) {
    view::Screen screen{std::exchange(rows_, {}),
                        {.load = [this](std::uint32_t id) { return load(id); },
                         .filter = [this](const std::string& text, std::set<std::uint32_t>& fit,
                                          std::string& why) { return filter(text, fit, why); },
                         .save = [this](const std::vector<std::uint32_t>& ids,
                                        const std::string& path) { return save(ids, path); }},
                        options};
    return run_interactive(screen);
}

} // namespace cw::cli
