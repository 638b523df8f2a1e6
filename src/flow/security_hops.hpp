// The hops of a call's signalling: over what each went, who was verified there, and what is weak
// about it. Private to flow/security.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"

namespace cw::flow {

// In the order of their first message; at most 64.
std::vector<Hop> hops_of(const Call& call);

// Does this certificate speak for a SIP domain: by a URI, by DNS, or by its CN [RFC 5922 §7.1,
// §7.2]. How, in words; empty: it does not.
std::string_view names_domain(const Certificate& certificate, std::string_view domain);

// What RFC 8996 and RFC 9325 have against a version or a cipher, with the RFC; empty: nothing.
std::string weakness_of_version(std::string_view version);
std::string weakness_of_cipher(std::string_view cipher);

} // namespace cw::flow
