#include "cli/read_screen.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/interactive.hpp"
#include "cli/output.hpp"
#include "cli/save_calls.hpp"
#include "cli/saved_packets.hpp"
#include "flow/filter.hpp"

namespace cw::cli {

// The call of a row, as read and as it is to be shown.
template <class Visit>
void ReadScreen::visit(std::uint32_t id, Visit visit) {
    reading_.book().look(id - 1, end_, [&](const flow::Call& call) {
        redact_ ? visit(call, redactor_.call(call)) : visit(call, call);
    });
}

bool ReadScreen::add(const flow::Call& call, Interactive& terminal) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds pause{40}; // a key waits no longer for its answer
    constexpr std::size_t between = 16;            // calls, from a look at the clock to the next
    auto row = view::screen_row(redact_ ? redactor_.call(call) : call);
    row.id = id_of_visited();
    row.number = call.id;
    early_.erase(row.id);
    screen_->put(std::move(row), !typed_ || typed_->matches(call));
    if (++added_ % between != 1) {
        return true;
    }
    const auto now = Clock::now();
    if (now - drawn_ < pause && added_ > 1) {
        return true;
    }
    screen_->tell(fmt::format("listing, {} %",
                              std::uint64_t{call.id} * 100 /
                                  std::max<std::uint64_t>(reading_.book().counts().calls, 1)),
                  view::Tone::Slow);
    screen_->settle();
    const bool stays = terminal.turn(0);
    drawn_ = Clock::now();
    return stays;
}

// Calls as they are so far, some of those that changed. False: the user leaves.
bool ReadScreen::glance(const Work& work, Interactive& terminal, Instant now, unsigned percent) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds most{40}; // a key waits no longer for its answer
    const auto until = Clock::now() + most;
    reading_.book().take_changed(now, [&](const flow::Call& call) {
        if (work.is_wanted(call)) {
            auto row = view::screen_row(call, true);
            row.id = id_of_visited();
            early_.insert(row.id);
            screen_->put(std::move(row), !typed_ || typed_->matches(call));
        }
        return Clock::now() < until;
    });
    drop_joined();
    screen_->tell(fmt::format("reading, {} %", percent), view::Tone::Slow);
    screen_->settle();
    return terminal.turn(0);
}

void ReadScreen::drop_joined() {
    for (const auto& [key, into] : reading_.book().take_joined()) {
        early_.erase(key + 1);
        screen_->remove(key + 1, into + 1);
    }
}

view::ScreenCall ReadScreen::load(std::uint32_t id, flow::Boxes::Of columns) {
    view::ScreenCall out;
    if (!read_) {
        return out;
    }
    visit(id, [&](const flow::Call& call, const flow::Call& shown) {
        out.ladder = lay_out_(shown, columns);
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
    typed_.reset();
    auto parsed = flow::Filter::parse(text, &expected);
    if (!parsed) {
        why = fmt::format("column {}: {}{}{}", parsed.error().offset + 1, parsed.error().what,
                          expected.empty() ? "" : ", expected ", expected);
        return false;
    }
    typed_ = std::move(*parsed);
    reading_.book().for_each_call([&](const flow::Call& call) {
        if (typed_->matches(call)) {
            fit.insert(id_of_visited());
        }
        return true;
    });
    return true;
}

// As they were captured, where the captures can be read again.
view::Saved ReadScreen::save_packets(const std::vector<std::uint32_t>& ids,
                                     const std::string& path) {
    if (redact_) {
        return {false, "Packets cannot be redacted: .txt, .mmd, .svg or .html"};
    }
    SavedPackets packets{reading_};
    for (const auto id : ids) {
        visit(id, [&](const flow::Call& call, const flow::Call&) { packets.want(call); });
    }
    auto out = Output::open(path, Output::For::Owner);
    if (!out) {
        return {false, fmt::format("{}: {}", path, out.error().what)};
    }
    if (const auto written = packets.write([&](std::string_view text) { out->write(text); });
        !written) {
        return {false, written.error().message};
    }
    auto said = fmt::format("{} call{} saved in {}", ids.size(), ids.size() == 1 ? "" : "s", path);
    for (const auto& remark : packets.remarks()) {
        said += "; " + remark;
    }
    return out->finish() ? view::Saved{true, std::move(said)}
                         : view::Saved{false, fmt::format("{}: writing failed", path)};
}

view::Saved ReadScreen::save(const std::vector<std::uint32_t>& ids, const std::string& path) {
    if (!read_) {
        return {false, "It can be saved when all is read"};
    }
    if (path.ends_with(".pcapng") && !path.ends_with(messages_end)) {
        return save_packets(ids, path);
    }
    const auto lay_out = [this](const flow::Call& call) {
        return lay_out_(call, flow::Boxes::Of::Programs);
    };
    return save_calls(path, ids.size(), page_, lay_out, [&](const SaveCall& save) {
        for (const auto id : ids) {
            visit(id, [&](const flow::Call& call, const flow::Call& shown) {
                save(shown, [&](const flow::Message& message) {
                    return redact_ ? std::string_view{} : reading_.original(call, message);
                });
            });
        }
        return reading_.inputs();
    });
}

bool ReadScreen::run(const view::ScreenOptions& options, const Work& work) {
    view::Screen screen{
        {},
        {.load = [this](std::uint32_t id, flow::Boxes::Of columns) { return load(id, columns); },
         .filter = [this](const std::string& text, std::set<std::uint32_t>& fit,
                          std::string& why) { return filter(text, fit, why); },
         .save = [this](const std::vector<std::uint32_t>& ids,
                        const std::string& path) { return save(ids, path); },
         .exists = is_there,
         .keep_columns = keep_columns,
         .calls_are_lost = !reading_.can_read_again()},
        options};
    Interactive terminal{screen};
    if (!terminal.good()) {
        return false;
    }
    screen_ = &screen;
    if (work.read) {
        reading_.look_on(
            [&](Instant now, unsigned percent) { return glance(work, terminal, now, percent); });
        work.read();
        if (reading_.stopped()) {
            return true;
        }
        drop_joined();
    }
    read_ = true;
    for (const auto& input : reading_.inputs()) {
        end_ = std::max(end_, input.last);
    }
    bool stays = true;
    work.list([&](const flow::Call& call) {
        stays = add(call, terminal);
        return stays;
    });
    for (const auto id : early_) { // it is not wanted any more, or was not there with all keys
        screen.remove(id, 0);
    }
    screen.all_here();
    if (stays) {
        reading_.gather_originals();
    }
    while (stays) {
        stays = terminal.turn(-1);
    }
    reading_.stop_gathering();
    screen_ = nullptr;
    return true;
}

} // namespace cw::cli
