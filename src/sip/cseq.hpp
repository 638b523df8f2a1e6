// CSeq: a number and a method [RFC 3261 §20.16, §8.1.1.5].
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "sip/method.hpp"

namespace cw::sip {

struct CSeq {
    std::uint32_t number = 0; // 32 bits here; that it must be below 2^31 is for check() to say
    Method method = Method::None;
    std::string_view method_text; // lives as long as the value
};

Result<CSeq> parse_cseq(std::string_view value);

} // namespace cw::sip
