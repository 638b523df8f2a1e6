#include "host/watch/key_follower.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cw::host {
namespace {

constexpr std::size_t most_at_once = std::size_t{4} << 20;
constexpr std::size_t longest_line = 4096; // a secret has 96 digits, a random 64

} // namespace

KeyFollower::KeyFollower(std::vector<std::string> paths) {
    for (auto& path : paths) {
        if (path.starts_with(key_socket_prefix)) {
            socket_paths_.push_back(path.substr(key_socket_prefix.size()));
        } else {
            files_.emplace_back().path = std::move(path);
        }
    }
}

std::expected<void, std::string> KeyFollower::open_sockets() {
    for (const auto& path : socket_paths_) {
        auto opened = KeySocket::open(path);
        if (!opened) {
            return std::unexpected{std::move(opened.error())};
        }
        sockets_.push_back(std::move(*opened));
    }
    return {};
}

bool KeyFollower::open(File& file) {
    file.fd = net::Descriptor{::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat is{};
    if (!file.fd.open() || ::fstat(file.fd.get(), &is) != 0) {
        file.problem = file.path + ": " + std::strerror(errno);
        return false;
    }
    file.device = is.st_dev;
    file.inode = is.st_ino;
    file.offset = 0;
    file.unfinished.clear();
    file.problem.clear();
    return true;
}

// Emptied, or another file has its name now. While its name is gone, we keep the one that we have.
bool KeyFollower::was_replaced(File& file) {
    struct stat named{};
    struct stat ours{};
    if (::fstat(file.fd.get(), &ours) == 0 && ours.st_size < file.offset) {
        return true;
    }
    return ::stat(file.path.c_str(), &named) == 0 &&
           (named.st_dev != file.device || named.st_ino != file.inode);
}

void KeyFollower::poll(
    const std::function<void(std::string_view lines, const std::string& path)>& to) {
    std::string bytes;
    for (auto& file : files_) {
        const bool have = file.fd.open() && !was_replaced(file);
        if (!have && !open(file)) {
            continue;
        }
        bytes.resize(most_at_once);
        const auto got = ::pread(file.fd.get(), bytes.data(), bytes.size(), file.offset);
        if (got <= 0) {
            continue;
        }
        file.offset += got;
        bytes.resize(static_cast<std::size_t>(got));
        const auto end = bytes.rfind('\n');
        if (end == std::string::npos) {
            file.unfinished += bytes;
        } else {
            to(file.unfinished + bytes.substr(0, end + 1), file.path);
            file.unfinished = bytes.substr(end + 1);
        }
        if (file.unfinished.size() > longest_line) {
            file.unfinished.clear(); // no key log
        }
    }
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
        sockets_[i].poll([&](std::string_view lines) {
            to(lines, std::string{key_socket_prefix} + socket_paths_[i]);
        });
    }
}

std::vector<std::string> KeyFollower::problems() const {
    std::vector<std::string> out;
    for (const auto& file : files_) {
        if (!file.problem.empty()) {
            out.push_back(file.problem);
        }
    }
    return out;
}

} // namespace cw::host
