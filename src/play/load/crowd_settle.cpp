// After each thing that happened to a call: what it wants sent and opened, when it wakes, its end.
#include <algorithm>

#include "play/load/crowd_state.hpp"

namespace cw::play {

// Not within itself: what one call does may concern another.
void Crowd::settle(std::uint32_t first) {
    unsettled_.push_back(first);
    if (settling_) {
        return;
    }
    settling_ = true;
    while (!unsettled_.empty()) {
        const auto slot = unsettled_.back();
        unsettled_.pop_back();
        auto& call = *calls_[slot];
        if (!call.live || call.performance == nullptr) {
            continue; // by rote: took_edge() has done it
        }
        send_all(slot);
        auto& wants = call.performance->wants();
        if (!wants.empty()) {
            const auto todo = std::move(wants);
            wants.clear();
            for (const auto& one : todo.connects) {
                connect(slot, one);
            }
            wants_.closes.insert(wants_.closes.end(), todo.closes.begin(), todo.closes.end());
            wants_.media.insert(wants_.media.end(), todo.media.begin(), todo.media.end());
            wants_.dtls.insert(wants_.dtls.end(), todo.dtls.begin(), todo.dtls.end());
        }
        if (!call.performance->outbox().empty() || !call.performance->wants().empty()) {
            unsettled_.push_back(slot); // a connection that was there already
            continue;
        }
        if (call.performance->over()) {
            end(slot);
            continue;
        }
        const auto deadline = call.performance->next_deadline();
        if (deadline.known()) {
            // In the next turn at the earliest: no call may keep the others waiting.
            deadlines_.arm(slot, std::max(deadline, now_ + Duration{1}));
        } else {
            deadlines_.disarm(slot);
        }
    }
    settling_ = false;
}

void Crowd::send_all(std::uint32_t slot) {
    auto& call = *calls_[slot];
    if (call.performance == nullptr) {
        return;
    }
    auto& outbox = call.performance->outbox();
    for (const auto& one : outbox.sends()) {
        const auto bytes = outbox.bytes(one);
        if (literal_) {
            learn_call_id({slot, call.generation}, bytes);
        }
        outbox_.send(one.wire, bytes);
        ++tally_.sent;
        if (kept_ < settings_.keep_failed) {
            call.messages.push_back({now_, true, one.wire, std::string{bytes}});
        }
    }
    outbox.clear();
}

void Crowd::end(std::uint32_t slot) {
    auto& call = *calls_[slot];
    if (call.enrolment) {
        ended_enrolment(call);
    } else {
        --in_progress_;
        const auto& report =
            call.performance != nullptr ? call.performance->report() : *Rote::report(call.walk);
        if (call.interrupted) {
            ++tally_.interrupted;
        } else {
            tally_.count(plan_, report, call.due);
            if (!report.passed()) {
                keep(call);
            }
        }
        if (call.row_is_its_own) {
            free_rows_.push_back(call.row);
        }
    }
    close_own(call);
    free(slot);
}

void Crowd::keep(Call& call) {
    if (kept_ == settings_.keep_failed) {
        return;
    }
    ++kept_;
    failed_.push_back({call.number + 1, call.performance->report(), std::move(call.messages)});
}

void Crowd::free(std::uint32_t slot) {
    auto& call = *calls_[slot];
    deadlines_.disarm(slot);
    for (const auto& id : call.foreign) {
        foreign_.erase(id);
    }
    for (const auto& place : call.media) {
        media_owner_.erase(place.socket);
        idle_media_.push_back(place);
    }
    call.foreign.clear();
    call.media.clear();
    call.messages.clear();
    call.asked.clear();
    call.own.clear();
    call.live = false;
    call.performance.reset();
    call.walk.node = nullptr;
    call.cast.reset();
    free_slots_.push_back(slot);
}

} // namespace cw::play
