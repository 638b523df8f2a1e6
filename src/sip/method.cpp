#include "sip/method.hpp"

#include <array>

namespace cw::sip {
namespace {

constexpr std::array<std::string_view, 16> tokens{
    "",          "INVITE", "ACK",     "BYE",  "CANCEL", "REGISTER", "OPTIONS", "PRACK",
    "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER",  "MESSAGE",  "UPDATE",  "",
};
static_assert(static_cast<std::size_t>(Method::Other) + 1 == tokens.size());

Method if_equal(std::string_view token, Method method) {
    return token == tokens[static_cast<std::size_t>(method)] ? method : Method::Other;
}

} // namespace

Method method_of(std::string_view token) {
    if (token.size() < 3 || token.size() > 9) {
        return Method::Other;
    }
    // The third letter tells all fourteen apart but for a few pairs, which the first one does.
    switch (token[2]) {
    case 'V':
        return if_equal(token, Method::Invite);
    case 'K':
        return if_equal(token, Method::Ack);
    case 'E':
        return if_equal(token, Method::Bye);
    case 'N':
        return if_equal(token, Method::Cancel);
    case 'G':
        return if_equal(token, Method::Register);
    case 'T':
        return if_equal(token, token[0] == 'O' ? Method::Options : Method::Notify);
    case 'A':
        return if_equal(token, Method::Prack);
    case 'B':
        return if_equal(token, token[0] == 'S' ? Method::Subscribe : Method::Publish);
    case 'F':
        return if_equal(token, token[0] == 'I' ? Method::Info : Method::Refer);
    case 'S':
        return if_equal(token, Method::Message);
    case 'D':
        return if_equal(token, Method::Update);
    default:
        return Method::Other;
    }
}

std::string_view to_string(Method method) {
    return tokens[static_cast<std::size_t>(method)];
}

} // namespace cw::sip
