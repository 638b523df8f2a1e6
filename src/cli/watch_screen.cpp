#include "cli/watch_screen.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

#include "cli/interactive.hpp"
#include "cli/output.hpp"
#include "cli/page_options.hpp"
#include "cli/save_calls.hpp"
#include "view/ladder.hpp"

namespace cw::cli {
namespace {

// Numbers that a person reads while they run: "12,345".
std::string with_commas(std::uint64_t n) {
    auto out = std::to_string(n);
    for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > 0; at -= 3) {
        out.insert(static_cast<std::size_t>(at), ",");
    }
    return out;
}

} // namespace

WatchScreen::WatchScreen(host::Watch& watch, host::LiveCalls& calls,
                         const std::optional<flow::Filter>& only, host::CallKeeper* keeper,
                         WatchPage* page)
    : watch_(watch), calls_(calls), only_(only), keeper_(keeper), page_(page) {
    for (const auto& name : watch.inputs()) {
        inputs_ += (inputs_.empty() ? "" : ", ") + name;
    }
    listener_.changed = [this](std::uint32_t number, const flow::Call& call) {
        show(number, call, true);
    };
    listener_.ended = [this](std::uint32_t number, const flow::Call& call,
                             const host::LiveCalls::Messages& messages) {
        show(number, call, false);
        if (keeper_ != nullptr) {
            keeper_->put(call, messages);
        }
    };
    listener_.gone = [this](std::uint32_t number, std::uint32_t into) {
        hidden_.erase(number);
        screen_->remove(number, into);
        if (page_ != nullptr) {
            page_->gone(number, into);
        }
    };
}

void WatchScreen::show(std::uint32_t number, const flow::Call& call, bool live) {
    if (only_ && !only_->matches(call)) {
        return;
    }
    if (page_ != nullptr) {
        page_->changed(number, call, live);
    }
    auto row = view::screen_row(call, live);
    row.id = number;
    const bool fits = !typed_ || typed_->matches(call);
    fits ? static_cast<void>(hidden_.erase(number)) : static_cast<void>(hidden_.insert(number));
    screen_->put(std::move(row), fits);
}

void WatchScreen::refresh() {
    calls_.refresh(listener_);
    if (keeper_ != nullptr) {
        keeper_->settle(watch_.now());
        for (auto& problem : keeper_->take_problems()) {
            problems_.push_back(std::move(problem));
        }
    }
    tell();
    screen_->settle();
    if (page_ != nullptr) {
        page_->tell(watch_, calls_, problems_.empty() ? "" : problems_.back());
    }
}

void WatchScreen::tell() {
    const auto lost = watch_.dropped();
    auto text = fmt::format("{} · {} packets", inputs_, with_commas(watch_.packets()));
    if (lost > 0) {
        text += fmt::format(" · {} LOST", with_commas(lost));
    }
    if (!problems_.empty()) {
        text += " · " + problems_.back();
    }
    screen_->tell(std::move(text),
                  lost > 0 || !problems_.empty() ? view::Tone::Bad : view::Tone::Plain);
}

bool WatchScreen::turn(int terminal, int wait_ms) {
    if (going_) {
        const int also[] = {terminal, page_ != nullptr ? page_->descriptor() : terminal};
        going_ = watch_.turn(milliseconds(wait_ms), also);
        for (auto& problem : watch_.take_problems()) {
            problems_.push_back(std::move(problem));
        }
    } else {
        pollfd wanted{.fd = terminal, .events = POLLIN, .revents = 0};
        ::poll(&wanted, 1, wait_ms);
    }
    if (page_ != nullptr) {
        page_->answer(watch_, calls_, keeper_);
    }
    return true;
}

bool WatchScreen::run(const view::ScreenOptions& options, const std::function<bool()>& over) {
    view::Screen screen{{},
                        {.load = [this](std::uint32_t number,
                                        flow::Boxes::Of columns) { return load(number, columns); },
                         .filter = [this](const std::string& text, std::set<std::uint32_t>& fit,
                                          std::string& why) { return filter(text, fit, why); },
                         .save = [this](const std::vector<std::uint32_t>& ids,
                                        const std::string& path) { return save(ids, path); },
                         .exists = is_there,
                         .keep_columns = keep_columns,
                         .forget = [this](bool hidden_only) { forget(hidden_only); },
                         .calls_are_lost = keeper_ == nullptr && !watch_.writes_packets()},
                        options};
    screen_ = &screen;
    tell();
    using Clock = std::chrono::steady_clock;
    constexpr auto every = std::chrono::milliseconds(250);
    auto refreshed = Clock::now() - every;
    const bool ran = run_interactive(screen, [&](int terminal, int wait_ms) {
        turn(terminal, wait_ms);
        if (const auto now = Clock::now(); now - refreshed >= every) {
            refreshed = now;
            refresh();
        }
        return !over();
    });
    // What still goes on is kept as far as it went.
    watch_.finish();
    if (keeper_ != nullptr) {
        calls_.finish(listener_);
        keeper_->settle(watch_.now());
    }
    screen_ = nullptr;
    return ran;
}

view::ScreenCall WatchScreen::load(std::uint32_t number, flow::Boxes::Of columns) {
    view::ScreenCall out;
    calls_.load(number, [&](const flow::Call& call, const host::LiveCalls::Messages& messages) {
        out.ladder = view::layout(call, {.columns = columns});
        out.messages.assign(messages.begin(), messages.end());
        for (const auto& message : call.messages) {
            out.sdp.push_back(message.media_count > 0);
        }
    });
    return out;
}

bool WatchScreen::filter(const std::string& text, std::set<std::uint32_t>& fit, std::string& why) {
    typed_.reset();
    hidden_.clear();
    if (text.empty()) {
        return true;
    }
    std::string expected;
    auto parsed = flow::Filter::parse(text, &expected);
    if (!parsed) {
        why = fmt::format("column {}: {}{}{}", parsed.error().offset + 1, parsed.error().what,
                          expected.empty() ? "" : ", expected ", expected);
        return false;
    }
    typed_ = std::move(*parsed);
    calls_.for_each([&](const flow::Call& call) {
        typed_->matches(call) ? fit.insert(call.id) : hidden_.insert(call.id);
        return true;
    });
    return true;
}

view::Saved WatchScreen::save(const std::vector<std::uint32_t>& ids, const std::string& path) {
    return save_calls(
        path, ids.size(), page_options("callwright watch", {}, {}),
        [](const flow::Call& call) { return view::layout(call); },
        [&](const SaveCall& save) {
            for (const auto number : ids) {
                calls_.load(number, [&](const flow::Call& call, const auto& messages) {
                    save(call, [&](const flow::Message& message) {
                        const auto i = static_cast<std::size_t>(&message - call.messages.data());
                        return i < messages.size() ? messages[i] : std::string_view{};
                    });
                });
            }
            return std::vector<view::InputReport>{};
        });
}

void WatchScreen::forget(bool hidden_only) {
    calls_.forget([&](std::uint32_t number) { return !hidden_only || hidden_.contains(number); },
                  listener_);
}

} // namespace cw::cli
