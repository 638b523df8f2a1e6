#include "sip/content_type.hpp"

#include "base/text.hpp"
#include "sip/cursor.hpp"
#include "sip/params.hpp"

namespace cw::sip {

bool ContentType::is(std::string_view wanted_type, std::string_view wanted_subtype) const {
    return iequals(type, wanted_type) && iequals(subtype, wanted_subtype);
}

Result<ContentType> parse_content_type(std::string_view value) {
    ContentType out;
    Cursor cursor{trim(value)};
    const auto* from = cursor.at();
    out.type = cursor.take(chars::Token);
    if (out.type.empty() || !cursor.eat_separator('/')) {
        return fail(Code::Malformed, 0, "Content-Type without a type");
    }
    out.subtype = cursor.take(chars::Token);
    if (out.subtype.empty()) {
        return fail(Code::Malformed, 0, "Content-Type without a subtype");
    }
    out.essence = cursor.since(from);
    out.params = trim(cursor.rest());
    if (!out.params.empty() && out.params.front() != ';') {
        return fail(Code::Malformed, 0, "Content-Type goes on after its subtype");
    }
    return out;
}

Result<ContentDisposition> parse_content_disposition(std::string_view value) {
    ContentDisposition out;
    Cursor cursor{trim(value)};
    out.type = cursor.take(chars::Token);
    out.params = trim(cursor.rest());
    if (out.type.empty() || (!out.params.empty() && out.params.front() != ';')) {
        return fail(Code::Malformed, 0, "Content-Disposition is malformed");
    }
    if (const auto handling = find_param(out.params, "handling")) {
        out.required = !iequals(*handling, "optional");
    }
    return out;
}

} // namespace cw::sip
