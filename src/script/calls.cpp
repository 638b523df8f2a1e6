#include "script/calls.hpp"

#include <algorithm>

namespace cw::script {
namespace {

// [RFC 3261 §8.1.3.4, §8.1.3.5, §22.2; RFC 4028 §7.3] After these the request is sent again, with
// other contents or to another place, in the same call.
bool asks_to_retry(std::uint16_t status) {
    constexpr std::uint16_t statuses[] = {401, 407, 413, 415, 416, 420, 422};
    return status / 100 == 3 || std::ranges::find(statuses, status) != std::end(statuses);
}

} // namespace

CallId Calls::open(PartyId originator) {
    calls_.push_back({bit(originator), originator, State::Inviting});
    return count();
}

void Calls::join(CallId call, PartyId party) {
    if (auto* found = find(call)) {
        found->members |= bit(party);
    }
}

CallId Calls::latest(PartyId a, PartyId b) const {
    const auto both = bit(a) | bit(b);
    CallId ended = 0;
    for (auto call = count(); call > 0; --call) {
        const auto& candidate = calls_[call - 1U];
        if ((candidate.members & both) != both) {
            continue;
        }
        if (candidate.state != State::Ended) {
            return call;
        }
        ended = ended == 0 ? call : ended;
    }
    return ended;
}

CallId Calls::dialog(PartyId a, PartyId b, const PartyId* target) const {
    const auto all = bit(a) | bit(b) | (target != nullptr ? bit(*target) : 0);
    for (auto call = count(); call > 0; --call) {
        const auto& candidate = calls_[call - 1U];
        if ((candidate.members & all) == all && candidate.state == State::Answered) {
            return call;
        }
    }
    return 0;
}

CallId Calls::to_retry(PartyId originator) const {
    for (auto call = count(); call > 0; --call) {
        const auto& candidate = calls_[call - 1U];
        if (candidate.originator == originator) {
            return candidate.state == State::Retrying ? call : CallId{0};
        }
    }
    return 0;
}

void Calls::answered(CallId call) {
    if (auto* found = find(call); found != nullptr && found->state != State::Ended) {
        found->state = State::Answered;
    }
}

void Calls::lost(CallId call) {
    if (auto* found = find(call); found != nullptr && found->state == State::Inviting) {
        found->state = State::Retrying;
    }
}

void Calls::refused(CallId call, PartyId party, std::uint16_t status) {
    auto* found = find(call);
    if (found != nullptr && found->originator == party && found->state != State::Answered) {
        found->state = asks_to_retry(status) ? State::Retrying : State::Ended;
    }
}

void Calls::ended(CallId call) {
    if (auto* found = find(call)) {
        found->state = State::Ended;
    }
}

void Calls::restore(const Calls& before) {
    std::ranges::copy(before.calls_, calls_.begin());
    for (auto i = before.calls_.size(); i < calls_.size(); ++i) {
        calls_[i].state = State::Ended; // on this way they were never opened
    }
}

void Calls::prefer_answered(const Calls& other_way) {
    for (std::size_t i = 0; i < std::min(calls_.size(), other_way.calls_.size()); ++i) {
        if (other_way.calls_[i].state == State::Answered) {
            calls_[i] = other_way.calls_[i];
        }
    }
}

} // namespace cw::script
