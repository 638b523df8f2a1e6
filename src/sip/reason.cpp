#include "sip/reason.hpp"

#include "base/text.hpp"
#include "sip/cursor.hpp"
#include "sip/params.hpp"

namespace cw::sip {

Result<Reason> parse_reason(std::string_view text) {
    Reason out;
    Cursor cursor{text};
    cursor.skip_white();
    out.protocol = cursor.take(chars::Token);
    if (out.protocol.empty()) {
        return fail(Code::Malformed, 0, "Reason without a protocol");
    }
    const auto tail = cursor.rest();
    ParamCursor params{tail};
    for (Param param; params.next(param);) {
        if (iequals(param.name, "cause")) {
            out.cause = parse_number<std::uint16_t>(param.value).value_or(0);
        } else if (iequals(param.name, "text")) {
            out.text = param.value;
        }
    }
    out.params = tail.substr(0, tail.size() - params.rest().size());
    Cursor after{params.rest()};
    after.skip_white();
    if (after.eat(',')) {
        out.rest = after.rest();
    } else if (!after.done()) {
        return fail(Code::Malformed, 0, "Reason goes on after its parameters");
    }
    return out;
}

Result<Warning> parse_warning(std::string_view text) {
    Warning out;
    Cursor cursor{text};
    cursor.skip_white();
    const auto code = cursor.take(chars::Digit);
    const auto number = parse_number<std::uint16_t>(code);
    if (code.size() != 3 || !number) {
        return fail(Code::Malformed, 0, "Warning without its three-digit code");
    }
    out.code = *number;
    cursor.skip_white();
    out.agent = cursor.take_until<' ', '\t', '\r', '\n', '"'>();
    cursor.skip_white();
    const auto inside = cursor.peek() == '"' ? cursor.quoted() : std::nullopt;
    if (out.agent.empty() || !inside) {
        return fail(Code::Malformed, 0, "Warning without its agent or its quoted text");
    }
    out.text = *inside;
    cursor.skip_white();
    if (cursor.eat(',')) {
        out.rest = cursor.rest();
    } else if (!cursor.done()) {
        return fail(Code::Malformed, 0, "Warning goes on after its text");
    }
    return out;
}

} // namespace cw::sip
