// A cursor over the value of one header field, for the parsers of this folder. It cannot leave its
// text; the views that it hands out live as long as the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/scan.hpp"
#include "sip/chars.hpp"

namespace cw::sip {

class Cursor {
  public:
    explicit Cursor(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

    [[nodiscard]] bool done() const { return at_ == end_; }
    // The next character; NUL at the end, which a caller that cares tells apart by done().
    [[nodiscard]] char peek() const { return at_ != end_ ? *at_ : '\0'; }
    [[nodiscard]] const char* at() const { return at_; }
    [[nodiscard]] std::string_view rest() const { return since(at_, end_); }
    // What was passed since `from`, an earlier at().
    [[nodiscard]] std::string_view since(const char* from) const { return since(from, at_); }

    void skip_white() {
        while (at_ != end_ && chars::is(*at_, chars::White)) {
            ++at_;
        }
    }
    void skip(std::size_t n = 1) { at_ += n; } // no more than are there
    void skip_all() { at_ = end_; }
    bool eat(char c) {
        if (at_ != end_ && *at_ == c) {
            ++at_;
            return true;
        }
        return false;
    }
    // A separator with white space on both sides: SEMI, COMMA, SLASH, EQUAL of RFC 3261 §25.1.
    bool eat_separator(char c) {
        if (at_ == end_) {
            return false;
        }
        if (*at_ != c) {
            const auto* from = at_;
            skip_white();
            if (from == at_ || peek() != c || done()) {
                at_ = from;
                return false;
            }
        }
        ++at_;
        skip_white();
        return true;
    }
    // The digits that begin here as a number. Nothing, and no move, when there are none or it is
    // beyond `max`, which is 2^32 − 1 at most.
    std::optional<std::uint32_t> number(std::uint32_t max) {
        std::uint64_t value = 0;
        const auto* p = at_;
        while (p != end_ && chars::is(*p, chars::Digit)) {
            value = value * 10 + static_cast<std::uint64_t>(*p - '0');
            if (value > max) {
                return std::nullopt;
            }
            ++p;
        }
        if (p == at_) {
            return std::nullopt;
        }
        at_ = p;
        return static_cast<std::uint32_t>(value);
    }
    std::string_view take(int classes) {
        const auto* from = at_;
        if ((classes & chars::plain) != 0) {
            at_ = skip_plain(at_, end_);
        }
        while (at_ != end_ && chars::is(*at_, classes)) {
            ++at_;
        }
        return since(from);
    }
    // Up to, not including, the first of these characters or the end.
    template <char... stops>
    std::string_view take_until() {
        const auto* from = at_;
        at_ = find_first<stops...>(at_, end_);
        return since(from);
    }
    // The inside of the quoted string that begins here, escapes untouched [RFC 3261 §25.1].
    // Nothing, and no move, when it never ends.
    std::optional<std::string_view> quoted() {
        const auto* from = at_ + 1;
        for (auto p = find_first<'"', '\\'>(from, end_); p != end_;
             p = find_first<'"', '\\'>(p, end_)) {
            if (*p == '"') {
                at_ = p + 1;
                return since(from, p);
            }
            p += end_ - p >= 2 ? 2 : 1;
        }
        return std::nullopt;
    }

  private:
    static std::string_view since(const char* from, const char* to) {
        return {from, static_cast<std::size_t>(to - from)};
    }

    const char* at_;
    const char* end_;
};

} // namespace cw::sip
