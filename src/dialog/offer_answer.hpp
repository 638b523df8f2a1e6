// Offer and answer: who owes what, and which session description in which message is one of them
// [RFC 3264 §4; RFC 3261 §13.2.1, §14; RFC 3262 §5; RFC 3311 §5; RFC 6337]. One OfferAnswer a
// dialog. What was agreed stays until an answer replaces it, so a refused offer changes nothing.
//
//                 offer sent                        offer received
//   HaveLocalOffer ◀───────────── Stable ─────────────▶ HaveRemoteOffer
//                 ─────────────▶        ◀─────────────
//        answer received, or refused       answer sent, or refused
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "dialog/identifiers.hpp"

namespace cw::dialog {

// The messages that can carry a description.
enum class Carrier : std::uint8_t {
    Invite,
    Unreliable1xx,
    Reliable1xx,
    Prack,
    PrackOk, // a 2xx to PRACK
    Update,
    UpdateOk,
    InviteOk,
    Ack,
    Other, // no place for offers and answers
};
inline constexpr std::size_t carrier_count = 10;

enum class OfferState : std::uint8_t { Stable, HaveLocalOffer, HaveRemoteOffer };
enum class Sender : std::uint8_t { Us, Peer };

// What a description in a message is.
enum class Meaning : std::uint8_t {
    None,
    Offer,
    Answer,
    Preview,   // in an unreliable 1xx: the answer to come, or a copy of it
    Copy,      // once more what was said already; to be ignored [RFC 3261 §13.2.1]
    Forbidden, // it has no business there
};

// Where the answer to an offer travels.
struct Exchange {
    Carrier offer;
    Carrier answer;
};
inline constexpr auto exchanges = std::to_array<Exchange>({
    {Carrier::Invite, Carrier::Reliable1xx}, // [RFC 3262 §5]
    {Carrier::Invite, Carrier::InviteOk},    // [RFC 3261 §13.2.1]
    {Carrier::InviteOk, Carrier::Ack},       // [RFC 3261 §13.2.1]
    {Carrier::Reliable1xx, Carrier::Prack},  // [RFC 3262 §5]
    {Carrier::Prack, Carrier::PrackOk},      // [RFC 3262 §5]
    {Carrier::Update, Carrier::UpdateOk},    // [RFC 3311 §5.1]
});

struct OfferAnswer {
    OfferState state = OfferState::Stable;
    Carrier offered_in = Carrier::Other; // the open offer
    bool agreed = false;                 // there has been an answer
    bool invite_spoke = false; // the INVITE in progress has had its offer, or its response had
    std::string local;         // what is agreed
    std::string remote;
    std::string pending; // the open offer
};

// What a description that `sender` puts into `carrier` is. Changes nothing.
Meaning meaning_of(const OfferAnswer& session, Sender sender, Carrier carrier);
// The same, and the session moves on: an offer is open, or an answer closes it.
Meaning take(OfferAnswer& session, Sender sender, Carrier carrier, std::string_view description);

// An INVITE begins: its responses may carry an offer unless it has one itself.
void begin_invite(OfferAnswer& session);
// The request that carried the open offer, or to whose response it belongs, failed: "the session
// parameters MUST remain unchanged" [RFC 3261 §14.1, RFC 3311 §5.3].
void roll_back(OfferAnswer& session);

// What a request with an offer from the peer deserves now: 0; 491 while our own offer is open; 500
// with Retry-After while we owe an answer [RFC 3311 §5.2, RFC 3261 §14.2].
std::uint16_t refusal_of_offer(const OfferAnswer& session);
// May we send an offer in `carrier` now? [RFC 3264 §4, RFC 3311 §5.1]
bool may_offer(const OfferAnswer& session, Carrier carrier);

// How long to wait after a 491 [RFC 3261 §14.1, RFC 3311 §5.3].
Duration glare_pause(bool owns_call_id, Identifiers& chance);

std::string_view to_string(OfferState state);
std::string_view to_string(Meaning meaning);

} // namespace cw::dialog
