#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/literal/draft.hpp"
#include "script/literal/program.hpp"

namespace cw::script::literal {
namespace {

constexpr std::string_view command = "COMMAND";

std::string method_name(const Request& request) {
    return request.other.empty() ? std::string{to_string(request.method)} : request.other;
}

bool is_command(const Arrow& arrow) {
    const auto* request = std::get_if<Request>(&arrow.content);
    return request != nullptr && request->other == command;
}

std::string first_word(std::string_view& text) {
    text = trim(text);
    std::string word{text.substr(0, text.find_first_of(" \t"))};
    text = trim(text.substr(word.size()));
    return word;
}

class Compiler {
  public:
    Compiler(const Plan& plan, PartyId party, Complaints& complaints)
        : plan_(plan), party_(party), complaints_(complaints) {}

    Program run() {
        out_.party = party_;
        for (at_ = 0; at_ < plan_.steps.size() && !complaints_.is_full(); ++at_) {
            const auto& what = plan_.steps[at_].what;
            if (const auto* arrow = std::get_if<Arrow>(&what)) {
                compile_arrow(*arrow);
            } else if (const auto* act = std::get_if<Act>(&what)) {
                compile_act(*act);
            } else if (const auto* block = std::get_if<Block>(&what)) {
                begin(*block);
            } else if (std::holds_alternative<End>(what)) {
                end();
            }
        }
        for (const auto& [label, place, into] : wanted_) {
            const auto found = labels_.find(label);
            if (found == labels_.end()) {
                complaints_.error(
                    place, fmt::format("nowhere does it say “stands at {}”", label),
                    fmt::format("Note over {}: stands at {}", plan_.parties[party_].id, label));
                continue;
            }
            auto& step = out_.steps[into.first];
            (into.second ? step.otherwise : step.then.to) = found->second;
        }
        for (const auto& one : out_.steps) {
            if (one.kind == Instruction::Kind::Send || one.kind == Instruction::Kind::Tell) {
                out_.begins = true;
                break;
            }
            if (one.kind == Instruction::Kind::Receive || one.kind == Instruction::Kind::Hear) {
                break;
            }
        }
        return std::move(out_);
    }

  private:
    struct Open { // a block
        BlockKind kind = BlockKind::Box;
        Index begin = 0;                // its first instruction
        std::optional<Index> undecided; // the one that decides on the section at hand
        std::vector<Index> to_end;      // they go on at its end
        std::uint32_t rounds = 0;
        bool fail = false;
        bool plain = false; // nothing but a frame
    };

    [[nodiscard]] Index here() const { return static_cast<Index>(out_.steps.size()); }
    [[nodiscard]] Place place() const { return plan_.steps[at_].place; }

    Instruction& add(Instruction::Kind kind) {
        if (fresh_section_) {
            open_.back().undecided = here();
            fresh_section_ = false;
        }
        auto& one = out_.steps.emplace_back();
        one.kind = kind;
        one.step = at_;
        one.miss = here();
        return one;
    }

    // An opt, alt or break begins with this: is it awaited, or left to chance?
    void decide_if_sent() {
        if (!fresh_section_) {
            return;
        }
        add(Instruction::Kind::Maybe).chance = chance_;
    }

    void compile_arrow(const Arrow& arrow) {
        if ((arrow.from != party_ && arrow.to != party_) || is_shown(arrow.link) ||
            std::holds_alternative<Narration>(arrow.content)) {
            return;
        }
        if (!std::holds_alternative<Request>(arrow.content) &&
            !std::holds_alternative<Response>(arrow.content)) {
            complaints_.error(arrow.said, "a literal party has messages only",
                              "a request or a response");
            return;
        }
        const bool sends = arrow.from == party_;
        if (is_command(arrow) && !is_literal(plan_.parties[sends ? arrow.to : arrow.from])) {
            complaints_.error(arrow.said, "a COMMAND goes from one literal party to another");
        } else if (sends) {
            decide_if_sent();
            compile_sent(arrow);
        } else {
            compile_received(arrow);
        }
    }

