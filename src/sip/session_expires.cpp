#include "sip/session_expires.hpp"

#include "base/text.hpp"
#include "sip/cursor.hpp"
#include "sip/params.hpp"

namespace cw::sip {

Result<Seconds> parse_seconds(std::string_view value) {
    Cursor cursor{trim(value)};
    const auto number = parse_number<std::uint32_t>(cursor.take(chars::Digit));
    if (!number) {
        return fail(Code::Malformed, 0, "not a number of seconds");
    }
    cursor.skip_white();
    if (cursor.peek() == '(') {
        // A comment, which may hold parentheses and escapes [RFC 3261 §25.1].
        for (int depth = 0; !cursor.done();) {
            const auto c = cursor.peek();
            cursor.skip();
            if (c == '\\' && !cursor.done()) {
                cursor.skip();
            }
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (depth == 0) {
                break;
            }
        }
        cursor.skip_white();
    }
    if (!cursor.done() && cursor.peek() != ';') {
        return fail(Code::Malformed, 0, "a number of seconds goes on with something else");
    }
    return Seconds{*number, cursor.rest()};
}

Result<SessionExpires> parse_session_expires(std::string_view value) {
    const auto seconds = parse_seconds(value);
    if (!seconds) {
        return std::unexpected(seconds.error());
    }
    SessionExpires out{seconds->seconds};
    if (const auto who = find_param(seconds->params, "refresher")) {
        out.refresher = iequals(*who, "uac")   ? Refresher::Uac
                        : iequals(*who, "uas") ? Refresher::Uas
                                               : Refresher::None;
    }
    return out;
}

} // namespace cw::sip
