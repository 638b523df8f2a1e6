#include "play/state.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "play/smime_desk.hpp"
#include "play/sound.hpp"
#include "sip/name_addr.hpp"

namespace cw::play {

State::State(const script::Plan& p, const Cast& c, const Given& g)
    : plan(p), cast(c), given(g), values(p, g, c), schedule(p, g.seed), names(g.seed, g.mark),
      players(p.parties.size()), exchanges(p.steps.size()), origin(p.steps.size()),
      doors(p.parties.size()) {
    for (PartyId party = 0; party < players.size(); ++party) {
        players[party].table =
            std::make_unique<transaction::Table>(hash_bytes(p.parties[party].id, g.seed));
        players[party].alive = !p.parties[party].created;
    }
    if (const auto* said = script::find<script::Timeout>(p.settings)) {
        timeout = said->time;
    }
    for (StepId i = 0; i < p.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&p.steps[i].what);
        if (a != nullptr) {
            report_at[i] = report.arrows.size();
            report.arrows.emplace_back().step = i;
        } else if (std::holds_alternative<script::Act>(p.steps[i].what)) {
            report_at[i] = report.acts.size();
            report.acts.emplace_back().step = i;
        }
        const auto* request = a != nullptr ? std::get_if<script::Request>(&a->content) : nullptr;
        if (request == nullptr || !request->again) {
            continue;
        }
        for (StepId j = i; j-- > 0 && !origin[i];) {
            const auto* first = std::get_if<Arrow>(&p.steps[j].what);
            const auto* other =
                first != nullptr ? std::get_if<script::Request>(&first->content) : nullptr;
            if (other != nullptr && !other->again && other->method == request->method &&
                first->from == a->from && first->to == a->to && first->call == a->call) {
                origin[i] = j;
            }
        }
    }
    sound = std::make_unique<Sound>(*this);
    plan_enrolments();
}

State::~State() = default;

ArrowReport& State::report_of(StepId step) {
    auto& list = std::holds_alternative<Arrow>(plan.steps[step].what) ? report.arrows : report.acts;
    return list[report_at.at(step)];
}

SideKey State::key_of(StepId step) const {
    const auto& a = arrow(step);
    if (const auto* response = std::get_if<script::Response>(&a.content)) {
        return key_of(first_of(response->answers));
    }
    const auto* request = std::get_if<script::Request>(&a.content);
    if (a.call != 0 || request == nullptr) {
        return a.call;
    }
    if (request->subscription) {
        return key_of(*request->subscription);
    }
    const bool begins =
        request->method == sip::Method::Subscribe || request->method == sip::Method::Refer;
    if (a.forwards) {
        return key_of(*a.forwards);
    }
    return begins ? first_subscription + first_of(step) : 0;
}

std::string State::words(StepId step) const {
    const auto* a = std::get_if<Arrow>(&plan.steps[step].what);
    if (a == nullptr) {
        return "";
    }
    if (const auto* request = std::get_if<script::Request>(&a->content)) {
        return std::string{sip::to_string(request->method)};
    }
    if (const auto* response = std::get_if<script::Response>(&a->content)) {
        return fmt::format("{} {} ({})", response->status, response->phrase,
                           sip::to_string(response->method));
    }
    if (std::holds_alternative<script::Channel>(a->content)) {
        return "a connection";
    }
    return "media";
}

std::optional<Values::CallFacts> State::call_facts(PartyId party, CallId call) const {
    const auto& sides = players[party].sides;
    const auto at = sides.find(call);
    if (at == sides.end() || at->second.call_id.empty()) {
        // What it was told of a call of others, in a way that is not drawn.
        for (PartyId other = 0; other < players.size(); ++other) {
            const auto there = players[other].sides.find(call);
            if (other != party && there != players[other].sides.end() &&
                !there->second.call_id.empty()) {
                return call_facts(other, call);
            }
        }
        return std::nullopt;
    }
    const auto& own = at->second;
    Values::CallFacts out;
    out.id = own.call_id;
    sip::HeaderIndex index;
    if (const auto invite = sip::index(std::string_view{own.invite}, index)) {
        const auto from = sip::parse_name_addr(invite->value(sip::HeaderId::From));
        const auto to = sip::parse_name_addr(invite->value(sip::HeaderId::To));
        const auto cseq = invite->value(sip::HeaderId::CSeq);
        out.cseq = cseq.substr(0, cseq.find_first_of(" \t"));
        out.from = from ? from->uri_text : "";
        out.to = to ? to->uri_text : "";
        out.from_tag = from ? from->tag : "";
        out.to_tag = to ? to->tag : "";
    }
    if (own.dialog) {
        const bool uac = own.dialog->role == dialog::Dialog::Role::Uac;
        out.from_tag = uac ? own.dialog->local_tag : own.dialog->remote_tag;
        out.to_tag = uac ? own.dialog->remote_tag : own.dialog->local_tag;
    }
    return out;
}

} // namespace cw::play