    void compile_sent(const Arrow& arrow) {
        const auto* request = std::get_if<Request>(&arrow.content);
        const auto* response = std::get_if<Response>(&arrow.content);
        auto& one = add(is_command(arrow) ? Instruction::Kind::Tell : Instruction::Kind::Send);
        one.peer = arrow.to;
        one.lost = is_lost(arrow.link) ? 1'000'000 : 0;
        Draft draft;
        if (is_command(arrow)) {
            for (const auto& fact : arrow.facts) {
                const auto* said = std::get_if<Said>(&fact.value);
                if (said != nullptr && said->about == Said::About::Line) {
                    draft.headers.push_back(said->text);
                }
            }
        } else {
            const auto method = request != nullptr ? method_name(*request) : std::string{};
            draft = apply(habits_,
                          request != nullptr ? habits_.request(method)
                                             : habits_.response(response->status, response->phrase),
                          arrow.facts);
            habits_.sent(draft);
            one.message.head.push_back(parse_text(draft.start));
            one.message.method =
                draft.start.starts_with("SIP/") ? "" : draft.start.substr(0, draft.start.find(' '));
        }
        one.message.request = request != nullptr;
        for (const auto& line : draft.headers) {
            one.message.head.push_back(parse_text(line));
        }
        for (const auto& line : draft.body) {
            one.message.body.push_back(parse_text(line));
        }
        one.message.again =
            request != nullptr ? one.message.method != "ACK" : response->status >= 200 && invited_;
        finish(arrow.facts, one);
    }

    void compile_received(const Arrow& arrow) {
        const auto* request = std::get_if<Request>(&arrow.content);
        auto& one = add(is_command(arrow) ? Instruction::Kind::Hear : Instruction::Kind::Receive);
        one.peer = arrow.from;
        one.fails = is_lost(arrow.link);
        if (request != nullptr) {
            one.method = method_name(*request);
            invited_ = request->method == sip::Method::Invite;
        } else {
            one.status = std::get<Response>(arrow.content).status;
        }
        one.optional = one.fails;
        one.any_time = says(arrow.facts, Word::AnyTime);
        one.keeps_route = says(arrow.facts, Word::KeepsRoute);
        if (const auto* within = find<Within>(arrow.facts)) {
            one.within = within->time;
        }
        finish(arrow.facts, one);
    }

    void compile_act(const Act& act) {
        if (act.party != party_) {
            return;
        }
        decide_if_sent();
        if (const auto* waits = std::get_if<Waits>(&act.action)) {
            auto& one = add(Instruction::Kind::Pause);
            one.pause.time = waits->time;
            finish(act.facts, one);
        } else if (const auto* rings = std::get_if<Rings>(&act.action)) {
            auto& one = add(Instruction::Kind::Pause);
            one.pause.time = rings->time;
            finish(act.facts, one);
        } else if (const auto* minds = std::get_if<Minds>(&act.action)) {
            compile_minds(act, *minds);
        } else {
            complaints_.error(place(), "a literal party cannot do this",
                              "waits, rings, stands at, goes on, computes, pauses");
        }
    }

    void compile_minds(const Act& act, const Minds& minds) {
        if (minds.what == Minds::What::StandsAt) {
            if (!labels_.emplace(minds.text, here()).second) {
                complaints_.error(place(), fmt::format("“{}” is said twice", minds.text),
                                  "a name of its own for each place");
            }
            return;
        }
        auto& one = add(minds.what == Minds::What::Pauses ? Instruction::Kind::Pause
                                                          : Instruction::Kind::Compute);
        if (minds.what == Minds::What::Pauses) {
            read_pause(minds.text, one.pause);
        }
        finish(act.facts, one);
    }

    void read_pause(std::string_view text, Pause& pause) {
        const auto word = first_word(text);
        if (word.starts_with('$') && text.empty()) {
            pause.kind = Pause::Kind::Variable;
            pause.variable = word.substr(1);
            return;
        }
        if (word == "default" && text.empty()) {
            pause.kind = Pause::Kind::Default;
            return;
        }
        const auto from = distribution_of(word);
        const auto first = milliseconds_of(first_word(text));
        const auto second = milliseconds_of(first_word(text));
        const bool one = from == Sample::From::Exponential;
        if (!from || !first || (!second && !one) || !text.empty()) {
            complaints_.error(place(), "this is no pause",
                              "pauses $NAME, default, uniform 1s 2s, normal 2s 500ms, exponential "
                              "2s, lognormal 7 1, weibull 2s 3, pareto 3 2s, gamma 2 1s, negbin "
                              "0.5 4");
            return;
        }
        pause.kind = Pause::Kind::Drawn;
        pause.from = *from;
        pause.first = *first;
        pause.second = second.value_or(0);
    }

