// What bodies were signed and encrypted with in a run, as files that `callwright read --keys`
// takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "play/papers.hpp"

namespace cw::cli {

// One file each in `folder`, which is made: NAME.ca.pem, NAME.alice@example.com.pem. Those with a
// private key have mode 0600. Empty on success.
std::string write_papers(const std::string& folder, std::string_view name,
                         const std::vector<play::Papers>& papers);

} // namespace cw::cli
