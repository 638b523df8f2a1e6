// A load while it runs: a screen that is drawn anew each second on a terminal, a line a second in a
// pipe.
#pragma once

#include <optional>
#include <string>

#include "cli/terminal.hpp"
#include "host/load/load.hpp"
#include "play/load/arrivals.hpp"
#include "script/plan.hpp"

namespace cw::cli {

class LoadScreen {
  public:
    // `shown`: else it stays silent.
    LoadScreen(const std::string& file, const script::Plan& plan, const Terminal& terminal,
               bool shown, std::optional<play::Arrivals> arrivals);
    void second(const host::LoadSecond& second, const host::LoadResult& total);
    void enrolling(const host::LoadResult& total);
    void end();

  private:
    void erase();
    [[nodiscard]] std::string screen(const host::LoadSecond& second,
                                     const host::LoadResult& total) const;

    std::string title_;
    Terminal terminal_;
    bool shown_;
    std::optional<play::Arrivals> arrivals_;
    std::size_t drawn_ = 0; // lines on the terminal
    std::uint64_t lines_ = 0;
    std::uint64_t registered_ = 0; // shown
};

} // namespace cw::cli
