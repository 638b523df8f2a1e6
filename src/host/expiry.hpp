// Certificates that we show and that are out of date, or will be soon: a line of the log each, at
// the start and at every reload.
#pragma once

#include <string>

#include "base/time.hpp"
#include "host/log.hpp"

namespace cw::host {

inline constexpr Duration expires_soon = seconds(21 * 86400); // as `certs check` and `probe` say

// All certificates of a PEM file: a chain is no better than its shortest. What cannot be read is
// not told here; it was told where it was loaded.
void warn_of_expiry(const Log& log, const std::string& file, Instant now);

} // namespace cw::host
