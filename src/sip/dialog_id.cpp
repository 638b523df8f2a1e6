#include "sip/dialog_id.hpp"

#include "base/text.hpp"
#include "sip/cursor.hpp"
#include "sip/params.hpp"

namespace cw::sip {

Result<DialogId> parse_dialog_id(std::string_view value) {
    DialogId out;
    Cursor cursor{trim(value)};
    out.call_id = trim(cursor.take_until<';', ' ', '\t', '\r', '\n'>());
    ParamCursor params{cursor.rest()};
    for (Param param; params.next(param);) {
        if (iequals(param.name, "to-tag") || iequals(param.name, "local-tag")) {
            out.local_tag = param.value;
        } else if (iequals(param.name, "from-tag") || iequals(param.name, "remote-tag")) {
            out.remote_tag = param.value;
        } else if (iequals(param.name, "early-only")) {
            out.early_only = true;
        }
    }
    if (out.call_id.empty() || !trim(params.rest()).empty()) {
        return fail(Code::Malformed, 0, "no Call-ID where a dialog is named");
    }
    if (out.local_tag.empty() || out.remote_tag.empty()) {
        return fail(Code::Malformed, 0, "a dialog is named without its tags");
    }
    return out;
}

Result<SessionId> parse_session_id(std::string_view value) {
    SessionId out;
    Cursor cursor{trim(value)};
    out.local = cursor.take(chars::Hex);
    const auto params = trim(cursor.rest());
    if (out.local.size() != 32 || (!params.empty() && params.front() != ';')) {
        return fail(Code::Malformed, 0, "Session-ID is not 32 hexadecimal digits");
    }
    out.remote = find_param(params, "remote").value_or(std::string_view{});
    return out;
}

} // namespace cw::sip
