#include "server/address_of_record.hpp"

#include "server/directory.hpp"

namespace cw::server {

std::string user_name(const sip::Uri& uri) {
    return uri.user.find('%') == std::string_view::npos ? std::string{uri.user}
                                                        : sip::unescape(uri.user);
}

std::string address_of_record(std::string_view user, std::string_view host) {
    std::string out = "sip:";
    // Note: resolved, "%" would be a way to write another user's name; a NUL stays one octet of
    // many [RFC 4475 §3.1.1.4].
    out += user.find('%') == std::string_view::npos ? std::string{user} : sip::unescape(user);
    out += '@';
    out += LowerHost{host}.text();
    return out;
}

} // namespace cw::server
