// The keep-alive of phones behind NAT on UDP: a STUN binding request is answered with the address
// that it came from [RFC 5626 §4.4.2, §8; RFC 5389 §7.3, §15.2]. No authentication, no attributes
// but this one: that is all a SIP server owes.
#pragma once

#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace cw::host {

// Can this datagram be STUN? SIP begins with a letter, STUN with two zero bits [RFC 7983 §7].
inline bool looks_like_stun(Bytes datagram) {
    return datagram.size() >= 20 && datagram[0] < 4;
}

// The answer; empty when nothing is to be answered: no binding request, or a broken one.
std::string stun_answer(Bytes request, const Endpoint& from);

} // namespace cw::host
