// Provisional responses that must arrive, and their PRACK [RFC 3262]. One sender an INVITE server
// transaction, one receiver a dialog and INVITE. Plain structs; time is an argument.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "dialog/retransmission.hpp"
#include "sip/message.hpp"
#include "sip/rack.hpp"

namespace cw::dialog {

// What a user agent does with the extension.
enum class Reliability : std::uint8_t { Unsupported, Supported, Required };

// What an INVITE deserves for its 100rel: 0; 420 because it requires what is not supported; 421
// because it does not offer what is required [RFC 3262 §3, RFC 3261 §21.4.16].
std::uint16_t refusal_of_reliability(const sip::MessageView& invite, Reliability own);
// Is a 1xx to this INVITE to be sent reliably? When it must be, or when both sides can and the
// sender `wants` it. Never a 100.
bool sends_reliably(const sip::MessageView& invite, std::uint16_t status, Reliability own,
                    bool wants);

struct ReliableSender {
    std::uint32_t invite_cseq = 0;
    std::uint32_t rseq = 0; // of the last response that was given to send(); 0: none yet
    std::uint32_t open = 0; // that of the one underway
    bool open_has_description = false;
    Retransmission retransmission{};
    struct Waiting {
        std::uint32_t rseq;
        std::string bytes;
        bool has_description;
    };
    // One at a time: "it is RECOMMENDED that the UAS not send an additional reliable provisional
    // response until the previous is acknowledged" [RFC 3262 §3].
    std::deque<Waiting> waiting{};

    [[nodiscard]] bool idle() const { return !retransmission.active() && waiting.empty(); }
    // The 2xx must wait while a description is not acknowledged [RFC 3262 §3].
    [[nodiscard]] bool holds_back_2xx() const;
    // The number for the next response.
    std::uint32_t next_rseq(std::uint32_t first) { return rseq = rseq == 0 ? first : rseq + 1; }
    // True: send it now. False: it waits for its turn.
    bool send(std::string bytes, std::uint32_t number, bool has_description, Instant now);
    // A PRACK: does it acknowledge the one underway? Then take_next() may have another.
    bool acknowledge(const sip::RAck& rack);
    // The next to send, underway from now on; empty when none waits.
    std::string take_next(Instant now);
    // A final response was sent: nothing is retransmitted any more [RFC 3262 §3].
    void finish();
};

struct ReliableReceiver {
    enum class Receipt : std::uint8_t {
        Unreliable,     // an ordinary provisional response
        New,            // to be acknowledged by PRACK
        Retransmission, // to be discarded
        OutOfOrder,     // "MUST NOT be acknowledged […] and MUST NOT be processed further" [§4]
    };
    std::optional<std::uint32_t> last; // RSeq
    std::uint32_t cseq = 0;            // of the INVITE that it answers

    Receipt on_response(const sip::MessageView& response);
    // The value of RAck for the last one [RFC 3262 §7.2].
    [[nodiscard]] std::string rack() const;
};

} // namespace cw::dialog
