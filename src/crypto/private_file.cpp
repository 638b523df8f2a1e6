#include "crypto/private_file.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cw::crypto {

namespace {

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return ::fsync(fd) == 0;
}

} // namespace

Result<void> write_whole(const std::string& path, std::string_view text, mode_t mode,
                         IfThere if_there) {
    const auto temporary = path + "." + std::to_string(::getpid()) + ".tmp";
    ::unlink(temporary.c_str()); // of a process of the same number that died here
    const int fd =
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return fail(errno == ENOENT ? Code::NotFound : Code::CannotRead, 0,
                    errno == ENOENT ? "its directory is not there" : "cannot be written");
    }
    const bool written = write_all(fd, text);
    bool placed = ::close(fd) == 0 && written;
    bool was_there = false;
    if (placed && if_there == IfThere::Replace) {
        placed = std::rename(temporary.c_str(), path.c_str()) == 0;
    } else if (placed) {
        // A second name, unlike a rename, never takes the place of what is there.
        placed = ::link(temporary.c_str(), path.c_str()) == 0;
        was_there = !placed && errno == EEXIST;
    }
    ::unlink(temporary.c_str());
    if (was_there) {
        return fail(Code::Usage, 0, "is there already");
    }
    if (!placed) {
        return fail(Code::CannotRead, 0, "cannot be written");
    }
    return {};
}

Result<std::string> read_whole(const std::string& path, std::size_t most) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? fail(Code::NotFound, 0, "no such file")
                   : fail(Code::CannotRead, 0, "cannot be read: no permission?");
    }
    std::string text;
    char block[16384];
    long n = 0;
    while (text.size() <= most && (n = ::read(fd, block, sizeof block)) > 0) {
        text.append(block, static_cast<std::size_t>(n));
    }
    ::close(fd);
    OPENSSL_cleanse(block, sizeof block);
    if (n < 0) {
        return fail(Code::CannotRead, 0, "cannot be read: is it a directory?");
    }
    if (text.size() > most) {
        return fail(Code::LimitExceeded, 0, "too large to be what it is taken for");
    }
    return text;
}

} // namespace cw::crypto
