#include "output.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace cw::preload {
namespace {

constexpr int high = 900;          // above the descriptors that programs count on
constexpr int patience_ms = 50;    // for a reader that is slow
constexpr int most_turns = 100000; // for a lock; then it counts as left by a thread that is gone

// What is sent to a reader that is not there yet; the oldest goes first.
struct Waiting {
    char bytes[65536] = {};
    std::size_t size = 0;
};

struct Output {
    char path[4096] = {};
    bool is_socket = false;
    std::atomic<int> fd{-1};
    std::atomic<dev_t> device{0};
    std::atomic<ino_t> inode{0};
    std::atomic<bool> told{false};
    std::atomic_flag busy{};
    Waiting waiting;
};
constinit Output output; // before any constructor runs

class Lock {
  public:
    Lock() {
        for (int i = 0; i < most_turns && output.busy.test_and_set(std::memory_order_acquire);
             ++i) {
            sched_yield();
        }
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { output.busy.clear(std::memory_order_release); }
};

// Without the wrappers of libc: those are points of cancellation, and one of them is ours.
long write_to(int fd, const char* data, std::size_t size) {
    long done = 0;
    do {
        done = syscall(SYS_write, fd, data, size);
    } while (done < 0 && errno == EINTR);
    return done;
}

// Once a process: the person must know that keys are missing.
void tell(const char* why) {
    if (output.told.exchange(true)) {
        return;
    }
    Text text;
    text.add("callwright keys: ").add(output.path).add(": ").add(why);
    text.add("; the secrets of process ").add_number(static_cast<std::uint64_t>(getpid()));
    text.add(" are not written\n");
    write_to(STDERR_FILENO, text.data(), text.size());
}

// Ours still, and not a file of the program's under the number that it has closed on us.
bool is_ours(int fd) {
    struct stat now{};
    return fd >= 0 && fstat(fd, &now) == 0 && now.st_dev == output.device.load() &&
           now.st_ino == output.inode.load();
}

void keep(int fd) {
    const int up = fcntl(fd, F_DUPFD_CLOEXEC, high);
    if (up >= 0) {
        syscall(SYS_close, fd);
        fd = up;
    }
    struct stat now{};
    if (fstat(fd, &now) == 0) {
        output.device.store(now.st_dev);
        output.inode.store(now.st_ino);
    }
    output.fd.store(fd);
}

int open_file() {
    const int old = output.fd.load();
    if (is_ours(old)) {
        return old;
    }
    const Lock lock;
    if (is_ours(output.fd.load())) {
        return output.fd.load();
    }
    const int fd =
        open(output.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return -1;
    }
    keep(fd);
    return output.fd.load();
}

// Under the lock. Each message is a piece of its own, so that processes may share a connection.
int connected() {
    if (is_ours(output.fd.load())) {
        return output.fd.load();
    }
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, output.path, sizeof address.sun_path - 1); // the rest is zero
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int why = errno;
        syscall(SYS_close, fd);
        errno = why;
        return -1;
    }
    keep(fd);
    return output.fd.load();
}

bool send_piece(const char* data, std::size_t size) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        const int fd = connected();
        if (fd < 0) {
            return false;
        }
        if (send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
            return true;
        }
        if (errno == EAGAIN || errno == EINTR) {
            pollfd ready{fd, POLLOUT, 0};
            if (poll(&ready, 1, patience_ms) <= 0) {
                return false;
            }
        } else { // the reader went; another may be there
            output.fd.store(-1);
            syscall(SYS_close, fd);
        }
    }
    return false;
}

// Pieces lie one behind the other, each with its size before it.
void let_wait(const Text& lines) {
    auto& waiting = output.waiting;
    const auto need = sizeof(std::size_t) + lines.size();
    std::size_t drop = 0;
    while (waiting.size - drop + need > sizeof waiting.bytes) {
        std::size_t size = 0;
        std::memcpy(&size, waiting.bytes + drop, sizeof size);
        drop += sizeof size + size;
    }
    std::memmove(waiting.bytes, waiting.bytes + drop, waiting.size - drop);
    waiting.size -= drop;
    const auto size = lines.size();
    std::memcpy(waiting.bytes + waiting.size, &size, sizeof size);
    std::memcpy(waiting.bytes + waiting.size + sizeof size, lines.data(), size);
    waiting.size += need;
}

bool send_waiting() {
    auto& waiting = output.waiting;
    std::size_t sent = 0;
    bool all = true;
    while (all && sent < waiting.size) {
        std::size_t size = 0;
        std::memcpy(&size, waiting.bytes + sent, sizeof size);
        all = send_piece(waiting.bytes + sent + sizeof size, size);
        sent += all ? sizeof size + size : 0;
    }
    std::memmove(waiting.bytes, waiting.bytes + sent, waiting.size - sent);
    explicit_bzero(waiting.bytes + waiting.size - sent, sent);
    waiting.size -= sent;
    return all;
}

void after_fork_in_child() {
    output.busy.clear();
}

// Before main, and so before the program gives up the rights that the file may need.
__attribute__((constructor)) void begin() {
    const Unseen unseen;
    const char* where = getenv("CALLWRIGHT_KEYS");
    if (where == nullptr || std::strlen(where) >= sizeof output.path) {
        return;
    }
    constexpr std::string_view unix_socket = "unix:";
    output.is_socket = std::strncmp(where, unix_socket.data(), unix_socket.size()) == 0;
    std::strcpy(output.path, where + (output.is_socket ? unix_socket.size() : 0));
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
    if (output.is_socket) {
        const Lock lock;
        (void)connected(); // perhaps the reader comes later
    } else if (open_file() < 0) {
        tell(strerrordesc_np(errno));
    }
}

} // namespace

Text& Text::add(std::string_view text) {
    if (text.size() > sizeof bytes_ - size_) {
        whole_ = false;
        return *this;
    }
    std::memcpy(bytes_ + size_, text.data(), text.size());
    size_ += text.size();
    return *this;
}

Text& Text::add_hex(const void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        constexpr char digits[] = "0123456789abcdef";
        const auto byte = static_cast<const unsigned char*>(bytes)[i];
        const char two[] = {digits[byte >> 4], digits[byte & 15]};
        add({two, 2});
    }
    return *this;
}

Text& Text::add_number(std::uint64_t number) {
    char digits[20];
    std::size_t at = sizeof digits;
    do {
        digits[--at] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return add({digits + at, sizeof digits - at});
}

Unseen::Unseen() : errno_(errno) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_);
}

Unseen::~Unseen() {
    pthread_setcancelstate(cancel_, nullptr);
    errno = errno_;
}

void put(const Text& lines) {
    if (output.path[0] == '\0' || lines.size() == 0) {
        return;
    }
    if (!lines.whole()) {
        tell("a line is too long");
        return;
    }
    if (output.is_socket) {
        const Lock lock;
        if (!send_waiting() || !send_piece(lines.data(), lines.size())) {
            let_wait(lines);
        }
        return;
    }
    const int fd = open_file();
    if (fd < 0 || write_to(fd, lines.data(), lines.size()) != static_cast<long>(lines.size())) {
        tell(strerrordesc_np(errno));
    }
}

} // namespace cw::preload