    // Of "2s", or a plain number.
    static std::optional<double> milliseconds_of(std::string_view word) {
        if (const auto time = parse_duration(word)) {
            return time->milliseconds();
        }
        double out = 0;
        const auto* end = word.data() + word.size();
        const auto read = std::from_chars(word.data(), end, out);
        return read.ec == std::errc{} && read.ptr == end && out >= 0 ? std::optional{out}
                                                                     : std::nullopt;
    }

    // "5 if known 30%", "5 if not known".
    void read_then(const Fact& fact, std::string_view text, Index index) {
        const auto label = first_word(text);
        auto& then = out_.steps[index].then;
        while (!text.empty()) {
            auto word = first_word(text);
            if (word == "if") {
                word = first_word(text);
                then.negated = word == "not";
                then.test = then.negated ? first_word(text) : word;
                if (then.test.empty()) {
                    complaints_.error(fact.place, "“if” what?", "the name of a variable");
                }
            } else if (const auto share = parse_percent(word)) {
                then.chance = share->millionths;
            } else {
                complaints_.error(fact.place, fmt::format("“{}” does not belong here", word),
                                  "then: PLACE [if [not] NAME] [30%]");
                return;
            }
        }
        wanted_.push_back({label, fact.place, {index, false}});
    }

    void finish(const Facts& facts, Instruction& one) {
        const auto index = static_cast<Index>(&one - out_.steps.data());
        for (const auto& fact : facts) {
            const auto* said = std::get_if<Said>(&fact.value);
            if (said == nullptr) {
                check_fact(fact);
                continue;
            }
            std::string_view text = said->text;
            if (said->about == Said::About::Then) {
                read_then(fact, text, index);
            } else if (said->about == Said::About::Otherwise) {
                wanted_.push_back({first_word(text), fact.place, {index, true}});
            } else if (said->about == Said::About::When) {
                const auto word = first_word(text);
                one.when_not = word == "not";
                one.when = one.when_not ? first_word(text) : word;
            } else if (said->about == Said::About::Transaction) {
                one.transaction = text;
            } else if (said->about == Said::About::Matches) {
                auto regex = Regex::make(text, false);
                if (!regex) {
                    complaints_.error(fact.place, "this is no expression", regex.error());
                } else {
                    one.methods = std::move(*regex);
                }
            } else if (said->about == Said::About::Lost) {
                const auto share = parse_percent(text);
                if (!share) {
                    complaints_.error(fact.place, "this is no share", "10%");
                }
                one.lost = share ? share->millionths : 0;
            } else if (said->about == Said::About::Does) {
                auto order = parse_order(text);
                if (order) {
                    one.orders.push_back(std::move(*order));
                } else {
                    complaints_.error(fact.place, fmt::format("“{}” cannot be done", said->text),
                                      order.error());
                }
            }
        }
    }

    void check_fact(const Fact& fact) {
        const auto* header = std::get_if<Header>(&fact.value);
        const auto* word = std::get_if<Word>(&fact.value);
        const bool known =
            std::holds_alternative<Description>(fact.value) ||
            std::holds_alternative<Within>(fact.value) ||
            std::holds_alternative<Answers>(fact.value) || (header != nullptr && header->absent) ||
            (word != nullptr && (*word == Word::AnyTime || *word == Word::KeepsRoute));
        if (!known) {
            complaints_.error(fact.place, "this cannot be said about a literal party",
                              "lines of its message as in “| Subject: Hello”, no NAME, SDP offer, "
                              "within 2s, to:, then:, does:");
        }
    }

    // ---- blocks

    void begin(const Block& block) {
        if (is_section(block.kind)) {
            next_section(block);
            return;
        }
        Open open;
        open.kind = block.kind;
        open.begin = here();
        open.plain = block.kind == BlockKind::Box || block.kind == BlockKind::Rect;
        open.fail = says(block.facts, Word::Fail);
        if (const auto* times = find<Times>(block.facts)) {
            open.rounds = times->count;
        }
        if (block.kind == BlockKind::Par || block.kind == BlockKind::Critical ||
            (block.kind == BlockKind::Loop && open.rounds == 0)) {
            complaints_.error(place(), "a literal party does one thing after the other",
                              "opt, alt, break, or loop (3 times)");
        }
        open_.push_back(std::move(open));
        start_section(block);
    }

    void start_section(const Block& block) {
        const auto* weight = find<Weight>(block.facts);
        chance_ = weight != nullptr ? weight->share.millionths : 500'000;
        fresh_section_ = block.kind == BlockKind::Alt || block.kind == BlockKind::Else ||
                         block.kind == BlockKind::Opt || block.kind == BlockKind::Break;
    }

