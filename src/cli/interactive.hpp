// The terminal of `read -i` and `watch`: raw keys in, frames out, and the terminal as it was
// afterwards, whatever ends the program.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "view/screen/screen.hpp"

namespace cw::cli {

// What goes on meanwhile: called again and again, it works until a key can be read at `terminal`,
// or for `wait_ms`. False: it is time to leave.
using Meanwhile = std::function<bool(int terminal, int wait_ms)>;

// The terminal for as long as this lives, for who has work of its own between two turns.
class Interactive {
  public:
    // `screen` must outlive this.
    explicit Interactive(view::Screen& screen);
    ~Interactive();
    Interactive(const Interactive&) = delete;
    Interactive& operator=(const Interactive&) = delete;

    // False: there is no terminal to talk to.
    [[nodiscard]] bool good() const;
    // Draws the screen and gives it the keys that come within `wait_ms` (0: that are there; -1: it
    // waits for one). False: the user wants to leave.
    bool turn(int wait_ms, const Meanwhile& meanwhile = {});

  private:
    class RawTerminal;
    using Clock = std::chrono::steady_clock;
    void draw();

    view::Screen& screen_;
    std::unique_ptr<RawTerminal> terminal_;
    std::map<std::string, std::string> keys_; // that the user has bound to others
    std::string bytes_;                       // of a key that is not whole yet
    std::string drawn_;
    Clock::time_point came_; // when the latest of bytes_ did
};

// Runs until the user leaves. False: there is no terminal to talk to.
bool run_interactive(view::Screen& screen, const Meanwhile& meanwhile = {});

// Keeps the columns of the list for the next time, in callwright/columns of the configuration
// folder; returns what to say about it.
std::string keep_columns(const std::string& columns);

// What the terminal can show: its size, colours, 256 of them; and the columns that were kept.
view::ScreenOptions look_at_screen(bool ascii, bool colour);

} // namespace cw::cli
