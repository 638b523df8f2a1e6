// Certificates that we show and that are out of date, or will be soon: a line of the log each, at
// the start, at every reload and once a day.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "host/log.hpp"

namespace cw::host {

inline constexpr Duration expires_soon = seconds(21 * 86400); // as `certs check` and `probe` say

// A certificate as it was loaded. The file may hold another one by now: that counts from the next
// reload on.
struct ShownCertificate {
    std::string file;
    std::string name;
    Instant not_before;
    Instant not_after;
};

// All certificates of a PEM file: a chain is no better than its shortest. None when it cannot be
// read, which was told where it was loaded.
std::vector<ShownCertificate> certificates_in(const std::string& file);

// Unknown when there are none.
Instant first_to_expire(std::span<const ShownCertificate> certificates);

void warn_of_expiry(const Log& log, std::span<const ShownCertificate> certificates, Instant now);

} // namespace cw::host
