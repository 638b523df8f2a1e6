// What a REGISTER asks for, read and judged before anything is changed [RFC 3261 §10.3 items 6, 7].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/incoming.hpp"
#include "server/settings.hpp"

namespace cw::server {

struct ContactAsked {
    std::string_view uri;
    std::string params; // to be kept: all but expires and q, ";a=b;c"
    std::string_view instance;
    std::uint32_t expires_s = 0; // 0: to be removed
    std::uint32_t reg_id = 0;
    std::uint16_t q = 1000;
};

struct RegistrationAsked {
    std::uint16_t status = 200; // else the refusal
    std::string_view why{};
    bool star = false; // remove all
    std::vector<ContactAsked> contacts;
};

// Views in the result live as long as the message of `in`.
RegistrationAsked read_contacts(const Incoming& in, const Settings& settings);

} // namespace cw::server
