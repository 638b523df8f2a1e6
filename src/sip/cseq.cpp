#include "sip/cseq.hpp"

#include "sip/cursor.hpp"

namespace cw::sip {
namespace {

// A number of few digits, a space, and a method that has an id, as nearly all have it. `number` is
// not set, and the method None, when it is different.
CSeq parse_usual(std::string_view value) {
    constexpr std::size_t most_digits = 9;
    const auto* p = value.data();
    const auto* const end = p + value.size();
    std::uint32_t number = 0;
    while (p != end && chars::is(*p, chars::Digit)) {
        number = number * 10 + static_cast<std::uint32_t>(*p++ - '0');
    }
    const auto digits = static_cast<std::size_t>(p - value.data());
    if (digits == 0 || digits > most_digits || p == end || *p != ' ') {
        return {};
    }
    const auto name = value.substr(digits + 1);
    const auto method = method_of(name);
    return method == Method::Other ? CSeq{} : CSeq{number, method, name};
}

} // namespace

Result<CSeq> parse_cseq(std::string_view value) {
    if (const auto usual = parse_usual(value); usual.method != Method::None) {
        return usual;
    }
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
