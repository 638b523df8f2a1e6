// RAck: which reliable provisional response a PRACK answers [RFC 3262 §7.2].
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "sip/cseq.hpp"

namespace cw::sip {

struct RAck {
    std::uint32_t rseq = 0;
    CSeq cseq; // of the request that was answered
};

Result<RAck> parse_rack(std::string_view value);

} // namespace cw::sip
