// The timers of RFC 3261 §17 and their values [RFC 3261 table 4, RFC 6026 §7].
#pragma once

#include "base/time.hpp"
#include "transaction/machine.hpp"

namespace cw::transaction::timer {

inline constexpr Duration t1 = milliseconds(500); // a round trip, estimated
inline constexpr Duration t2 = seconds(4);        // the longest pause between retransmissions
inline constexpr Duration t4 = seconds(5);        // how long a message stays in the network
inline constexpr Duration t1x64 = seconds(32);    // B, F, H, J, L, M
inline constexpr Duration d = seconds(32);        // "at least 32 seconds" [§17.1.1.2]

// How long a transaction stays in a state before it is over: B, D, F, H, I, J, K, L, M. Zero: no
// limit of its own.
constexpr Duration limit(Kind kind, State state, bool reliable) {
    const auto unless_reliable = [&](Duration value) { return reliable ? Duration{1} : value; };
    switch (state) {
    case State::Calling:
        return t1x64; // B
    case State::Trying:
        return kind == Kind::ClientNonInvite ? t1x64 : Duration{}; // F
    case State::Proceeding:
        return kind == Kind::ClientNonInvite ? t1x64 : Duration{}; // F goes on
    case State::Completed:
        switch (kind) {
        case Kind::ClientInvite:
            return unless_reliable(d); // D
        case Kind::ClientNonInvite:
            return unless_reliable(t4); // K
        case Kind::ServerInvite:
            return t1x64; // H
        case Kind::ServerNonInvite:
            return unless_reliable(t1x64); // J
        }
        return {};
    case State::Accepted:
        return t1x64; // L, M
    case State::Confirmed:
        return unless_reliable(t4); // I
    case State::Terminated:
        return {};
    }
    return {};
}

// Is something sent again and again in this state, over an unreliable transport? A, E, G.
constexpr bool retransmits(Kind kind, State state) {
    switch (kind) {
    case Kind::ClientInvite:
        return state == State::Calling; // A
    case Kind::ClientNonInvite:
        return state == State::Trying || state == State::Proceeding; // E
    case Kind::ServerInvite:
        return state == State::Completed; // G
    case Kind::ServerNonInvite:
        return false;
    }
    return false;
}

// The pause that follows a pause of `last`. A doubles without end [§17.1.1.2]; E and G stop at T2
// [§17.1.2.2, §17.2.1], and E is T2 from the first provisional response on.
constexpr Duration next_pause(Kind kind, State state, Duration last) {
    if (kind == Kind::ClientNonInvite && state == State::Proceeding) {
        return t2;
    }
    const auto doubled = last + last;
    return kind != Kind::ClientInvite && doubled > t2 ? t2 : doubled;
}

} // namespace cw::transaction::timer
