#include "dialog/offer_answer.hpp"

#include <algorithm>

namespace cw::dialog {
namespace {

bool can_answer(Carrier offer, Carrier answer) {
    return std::ranges::any_of(
        exchanges, [&](const Exchange& e) { return e.offer == offer && e.answer == answer; });
}

bool is_response_to_invite(Carrier carrier) {
    return carrier == Carrier::Unreliable1xx || carrier == Carrier::Reliable1xx ||
           carrier == Carrier::InviteOk;
}

} // namespace

Meaning meaning_of(const OfferAnswer& session, Sender sender, Carrier carrier) {
    if (carrier == Carrier::Other) {
        return Meaning::None;
    }
    const bool open = session.state != OfferState::Stable;
    const bool ours = session.state == OfferState::HaveLocalOffer;
    const bool from_answerer = open && ours == (sender == Sender::Peer);
    if (from_answerer && can_answer(session.offered_in, carrier)) {
        return Meaning::Answer;
    }
    if (from_answerer && session.offered_in == Carrier::Invite &&
        carrier == Carrier::Unreliable1xx) {
        return Meaning::Preview;
    }
    if (is_response_to_invite(carrier) && session.invite_spoke) {
        // "the UAC MUST ignore any session descriptions in subsequent responses to the initial
        // INVITE" [RFC 3261 §13.2.1].
        return Meaning::Copy;
    }
    const bool offers =
        std::ranges::any_of(exchanges, [&](const Exchange& e) { return e.offer == carrier; });
    if (open || !offers) {
        return carrier == Carrier::Unreliable1xx ? Meaning::Preview : Meaning::Forbidden;
    }
    // "If the UAC receives a reliable provisional response with an answer, it MAY generate an
    // additional offer in the PRACK" [RFC 3262 §5]; before that there is nothing to add to.
    if (carrier == Carrier::Prack && !session.agreed) {
        return Meaning::Forbidden;
    }
    return Meaning::Offer;
}

Meaning take(OfferAnswer& session, Sender sender, Carrier carrier, std::string_view description) {
    const auto meaning = meaning_of(session, sender, carrier);
    const bool us = sender == Sender::Us;
    if (meaning == Meaning::Offer) {
        session.state = us ? OfferState::HaveLocalOffer : OfferState::HaveRemoteOffer;
        session.offered_in = carrier;
        session.pending = description;
    } else if (meaning == Meaning::Answer) {
        (us ? session.remote : session.local) = std::move(session.pending);
        (us ? session.local : session.remote) = description;
        session.pending.clear();
        session.state = OfferState::Stable;
        session.offered_in = Carrier::Other;
        session.agreed = true;
    }
    if ((meaning == Meaning::Offer || meaning == Meaning::Answer) &&
        (carrier == Carrier::Invite || is_response_to_invite(carrier))) {
        session.invite_spoke = true;
    }
    return meaning;
}

void begin_invite(OfferAnswer& session) {
    session.invite_spoke = false;
}

void roll_back(OfferAnswer& session) {
    session.state = OfferState::Stable;
    session.offered_in = Carrier::Other;
    session.pending.clear();
}

std::uint16_t refusal_of_offer(const OfferAnswer& session) {
    switch (session.state) {
    case OfferState::Stable:
        return 0;
    case OfferState::HaveLocalOffer:
        return 491;
    case OfferState::HaveRemoteOffer:
        return 500;
    }
    return 0;
}

bool may_offer(const OfferAnswer& session, Carrier carrier) {
    return meaning_of(session, Sender::Us, carrier) == Meaning::Offer;
}

Duration glare_pause(bool owns_call_id, Identifiers& chance) {
    return owns_call_id ? chance.between(milliseconds(2100), milliseconds(4010))
                        : chance.between(milliseconds(0), milliseconds(2010));
}

std::string_view to_string(OfferState state) {
    switch (state) {
    case OfferState::Stable:
        return "stable";
    case OfferState::HaveLocalOffer:
        return "have-local-offer";
    case OfferState::HaveRemoteOffer:
        return "have-remote-offer";
    }
    return "";
}

std::string_view to_string(Meaning meaning) {
    constexpr std::array<std::string_view, 6> names{"none",    "offer", "answer",
                                                    "preview", "copy",  "forbidden"};
    return names[static_cast<std::size_t>(meaning)];
}

} // namespace cw::dialog
