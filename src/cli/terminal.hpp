// What the program knows of the terminal it talks to, and the progress bar.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace cw::cli {

enum class ColorChoice : std::uint8_t { Auto, Always, Never };

struct Terminal {
    bool output = false; // stdout is a terminal
    bool color = false;
    bool utf8 = false;
    int columns = 100;
};

// Asks the environment: isatty, COLUMNS, NO_COLOR, TERM, and the locale's character set.
Terminal look_at_terminal(ColorChoice color);

// A line on stderr that grows, only on a terminal, and only for work that takes longer than a
// second. Erases itself.
class Progress {
  public:
    explicit Progress(std::string_view what);
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Worth a look at the clock: cheap enough for every packet.
    bool is_due() { return shown_on_terminal_ && ++calls_ % 4096 == 0; }
    // `total` is 0 when it is not known.
    void draw(std::uint64_t done, std::uint64_t total);
    void clear();

  private:
    std::string what_;
    bool shown_on_terminal_;
    bool drawn_ = false;
    std::uint64_t calls_ = 0;
    std::chrono::steady_clock::time_point start_;
    std::chrono::steady_clock::time_point last_;
};

} // namespace cw::cli
