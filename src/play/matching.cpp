#include <algorithm>

#include <fmt/format.h>

#include "play/messages.hpp"
#include "play/state.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri.hpp"

namespace cw::play {

using sip::HeaderId;

namespace {

// What tells calls apart in a header field: the user of its address, or all of it. A B2BUA may
// write another host.
std::string_view told_apart(const sip::MessageView& message, HeaderId id) {
    const auto value = message.value(id);
    const auto name = sip::parse_name_addr(value);
    const auto uri =
        name ? sip::parse_uri(name->uri_text) : Result<sip::Uri>{fail(Code::Malformed, 0, "")};
    return uri && !uri->user.empty() ? uri->user : value;
}

bool awaits_invite(const State& s, PartyId party, SideKey key) {
    for (StepId i = 0; i < s.plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&s.plan.steps[i].what);
        const auto* request = a != nullptr ? std::get_if<script::Request>(&a->content) : nullptr;
        if (request != nullptr && request->method == sip::Method::Invite && a->to == party &&
            s.key_of(i) == key && s.schedule.may_come(i)) {
            return true;
        }
    }
    return false;
}

// Of several calls that are on their way to `party` through servers, does this INVITE belong to
// `key`? By its Call-ID, where that is one of ours; else, where the flow says by which field, that
// of the INVITE that one of us has sent for the call.
bool is_of_call(const State& s, const sip::MessageView& invite, PartyId party, SideKey key) {
    const auto call_id = invite.value(HeaderId::CallId);
    std::optional<SideKey> other;
    for (const auto& player : s.players) {
        for (const auto& [known, side] : player.sides) {
            if (known != 0 && side.call_id == call_id) {
                if (known == key) {
                    return true;
                }
                other = known;
            }
        }
    }
    if (other) {
        return !awaits_invite(s, party, *other);
    }
    const auto* by = script::find<script::CorrelateBy>(s.plan.settings);
    for (StepId i = 0; by != nullptr && i < s.plan.steps.size(); ++i) {
        sip::HeaderIndex index;
        if (s.exchanges[i].sent.empty() || s.key_of(i) != key) {
            continue;
        }
        const auto sent = sip::index(std::string_view{s.exchanges[i].sent}, index);
        if (sent && sent->method() == sip::Method::Invite) {
            return told_apart(*sent, by->header) == told_apart(invite, by->header);
        }
    }
    return true;
}

} // namespace

bool State::fits(const Arrival& arrival, StepId step) const {
    const auto* a = std::get_if<Arrow>(&plan.steps[step].what);
    if (a == nullptr) {
        return false;
    }
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{arrival.text}, index);
    if (!message) {
        return false;
    }
    if (const auto* response = std::get_if<script::Response>(&a->content)) {
        return !arrival.request && arrival.answers == first_of(response->answers) &&
               message->status() == response->status;
    }
    const auto* request = std::get_if<script::Request>(&a->content);
    if (request == nullptr || !arrival.request || request->method != message->method() ||
        (arrival.retransmission && !request->again)) {
        return false;
    }
    // Whom it comes from, where both ends are played and nothing stands between them.
    if (arrival.peer && ours(*arrival.peer) && ours(a->from) && *arrival.peer != a->from) {
        return false;
    }
    const auto call_id = message->value(HeaderId::CallId);
    const auto& sides = players[a->to].sides;
    const auto key = key_of(step);
    if (const auto own = sides.find(key);
        key != 0 && own != sides.end() && !own->second.call_id.empty()) {
        return own->second.call_id == call_id;
    }
    return std::ranges::none_of(sides,
                                [&](const auto& other) {
                                    return other.first != 0 && other.first != key &&
                                           other.second.call_id == call_id;
                                }) &&
           (key == 0 || request->method != sip::Method::Invite ||
            is_of_call(*this, *message, a->to, key));
}

bool State::may_fit(PartyId party, const Arrival& arrival, bool passed_over) const {
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const bool here = a != nullptr && a->to == party && !script::is_shown(a->link) &&
                          (passed_over ? schedule.passed_over(i) : schedule.may_come(i));
        if (here && fits(arrival, i)) {
            return true;
        }
    }
    return false;
}

bool State::perform_receive(StepId step) {
    const auto& a = arrow(step);
    if (!players[a.to].alive) {
        failed(step, Verdict::Missing, plan.parties[a.to].id + " has been destroyed");
        stop("");
        return true;
    }
    auto& inbox = players[a.to].inbox;
    const auto found =
        std::ranges::find_if(inbox, [&](const Arrival& arrival) { return fits(arrival, step); });
    if (found == inbox.end()) {
        return false;
    }
    // Something came before it that is drawn below it.
    const auto earlier = std::find_if(inbox.begin(), found, [&](const Arrival& arrival) {
        return std::ranges::none_of(schedule.ready(now), [&](const auto& ready) {
            return ready.part == Schedule::Part::Receive && fits(arrival, ready.step);
        });
    });
    auto& line = report_of(step);
    std::string overtaken;
    if (earlier != found) {
        line.swapped = true;
        if (earlier->wire == found->wire && found->wire.reliable()) {
            overtaken =
                fmt::format("{} came before it on the same connection", start_line(earlier->text));
        }
    }
    const auto arrival = std::move(*found);
    inbox.erase(found);
    take(arrival, step);
    if (!overtaken.empty() && line.verdict == Verdict::Passed) {
        failed(step, Verdict::Failed, overtaken);
    }
    return true;
}

bool State::is_passed_on(StepId received) const {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        return a != nullptr && a->forwards == received;
    });
}

bool State::passed_on_changed(StepId received) const {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        return a != nullptr && a->forwards == received &&
               script::find<script::Description>(a->facts) != nullptr;
    });
}

bool State::draws_trying(StepId invite) const {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        const auto* response = a != nullptr ? std::get_if<script::Response>(&a->content) : nullptr;
        return response != nullptr && response->status == 100 && response->answers == invite;
    });
}

} // namespace cw::play
