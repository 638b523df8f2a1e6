#include "play/load/crowd.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "play/load/crowd_state.hpp"

namespace cw::play {

using script::PartyId;

namespace {

// Calls that begin in one go, so that what has come in the meantime gets its turn.
constexpr std::size_t most_in_one_go = 64;

// One call of so many is performed in full although it could go by rote, to see that it would have
// gone the same way.
constexpr std::uint64_t watched_each = 1024;

bool has_number(const script::Template& text) {
    return std::ranges::any_of(text.pieces, [](const script::Piece& piece) {
        const auto* variable = std::get_if<script::Variable>(&piece);
        return variable != nullptr && variable->kind == script::Variable::Kind::Number;
    });
}

bool addresses_by_number(const script::Plan& plan) {
    for (const auto& party : plan.parties) {
        const auto* uri = script::find<script::PartyUri>(party.facts);
        const auto* user = script::find<script::User>(party.facts);
        if ((uri != nullptr && has_number(uri->uri)) ||
            (user != nullptr && has_number(user->name))) {
            return true;
        }
    }
    return false;
}

bool makes_sound(const script::literal::Program& program) {
    return std::ranges::any_of(program.steps, [](const script::literal::Instruction& one) {
        return std::ranges::any_of(one.orders, [](const script::literal::Order& order) {
            return std::holds_alternative<script::literal::Sound>(order);
        });
    });
}

// The requests that a literal party may be called with.
std::vector<std::string> first_methods(const script::literal::Program& program) {
    std::vector<std::string> out;
    for (const auto& one : program.steps) {
        if (one.kind == script::literal::Instruction::Kind::Send) {
            break;
        }
        if (one.kind == script::literal::Instruction::Kind::Receive) {
            out.push_back(one.method);
            if (one.methods) {
                for (const auto name : script::literal::methods_like(*one.methods)) {
                    out.emplace_back(name);
                }
            }
            if (!one.optional && !one.any_time) {
                break;
            }
        }
    }
    return out;
}

// Does anybody say or hear anything?
bool draws_media(const script::Plan& plan) {
    return std::ranges::any_of(plan.steps, [](const script::Step& step) {
        if (const auto* arrow = std::get_if<script::Arrow>(&step.what)) {
            const auto* channel = std::get_if<script::Channel>(&arrow->content);
            return std::holds_alternative<script::Media>(arrow->content) ||
                   (channel != nullptr && channel->carrier == script::Carrier::Dtls);
        }
        const auto* act = std::get_if<script::Act>(&step.what);
        return act != nullptr && (std::holds_alternative<script::Hears>(act->action) ||
                                  std::holds_alternative<script::Says>(act->action) ||
                                  std::holds_alternative<script::Presses>(act->action) ||
                                  std::holds_alternative<script::Gets>(act->action));
    });
}

} // namespace

bool answers_calls(const script::Plan& plan) {
    for (const auto& step : plan.steps) {
        if (const auto* arrow = std::get_if<script::Arrow>(&step.what)) {
            return script::is_literal(plan.parties[arrow->to]) &&
                   !script::is_literal(plan.parties[arrow->from]);
        }
    }
    return false;
}

std::uint32_t& Crowd::Places::place(std::uint32_t slot) const {
    return crowd->calls_[slot]->deadline;
}

Crowd::Crowd(const script::Plan& plan, Cast cast, const Given& given, const Rows* rows,
             CrowdSettings settings, MediaPlaces places)
    : plan_(plan), cast_(std::move(cast)), given_(given), rows_(rows),
      settings_(std::move(settings)), media_places_(std::move(places)), deadlines_(Places{this}),
      cast_by_number_(addresses_by_number(plan)), has_media_(draws_media(plan) && given.media),
      literal_(script::has_literal(plan)) {
    if (!settings_.injections.empty()) { // each shard has its own: a call may change them
        tables_ = std::make_shared<script::sipp::Tables>(std::move(settings_.injections));
    }
    for (const auto& program : cast_.programs) {
        has_media_ = has_media_ || (makes_sound(*program) && given.media);
        if (settings_.answers) {
            std::ranges::move(first_methods(*program), std::back_inserter(answered_methods_));
        }
    }
    const auto ours = [&](PartyId party) {
        return plan.parties[party].control == script::Control::Played;
    };
    for (const auto& step : plan.steps) {
        const auto* a = std::get_if<script::Arrow>(&step.what);
        if (a == nullptr || !ours(a->to) || ours(a->from) || script::is_shown(a->link)) {
            continue;
        }
        awaits_connections_ =
            awaits_connections_ || std::holds_alternative<script::Channel>(a->content);
        if (std::holds_alternative<script::Request>(a->content) && !literal_ &&
            std::ranges::find(strangers_call_, a->to) == strangers_call_.end()) {
            strangers_call_.push_back(a->to);
        }
    }
    by_rote_ = settings_.by_rote && Rote::suits(plan) && !cast_by_number_ && !has_media_ &&
               !awaits_connections_;
    if (rows_ != nullptr) {
        casts_.resize(rows_->rows.size());
        for (std::size_t i = settings_.shard; i < rows_->rows.size(); i += settings_.shards) {
            free_rows_.push_back(i);
        }
    } else {
        casts_.resize(std::max<std::size_t>(1, settings_.sources.size()));
    }
    rote_at_.resize(casts_.size());
    look_at_columns();
}

Crowd::~Crowd() = default;

// What a call that is performed in full is given.
void Crowd::write_given(Call& call) const {
    call.given = given_;
    call.given.number = call.number + 1;
    call.given.seed = call.seed;
    call.given.mark = call.mark;
    call.given.enrol = Enrol::Nobody;
    call.given.media = has_media_;
    if (rows_ != nullptr) {
        call.given.row = rows_->row(call.row);
    }
    call.given.tables = tables_;
    if (tables_ != nullptr) {
        script::sipp::fill_row(tables_->files(), call.given.number, call.given.seed,
                               call.given.row);
    }
}

// Which of the casts is the call's: its row's, or that of its source address.
std::size_t Crowd::place_of(const Call& call) const {
    const auto sources = settings_.sources.size();
    return rows_ != nullptr || sources == 0 ? call.row : (call.number + 1) % sources;
}

Crowd::Call* Crowd::find(Ref ref) {
    return ref.slot < calls_.size() && calls_[ref.slot]->live &&
                   calls_[ref.slot]->generation == ref.generation
               ? calls_[ref.slot].get()
               : nullptr;
}

// ---- a call begins

Crowd::Ref Crowd::open_call() {
    if (free_slots_.empty()) {
        free_slots_.push_back(static_cast<std::uint32_t>(calls_.size()));
        calls_.push_back(std::make_unique<Call>());
    }
    const auto slot = free_slots_.back();
    free_slots_.pop_back();
    ++calls_[slot]->generation;
    return {slot, calls_[slot]->generation};
}

// The row that has been idle the longest; when all are in calls, they are used again in turn.
std::size_t Crowd::take_row(Call& call) {
    call.row_is_its_own = false;
    if (rows_ == nullptr) {
        return 0;
    }
    if (!free_rows_.empty()) {
        const auto row = free_rows_.front();
        free_rows_.pop_front();
        call.row_is_its_own = true;
        return row;
    }
    next_row_ += settings_.shards;
    if (next_row_ >= rows_->rows.size()) {
        next_row_ = settings_.shard;
    }
    return next_row_;
}

std::shared_ptr<const Cast> Crowd::cast_of(std::size_t row, const Given& given) {
    const auto sources = settings_.sources.size();
    const auto place = rows_ != nullptr || sources == 0 ? row : given.number % sources;
    if (!cast_by_number_ && casts_[place] != nullptr) {
        return casts_[place];
    }
    auto fresh = std::make_shared<Cast>(cast_);
    if (rows_ != nullptr || cast_by_number_) {
        auto written = given;
        written.seed = given_.seed; // passwords that are made up are those of the whole run
        auto made = make_cast(plan_, written);
        if (!made) {
            hopeless_ = fmt::format("line {}: {}", made.error().place.line, made.error().what);
            return nullptr;
        }
        for (std::size_t i = 0; i < cast_.members.size(); ++i) {
            auto& member = made->members[i];
            member.at = cast_.members[i].at;
            member.at6 = cast_.members[i].at6;
            member.ipv6 = cast_.members[i].ipv6;
            member.fingerprint = cast_.members[i].fingerprint;
            member.media = cast_.members[i].media;
        }
        *fresh = std::move(*made);
    }
    for (std::size_t i = 0; sources != 0 && i < fresh->members.size(); ++i) {
        if (const auto& from = settings_.sources[place % sources][i]) {
            fresh->members[i].at[static_cast<std::size_t>(sip::Transport::Udp)] = from;
        }
    }
    if (!cast_by_number_) {
        casts_[place] = fresh;
    }
    return fresh;
}

// Sockets of its own for every side that has media.
bool Crowd::give_media(Call& call) {
    auto own = std::make_shared<Cast>(*call.cast);
    for (auto& member : own->members) {
        for (auto& [number, place] : member.media) {
            if (idle_media_.empty()) {
                auto fresh = media_places_ ? media_places_() : std::nullopt;
                if (!fresh) {
                    return false;
                }
                idle_media_.push_back(*fresh);
            }
            place = idle_media_.back();
            idle_media_.pop_back();
            call.media.push_back(place);
        }
    }
    call.cast = std::move(own);
    return true;
}

Crowd::Ref Crowd::begin(Instant due) {
    const auto ref = open_call();
    auto& call = *calls_[ref.slot];
    call.number = next_call_ * settings_.shards + settings_.shard;
    ++next_call_;
    call.row = take_row(call);
    call.enrolment = call.interrupted = false;
    call.due = due;
    call.told = {};
    call.seed = mixed(given_.seed ^ (call.number + 1));
    call.mark = mark_of(ref);
    call.cast = by_rote_ ? casts_[place_of(call)] : nullptr;
    if (call.cast == nullptr) {
        write_given(call);
        call.cast = cast_of(call.row, call.given);
    }
    if (call.cast == nullptr || (has_media_ && !give_media(call))) {
        ++tally_.held_back;
        free(ref.slot);
        return {};
    }
    for (const auto& place : call.media) {
        media_owner_[place.socket] = ref;
    }
    call.live = true;
    call.rote = rote_of(call);
    if (call.rote != nullptr) {
        begin_by_rote(call);
    }
    if (call.rote == nullptr || call.number % watched_each == 0) {
        perform(call);
    }
    ++in_progress_;
    ++tally_.started;
    tally_.lateness.add(now_ - due);
    for (const auto party : strangers_call_) {
        auto& queue = awaiting_[{party, call.cast->members[party].user}];
        while (!queue.empty() && find(queue.front()) == nullptr) {
            queue.pop_front();
        }
        queue.push_back(ref);
    }
    if (awaits_connections_) {
        for (const auto& one : accepted_) {
            happen(ref.slot, {.kind = Happening::Kind::Accepted,
                              .party = one.party,
                              .wire = &one.wire,
                              .facts = &one.facts});
        }
    }
    happen(ref.slot, {.kind = Happening::Kind::Begun});
    settle(ref.slot);
    return ref;
}

bool Crowd::may_begin(std::uint64_t number) const {
    return phase_ == Phase::Calling && hopeless_.empty() &&
           (!settings_.calls || number < *settings_.calls);
}

// When the next call is to begin; nothing: none will, or as soon as another has ended.
std::optional<Instant> Crowd::next_arrival() const {
    const auto number = next_call_ * settings_.shards + settings_.shard;
    if (!may_begin(number) || !settings_.arrivals) {
        return std::nullopt;
    }
    const auto at = settings_.arrivals->at(number);
    if (!at || (settings_.length && *at >= *settings_.length)) {
        return std::nullopt;
    }
    return began_ + *at;
}

Instant Crowd::next_look() const {
    const auto first = next_arrival();
    if (!first || literal_ || has_media_ || awaits_connections_ || !strangers_call_.empty()) {
        return {};
    }
    // The last arrival that is due while the first one may wait.
    const auto rate = settings_.arrivals->rate(*first - began_) / settings_.shards;
    const auto others = static_cast<std::uint64_t>(rate * settings_.gather.seconds() + 1e-6);
    if (others == 0) {
        return {};
    }
    const auto number = next_call_ * settings_.shards + settings_.shard;
    const auto last = settings_.arrivals->at(number + others * settings_.shards);
    return last ? std::min(began_ + *last, *first + settings_.gather) : *first;
}

void Crowd::begin_due() {
    if (phase_ != Phase::Calling) {
        return;
    }
    if (settings_.answers) {
        if (!may_begin(next_call_) || (settings_.length && now_ - began_ >= *settings_.length)) {
            phase_ = Phase::Ending;
        }
        return;
    }
    if (settings_.arrivals) {
        for (std::size_t i = 0; i < most_in_one_go; ++i) {
            const auto due = next_arrival();
            if (!due || *due > now_) {
                break;
            }
            ++tally_.due;
            if (in_progress_ >= settings_.at_once) {
                ++tally_.held_back;
                ++next_call_;
                continue;
            }
            begin(*due);
        }
        if (!next_arrival()) {
            phase_ = Phase::Ending;
        }
        return;
    }
    for (std::size_t i = 0; i < most_in_one_go && in_progress_ < settings_.at_once; ++i) {
        const auto number = next_call_ * settings_.shards + settings_.shard;
        if (!may_begin(number) || (settings_.length && now_ - began_ >= *settings_.length)) {
            phase_ = Phase::Ending;
            break;
        }
        ++tally_.due;
        begin(now_);
    }
}

// ---- drive

void Crowd::start(Instant now) {
    now_ = now;
    for (const auto& server : registrars(plan_, settings_.enrol)) {
        enrolled_.push_back(server.has_value());
    }
    if (std::ranges::find(enrolled_, true) != enrolled_.end()) {
        enrolments_wanted_ =
            rows_ != nullptr
                ? (rows_->rows.size() + settings_.shards - 1 - settings_.shard) / settings_.shards
                : 1;
    }
    advance(now);
}

void Crowd::advance(Instant now) {
    now_ = now;
    while (!deadlines_.empty() && deadlines_.next() <= now_) {
        const auto slot = deadlines_.first();
        deadlines_.disarm(slot);
        if (calls_[slot]->live) {
            happen(slot, {.kind = Happening::Kind::Time});
            settle(slot);
        }
    }
    if (enrol_again_at_.known() && enrol_again_at_ <= now_ && phase_ == Phase::Calling &&
        enrolments_open_ == 0) {
        enrolments_begun_ = enrolments_failed_ = 0;
        enrol_again_at_ = now_ + settings_.enrol_again;
    }
    if (phase_ == Phase::Enrolling || phase_ == Phase::Calling) {
        begin_enrolments();
    }
    begin_due();
    if (interrupt_at_.known() && interrupt_at_ <= now_) {
        interrupt_at_ = {};
        for (std::uint32_t slot = 0; slot < calls_.size(); ++slot) {
            if (calls_[slot]->live) {
                calls_[slot]->interrupted = true;
                in_full(*calls_[slot]).interrupt(now_);
                settle(slot);
            }
        }
    }
    check_end();
}

void Crowd::finish(Instant now, Duration grace) {
    now_ = now;
    if (phase_ != Phase::Over) {
        phase_ = Phase::Ending;
        interrupt_at_ = now + grace;
    }
    check_end();
}

void Crowd::check_end() {
    if (phase_ == Phase::Over) {
        return;
    }
    if (settings_.answers && phase_ == Phase::Calling && !may_begin(next_call_)) {
        phase_ = Phase::Ending; // the last call has come
    }
    const bool idle = in_progress_ == 0 && enrolments_open_ == 0;
    if (idle && (phase_ == Phase::Ending || !hopeless_.empty())) {
        phase_ = Phase::Over;
    }
}

Instant Crowd::next_deadline() const {
    Instant out;
    const auto sooner = [&](Instant when) {
        out = when.known() && (!out.known() || when < out) ? when : out;
    };
    if (!deadlines_.empty()) {
        sooner(deadlines_.next());
    }
    if (const auto due = next_arrival()) {
        sooner(*due);
    } else if (phase_ == Phase::Calling && settings_.answers) {
        sooner(settings_.length ? began_ + *settings_.length : Instant{});
    } else if (phase_ == Phase::Calling && !settings_.arrivals &&
               in_progress_ < settings_.at_once) {
        sooner(now_);
    }
    const bool more = enrolments_begun_ < enrolments_wanted_;
    if ((more && enrolments_open_ < settings_.enrolments_at_once && phase_ != Phase::Ending) ||
        (phase_ == Phase::Enrolling && enrolments_open_ == 0)) {
        sooner(now_);
    }
    sooner(interrupt_at_);
    sooner(phase_ == Phase::Calling ? enrol_again_at_ : Instant{});
    return out;
}

} // namespace cw::play
