// Does a received message say what the flow says of it? Header fields are compared by meaning:
// compact forms, case and folding do not count, a list must contain what is asked for, parameters
// that are named must match and others may be there. Lines of the SDP byte by byte, but for `*`.
// Captures variables on the way. Pure but for the Values.
#pragma once

#include <optional>
#include <string_view>

#include "play/report.hpp"
#include "play/values.hpp"
#include "script/fact.hpp"
#include "sip/message.hpp"

namespace cw::play {

// The first difference; nothing when it is as asked for.
std::optional<Difference> compare(const script::Header& wanted, const sip::MessageView& message,
                                  Values& values, const Values::Where& where);
std::optional<Difference> compare(const script::SdpLine& wanted, std::string_view sdp,
                                  Values& values, const Values::Where& where);

} // namespace cw::play
