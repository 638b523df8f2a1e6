// What can be demanded of how calls were protected, beyond the verdict (security.hpp).
#pragma once

#include <string>
#include <string_view>

#include "flow/call.hpp"

namespace cw::flow {

// Why a hop of the call is not as it should be; empty: all are. `least` is the oldest version that
// is allowed, "TLSv1.2", or empty for any.
std::string unsafe_hop(const Call& call, std::string_view least);
// The certificate of each hop names who was asked for.
std::string unverified_hop(const Call& call);
// Why a stream of the call is not SRTP, all of it authentic; with `dtls` not DTLS-SRTP.
std::string unsafe_media(const Call& call, bool dtls);

} // namespace cw::flow
