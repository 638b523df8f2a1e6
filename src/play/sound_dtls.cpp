#include "play/sound.hpp"

#include "play/media_side.hpp"

namespace cw::play {

// The handshakes themselves are the host's; here their keys arrive.
void Sound::on_dtls(std::uint32_t socket, const DtlsKeys& keys) {
    for (auto& [key, one] : sides_) {
        if (one->place.socket == (socket & ~1U)) {
            one->take_keys(keys, state_.now);
            one->agreement = ++agreements_;
        }
    }
}

void Sound::ask_for_keys(MediaSide& own) {
    if (!own.wants_dtls()) {
        return;
    }
    state_.wants.dtls.push_back({own.place.socket, own.plan.settings.remote, own.plan.dtls_client,
                                 own.plan.peer_fingerprint, own.party});
    own.dtls_asked();
}

bool Sound::perform_dtls(StepId step, const Arrow& arrow) {
    const MediaSide* sides[] = {nullptr, nullptr};
    for (const auto& [key, one] : sides_) {
        if (one->protection() == dialog::MediaProtection::Dtls) {
            sides[0] = key.first == arrow.from ? one.get() : sides[0];
            sides[1] = key.first == arrow.to ? one.get() : sides[1];
        }
    }
    const bool must_fail = script::is_lost(arrow.link);
    std::string why;
    bool all = true;
    for (const auto& [index, party] : {std::pair{0, arrow.from}, std::pair{1, arrow.to}}) {
        if (!state_.ours(party)) {
            continue;
        }
        all = all && sides[index] != nullptr && sides[index]->agreed();
        if (sides[index] != nullptr && !sides[index]->problem().empty()) {
            why = sides[index]->problem();
        }
    }
    if (!all && why.empty()) {
        return false;
    }
    if (must_fail) {
        return finish(step, std::nullopt, all ? "the handshake was accepted" : "");
    }
    return finish(step, std::nullopt, all ? "" : why);
}

} // namespace cw::play
