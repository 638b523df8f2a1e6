// URIs as views: sip and sips in all their parts, tel, and any other as scheme and rest.
// RFC 3261 §19.1, RFC 3966, RFC 3986; IPv6 references as RFC 5118 and RFC 5954 have them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/result.hpp"

namespace cw::sip {

enum class Scheme : std::uint8_t {
    None, // not a URI
    Sip,
    Sips,
    Tel,
    Other,
};

// Every view lives as long as the text that was parsed. Escapes ("%41") are kept as written.
struct Uri {
    Scheme scheme = Scheme::None;
    std::uint16_t port = 0; // 0: none given
    bool has_user = false;  // "sip:@host" has an empty one
    std::string_view text;  // all of it
    std::string_view scheme_text;
    std::string_view user;     // sip: before ":" or "@"; tel: the number
    std::string_view password; // deprecated, and yet seen
    std::string_view host;     // as written, an IPv6 reference with its brackets
    std::string_view params;   // ";transport=tls;lr": for ParamCursor and find_param()
    std::string_view headers;  // after the "?": "subject=x&priority=urgent"
    std::string_view opaque;   // all after the scheme, of any scheme
    // The first thing that broke the grammar but left the meaning clear; nullptr if none.
    const char* quirk = nullptr;
};

// The whole of `text` is to be a URI. Fails (Malformed) when it has no scheme, or a sip URI has no
// host, or a port that is not one.
Result<Uri> parse_uri(std::string_view text);
// The same into `uri`, which is overwritten; left half-filled, scheme None, on failure. Saves a
// copy where the URI is a part of something larger.
Result<void> parse_uri(std::string_view text, Uri& uri);

// The host as an address; nothing when it is a name.
std::optional<IpAddress> host_address(const Uri& uri);

// Are they the same by the rules of RFC 3261 §19.1.4? Escapes of characters that need none are
// equal to the character itself; case counts only in user and password. Other schemes: byte by
// byte, but for the case of the scheme. Not transitive, as the RFC notes. At most 64 parameters and
// 64 headers are compared; a URI with more equals only its own copy.
bool same_uri(const Uri& a, const Uri& b);

// `text` with its escapes resolved, once [RFC 3986 §2.4]; a "%" that begins none stays. The result
// may hold any byte, NUL too [RFC 4475 §3.1.1.4].
std::string unescape(std::string_view text);

} // namespace cw::sip
