// callwright keys: starts another program with a library of ours preloaded, which hands on the
// secrets of its TLS connections. From then on this process is that program.
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "host/watch/key_socket.hpp"

namespace cw::cli {
namespace {

struct KeysOptions {
    std::string output = "tls.keys";
    std::vector<std::string> command;
};

constexpr const char* keys_description =
    "Starts a program with the secrets of its TLS and DTLS connections written to a key log, which "
    "read, watch and Wireshark decrypt with. For programs that are linked dynamically and use "
    "OpenSSL 1.1.1, OpenSSL 3 or GnuTLS; nothing else about them changes, and the exit status is "
    "theirs.";

constexpr const char* keys_footer = R"(
Examples:
  callwright keys -o tls.keys -- kamailio -DD -E -f kamailio.cfg
  callwright keys -- baresip -v                        into ./tls.keys
  callwright watch -i any --keys unix:/run/tls.sock    first this, and then:
  callwright keys -o unix:/run/tls.sock -- asterisk -f

What is written decrypts all that these connections say: the file is readable by its owner alone.
Each connection has a comment line with its two ends before its secrets, so that a capture that
began later can be decrypted too. Not for programs that are linked statically (Go, some containers),
that carry OpenSSL within themselves (Node.js) or use another library (NSS and Firefox have
SSLKEYLOGFILE; mbed TLS, wolfSSL, Java have nothing).

Exit status: the program's; 2 usage, 3 a program or output that cannot be used.)";

// ---- the program

// As execvp finds it; empty when it does not.
std::string find_program(const std::string& name) {
    const auto is_program = [](const std::string& path) {
        struct stat is{};
        return ::stat(path.c_str(), &is) == 0 && S_ISREG(is.st_mode) &&
               ::access(path.c_str(), X_OK) == 0;
    };
    if (name.find('/') != std::string::npos) {
        return is_program(name) ? name : std::string{};
    }
    const char* set = std::getenv("PATH");
    std::string_view folders = set != nullptr ? set : "/bin:/usr/bin";
    while (!name.empty()) {
        const auto colon = folders.find(':');
        const auto folder = folders.substr(0, colon);
        auto path = fmt::format("{}/{}", folder.empty() ? "." : folder, name);
        if (is_program(path)) {
            return path;
        }
        if (colon == std::string_view::npos) {
            break;
        }
        folders.remove_prefix(colon + 1);
    }
    return {};
}

// The first bytes of a file: headers of programs lie there.
std::string first_bytes(const std::string& path) {
    std::string bytes(65536, '\0');
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const auto got = fd >= 0 ? ::read(fd, bytes.data(), bytes.size()) : -1;
    if (fd >= 0) {
        ::close(fd);
    }
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

// The loader that a program of our word size asks for; empty: it asks for none, and is static.
std::string loader_of(std::string_view file) {
    Elf64_Ehdr header{};
    std::memcpy(&header, file.data(), std::min(sizeof header, file.size()));
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        const auto at = header.e_phoff + i * sizeof(Elf64_Phdr);
        Elf64_Phdr part{};
        if (at > file.size() || file.size() - at < sizeof part) {
            break;
        }
        std::memcpy(&part, file.data() + at, sizeof part);
        if (part.p_type == PT_INTERP && part.p_offset < file.size() &&
            part.p_filesz <= file.size() - part.p_offset && part.p_filesz > 0) {
            return std::string{file.substr(part.p_offset, part.p_filesz - 1)};
        }
    }
    return {};
}

// Where the kernel gives a program other rights than its user has, the loader preloads nothing.
const char* why_secure(const std::string& path) {
    struct stat is{};
    if (::stat(path.c_str(), &is) != 0) {
        return nullptr;
    }
    if ((is.st_mode & S_ISUID) != 0 && is.st_uid != ::getuid()) {
        return "is setuid";
    }
    if ((is.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && is.st_gid != ::getgid()) {
        return "is setgid";
    }
    if (::geteuid() != 0 &&
        ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) { // root has them anyway
        return "has file capabilities";
    }
    return nullptr;
}

// Why nothing can be preloaded into the program; empty when it can.
std::string why_not(const std::string& path, int depth = 0) {
    const auto file = first_bytes(path);
    if (file.starts_with("#!") && depth < 4) {
        auto words = trim(std::string_view{file}.substr(2, file.find('\n') - 2));
        const auto next_word = [&] {
            const auto word = words.substr(0, words.find_first_of(" \t"));
            words = trim(words.substr(word.size()));
            return std::string{word};
        };
        auto interpreter = next_word();
        if (interpreter.ends_with("/env") && !words.empty() && words.front() != '-') {
            interpreter = find_program(next_word());
        }
        return interpreter.empty() ? std::string{} : why_not(interpreter, depth + 1);
    }
    if (!file.starts_with(ELFMAG) || file.size() < sizeof(Elf64_Ehdr)) {
        return {}; // the system will say
    }
    if (const auto* secure = why_secure(path)) {
        return fmt::format("{} {}, and into such a program the system preloads nothing; as root it "
                           "may be started by the user whose rights it gets",
                           path, secure);
    }
    const auto ours = first_bytes("/proc/self/exe");
    const auto same = [&](std::size_t at, std::size_t size) {
        return ours.size() < at + size || ours.compare(at, size, file, at, size) == 0;
    };
    if (!same(EI_CLASS, 1) || !same(offsetof(Elf64_Ehdr, e_machine), 2)) {
        return path + " is for another kind of processor than this program: only the same kind can "
                      "be preloaded into";
    }
    const auto loader = loader_of(file);
    if (loader.empty()) {
        return path +
               " is linked statically: nothing can be preloaded into it; perhaps it writes a "
               "key log by itself (SSLKEYLOGFILE, an option)";
    }
    if (loader.find("musl") != std::string::npos) {
        return path +
               " uses musl's libc, and the library to be preloaded glibc's: build callwright "
               "where the program runs";
    }
    return {};
}

// ---- the library

// Beside the program, or where packages put it. Empty when it is not there.
std::string library() {
    std::array<char, PATH_MAX> self{};
    const auto size = ::readlink("/proc/self/exe", self.data(), self.size());
    const std::string_view path{self.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
    const auto folder = std::string{path.substr(0, path.rfind('/') + 1)};
    for (const char* where : {"", "../lib/callwright/"}) {
        auto found = folder + where + "libcallwright-keys.so";
        if (::access(found.c_str(), R_OK) == 0) {
            return found;
        }
    }
    return {};
}

// The loader takes spaces and colons for the end of a name: then it gets a descriptor, which stays
// open in the program.
std::string preloadable(const std::string& path) {
    if (path.find_first_of(" :") == std::string::npos) {
        return path;
    }
    const int fd = ::open(path.c_str(), O_RDONLY);
    return fd < 0 ? path : fmt::format("/proc/self/fd/{}", fd);
}

// ---- the output

std::string absolute(const std::string& path) {
    std::array<char, PATH_MAX> here{};
    return path.starts_with('/') || ::getcwd(here.data(), here.size()) == nullptr
               ? path
               : fmt::format("{}/{}", here.data(), path);
}

// For the library, or empty when it cannot be used; that was said.
std::string prepare_output(const std::string& output) {
    if (output.starts_with(host::key_socket_prefix)) {
        const auto path = absolute(output.substr(host::key_socket_prefix.size()));
        constexpr std::size_t most = 107; // sockaddr_un
        if (path.size() > most) {
            fmt::print(stderr, "callwright: keys: {}: a socket's path has at most {} characters\n",
                       path, most);
            return {};
        }
        if (::access(path.c_str(), F_OK) != 0) {
            fmt::print(stderr,
                       "callwright: keys: nobody listens on {} yet; start callwright watch or read "
                       "with --keys {}\n",
                       path, output);
        }
        return std::string{host::key_socket_prefix} + path;
    }
    const auto path = absolute(output);
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                          S_IRUSR | S_IWUSR);
    if (fd < 0) {
        fmt::print(stderr, "callwright: keys: {}: {}\n", output, std::strerror(errno));
        return {};
    }
    struct stat is{};
    if (::fstat(fd, &is) == 0 && S_ISREG(is.st_mode) && (is.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        fmt::print(
            stderr,
            "callwright: keys: {}: it was there, and others may read it (mode {:03o}); chmod "
            "600 it\n",
            output, is.st_mode & 0777U);
    }
    ::close(fd);
    return path;
}

int keys(const KeysOptions& options) {
    const auto failed = [](const std::string& why) {
        fmt::print(stderr, "callwright: keys: {}\n", why);
        return BadInput;
    };
    const auto program = find_program(options.command.front());
    if (program.empty()) {
        return failed(options.command.front() + ": no such program");
    }
    if (const auto why = why_not(program); !why.empty()) {
        return failed(why);
    }
    const auto preloaded = library();
    if (preloaded.empty()) {
        return failed("libcallwright-keys.so is not there; it belongs beside the program, or into "
                      "../lib/callwright/ from it");
    }
    const auto output = prepare_output(options.output);
    if (output.empty()) {
        return BadInput;
    }
    auto list = preloadable(preloaded);
    if (const char* others = std::getenv("LD_PRELOAD"); others != nullptr && *others != '\0') {
        list += fmt::format(":{}", others);
    }
    ::setenv("LD_PRELOAD", list.c_str(), 1);
    ::setenv("CALLWRIGHT_KEYS", output.c_str(), 1);
    std::vector<char*> arguments;
    for (const auto& word : options.command) {
        arguments.push_back(const_cast<char*>(word.c_str())); // execv does not write to them
    }
    arguments.push_back(nullptr);
    ::execvp(program.c_str(), arguments.data()); // also what has no first line of its own: /bin/sh
    return failed(fmt::format("{}: {}", program, std::strerror(errno)));
}

} // namespace

Command add_keys(CLI::App& app) {
    auto options = std::make_shared<KeysOptions>();
    auto* command = app.add_subcommand("keys", keys_description);
    command->footer(keys_footer);
    command->add_option("-o,--output", options->output,
                        "a file that is appended to (tls.keys), or unix:PATH, a reader's socket");
    command->add_option("COMMAND", options->command, "behind --: the program and its arguments")
        ->required();
    return [options] { return keys(*options); };
}

} // namespace cw::cli
