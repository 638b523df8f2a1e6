// What several places of play read of a message. Values, or views of what they are given.
#pragma once

#include <string>
#include <string_view>

#include "sip/message.hpp"
#include "sip/name_addr.hpp"

namespace cw::play {

inline std::string start_line(std::string_view text) {
    return std::string{text.substr(0, text.find_first_of("\r\n"))};
}

inline std::string tag_of(const sip::MessageView& message, sip::HeaderId id) {
    const auto name = sip::parse_name_addr(message.value(id));
    return name ? std::string{name->tag} : std::string{};
}

inline std::string call_id_of(std::string_view text) {
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    return message ? std::string{message->value(sip::HeaderId::CallId)} : std::string{};
}

constexpr bool is_success(std::uint16_t status) {
    return status >= 200 && status < 300;
}

} // namespace cw::play
