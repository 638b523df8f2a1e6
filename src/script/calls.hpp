// The calls of a flow while its steps are walked: who takes part in which, and how far it is.
// An INVITE outside of a dialog opens the next one; in-dialog requests belong to the latest that
// both their ends take part in.
#pragma once

#include <cstdint>
#include <vector>

#include "script/plan.hpp"

namespace cw::script {

class Calls {
  public:
    [[nodiscard]] CallId count() const { return static_cast<CallId>(calls_.size()); }
    CallId open(PartyId originator);
    void join(CallId call, PartyId party);

    // The latest call of both: one that goes on before one that has ended; 0: none.
    [[nodiscard]] CallId latest(PartyId a, PartyId b) const;
    // The latest answered call of both that goes on, to which `target` (if any) belongs; 0: none.
    [[nodiscard]] CallId dialog(PartyId a, PartyId b, const PartyId* target) const;
    // The call whose INVITE `originator` is to send once more; 0: none.
    [[nodiscard]] CallId to_retry(PartyId originator) const;

    void answered(CallId call);
    void lost(CallId call); // its INVITE did not arrive
    // A final response to its INVITE that is no 2xx has come to `party`.
    void refused(CallId call, PartyId party, std::uint16_t status);
    void ended(CallId call);

    // For branches: what is known of the calls before each of them is the same. Calls that a
    // branch has opened stay, so that their numbers are those of the file.
    [[nodiscard]] Calls snapshot() const { return *this; }
    void restore(const Calls& before);
    // What follows the block is for the way on which a call was answered, if there was one.
    void prefer_answered(const Calls& other_way);

  private:
    enum class State : std::uint8_t { Inviting, Retrying, Answered, Ended };
    struct Call {
        std::uint64_t members = 0;
        PartyId originator = 0;
        State state = State::Inviting;
    };
    [[nodiscard]] static std::uint64_t bit(PartyId party) { return std::uint64_t{1} << party; }
    Call* find(CallId call) { return call == 0 ? nullptr : &calls_[call - 1]; }

    std::vector<Call> calls_;
};

} // namespace cw::script
