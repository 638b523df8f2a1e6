// A literal party at work: where it stands in its program, its variables, what it has heard and
// said. It fills texts and does what orders say; the stage around it is literal.cpp's.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "crypto/digest.hpp"
#include "play/cast.hpp"
#include "script/literal/program.hpp"
#include "transaction/wire.hpp"

namespace cw::play::literal {

using script::literal::Index;
using script::literal::Instruction;
using script::literal::Text;
using transaction::Wire;

using Value = std::variant<std::monostate, std::string, double, bool>;

// A sound that an order asked for.
struct SoundAsked {
    script::literal::Sound::How how = script::literal::Sound::How::Stream;
    std::string what;
};

// Where messages are to go from now on.
struct Destination {
    Endpoint at;
    sip::Transport transport = sip::Transport::Udp;
};

class Player {
  public:
    Player(const script::literal::Program& program, const script::Plan& plan, const Cast& cast,
           const Given& given, crypto::Digester& digester);

    // The message of an instruction, whole; or why it cannot be written.
    std::expected<std::string, std::string> write(const Instruction& instruction, Index index,
                                                  const Wire& wire, Instant now);
    // Remembers what a message that was taken brought.
    void take(const Instruction& instruction, std::string_view message);
    // Of a command of another party, or of the first message.
    void adopt_call_id(std::string_view message);
    // Does the message fit? Its start line, and for a response whose request it answers.
    [[nodiscard]] bool fits(const Instruction& instruction, std::string_view message) const;

    struct Outcome {
        std::optional<Index> jump;
        bool stop = false;
        std::string failed; // a sentence
        std::vector<SoundAsked> sounds;
        std::optional<Destination> send_to;
        bool close = false;
    };
    Outcome obey(const std::vector<script::literal::Order>& orders, std::string_view message,
                 Index index, const Wire& wire, Instant now);

    [[nodiscard]] bool is_set(const std::string& variable) const;
    // The milliseconds of a pause.
    Duration length_of(const script::literal::Pause& pause);
    // From a distribution with these two numbers, see script::literal::Sample.
    double sample(script::literal::Sample::From from, double first, double second);
    bool chance(std::uint32_t millionths);
    [[nodiscard]] script::PartyId party() const { return program_.party; }
    [[nodiscard]] const std::string& last_received() const { return last_; }
    std::string fill(const Text& text, Index index, const Wire& wire, Instant now);

  private:
    struct Writing { // the message at hand
        Index index = 0;
        const Wire* wire = nullptr;
        Instant now;
        std::string failed;
        std::string authentication; // the arguments of the keyword that waits for the body
        bool authenticates = false;
        std::optional<std::size_t> length_at; // in the text, where [len] stands
        std::int32_t length_plus = 0;
    };
    void append(std::string& out, const Text& text, Writing& writing);
    void append(std::string& out, const script::literal::Keyword& keyword, Writing& writing);
    void append_field(std::string& out, const script::literal::Keyword& keyword, Writing& writing);
    [[nodiscard]] std::optional<std::string> field_of(const script::literal::Keyword& keyword,
                                                      const Writing& writing);
    void append_crypto(std::string& out, std::string_view name);
    [[nodiscard]] std::string own_branch(std::int64_t index) const;
    std::string credentials(std::string_view message, Writing& writing);
    [[nodiscard]] std::string text_of(const Value& value) const;
    [[nodiscard]] double number_of(const script::literal::Operand& operand) const;
    [[nodiscard]] double number_of(const Value& value) const;
    [[nodiscard]] const Value& value(const std::string& name) const;
    void set(const std::string& name, Value value);
    void learn_route(std::string_view message);
    std::uint64_t random();
    double uniform();
    double normal(); // with a mean of 0 and a deviation of 1
    double gamma(double shape);
    double poisson(double mean);
    [[nodiscard]] std::string_view last_part(std::string_view header, std::string_view part) const;

    // One for each kind of order.
    struct Doing;

    const script::literal::Program& program_;
    const script::Plan& plan_;
    const Cast& cast_;
    const Given& given_;
    crypto::Digester& digester_;
    std::map<std::string, Value> variables_;
    std::string call_id_;
    bool call_id_heard_ = false; // it is the other end's, whole
    std::uint32_t cseq_ = 0;
    std::string last_; // that was received
    std::string peer_tag_;
    std::string routes_;
    std::string next_url_;
    std::string challenge_;
    std::uint16_t challenge_status_ = 0;
    std::uint32_t answered_ = 0;                 // challenges
    std::set<std::string, std::less<>> methods_; // that it has sent
    std::map<std::string, std::string> transactions_;
    std::map<std::string, std::string> crypto_;
    std::uint64_t chance_;
};

} // namespace cw::play::literal
