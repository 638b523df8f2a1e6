// Calls that go as earlier ones went, done by rote. The first calls of a load are performed in full
// and watched: what happened to them, and what they then sent. That becomes a tree of happenings;
// each edge has the shape of what came and, as text with gaps, what it was answered with. A later
// call walks along the tree: what comes is held against the shape, names are drawn as a Performance
// with the same seed draws them, and the gaps are filled. Byte for byte it says what the
// Performance would have said.
//
// Where nothing in the tree fits, the call is lost to it: a Performance is made, all that happened
// is told to it again from the Past, and it goes on. So verdicts, ladders and failures are always
// its own. An edge is trusted once other calls have confirmed it, and calls are watched now and
// then later too; an edge that was wrong is never used again.
//
// Pure; not thread-safe. One for all calls whose Casts differ in nothing but values of their rows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "crypto/digest.hpp"
#include "dialog/identifiers.hpp"
#include "play/load/rote_text.hpp"
#include "play/performance.hpp"
#include "play/report.hpp"
#include "play/wants.hpp"
#include "script/plan.hpp"
#include "transaction/outbox.hpp"

namespace cw::play {

// What happens to a call. Views live as long as the function that they are given to.
struct Happening {
    enum class Kind : std::uint8_t { Begun, Accepted, Connected, Message, Time };
    Kind kind = Kind::Begun;
    script::PartyId party = 0; // Accepted, Message
    std::uint32_t token = 0;   // Connected: the Performance's own
    const transaction::Wire* wire = nullptr;
    const HandshakeFacts* facts = nullptr;
    const sip::MessageView* message = nullptr;
    std::string_view text{}; // …as it came
    Instant at{};            // when it happened
    Instant acted{};         // when what it leads to is done, perhaps later
};

class Rote {
  public:
    struct Node;
    struct Edge;

    // Where a call stands, and what it remembers. To be kept and used again: its memory is.
    struct Walk {
        Node* node = nullptr; // null: the call is not on the tree
        const Cast* cast = nullptr;
        std::size_t own = 0; // so many gaps are values of its row
        bool telling = true;
        dialog::Identifiers names{0};
        Gaps gaps;
        std::vector<transaction::Wire> wires;
        std::vector<Instant> times; // of what happened
        std::vector<Instant> acted; // …and of what was then done
        struct Past {
            const Edge* edge = nullptr;
            std::uint32_t wire = 0;              // its place in `wires`
            std::uint32_t begin = 0, length = 0; // of the message, in `received`
        };
        std::vector<Past> past;
        std::string received;
        std::vector<dialog::Drawn> drawn; // by a Performance that is watched, since the last time
    };

    // Can a flow be done so at all? Not where what comes is compared with words of the flow, where
    // media is heard, or where every call has an address of its own.
    static bool suits(const script::Plan& plan);

    // The plan outlives it.
    explicit Rote(const script::Plan& plan);
    ~Rote();
    Rote(const Rote&) = delete;
    Rote& operator=(const Rote&) = delete;

    // What a call has of its own. The cast and the row outlive the walk.
    struct Own {
        std::uint64_t seed = 0; // of its names
        std::string_view mark;
        const Cast& cast;
        // Values that differ from row to row, always as many; a tree grows by those that are
        // `telling`: by others that are found by chance, as "7" is, it would learn what is wrong.
        std::span<const std::string_view> row{};
        bool telling = true;
    };
    // Such a call begins: it stands at the root.
    void begin(Walk& walk, const Own& own);

    // When it is said to have happened, and to have been acted upon: no two things are at the same
    // instant, and none is done before it has happened.
    static void set_instants(const Walk& walk, Happening& what);

    // What the flow does now, or null when that is not known for sure; then nothing has changed.
    // Appends what is to be sent to `out`. The Edge lives as long as the Rote.
    const Edge* follow(Walk& walk, const Happening& what, transaction::Outbox& out);

    // The same happened to a call that is performed: learn from it, or confirm what is known. To be
    // called when `performance` has been told, at the same instants, and before its outbox is
    // emptied.
    void watch(Walk& walk, const Happening& what, Performance& performance);

    // Tells all that has happened to a fresh Performance. `said` hears of each message.
    using Said =
        std::function<void(Instant, bool sent, const transaction::Wire&, std::string_view)>;
    static void tell_again(const Walk& walk, Performance& performance, const Said& said);

    // When time happens next; not known(): it does not.
    [[nodiscard]] static Instant deadline(const Walk& walk);
    // As in Performance.
    [[nodiscard]] static bool awaits(const Walk& walk, script::PartyId party, sip::Method method);
    // The connections that it asks for, and how many messages it sends.
    [[nodiscard]] static const std::vector<Connect>& connects(const Edge& edge);
    [[nodiscard]] static std::size_t sends(const Edge& edge);
    // The call is over, and has passed: what is counted of it, with the times of this walk. Null:
    // it goes on. Valid until the next call.
    [[nodiscard]] static const Report* report(const Walk& walk);

    [[nodiscard]] std::size_t edges() const { return edges_; }

  private:
    const script::Plan& plan_;
    std::unique_ptr<Node> root_;
    std::size_t edges_ = 0;
    std::string text_; // scratch
    crypto::Digester digester_;
};

} // namespace cw::play
