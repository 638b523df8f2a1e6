// The lines of a flow, one after the other. Internal to parse(): what the flow means as a whole
// (which response answers which request, which call is which) is resolved afterwards, meaning.hpp.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "script/complaint.hpp"
#include "script/facts.hpp"
#include "script/line.hpp"
#include "script/names.hpp"
#include "script/plan.hpp"

namespace cw::script {

class FlowReader {
  public:
    // `names`: parties that have a number already.
    FlowReader(std::string_view text, Plan& plan, Complaints& complaints, Names names = {})
        : text_(text), plan_(plan), complaints_(complaints), names_(std::move(names)) {}
    void read();

  private:
    // What the %% lines that follow are about.
    enum class Beneath : std::uint8_t { Nothing, Deed, Flow, Party, Arrow, Block };
    struct OpenBlock {
        StepId begin;   // the Block that "end" closes
        StepId section; // its newest section
        BlockKind kind;
        Place place;
    };

    // reader.cpp
    [[nodiscard]] bool next_line(std::string_view& line);
    void read_front(std::string_view first);
    void read_front_line(const Line& line);
    void read_line(std::string_view source);
    void read_beneath(const Line& line);
    void complain_of_lost_demand(const Line& line);
    void read_statement(Line& line);
    void read_keyword(Line& line, std::string_view word);
    void read_decoration(const Line& line, std::string_view word);
    void read_description(const Line& line);
    bool read_first(const Line& line);
    void finish();
    Scope scope(const Line& line) { return {line, names_, complaints_}; }
    template <class What>
    StepId add(const Line& line, What what) {
        plan_.steps.push_back({line.place(line.text()), std::move(what)});
        return static_cast<StepId>(plan_.steps.size() - 1);
    }
    void complain_unknown(const Line& line);

    // reader_party.cpp
    void read_party(const Line& line, std::string_view rest, bool actor, bool created);
    void read_label(const Line& line, std::string_view text, Party& party);
    void read_created(const Line& line, std::string_view rest);
    void read_destroy(const Line& line, std::string_view rest);
    void read_activation(const Line& line, std::string_view rest, bool on);
    std::optional<PartyId> read_name(const Line& line, std::string_view id);
    void activate(const Line& line, std::string_view at, PartyId party, bool on);
    void settle_control(Party& party);

    // reader_arrow.cpp
    bool read_arrow(Line& line);
    void read_content(const Line& line, std::string_view text, Arrow& arrow);
    void read_request(const Line& line, std::string_view head, Arrow& arrow);
    bool read_target(const Line& line, std::string_view word, Request& request);
    void read_response(const Line& line, std::string_view head, Arrow& arrow);
    void read_channel(const Line& line, std::string_view head, Arrow& arrow);
    void read_media(const Line& line, std::string_view head, Arrow& arrow);
    void check_creation(const Line& line, const Arrow& arrow);

    // reader_block.cpp
    void read_block(const Line& line, BlockKind kind, std::string_view rest);
    void read_section(const Line& line, BlockKind kind, std::string_view rest);
    void read_block_label(const Line& line, std::string_view rest, Block& block);
    void read_box(const Line& line, std::string_view rest);
    void read_rect(const Line& line, std::string_view rest);
    void open(const Line& line, Block block);
    void read_end(const Line& line, std::string_view rest);

    // reader_note.cpp
    void read_note(Line& line, std::string_view rest);
    void read_action(const Line& line, PartyId party, Side side, std::string_view text);

    std::string_view text_;
    Plan& plan_;
    Complaints& complaints_;
    Names names_;
    std::size_t at_ = 0;
    std::uint32_t number_ = 0; // of the line
    bool after_blank_ = false;
    bool begun_ = false; // "sequenceDiagram" was there
    Beneath beneath_ = Beneath::Nothing;
    PartyId beneath_party_ = 0;
    std::vector<OpenBlock> blocks_;
    std::vector<bool> declared_;        // by PartyId
    std::vector<std::uint32_t> active_; // by PartyId: how often it is activated
    std::optional<PartyId> created_;    // its arrow has to follow at once
    std::optional<PartyId> destroyed_;
    Place created_at_;
    std::uint32_t next_number_ = 1;
    std::uint32_t number_step_ = 1;
    std::size_t visible_ = 0; // characters that Mermaid counts
};

// Those that `text` declares, after those that are known already: at most `most_parties`.
Names names_in(std::string_view text, Names known);
// An id at the beginning of `text`: letters, digits, "_", ".", and "-" unless an "x" follows, which
// would be an arrow. Empty if there is none.
std::string_view take_id(std::string_view text);
// Can it be a party's name in every version of Mermaid?
bool is_reserved(std::string_view word);

} // namespace cw::script
