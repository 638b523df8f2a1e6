// The canonical form of an address of record: "sip:" user "@" host in lower case; no parameters, no
// escapes that need not be, and sips is the same user as sip [RFC 3261 §10.3 item 5, RFC 5630 §4].
#pragma once

#include <string>
#include <string_view>

#include "sip/uri.hpp"

namespace cw::server {

std::string address_of_record(std::string_view user, std::string_view host);
inline std::string address_of_record(const sip::Uri& uri) {
    return address_of_record(uri.user, uri.host);
}
// The user part as a name: its escapes resolved.
std::string user_name(const sip::Uri& uri);

} // namespace cw::server