    void next_section(const Block& block) {
        auto& open = open_.back();
        leave_section(open);
        open.to_end.push_back(here());
        add(Instruction::Kind::Compute);
        settle(open, here());
        start_section(block);
    }

    void leave_section(Open& /*open*/) { fresh_section_ = false; }

    // The section that was decided on ends before `next`: if it is not taken, it goes on there.
    void settle(Open& open, Index next) {
        if (open.undecided) {
            auto& one = out_.steps[*open.undecided];
            one.optional =
                one.kind == Instruction::Kind::Receive || one.kind == Instruction::Kind::Hear;
            one.miss = next;
            open.undecided.reset();
        }
    }

    void end() {
        auto open = std::move(open_.back());
        if (open.plain) {
            open_.pop_back();
            return;
        }
        leave_section(open);
        if (open.kind == BlockKind::Break) {
            auto& one = add(Instruction::Kind::Compute);
            one.orders.emplace_back(open.fail ? Order{Fail{}} : Order{Stop{}});
        } else if (open.kind == BlockKind::Loop) {
            auto& one = add(Instruction::Kind::Count);
            one.rounds = open.rounds;
            one.miss = open.begin;
        }
        // The last way of an alt is the one that must come, if it is awaited.
        if (open.kind != BlockKind::Alt) {
            settle(open, here());
        } else if (open.undecided && out_.steps[*open.undecided].kind == Instruction::Kind::Maybe) {
            out_.steps[*open.undecided].chance = 1'000'000;
        }
        for (const auto index : open.to_end) {
            out_.steps[index].then.to = here();
        }
        open_.pop_back();
    }

    const Plan& plan_;
    PartyId party_;
    Complaints& complaints_;
    Program out_;
    Habits habits_;
    StepId at_ = 0;
    bool invited_ = false; // the latest request that came
    std::map<std::string, Index, std::less<>> labels_;
    struct Wanted {
        std::string label;
        Place place;
        std::pair<Index, bool> into; // which instruction; its `otherwise`
    };
    std::vector<Wanted> wanted_;
    std::vector<Open> open_;
    bool fresh_section_ = false;
    std::uint32_t chance_ = 500'000;
};

// Reports say which request a response belongs to: the latest the other way, or none.
void resolve_answers(Plan& plan) {
    for (StepId at = 0; at < plan.steps.size(); ++at) {
        auto* arrow = std::get_if<Arrow>(&plan.steps[at].what);
        if (arrow == nullptr) {
            continue;
        }
        arrow->call = 1;
        auto* response = std::get_if<Response>(&arrow->content);
        if (response == nullptr) {
            continue;
        }
        response->answers = at;
        for (StepId i = at; i-- > 0;) {
            const auto* other = std::get_if<Arrow>(&plan.steps[i].what);
            const auto* request =
                other != nullptr ? std::get_if<Request>(&other->content) : nullptr;
            if (request != nullptr && other->from == arrow->to && other->to == arrow->from &&
                request->method != sip::Method::Ack) {
                response->answers = i;
                response->method = request->method;
                break;
            }
        }
    }
    plan.calls = 1;
}

} // namespace

std::vector<std::string_view> methods_like(const Regex& expression) {
    std::vector<std::string_view> out;
    for (auto i = static_cast<int>(sip::Method::Invite); i < static_cast<int>(sip::Method::Other);
         ++i) {
        const auto name = to_string(static_cast<sip::Method>(i));
        if (!expression.search(name).empty()) {
            out.push_back(name);
        }
    }
    return out;
}

Program compile(const Plan& plan, PartyId party, Complaints& complaints) {
    return Compiler(plan, party, complaints).run();
}

void check(Plan& plan, Complaints& complaints) {
    for (PartyId party = 0; party < plan.parties.size(); ++party) {
        const auto& one = plan.parties[party];
        if (is_literal(one)) {
            if (one.control == Control::External) {
                complaints.error(one.place, "a party is either literal or under test",
                                 "one of the two");
            }
            static_cast<void>(compile(plan, party, complaints));
        } else if (one.control == Control::Played) {
            complaints.error(one.place, "beside a literal party all that we play is literal",
                             "(literal), or (under test)");
        }
    }
    resolve_answers(plan);
}

} // namespace cw::script::literal
