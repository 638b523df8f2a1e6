#include "connection.hpp"

#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "sockets.hpp"

namespace cw::preload {
namespace {

constexpr std::size_t random_digits = 64;

struct Last {
    char random[random_digits]; // of the connection that this thread has described
};
__thread Last last __attribute__((tls_model("initial-exec")));

void add_address(Text& text, const sockaddr_storage& address) {
    char name[INET6_ADDRSTRLEN] = {};
    unsigned port = 0;
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        inet_ntop(AF_INET, &v4.sin_addr, name, sizeof name);
        port = ntohs(v4.sin_port);
        text.add(name);
    } else {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        port = ntohs(v6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) { // of a socket for both families
            inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, name, sizeof name);
            text.add(name);
        } else {
            inet_ntop(AF_INET6, &v6.sin6_addr, name, sizeof name);
            text.add("[").add(name).add("]");
        }
    }
    text.add(":").add_number(port);
}

void add_number_in_hex(Text& text, unsigned number) {
    const unsigned char bytes[] = {static_cast<unsigned char>(number >> 8),
                                   static_cast<unsigned char>(number)};
    text.add_hex(bytes, sizeof bytes);
}

void add_program(Text& text) {
    const char* name = program_invocation_short_name;
    for (std::size_t i = 0; name != nullptr && name[i] != '\0' && i < 32; ++i) {
        const bool plain = (name[i] >= '0' && name[i] <= '9') ||
                           (name[i] >= 'A' && name[i] <= 'Z') ||
                           (name[i] >= 'a' && name[i] <= 'z') || name[i] == '-' || name[i] == '_' ||
                           name[i] == '.';
        text.add({plain ? name + i : "_", 1});
    }
}

void add_comment(Text& text, const Connection& connection, std::string_view random) {
    text.add("# callwright connection random=").add(random);
    Ends ends;
    if (find_ends(connection.fd, connection.datagrams, ends)) {
        text.add(" client=");
        add_address(text, connection.is_server ? ends.peer : ends.local);
        text.add(" server=");
        add_address(text, connection.is_server ? ends.local : ends.peer);
    }
    if (connection.version != 0) {
        text.add(" version=");
        add_number_in_hex(text, connection.version);
    }
    if (connection.suite != 0) {
        text.add(" suite=");
        add_number_in_hex(text, connection.suite);
    } else if (!connection.suite_name.empty()) {
        text.add(" suite=").add(connection.suite_name);
    }
    if (connection.server_random != nullptr) {
        text.add(" server_random=").add_hex(connection.server_random, 32);
    }
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    text.add(" at=").add_number(static_cast<std::uint64_t>(now.tv_sec));
    text.add(" by=");
    add_program(text);
    text.add("[").add_number(static_cast<std::uint64_t>(getpid())).add("]\n");
}

} // namespace

void log_secret(const Connection& connection, std::string_view label, std::string_view random,
                std::string_view secret) {
    Text text;
    if (random.size() == random_digits &&
        std::memcmp(last.random, random.data(), random_digits) != 0) {
        std::memcpy(last.random, random.data(), random_digits);
        add_comment(text, connection, random);
    }
    text.add(label).add(" ").add(random).add(" ").add(secret).add("\n");
    put(text);
}

} // namespace cw::preload
