// The values of a header that is a comma-separated list, one by one [RFC 3261 §7.3.1]. Commas
// inside quoted strings and inside <…> do not count.
#pragma once

#include <optional>
#include <string_view>

#include "sip/message.hpp"

namespace cw::sip {

// Over the value of one header field.
class ListCursor {
  public:
    explicit ListCursor(std::string_view value) : rest_(value) {}

    // The next value, trimmed; empty ones (two commas in a row) are left out. A quote or a "<" that
    // never closes takes the rest of the text with it.
    std::optional<std::string_view> next();

  private:
    std::string_view rest_;
};

// Over all header fields with one id, in order; the message must outlive it.
class ValueCursor {
  public:
    ValueCursor(const MessageView& message, HeaderId id);

    std::optional<std::string_view> next();

  private:
    std::span<const Header> left_; // fields not yet opened
    HeaderId id_;
    ListCursor list_{{}};
};

// Is `token` among the values of a list of tokens (Supported, Require, Allow…)? In any case.
bool list_has(const MessageView& message, HeaderId id, std::string_view token);

} // namespace cw::sip
