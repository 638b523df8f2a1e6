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

// A call by its number, as read and as it is to be shown.
template <class Visit>
void ReadScreen::visit(std::uint32_t id, Visit visit) {
    const auto key = keys_.find(id);
    if (key == keys_.end()) {
        return;
    }
    reading_.book().look(key->second, end_, [&](const flow::Call& call) {
        redact_ ? visit(call, redactor_.call(call)) : visit(call, call);
    });
}

bool ReadScreen::add(const flow::Call& call, Interactive& terminal) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds pause{40}; // a key waits no longer for its answer
    constexpr std::size_t between = 16;            // calls, from a look at the clock to the next
    keys_.emplace_hint(keys_.end(), call.id, reading_.book().key());
    screen_->put(view::screen_row(redact_ ? redactor_.call(call) : call),
                 !typed_ || typed_->matches(call));
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

view::ScreenCall ReadScreen::load(std::uint32_t id, flow::Boxes::Of columns) {
    view::ScreenCall out;
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
            fit.insert(call.id);
        }
        return true;
    });
    return true;
}

// As they were captured, where the captures can be read again.
std::string ReadScreen::save_packets(const std::vector<std::uint32_t>& ids,
                                     const std::string& path) {
    if (redact_) {
        return "Packets cannot be redacted: .txt, .mmd, .svg or .html";
    }
    SavedPackets packets{reading_};
    for (const auto id : ids) {
        visit(id, [&](const flow::Call& call, const flow::Call&) { packets.want(call); });
    }
    auto out = Output::open(path, Output::For::Owner);
    if (!out) {
        return fmt::format("{}: {}", path, out.error().what);
    }
    if (const auto written = packets.write([&](std::string_view text) { out->write(text); });
        !written) {
        return written.error().message;
    }
    auto said = fmt::format("{} call{} saved in {}", ids.size(), ids.size() == 1 ? "" : "s", path);
    for (const auto& remark : packets.remarks()) {
        said += "; " + remark;
    }
    return out->finish() ? said : fmt::format("{}: writing failed", path);
}

std::string ReadScreen::save(const std::vector<std::uint32_t>& ids, const std::string& path) {
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

bool ReadScreen::run(const view::ScreenOptions& options,
                     const std::function<void(const Add& add)>& list) {
    view::Screen screen{
        {},
        {.load = [this](std::uint32_t id, flow::Boxes::Of columns) { return load(id, columns); },
         .filter = [this](const std::string& text, std::set<std::uint32_t>& fit,
                          std::string& why) { return filter(text, fit, why); },
         .save = [this](const std::vector<std::uint32_t>& ids,
                        const std::string& path) { return save(ids, path); },
         .keep_columns = keep_columns},
        options};
    Interactive terminal{screen};
    if (!terminal.good()) {
        return false;
    }
    screen_ = &screen;
    for (const auto& input : reading_.inputs()) {
        end_ = std::max(end_, input.last);
    }
    bool stays = true;
    list([&](const flow::Call& call) {
        stays = add(call, terminal);
        return stays;
    });
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
