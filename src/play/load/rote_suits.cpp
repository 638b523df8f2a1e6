// Which flows can be done by rote.
#include "play/load/rote.hpp"

namespace cw::play {

bool Rote::suits(const script::Plan& plan) {
    if (script::has_literal(plan)) {
        return false;
    }
    const auto ours = [&](script::PartyId party) {
        return plan.parties[party].control == script::Control::Played;
    };
    for (const auto& step : plan.steps) {
        if (const auto* block = std::get_if<script::Block>(&step.what);
            block != nullptr && script::find<script::Within>(block->facts) != nullptr) {
            return false; // its time is looked at when it is over, and no deadline tells
        }
        if (const auto* act = std::get_if<script::Act>(&step.what)) {
            if (!std::holds_alternative<script::Waits>(act->action) &&
                !std::holds_alternative<script::Rings>(act->action)) {
                return false;
            }
        }
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        if (arrow == nullptr || !ours(arrow->to) || script::is_shown(arrow->link) ||
            std::holds_alternative<script::Channel>(arrow->content)) {
            continue;
        }
        const auto* request = std::get_if<script::Request>(&arrow->content);
        if (request != nullptr && request->text) {
            return false;
        }
        for (const auto& fact : arrow->facts) {
            if (!std::holds_alternative<script::Description>(fact.value) &&
                !std::holds_alternative<script::Within>(fact.value) &&
                !std::holds_alternative<script::Algorithm>(fact.value) &&
                !std::holds_alternative<script::After>(fact.value)) {
                return false;
            }
        }
    }
    return true;
}

} // namespace cw::play
