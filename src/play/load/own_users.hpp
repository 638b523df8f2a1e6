// Users for a load that was given none: a registrar rings all phones of a user, so calls that
// overlap must not share one. They are made only where that changes nothing that the flow draws.
#pragma once

#include <cstdint>
#include <optional>

#include "play/load/rows.hpp"
#include "script/plan.hpp"

namespace cw::play {

// A party who registers in the flow itself, is called through a server, and is the same user in
// all calls; nobody: there is none like that.
std::optional<script::PartyId> shared_phone(const script::Plan& plan);

// Gives each party that registers (in the flow, or before its first call because others call it
// through a server of ours) an address of its own in each of `count` rows: bob-0001@example.com
// and on. Nothing, and the plan as it was: one of them registers elsewhere than
// at a server of ours, or is named by its address somewhere in the flow.
std::optional<Rows> make_own_users(script::Plan& plan, std::size_t count);

} // namespace cw::play
