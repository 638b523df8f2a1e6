#include "host/zero_config.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <openssl/rand.h>

#include "crypto/private_file.hpp"

namespace cw::host {
namespace {

constexpr std::size_t password_length = 16;

// 80 bits, in letters and digits that are not mistaken for each other.
std::string made_up_password() {
    constexpr std::string_view alphabet = "abcdefghijkmnpqrstuvwxyz23456789"; // 32
    std::array<unsigned char, password_length> random{};
    if (RAND_bytes(random.data(), random.size()) != 1) {
        return {};
    }
    std::string password;
    for (const auto octet : random) {
        password += alphabet[octet % alphabet.size()];
    }
    return password;
}

} // namespace

std::expected<NamedPassword, std::string> parse_user(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size()) {
        return std::unexpected{std::string{"expected NAME:PASSWORD"}};
    }
    return NamedPassword{std::string{text.substr(0, colon)}, std::string{text.substr(colon + 1)}};
}

void add_default_places(Config& config) {
    auto& settings = config.settings;
    if (settings.listeners.empty()) {
        for (const char* text : {"udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "tls:127.0.0.1:5061",
                                 "wss:127.0.0.1:8443"}) {
            settings.listeners.push_back(*parse_listener(text));
        }
    }
    if (settings.domains.empty()) {
        auto& domain = settings.domains.emplace_back();
        domain.name = "localhost";
        domain.allow_md5 = true; // at home, and baresip 1.0 knows nothing else
    }
}

std::expected<std::vector<NamedPassword>, std::string> default_users(const std::string& data) {
    const auto path = data + "/users";
    auto text = crypto::read_whole(path, std::size_t{1} << 20);
    if (!text && text.error().code != Code::NotFound) {
        return std::unexpected{path + ": " + text.error().what};
    }
    if (!text) {
        if (mkdir(data.c_str(), 0700) != 0 && errno != EEXIST) {
            return std::unexpected{data + ": " + std::strerror(errno)};
        }
        std::string made;
        for (const char* name : {"alice", "bob"}) {
            const auto password = made_up_password();
            if (password.empty()) {
                return std::unexpected{path + ": no random numbers for passwords"};
            }
            made += std::string{name} + ":" + password + "\n";
        }
        if (const auto written =
                crypto::write_whole(path, made, crypto::for_owner, crypto::IfThere::Refuse);
            !written) {
            return std::unexpected{path + ": " + written.error().what};
        }
        text = made;
    }
    std::vector<NamedPassword> users;
    std::string_view rest = *text;
    for (int number = 1; !rest.empty(); ++number) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        auto user = parse_user(line);
        if (!user) {
            return std::unexpected{path + ":" + std::to_string(number) + ": " + user.error()};
        }
        users.push_back(std::move(*user));
    }
    return users;
}

} // namespace cw::host
