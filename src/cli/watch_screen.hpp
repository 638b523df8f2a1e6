// `watch` on a terminal: the screens of `read -i`, while calls go on.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/watch_page.hpp"
#include "flow/filter.hpp"
#include "host/watch/call_keeper.hpp"
#include "host/watch/live_calls.hpp"
#include "host/watch/watch.hpp"
#include "view/screen/screen.hpp"

namespace cw::cli {

class WatchScreen {
  public:
    // `only`: calls that do not fit are never shown; empty: all are. `watch`, opened with
    // show_going_on, and `only` must outlive this.
    // `keeper`: where calls go when they have ended; `page`: who shows them, too. Both may be null.
    WatchScreen(host::Watch& watch, host::LiveCalls& calls, const std::optional<flow::Filter>& only,
                host::CallKeeper* keeper, WatchPage* page);

    // Until the user leaves, or `over` says so after a turn. False: there is no terminal.
    bool run(const view::ScreenOptions& options, const std::function<bool()>& over);
    // What went wrong meanwhile, a line each.
    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

  private:
    void show(std::uint32_t number, const flow::Call& call, bool live);
    void refresh();
    bool turn(int terminal, int wait_ms);
    void tell();
    view::ScreenCall load(std::uint32_t number, flow::Boxes::Of columns);
    bool filter(const std::string& text, std::set<std::uint32_t>& fit, std::string& why);
    view::Saved save(const std::vector<std::uint32_t>& ids, const std::string& path);
    void forget(bool hidden_only);

    host::Watch& watch_;
    host::LiveCalls& calls_;
    const std::optional<flow::Filter>& only_;
    host::CallKeeper* keeper_;
    WatchPage* page_;
    std::optional<flow::Filter> typed_; // the filter of the screen
    host::LiveCalls::Listener listener_;
    view::Screen* screen_ = nullptr;
    std::string inputs_;
    std::set<std::uint32_t> hidden_; // calls that the screen's filter hides
    std::vector<std::string> problems_;
    bool going_ = true; // some input is left
};

} // namespace cw::cli
