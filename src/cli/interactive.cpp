#include "cli/interactive.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "view/screen/keys.hpp"

namespace cw::cli {
namespace {

volatile std::sig_atomic_t size_changed = 0;
volatile std::sig_atomic_t told_to_end = 0;

void on_screen_signal(int signal) {
    (signal == SIGWINCH ? size_changed : told_to_end) = 1;
}

winsize size_of(int terminal) {
    winsize size{};
    if (::ioctl(terminal, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        size.ws_col = 80;
        size.ws_row = 24;
    }
    return size;
}

} // namespace

// The terminal in raw mode with a screen of its own, for as long as this lives.
class Interactive::RawTerminal {
  public:
    RawTerminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
        if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) {
            return;
        }
        auto raw = before_;
        ::cfmakeraw(&raw);
        good_ = ::tcsetattr(fd_, TCSAFLUSH, &raw) == 0;
        struct sigaction action{};
        action.sa_handler = on_screen_signal; // without SA_RESTART: it wakes poll()
        for (const int signal : {SIGWINCH, SIGTERM, SIGHUP, SIGINT}) {
            ::sigaction(signal, &action, nullptr);
        }
        // A screen of its own, no cursor, and the mouse (mode 1006: as text).
        write("\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[2J");
    }
    ~RawTerminal() {
        if (good_) {
            write("\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?25h\x1b[?1049l");
            ::tcsetattr(fd_, TCSAFLUSH, &before_);
        }
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] int fd() const { return fd_; }
    void write(std::string_view text) const {
        while (!text.empty()) {
            const auto n = ::write(fd_, text.data(), text.size());
            if (n > 0) {
                text.remove_prefix(static_cast<std::size_t>(n));
            } else if (errno != EINTR) {
                return;
            }
        }
    }

  private:
    int fd_;
    bool good_ = false;
    termios before_{};
};

namespace {

// Of the user's configuration.
std::filesystem::path own_folder() {
    const char* folder = std::getenv("XDG_CONFIG_HOME");
    const char* home = std::getenv("HOME");
    const std::string base = folder != nullptr && *folder != '\0' ? folder
                             : home != nullptr                    ? std::string{home} + "/.config"
                                                                  : "";
    return std::filesystem::path{base} / "callwright";
}

// What the user has bound: "KEY = KEY" a line, in callwright/keys of the configuration folder.
std::map<std::string, std::string> bound_keys() {
    std::map<std::string, std::string> keys;
    std::ifstream file{own_folder() / "keys"};
    for (std::string line; keys.size() < 256 && std::getline(file, line);) {
        const auto word = [&](std::size_t from, std::size_t to) {
            const auto text = std::string_view{line}.substr(from, to - from);
            const auto first = text.find_first_not_of(" \t\r");
            const auto last = text.find_last_not_of(" \t\r");
            return first == std::string_view::npos
                       ? std::string{}
                       : std::string{text.substr(first, last - first + 1)};
        };
        const auto equals = line.find('=', 1); // "=" itself can be bound
        if (!line.starts_with('#') && equals != std::string::npos) {
            keys[word(0, equals)] = word(equals + 1, line.size());
        }
    }
    return keys;
}

std::string kept_columns() {
    std::string line;
    std::ifstream file{own_folder() / "columns"};
    std::getline(file, line);
    constexpr std::size_t longest = 200;
    line.resize(std::min(line.size(), longest));
    return line;
}

// An escape alone is a key when nothing follows it for so long.
constexpr int escape_ms = 40;
// While calls go on, a look at them.
constexpr int refresh_ms = 250;

// Waits for input, or for so many milliseconds (-1: for ever); false when there will be no more.
bool take_input(int fd, int wait_ms, std::string& bytes) {
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    const auto ready = ::poll(&wanted, 1, wait_ms);
    if (ready <= 0) {
        return ready == 0 || errno == EINTR;
    }
    char buffer[512];
    const auto n = ::read(fd, buffer, sizeof buffer);
    if (n > 0) {
        bytes.append(buffer, static_cast<std::size_t>(n));
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

} // namespace

view::ScreenOptions look_at_screen(bool ascii, bool colour) {
    const auto size = size_of(STDOUT_FILENO);
    const char* kind = std::getenv("TERM");
    const char* depth = std::getenv("COLORTERM");
    const bool many = (kind != nullptr && std::string_view{kind}.contains("256")) ||
                      (depth != nullptr && *depth != '\0');
    return {.width = size.ws_col,
            .height = size.ws_row,
            .ascii = ascii,
            .colour = colour,
            .colours_256 = colour && many,
            .columns = kept_columns()};
}

std::string keep_columns(const std::string& columns) {
    const auto folder = own_folder();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const auto path = folder / "columns";
    std::ofstream file{path};
    file << columns << '\n';
    return file.flush() ? "Kept in " + path.string() : path.string() + " cannot be written";
}

Interactive::Interactive(view::Screen& screen)
    : screen_(screen), terminal_(std::make_unique<RawTerminal>()), keys_(bound_keys()) {
    size_changed = 1;
}

Interactive::~Interactive() = default;

bool Interactive::good() const {
    return terminal_->good();
}

void Interactive::draw() {
    if (size_changed != 0) {
        size_changed = 0;
        const auto size = size_of(terminal_->fd());
        screen_.resize(size.ws_col, size.ws_row);
        drawn_.clear(); // the terminal has moved what was there
    }
    if (auto frame = screen_.frame(); frame != drawn_) {
        terminal_->write(frame);
        drawn_ = std::move(frame);
    }
}

bool Interactive::turn(int wait_ms, const Meanwhile& meanwhile) {
    draw();
    const auto before = bytes_.size();
    const int wait = bytes_.empty() || wait_ms == 0 ? wait_ms : escape_ms;
    if (meanwhile && !meanwhile(terminal_->fd(), wait)) {
        return false;
    }
    if (!take_input(terminal_->fd(), meanwhile ? 0 : wait, bytes_)) {
        return false;
    }
    const auto now = Clock::now();
    came_ = bytes_.size() != before ? now : came_;
    // Nothing came to finish it.
    const bool last = before > 0 && now - came_ >= std::chrono::milliseconds(escape_ms);
    std::string_view rest = bytes_;
    bool open = true;
    while (open) {
        const auto key = view::take_key(rest, last);
        if (!key) {
            break;
        }
        const auto bound = keys_.find(*key);
        open = screen_.key(bound == keys_.end() ? *key : bound->second);
    }
    bytes_.erase(0, bytes_.size() - rest.size());
    return open && told_to_end == 0;
}

bool run_interactive(view::Screen& screen, const Meanwhile& meanwhile) {
    Interactive terminal{screen};
    if (!terminal.good()) {
        return false;
    }
    while (terminal.turn(meanwhile ? refresh_ms : -1, meanwhile)) {
    }
    return true;
}

} // namespace cw::cli
