// Phones that register before the first call, and again while calls go on.
#include "play/load/crowd_state.hpp"

namespace cw::play {

void Crowd::begin_enrolments() {
    while (enrolments_begun_ < enrolments_wanted_ &&
           enrolments_open_ < settings_.enrolments_at_once) {
        begin_enrolment(enrolments_begun_++ * (rows_ != nullptr ? settings_.shards : 1) +
                        (rows_ != nullptr ? settings_.shard : 0));
    }
    if (phase_ == Phase::Enrolling && enrolments_open_ == 0 &&
        enrolments_begun_ >= enrolments_wanted_) {
        phase_ = Phase::Calling;
        began_ = now_;
        enrol_again_at_ = enrolments_wanted_ != 0 ? now_ + settings_.enrol_again : Instant{};
    }
}

void Crowd::begin_enrolment(std::size_t row) {
    const auto ref = open_call();
    auto& call = *calls_[ref.slot];
    call.number = row;
    call.row = row;
    call.enrolment = true;
    call.interrupted = false;
    call.due = now_;
    call.given = given_;
    call.given.seed = mixed(given_.seed ^ ~std::uint64_t{row} ^ enrolments_begun_ << 32);
    call.given.mark = mark_of(ref);
    call.given.enrol = settings_.enrol;
    call.given.enrol_only = true;
    call.given.media = false;
    if (rows_ != nullptr) {
        call.given.row = rows_->row(row);
    }
    call.cast = cast_of(row, call.given);
    if (call.cast == nullptr) {
        free(ref.slot);
        return;
    }
    call.live = true;
    call.rote = nullptr;
    call.performance = std::make_unique<Performance>(plan_, *call.cast, call.given);
    ++enrolments_open_;
    call.performance->start(now_);
    settle(ref.slot);
}

void Crowd::ended_enrolment(Call& call) {
    --enrolments_open_;
    const auto& report = call.performance->report();
    ++tally_.registrations_asked;
    if (report.passed()) {
        tally_.registrations.add(report.ended - report.began);
        return;
    }
    ++tally_.registrations_failed;
    ++enrolments_failed_;
    const auto cause = cause_of(plan_, report);
    ++tally_.causes["registering: " + cause];
    if (enrolments_failed_ == enrolments_wanted_ ||
        (enrolments_failed_ == enrolments_begun_ && enrolments_failed_ >= 100)) {
        hopeless_ = cause;
    }
}

} // namespace cw::play
