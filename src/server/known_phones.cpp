#include "server/known_phones.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace cw::server {
namespace {

struct Phone {
    std::string_view start; // of its User-Agent, in any case
    crypto::DigestAlgorithm strongest;
};

// The first that fits counts. Each was seen to fail with more, and to work with this.
constexpr auto phones = std::to_array<Phone>({
    {"baresip v0.", crypto::DigestAlgorithm::Md5},
    {"baresip v1.", crypto::DigestAlgorithm::Md5}, // Debian 12
    {"baresip ", crypto::DigestAlgorithm::Sha256},
    {"linphone", crypto::DigestAlgorithm::Sha256}, // 5.1, Debian 12
});

} // namespace

bool copes_with(std::string_view user_agent, crypto::DigestAlgorithm algorithm) {
    const auto* phone = std::ranges::find_if(
        phones, [&](const Phone& p) { return istarts_with(user_agent, p.start); });
    return phone == phones.end() || algorithm <= phone->strongest; // weakest first in the enum
}

} // namespace cw::server
