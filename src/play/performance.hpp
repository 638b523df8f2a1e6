// A flow being performed: its parties played, each arrow that they draw sent, each that comes
// compared with what was drawn. Messages, connections and the time come in; what is to be sent and
// opened goes out; at the end there is a Report. No sockets, no clock: the same performance runs
// over TLS and over a simulated network.
//
// One mutation, then drain outbox() and wants(), then the next. Not thread-safe. The Plan, the Cast
// and what was Given outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "dialog/identifiers.hpp"
#include "play/cast.hpp"
#include "play/papers.hpp"
#include "play/report.hpp"
#include "play/wants.hpp"
#include "script/plan.hpp"
#include "sip/message.hpp"
#include "transaction/outbox.hpp"

namespace cw::play {

struct State;
namespace literal {
class Literal;
}

class Performance {
  public:
    // The Cast says where everybody listens by now.
    Performance(const script::Plan& plan, const Cast& cast, const Given& given);
    ~Performance();
    Performance(const Performance&) = delete;
    Performance& operator=(const Performance&) = delete;

    void start(Instant now);

    // A connection that was asked for is there, or is refused. `wire` names it from now on.
    void on_connected(std::uint32_t token, const transaction::Wire& wire,
                      const HandshakeFacts& facts, Instant now);
    void on_refused(std::uint32_t token, std::string_view why, const HandshakeFacts& facts,
                    Instant now);
    // Somebody has connected to `party`, or tried to.
    void on_accepted(script::PartyId party, const transaction::Wire& wire,
                     const HandshakeFacts& facts, Instant now);
    void on_closed(const transaction::Wire& wire, std::string_view why, const HandshakeFacts& facts,
                   Instant now);
    // Somebody at `remote` wanted a connection to `party` over `transport`, and the handshake
    // failed.
    void on_not_accepted(script::PartyId party, sip::Transport transport, const Endpoint& remote,
                         std::string_view why, const HandshakeFacts& facts, Instant now);
    // Somebody who is none of ours has a connection to the embedded `server`; or wanted one, and
    // `why` says what came of it.
    void on_embedded_reached(script::PartyId server, sip::Transport transport, bool open,
                             std::string_view why, Instant now);
    // The network says that a datagram from `party` did not reach `remote`: how it began.
    void on_undelivered(script::PartyId party, const Endpoint& remote, std::string_view begin,
                        Instant now);
    // A whole message for `party`.
    void on_message(script::PartyId party, const transaction::Wire& wire, std::string_view text,
                    Instant now);
    void on_message(script::PartyId party, const transaction::Wire& wire,
                    const sip::MessageView& message, Instant now);
    // Such a request may still come to `party`, by what is drawn.
    [[nodiscard]] bool awaits(script::PartyId party, sip::Method method) const;
    // A packet at media socket number `socket`.
    void on_media(std::uint32_t socket, const Endpoint& from, Bytes packet, Instant now);
    // A handshake that was asked for has ended.
    void on_dtls(std::uint32_t socket, const DtlsKeys& keys, Instant now);
    void advance(Instant now);
    // From now on, what it sends leaves so long after the instants that it is told: a load hears of
    // a message as of when it came, and acts some time later. For the report; literal parties are
    // not told so.
    void set_delay(Duration delay);
    // It ends here, as failed.
    void interrupt(Instant now);
    // When advance() is to be called at the latest; not known(): when something comes.
    [[nodiscard]] Instant next_deadline() const;

    // What is to be done. To be cleared by whoever has done it.
    [[nodiscard]] transaction::Outbox& outbox();
    [[nodiscard]] Wants& wants();

    // All is done, or nothing more can come of it.
    [[nodiscard]] bool over() const;
    // What is waited for, for people: "proxy → alice: 180 Ringing"; empty when nothing is.
    [[nodiscard]] std::string awaited() const;
    // Complete when over().
    [[nodiscard]] const Report& report() const;
    // What bodies were signed and encrypted with so far: the CA, then each person. Empty when none
    // was.
    [[nodiscard]] std::vector<Papers> papers() const;

    // From now on, each name that it makes is noted there as well; null: no more. False when that
    // cannot be: it has made some already, or is of another kind.
    bool note_names(std::vector<dialog::Drawn>* notes);

  private:
    // One of the two: a flow of literal parties has nothing else in it.
    std::unique_ptr<State> state_;
    std::unique_ptr<literal::Literal> literal_;
};

} // namespace cw::play
