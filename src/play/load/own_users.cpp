#include "play/load/own_users.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "play/cast.hpp"
#include "script/print.hpp"

namespace cw::play {

using script::Control;
using script::PartyId;

namespace {

constexpr const char* nth_column = "nth";

bool is_the_same_for_all(const script::Party& party) {
    const auto* uri = script::find<script::PartyUri>(party.facts);
    return uri == nullptr || std::ranges::all_of(uri->uri.pieces, [](const script::Piece& piece) {
               return !std::holds_alternative<script::Variable>(piece);
           });
}

// By party: the server at which it registers.
std::vector<std::optional<PartyId>> servers(const script::Plan& plan) {
    auto out = registrars(plan, Enrol::AtEmbedded);
    for (const auto& step : plan.steps) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        const auto* request =
            arrow != nullptr ? std::get_if<script::Request>(&arrow->content) : nullptr;
        if (request != nullptr && request->method == sip::Method::Register && !arrow->forwards) {
            out[arrow->from] = arrow->to;
        }
    }
    return out;
}

bool may_be_renamed(const script::Plan& plan, const std::string& text, PartyId party,
                    PartyId server) {
    const auto& one = plan.parties[party];
    return one.control == Control::Played && plan.parties[server].control == Control::Embedded &&
           script::find<script::PartyUri>(one.facts) == nullptr &&
           script::find<script::User>(one.facts) == nullptr && !text.contains(one.id + "@");
}

} // namespace

std::optional<PartyId> shared_phone(const script::Plan& plan) {
    std::vector<bool> registers(plan.parties.size());
    for (const auto& step : plan.steps) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        const auto* request =
            arrow != nullptr ? std::get_if<script::Request>(&arrow->content) : nullptr;
        if (request == nullptr) {
            continue;
        }
        if (request->method == sip::Method::Register && !arrow->forwards) {
            registers[arrow->from] = plan.parties[arrow->from].control == Control::Played;
        } else if (request->method == sip::Method::Invite && arrow->forwards &&
                   registers[arrow->to] && is_the_same_for_all(plan.parties[arrow->to])) {
            return arrow->to;
        }
    }
    return std::nullopt;
}

std::optional<Rows> make_own_users(script::Plan& plan, std::size_t count) {
    const auto registers = servers(plan);
    const auto text = script::to_mermaid(plan);
    for (PartyId party = 0; party < registers.size(); ++party) {
        if (registers[party] && !may_be_renamed(plan, text, party, *registers[party])) {
            return std::nullopt;
        }
    }
    for (PartyId party = 0; party < registers.size(); ++party) {
        if (registers[party]) {
            script::Variable nth;
            nth.kind = script::Variable::Kind::Row;
            nth.name = nth_column;
            auto& one = plan.parties[party];
            script::Template uri{{fmt::format("sip:{}", one.id), nth, "@example.com"}};
            one.facts.push_back({one.place, true, script::PartyUri{std::move(uri)}});
        }
    }
    // All as long as each other, and like nothing else in a message: so calls go by rote.
    Rows out{{nth_column}, {}};
    for (std::size_t i = 1; i <= count; ++i) {
        out.rows.push_back({fmt::format("-{:04}", i)});
    }
    return out;
}

} // namespace cw::play
