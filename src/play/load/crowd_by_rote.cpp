// What happens to a call: by rote where it goes as earlier ones went, else in full.
#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "play/load/crowd_state.hpp"

namespace cw::play {

namespace {

constexpr std::size_t most_rotes = 2000; // kinds of rows whose calls are learned
// A column with no more values than that has them as names of kinds, not as names of users.
constexpr std::size_t most_kinds = 16;
// Letters of a value that is hardly found in a message by chance.
constexpr std::size_t telling_length = 3;
// Where most calls leave the tree, it is not worth the while; but some go on to be watched.
constexpr std::uint64_t patient = 200;
constexpr std::uint64_t tried_each = 64;

// The characters of a value that may be quoted or escaped somewhere in a message, each once.
std::string odd_characters(std::string_view value) {
    std::string out;
    for (const char c : value) {
        const bool plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && out.find(c) == std::string::npos) {
            out += c;
        }
    }
    std::ranges::sort(out);
    return out;
}

} // namespace

Rote* Crowd::rote_of(const Call& call) {
    if (!by_rote_) {
        return nullptr;
    }
    const auto place = place_of(call);
    auto*& rote = rote_at_[place];
    if (rote == nullptr) {
        auto kind = kind_of_row(place, *call.cast);
        auto known = rotes_.find(kind);
        if (known == rotes_.end() && rotes_.size() < most_rotes) {
            known = rotes_.emplace(std::move(kind), std::make_unique<Rote>(plan_)).first;
        }
        rote = known != rotes_.end() ? known->second.get() : nullptr;
    }
    ++began_by_rote_;
    const bool hopeless = taken_over_ > patient && taken_over_ * 4 > began_by_rote_ * 3;
    return hopeless && call.number % tried_each != 0 ? nullptr : rote;
}

// Which columns tell users apart?
void Crowd::look_at_columns() {
    if (!by_rote_ || rows_ == nullptr) {
        return;
    }
    for (std::size_t column = 0; column < rows_->columns.size(); ++column) {
        std::vector<std::string_view> different;
        std::size_t longest = 0;
        for (const auto& row : rows_->rows) {
            const std::string_view value = row[column];
            longest = std::max(longest, value.size());
            if (different.size() <= most_kinds &&
                std::ranges::find(different, value) == different.end()) {
                different.push_back(value);
            }
        }
        if (different.size() > most_kinds) {
            varying_.push_back({column, std::min(longest, telling_length)});
        } else {
            common_.push_back(column);
        }
    }
}

// Rows are of one kind when they share a source, the columns that have few values, and which of
// their values are, or are within, which others: what is found in a message of one is the same
// column's value in the others; and when the same characters, which may have to be escaped, are in
// their values. Passwords are in no message.
std::string Crowd::kind_of_row(std::size_t place, const Cast& cast) const {
    const auto sources = settings_.sources.size();
    auto out = std::to_string(sources != 0 ? place % sources : 0);
    if (rows_ == nullptr) {
        return out;
    }
    const auto& row = rows_->rows[place];
    const auto keep = [&out](std::string_view value) {
        out += fmt::format(" {}:{}", value.size(), value);
    };
    for (const auto column : common_) {
        keep(row[column]);
    }
    for (const auto& a : varying_) {
        for (const auto& b : varying_) {
            out += row[a.number].find(row[b.number]) != std::string::npos ? '1' : '0';
        }
        const bool secret =
            std::ranges::find(cast.members, row[a.number], &Member::password) != cast.members.end();
        keep(secret ? "" : odd_characters(row[a.number]));
    }
    return out;
}

void Crowd::begin_by_rote(Call& call) {
    std::array<std::string_view, limit::csv_columns> values;
    Rote::Own own{.seed = call.seed, .mark = call.mark, .cast = *call.cast};
    if (rows_ != nullptr) {
        const auto& row = rows_->rows[call.row];
        for (std::size_t i = 0; i < varying_.size(); ++i) {
            values[i] = row[varying_[i].number];
            own.telling = own.telling && values[i].size() >= varying_[i].telling;
        }
        own.row = std::span{values}.first(varying_.size());
    }
    call.rote->begin(call.walk, own);
}

