// A flow of literal parties being performed: each walks its program, sends what is written there
// and takes what it awaits, as SIPp does. Nothing is done by itself but retransmission over UDP.
// The inside of a Performance; its rules about time and threads hold here too.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "play/literal/player.hpp"
#include "play/literal/sounds.hpp"
#include "play/report.hpp"
#include "play/wants.hpp"
#include "transaction/outbox.hpp"

namespace cw::play::literal {

class Literal {
  public:
    Literal(const script::Plan& plan, const Cast& cast, const Given& given);

    void start(Instant now);
    void on_connected(std::uint32_t token, const Wire& wire, Instant now);
    void on_refused(std::uint32_t token, std::string_view why, Instant now);
    void on_accepted(script::PartyId party, const Wire& wire, Instant now);
    void on_closed(const Wire& wire, Instant now);
    void on_message(script::PartyId party, const Wire& wire, std::string_view text, Instant now);
    void on_media(std::uint32_t socket, const Endpoint& from, Bytes packet, Instant now);
    void advance(Instant now);
    void interrupt(Instant now);
    [[nodiscard]] Instant next_deadline() const;
    [[nodiscard]] std::string awaited() const;
    [[nodiscard]] bool over() const { return over_; }

    transaction::Outbox outbox;
    Wants wants;
    Report report;

  private:
    struct Repeat { // of what was sent over UDP, until something comes
        std::string bytes;
        Wire wire;
        Duration gap;
        Instant due; // known(): it is repeated
        std::uint32_t left = 0;
    };
    struct Answered { // a message that came, and what was sent upon it
        std::uint64_t hash = 0;
        std::string answer;
    };
    struct Arrived {
        std::string text;
        Wire wire;
    };
    struct Walker {
        Walker(const script::literal::Program& p, Player player_, Sounds sounds_)
            : program(&p), player(std::move(player_)), sounds(std::move(sounds_)) {}
        const script::literal::Program* program;
        Player player;
        Sounds sounds;
        Index at = 0;
        bool done = false;
        Instant since;                // it has stood here
        std::optional<Instant> until; // of a pause
        std::optional<Wire> wire;
        std::optional<Destination> send_to; // an order has said so
        std::optional<std::uint32_t> token; // of a connection that is being opened
        bool refused = false;
        std::string why_refused;
        std::deque<Arrived> inbox;
        std::deque<std::string> told; // commands of another party
        std::deque<Answered> answered;
        std::map<Index, std::uint32_t> rounds;
        Repeat repeat;
        std::string last_sent;               // since a message came
        std::optional<script::StepId> asked; // the latest request that it sent
        std::uint32_t moves = 0;             // without anything that came or any time
    };

    void pump();
    bool step(Walker& walker);
    bool step_send(Walker& walker, const Instruction& one);
    bool step_receive(Walker& walker, const Instruction& one);
    bool step_hear(Walker& walker, const Instruction& one);
    bool step_pause(Walker& walker, const Instruction& one);
    bool take(Walker& walker, Index index, const Arrived& arrived, bool moves);
    [[nodiscard]] Wire presumed_wire(const Walker& walker) const;
    void note_answer(const Instruction& one, std::string_view message);
    void unexpected(Walker& walker, const Arrived& arrived);
    bool passed_by(Walker& walker, const Arrived& arrived);
    bool repeated(Walker& walker, const Wire& wire, std::string_view text);
    void go_on(Walker& walker, const Instruction& one, std::optional<Index> jump = std::nullopt);
    void obey(Walker& walker, const Instruction& one, std::string_view message,
              std::optional<Index>& jump);
    [[nodiscard]] std::optional<Wire> way(Walker& walker, script::PartyId to);
    void send(Walker& walker, const Wire& wire, std::string_view bytes);
    void check_patience(Walker& walker);
    [[nodiscard]] Instant patience_of(const Walker& walker) const;
    // The steps that may come now, the last of them the one that must.
    [[nodiscard]] std::vector<Index> awaited_by(const Walker& walker) const;
    ArrowReport& report_of(script::StepId step);
    void passed(script::StepId step);
    void failed(script::StepId step, Verdict verdict, std::string why, Difference difference = {});
    void end(bool well, std::string why = {});
    void extra(const Walker& walker, const Wire& wire, std::string_view text, bool implied,
               std::string why);
    [[nodiscard]] std::string what_is(const Instruction& one) const;
    Walker* walker_of(script::PartyId party);

    const script::Plan& plan_;
    const Cast& cast_;
    const Given& given_;
    crypto::Digester digester_;
    Duration timeout_ = seconds(32);
    Instant now_;
    std::vector<Walker> walkers_;
    std::map<script::StepId, std::size_t> report_at_;
    std::uint32_t next_token_ = 1;
    bool failed_ = false;
    bool over_ = false;
};

} // namespace cw::play::literal
