#include "sip/date.hpp"

#include <array>
#include <chrono>
#include <optional>

#include "base/text.hpp"
#include "sip/cursor.hpp"

namespace cw::sip {
namespace {

constexpr std::array<std::string_view, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

template <std::size_t n>
std::optional<unsigned> find_name(const std::array<std::string_view, n>& names,
                                  std::string_view text) {
    for (unsigned i = 0; i < n; ++i) {
        if (iequals(names[i], text)) {
            return i;
        }
    }
    return std::nullopt;
}

// `digits` decimal digits, then `after` (no separator when that is NUL).
std::optional<int> take_number(Cursor& cursor, std::size_t digits, char after) {
    const auto text = cursor.take(chars::Digit);
    if (text.size() != digits || (after != '\0' && !cursor.eat(after))) {
        return std::nullopt;
    }
    return parse_number<int>(text);
}

} // namespace

Result<Instant> parse_date(std::string_view value) {
    using namespace std::chrono;
    const auto wrong = fail(Code::Malformed, 0, "not an RFC 1123 date in GMT");
    Cursor cursor{trim(value)};
    const auto wday = find_name(weekdays, cursor.take(chars::Alpha));
    if (!wday || !cursor.eat(',')) {
        return wrong;
    }
    cursor.skip_white();
    const auto mday = take_number(cursor, 2, ' ');
    const auto month_name = find_name(months, cursor.take(chars::Alpha));
    if (!mday || !month_name || !cursor.eat(' ')) {
        return wrong;
    }
    const auto year_number = take_number(cursor, 4, ' ');
    const auto hour = take_number(cursor, 2, ':');
    const auto minute = take_number(cursor, 2, ':');
    const auto second = take_number(cursor, 2, ' ');
    if (!year_number || !hour || !minute || !second || !iequals(cursor.rest(), "GMT")) {
        return wrong;
    }
    const auto date = year_month_day{year{*year_number}, month{*month_name + 1},
                                     day{static_cast<unsigned>(*mday)}};
    const bool leap_second = *second == 60;
    if (!date.ok() || *year_number < 1900 || *year_number > 2200 || *hour > 23 || *minute > 59 ||
        (*second > 59 && !leap_second) || weekday{sys_days{date}}.c_encoding() != *wday) {
        return wrong;
    }
    const auto at =
        sys_days{date} + hours{*hour} + minutes{*minute} + std::chrono::seconds{*second};
    return Instant{duration_cast<nanoseconds>(at.time_since_epoch()).count()};
}

} // namespace cw::sip
