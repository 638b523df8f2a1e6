#include "cli/terminal.hpp"

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.hpp"

namespace cw::cli {
namespace {

constexpr int narrowest = 60;
constexpr int widest = 400;

int columns_of_terminal() {
    if (const char* set = std::getenv("COLUMNS")) {
        if (const auto n = parse_number<int>(set)) {
            return std::clamp(*n, narrowest, widest);
        }
    }
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return std::clamp<int>(size.ws_col, narrowest, widest);
    }
    return 100;
}

bool is_utf8() {
    std::setlocale(LC_CTYPE, "");
    return std::string_view{nl_langinfo(CODESET)} == "UTF-8";
}

bool is_set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

} // namespace

Terminal look_at_terminal(ColorChoice color) {
    Terminal terminal;
    terminal.output = ::isatty(STDOUT_FILENO) == 1;
    terminal.columns = columns_of_terminal();
    // In a pipe or a file the text is for other programs and other terminals: UTF-8, as the world
    // has it. A terminal says itself what it can show.
    terminal.utf8 = !terminal.output || is_utf8();
    const char* kind = std::getenv("TERM");
    const bool dumb = kind == nullptr || std::string_view{kind} == "dumb";
    terminal.color =
        color == ColorChoice::Always ||
        (color == ColorChoice::Auto && terminal.output && !dumb && !is_set("NO_COLOR"));
    return terminal;
}

Progress::Progress(std::string_view what)
    : what_(what), shown_on_terminal_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()), last_(start_) {}

void Progress::draw(std::uint64_t done, std::uint64_t total) {
    using namespace std::chrono_literals;
    const auto now = std::chrono::steady_clock::now();
    if (now - start_ < 1s || now - last_ < 100ms) {
        return;
    }
    last_ = now;
    drawn_ = true;
    if (total == 0) {
        fmt::print(stderr, "\r\x1b[K{}: {} MB", what_, done / 1'000'000);
    } else {
        constexpr int width = 30;
        const auto share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
        const auto full = static_cast<int>(share * width);
        const auto elapsed = std::chrono::duration<double>(now - start_).count();
        fmt::print(stderr, "\r\x1b[K{}: [{:=<{}}{:{}}] {:3.0f} %, {:.0f} s left", what_, "", full,
                   "", width - full, share * 100, share > 0 ? elapsed / share - elapsed : 0);
    }
    std::fflush(stderr);
}

void Progress::clear() {
    if (drawn_) {
        fmt::print(stderr, "\r\x1b[K");
        std::fflush(stderr);
        drawn_ = false;
    }
}

} // namespace cw::cli
