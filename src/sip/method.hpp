// SIP methods: the fourteen of the IANA registry, and Other for every further token.
#pragma once

#include <cstdint>
#include <string_view>

namespace cw::sip {

enum class Method : std::uint8_t {
    None, // a response
    Invite,
    Ack,
    Bye,
    Cancel,
    Register,
    Options,
    Prack,
    Subscribe,
    Notify,
    Publish,
    Info,
    Refer,
    Message,
    Update,
    Other, // an extension method: read its token
};

// Methods are case-sensitive [RFC 3261 §7.1]: "invite" is Other.
Method method_of(std::string_view token);
// The token; empty for None and Other.
std::string_view to_string(Method method);

} // namespace cw::sip
