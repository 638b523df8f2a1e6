#include "sip/cseq.hpp"

#include "sip/cursor.hpp"

namespace cw::sip {

Result<CSeq> parse_cseq(std::string_view value) {
    Cursor cursor{value};
    cursor.skip_white();
    const auto number = cursor.number(0xffff'ffff);
    if (!number) {
        return fail(Code::Malformed, 0, "CSeq has no number, or one beyond 32 bits");
    }
    cursor.skip_white();
    const auto method = cursor.take(chars::Token);
    cursor.skip_white();
    if (method.empty() || !cursor.done()) {
        return fail(Code::Malformed, 0, "CSeq has no method, or more than a method");
    }
    return CSeq{*number, method_of(method), method};
}

} // namespace cw::sip
