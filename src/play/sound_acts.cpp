#include "play/sound.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "crypto/aka.hpp"
#include "crypto/digest_fields.hpp"
#include "play/media_side.hpp"

namespace cw::play {

bool Sound::perform_act(StepId step, const script::Act& act) {
    auto& wait = state_.waiting[step];
    const auto* hears = std::get_if<script::Hears>(&act.action);
    const auto* whom = hears != nullptr ? std::get_if<PartyId>(&hears->what) : nullptr;
    if (std::holds_alternative<script::HangsUp>(act.action)) {
        return finish(step, std::nullopt, "");
    }
    if (std::holds_alternative<script::ChecksAutn>(act.action)) {
        return check_autn(step, act.party);
    }
    MediaSide* own = whom != nullptr ? latest(act.party, *whom) : nullptr;
    own = own != nullptr ? own : latest(act.party);
    const bool silence = hears != nullptr && hears->what == std::variant<PartyId, script::Sound>{
                                                                script::Sound::Silence};
    if (own == nullptr) {
        if (silence && state_.now < wait.since + hears->time) {
            return false;
        }
        return finish(step, std::nullopt, silence ? "" : "it has no media: nothing was settled");
    }
    if (const auto* presses = std::get_if<script::Presses>(&act.action)) {
        if (!wait.begun && !own->session.press(presses->keys)) {
            return finish(step, std::nullopt,
                          "the other side takes no keys (telephone-event was not agreed on)");
        }
        wait.begun = true;
        return own->session.keys_pressed() && finish(step, std::nullopt, "");
    }
    if (const auto* gets = std::get_if<script::Gets>(&act.action)) {
        const auto digits = own->session.digits();
        const auto limit = gets->within.value_or(seconds(5));
        if (digits.size() < own->digits_read + gets->keys.size() &&
            state_.now < wait.since + limit) {
            return false;
        }
        std::string seen;
        for (auto i = own->digits_read; i < digits.size(); ++i) {
            seen += digits[i].digit;
        }
        own->digits_read = digits.size();
        return finish(step,
                      seen == gets->keys ? std::nullopt
                                         : std::optional{Difference{"what was pressed", gets->keys,
                                                                    seen.empty() ? "none" : seen}},
                      "");
    }
    if (const auto* says = std::get_if<script::Says>(&act.action)) {
        return say(step, *own, *says);
    }
    if (hears == nullptr) {
        return finish(step, std::nullopt, "");
    }
    if (!begins(step, {own}, silence)) {
        return false;
    }
    if (state_.now < wait.since + hears->time + milliseconds(200)) {
        return false;
    }
    const auto& before = own->marks.at(step);
    const auto after = own->mark();
    Duration heard;
    std::string what;
    const bool music = whom != nullptr && is_musical(state_.plan.parties[*whom]);
    if (music) {
        heard = after.listener.unmarked() - before.listener.unmarked();
        what = state_.plan.parties[*whom].id;
    } else if (whom != nullptr) {
        heard =
            after.listener.heard(rtp::mark_of(*whom)) - before.listener.heard(rtp::mark_of(*whom));
        what = state_.plan.parties[*whom].id;
    } else {
        switch (std::get<script::Sound>(hears->what)) {
        case script::Sound::Silence:
            heard = hears->time - (after.listener.sound() - before.listener.sound());
            what = "silence";
            break;
        case script::Sound::Music:
            heard = after.listener.unmarked() - before.listener.unmarked();
            what = "music";
            break;
        case script::Sound::Speech:
            heard = after.listener.sound() - before.listener.sound();
            what = "speech";
            break;
        }
    }
    if (heard.ns * 10 >= hears->time.ns * 6) {
        return finish(step, std::nullopt, "");
    }
    std::string others; // whom it hears instead
    for (PartyId party = 0; party < state_.plan.parties.size(); ++party) {
        const auto mark = rtp::mark_of(party);
        const auto time = after.listener.heard(mark) - before.listener.heard(mark);
        if (time.ns * 10 >= hears->time.ns && (whom == nullptr || party != *whom)) {
            others +=
                fmt::format("; {} for {:.2f} s", state_.plan.parties[party].id, time.seconds());
        }
    }
    const auto sound = after.listener.sound() - before.listener.sound();
    return finish(
        step,
        Difference{"what is heard", fmt::format("{} for {:g} s", what, hears->time.seconds()),
                   fmt::format("{} for {:.2f} s{} (sound in all: {:.2f} s)", what,
                               std::max(heard, Duration{}).seconds(), others, sound.seconds())},
        fmt::format("it does not hear {}", what));
}

bool Sound::say(StepId step, MediaSide& own, const script::Says& says) {
    auto& wait = state_.waiting[step];
    if (!wait.begun) {
        const auto file = state_.given.sounds.find(says.file);
        if (file == state_.given.sounds.end()) {
            return finish(step, std::nullopt, says.file + " cannot be read");
        }
        own.session.play(rtp::AudioSource::samples(file->second));
        wait.begun = true;
    }
    if (!own.session.source_finished()) {
        return false;
    }
    own.session.play(rtp::AudioSource::tone(rtp::mark_of(own.party)));
    return finish(step, std::nullopt, "");
}

// The latest challenge, against the subscriber's own card [RFC 3310 §3.3].
bool Sound::check_autn(StepId step, PartyId party) {
    const auto& player = state_.players[party];
    for (auto i = player.challenges.size(); i-- > 0;) {
        for (const auto& value : player.challenges[i].values) {
            const auto challenge = crypto::parse_challenge(value);
            if (!challenge || !crypto::parse_aka_algorithm(challenge->algorithm)) {
                continue;
            }
            const auto opened = crypto::open_aka_nonce(State::card_of(state_.cast.members[party]),
                                                       challenge->nonce, player.sqn);
            const bool good = opened.verdict == crypto::AkaOpened::Verdict::Good;
            return finish(step, std::nullopt,
                          good ? "" : "AUTN does not prove that the network knows the card");
        }
    }
    return finish(step, std::nullopt, "there is no challenge of AKA");
}

} // namespace cw::play
