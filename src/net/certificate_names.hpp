// The names that a certificate is for, to choose the one that a client asks for (SNI).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

namespace cw::net {

std::string lower_case(std::string_view text);

// Of its subjectAltName: DNS names, wildcards as they stand, and the hosts of URIs; in lower case,
// sorted, each once. Of at most 1000 entries.
std::vector<std::string> certificate_names(const X509* certificate);

} // namespace cw::net
