// Changes to the text of a session description that offer and answer ask for: a new version, a
// direction, an answer's shape [RFC 3264 §5, §6, §8]. The rest of the text stays as it was.
#pragma once

#include <string>
#include <string_view>

#include "sdp/session.hpp"

namespace cw::dialog {

// The version in o= one higher, as a description must have it that is not the same as the last
// [RFC 3264 §8].
std::string next_version(std::string_view description);
// With this direction in every media; other direction attributes are taken out.
std::string with_direction(std::string_view description, sdp::Direction direction);

// On hold: from sendrecv to sendonly, from recvonly to inactive [RFC 3264 §8.4].
sdp::Direction hold_direction(sdp::Direction now);
// What an answer may say to an offered direction, when its sender itself wants `wanted`
// [RFC 3264 §6.1].
sdp::Direction answer_direction(sdp::Direction offered, sdp::Direction wanted);
// The direction of the first media that is not refused; Inactive for a connection to 0.0.0.0, as
// holds of RFC 2543 have it [RFC 3264 §8.4]. SendRecv when it cannot be read.
sdp::Direction direction_of(std::string_view description);

// An answer in the shape of `offer`: for each of its m= lines the next one of `local` of the same
// kind, or a refusal with port zero; "the answer MUST contain exactly the same number of "m=" lines
// as the offer" [RFC 3264 §6]. Directions fit the offer's. Empty when the offer cannot be read.
std::string answer_to(std::string_view offer, std::string_view local);

} // namespace cw::dialog
