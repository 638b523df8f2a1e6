// Words about lifelines and blocks that the parts of the Schedule share. Internal to play.
#pragma once

#include <cstdint>

#include "play/schedule.hpp"
#include "script/plan.hpp"

namespace cw::play {

constexpr std::uint64_t bit(script::PartyId party) {
    return std::uint64_t{1} << party;
}

constexpr bool is_choice(script::BlockKind kind) {
    return kind == script::BlockKind::Alt;
}

constexpr bool may_be_left_out(script::BlockKind kind) {
    return kind == script::BlockKind::Opt || kind == script::BlockKind::Break;
}

} // namespace cw::play
