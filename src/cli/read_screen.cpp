#include "cli/read_screen.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/interactive.hpp"
#include "cli/save_calls.hpp"
#include "flow/filter.hpp"

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
    rows_.push_back(view::screen_row(call));
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
    return save_calls(path, ids.size(), page_, lay_out_, [&](const SaveCall& save) {
        for_each(ids, [&](const flow::Call& call, const flow::Call& shown) {
            save(shown, [&](const flow::Message& message) {
                return redact_ ? std::string_view{} : reading_.original(call, message);
            });
        });
        return reading_.inputs();
    });
}

bool ReadScreen::run(const view::ScreenOptions& options) {
    view::Screen screen{std::exchange(rows_, {}),
                        {.load = [this](std::uint32_t id) { return load(id); },
                         .filter = [this](const std::string& text, std::set<std::uint32_t>& fit,
                                          std::string& why) { return filter(text, fit, why); },
                         .save = [this](const std::vector<std::uint32_t>& ids,
                                        const std::string& path) { return save(ids, path); },
                         .keep_columns = keep_columns},
                        options};
    return run_interactive(screen);
}

} // namespace cw::cli
