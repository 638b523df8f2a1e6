#include "sip/rack.hpp"

#include "base/text.hpp"
#include "sip/cursor.hpp"

namespace cw::sip {

Result<RAck> parse_rack(std::string_view value) {
    Cursor cursor{value};
    cursor.skip_white();
    const auto rseq = parse_number<std::uint32_t>(cursor.take(chars::Digit));
    if (!rseq) {
        return fail(Code::Malformed, 0, "RAck without a response number");
    }
    const auto cseq = parse_cseq(cursor.rest());
    if (!cseq) {
        return std::unexpected(cseq.error());
    }
    return RAck{*rseq, *cseq};
}

} // namespace cw::sip