// A Performance of its own, which has been told all that has happened so far.
void Crowd::perform(Call& call) {
    write_given(call);
    call.performance = std::make_unique<Performance>(plan_, *call.cast, call.given);
    call.messages.clear();
    if (call.rote == nullptr) {
        return;
    }
    call.walk.drawn.clear();
    const bool watched = call.performance->note_names(&call.walk.drawn);
    Rote::tell_again(
        call.walk, *call.performance,
        [&](Instant at, bool sent, const transaction::Wire& wire, std::string_view bytes) {
            if (kept_ < settings_.keep_failed) {
                call.messages.push_back({at, sent, wire, std::string{bytes}});
            }
        });
    call.walk.drawn.clear();
    if (!watched) {
        call.walk.node = nullptr;
    }
}

// For what nobody learns from.
Performance& Crowd::in_full(Call& call) {
    if (call.performance == nullptr) {
        perform(call);
    }
    call.walk.node = nullptr;
    return *call.performance;
}

// To be settled afterwards.
void Crowd::happen(std::uint32_t slot, Happening what) {
    using Kind = Happening::Kind;
    auto& call = *calls_[slot];
    what.acted = now_;
    if (!what.at.known()) {
        what.at = now_;
    }
    what.at = call.told = std::max(what.at, call.told);
    Rote::set_instants(call.walk, what);
    if (call.performance == nullptr) {
        if (const auto* edge = call.rote->follow(call.walk, what, outbox_)) {
            tally_.sent += Rote::sends(*edge);
            took_edge(slot, *edge);
            return;
        }
        ++taken_over_;
        perform(call);
    }
    auto& performance = *call.performance;
    if (call.walk.node != nullptr) {
        if (!performance.outbox().empty() || !performance.wants().empty()) {
            call.walk.node = nullptr; // of something that has happened before
        }
    }
    performance.set_delay(what.acted - what.at);
    switch (what.kind) {
    case Kind::Begun:
        performance.start(what.at);
        break;
    case Kind::Accepted:
        performance.on_accepted(what.party, *what.wire, *what.facts, what.at);
        break;
    case Kind::Connected:
        performance.on_connected(what.token, *what.wire, *what.facts, what.at);
        break;
    case Kind::Message:
        if (kept_ < settings_.keep_failed) {
            call.messages.push_back({what.at, false, *what.wire, std::string{what.text}});
        }
        if (literal_) { // it reads the text
            performance.on_message(what.party, *what.wire, what.text, what.at);
        } else {
            performance.on_message(what.party, *what.wire, *what.message, what.at);
        }
        break;
    case Kind::Time:
        performance.advance(what.at);
        break;
    }
    if (call.walk.node != nullptr) {
        call.rote->watch(call.walk, what, performance);
    }
}

void Crowd::took_edge(std::uint32_t slot, const Rote::Edge& edge) {
    const auto generation = calls_[slot]->generation;
    for (const auto& one : Rote::connects(edge)) {
        connect(slot, one);
        if (find({slot, generation}) == nullptr) {
            return; // the connection was there, and the call has ended over it
        }
    }
    auto& call = *calls_[slot];
    if (call.performance != nullptr) {
        return; // settle() goes on with it
    }
    if (Rote::report(call.walk) != nullptr) {
        ++ended_by_rote_;
        end(slot);
        return;
    }
    if (const auto deadline = Rote::deadline(call.walk); deadline.known()) {
        deadlines_.arm(slot, deadline);
    } else {
        deadlines_.disarm(slot);
    }
}

bool Crowd::awaits(Call& call, script::PartyId party, sip::Method method) {
    return call.performance != nullptr ? call.performance->awaits(party, method)
                                       : Rote::awaits(call.walk, party, method);
}

} // namespace cw::play
