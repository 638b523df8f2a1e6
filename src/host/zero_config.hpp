// What `callwright serve` does without being told: listeners on loopback, the domain "localhost",
// and two users whose passwords it makes up once and keeps in the data folder.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "host/config.hpp"

namespace cw::host {

struct NamedPassword {
    std::string name;
    std::string password; // in clear: to be shown once, never logged
};

// Listeners and a domain where `config` has none.
void add_default_places(Config& config);

// The users in DATA/users ("NAME:PASSWORD" a line, mode 0600), which is made with alice and bob
// when it is not there.
std::expected<std::vector<NamedPassword>, std::string> default_users(const std::string& data);

// "NAME:PASSWORD"; the password may have colons. Fails with a sentence that does not show it.
std::expected<NamedPassword, std::string> parse_user(std::string_view text);

} // namespace cw::host
