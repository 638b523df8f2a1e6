#include "script/describe.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "script/print.hpp"

namespace cw::script {
namespace {

std::string_view role_of(const Party& party) {
    switch (party.control) {
    case Control::Played:
        return "played here";
    case Control::Embedded:
        return "a server of ours";
    case Control::External:
        return "under test";
    }
    return "";
}

// Who does what about an arrow, by whose its ends are.
std::string_view duty(const Plan& plan, const Arrow& arrow) {
    const bool from_us = plan.parties[arrow.from].control != Control::External;
    const bool to_us = plan.parties[arrow.to].control != Control::External;
    if (is_shown(arrow.link)) {
        return "shown, not run";
    }
    if (is_lost(arrow.link)) {
        const bool channel = std::holds_alternative<Channel>(arrow.content);
        return channel   ? "must be refused"
               : from_us ? "sent, and lost on the way"
                         : "must not come";
    }
    if (std::holds_alternative<Channel>(arrow.content)) {
        return from_us || to_us ? "must succeed" : "cannot be seen, taken as done";
    }
    if (std::holds_alternative<Media>(arrow.content)) {
        return from_us || to_us ? "must flow" : "cannot be seen, taken as done";
    }
    return from_us && to_us ? "sent and awaited"
           : from_us        ? "sent"
           : to_us          ? "awaited"
                            : "cannot be seen, taken as done";
}

std::string_view meaning_of(BlockKind kind) {
    constexpr std::array<std::string_view, 11> meanings{
        "either",     "or",           "perhaps",
        "repeat",     "in any order", "and",
        "in time",    "or instead",   "or, if this comes, then this and the end",
        "in the box", "highlighted"};
    return meanings[std::to_underlying(kind)];
}

class Describer {
  public:
    explicit Describer(const Plan& plan) : plan_(plan), names_(party_names(plan)) {}

    std::string describe() {
        if (!plan_.title.empty()) {
            out_ += plan_.title + "\n";
        }
        put_facts("     of all: ", plan_.settings, Subject::Flow);
        for (at_ = 0; at_ < plan_.steps.size(); ++at_) {
            std::visit(*this, plan_.steps[at_].what);
        }
        return std::move(out_);
    }

    void operator()(const Declare& step) {
        const auto& party = plan_.parties[step.party];
        put("   - ", fmt::format("{}: {}{}", party.id, role_of(party),
                                 party.created ? ", from here on" : ""));
        put_facts("       ", party.facts, Subject::Party);
    }
    void operator()(const Destroy& step) {
        put("   - ", fmt::format("{}: its sockets close", names_[step.party]));
    }
    void operator()(const Arrow& arrow) {
        auto text = fmt::format("{} {} {}: {} — {}", names_[arrow.from],
                                goes_both_ways(arrow.link) ? "↔" : "→", names_[arrow.to],
                                words_of(plan_, arrow), duty(plan_, arrow));
        if (arrow.call > 0) {
            text += fmt::format(", call {}", arrow.call);
        }
        if (const auto* response = std::get_if<Response>(&arrow.content)) {
            text += fmt::format(", answers {}", number_of(response->answers));
        }
        if (const auto* request = std::get_if<Request>(&arrow.content);
            request != nullptr && request->subscription) {
            text += fmt::format(", about {}", number_of(*request->subscription));
        }
        if (arrow.forwards) {
            text += fmt::format(", passes on {}", number_of(*arrow.forwards));
        }
        put(fmt::format("{:>4} ", arrow.number), text);
        put_facts("       · ", arrow.facts, subject_of(arrow));
    }
    void operator()(const Act& act) {
        put("   * ", fmt::format("{} {}", names_[act.party], words_of(plan_, act.action)));
        put_facts("       · ", act.facts, Subject::Message);
    }
    void operator()(const Remark& /*remark*/) {}
    void operator()(const Block& block) {
        depth_ -= is_section(block.kind) ? 1 : 0;
        std::string text{meaning_of(block.kind)};
        text += block.label.empty() ? "" : fmt::format(" “{}”", block.label);
        for (const auto& fact : block.facts) {
            text += ", ";
            append(text, fact, Subject::Block, names_);
        }
        put("   > ", text);
        ++depth_;
    }
    void operator()(const End& /*end*/) { --depth_; }
    void operator()(const Decoration& /*decoration*/) {}

  private:
    std::uint32_t number_of(StepId step) const {
        return std::get<Arrow>(plan_.steps[step].what).number;
    }
    void put(std::string_view mark, std::string_view text) {
        out_ += mark;
        out_.append(2 * depth_, ' ');
        for (const char c : text) {
            out_ += c == '\n' ? ' ' : c;
        }
        out_ += '\n';
    }
    void put_facts(std::string_view mark, const Facts& facts, Subject subject) {
        for (const auto& fact : facts) {
            if (fact.beneath) {
                std::string text;
                append(text, fact, subject, names_);
                put(mark, text);
            }
        }
    }

    const Plan& plan_;
    std::vector<std::string> names_;
    std::string out_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
};

} // namespace

std::string describe(const Plan& plan) {
    return Describer(plan).describe();
}

} // namespace cw::script
