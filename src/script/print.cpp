#include "script/print.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::script {
namespace {

using NameList = std::vector<std::string>;

constexpr std::array<std::string_view, 8> links{"->>", "-->>", "<<->>", "<<-->>",
                                                "-x",  "--x",  "-)",    "--)"};
constexpr std::array<std::string_view, 11> block_names{
    "alt", "else", "opt", "loop", "par", "and", "critical", "option", "break", "box", "rect"};
constexpr std::array<std::string_view, 4> carriers{"TLS", "TCP", "WSS", "DTLS"};
constexpr std::array<std::string_view, 3> streams{"SRTP", "RTP", "DTMF"};
constexpr std::array<std::string_view, 3> sounds{"music", "speech", "silence"};
constexpr std::array<std::string_view, 3> sides{"over", "left of", "right of"};

// Text of the picture: what Mermaid would take for something else becomes an entity.
std::string visible(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto here = text.substr(i);
        if (here[0] == '#') {
            out += "#35;";
        } else if (here[0] == ';') {
            out += "#59;";
        } else if (here[0] == '\n') {
            out += "<br/>";
        } else if (istarts_with(here, "<br")) {
            out += "#lt;";
        } else if (here[0] == '{' && text.substr(0, i).ends_with("%%")) {
            out += "#123;";
        } else {
            out += here[0];
        }
    }
    return out;
}

// " (under test, IPv6)", of the facts that the picture shows; empty if there are none.
std::string in_parentheses(const Facts& facts, Subject subject, const NameList& names) {
    std::string out;
    for (const auto& fact : facts) {
        if (!fact.beneath) {
            out += out.empty() ? "(" : ", ";
            append(out, fact, subject, names);
        }
    }
    return out.empty() ? out : out + ")";
}

std::string spaced(std::string_view keys) {
    std::string out;
    for (const char key : keys) {
        out += out.empty() ? "" : " ";
        out += key;
    }
    return out;
}

std::string with(std::string_view before, Duration time) {
    std::string out{before};
    append(out, time);
    return out;
}

struct ContentPrinter {
    const NameList& names;

    std::string operator()(const Request& request) const {
        std::string out{request.other.empty() ? to_string(request.method) : request.other};
        const bool to = request.method == sip::Method::Refer;
        if (const auto* party = std::get_if<PartyId>(&request.target)) {
            out += fmt::format("{}{}", to ? " to " : " ", names[*party]);
        } else if (const auto* uri = std::get_if<Template>(&request.target)) {
            out += to ? " to " : " ";
            append(out, *uri, names);
        }
        if (request.text) {
            out += " \"";
            append(out, *request.text, names);
            out += '"';
        }
        return out;
    }
    std::string operator()(const Response& response) const {
        return fmt::format("{}{}{}", response.status, response.phrase.empty() ? "" : " ",
                           response.phrase);
    }
    std::string operator()(const Channel& channel) const {
        std::string out{carriers[std::to_underlying(channel.carrier)]};
        if (channel.version > 0) {
            out += fmt::format(" {}.{}", channel.version / 10, channel.version % 10);
        }
        return out;
    }
    std::string operator()(const Media& media) const {
        const auto more = media.stream == Stream::Dtmf ? spaced(media.keys) : media.phrase;
        return fmt::format("{}{}{}", streams[std::to_underlying(media.stream)],
                           more.empty() ? "" : " ", more);
    }
    std::string operator()(const Narration& narration) const { return narration.text; }
};

struct ActionPrinter {
    const NameList& names;

    std::string operator()(const Waits& action) const { return with("waits ", action.time); }
    std::string operator()(const Rings& action) const { return with("rings for ", action.time); }
    std::string operator()(const Hears& action) const {
        const auto* party = std::get_if<PartyId>(&action.what);
        const std::string_view what =
            party != nullptr ? std::string_view(names[*party])
                             : sounds[std::to_underlying(std::get<Sound>(action.what))];
        return with(fmt::format("hears {} for ", what), action.time);
    }
    std::string operator()(const Says& action) const { return "says " + action.file; }
    std::string operator()(const Presses& action) const { return "presses " + spaced(action.keys); }
    std::string operator()(const Gets& action) const {
        const auto keys = "gets " + spaced(action.keys);
        return action.within ? with(keys + " within ", *action.within) : keys;
    }
    std::string operator()(const Reads& action) const {
        std::string out = "reads \"";
        append(out, action.text, names);
        out += '"';
        if (action.signed_by) {
            out += fmt::format(" signed by {}", names[*action.signed_by]);
        }
        return out;
    }
    std::string operator()(const ChecksAutn& /*action*/) const { return "checks AUTN"; }
    std::string operator()(const HangsUp& /*action*/) const { return "hangs up"; }
    std::string operator()(const Minds& action) const {
        constexpr std::array<std::string_view, 4> verbs{"stands at ", "goes on", "computes",
                                                        "pauses "};
        return std::string{verbs[std::to_underlying(action.what)]} + action.text;
    }
};

class Printer {
  public:
    explicit Printer(const Plan& plan) : plan_(plan), names_(party_names(plan)) {}

    std::string print() {
        put_front();
        out_ += "sequenceDiagram\n";
        depth_ = 1;
        put_beneath(plan_.settings, Subject::Flow);
        for (const auto& step : plan_.steps) {
            put(step);
        }
        return std::move(out_);
    }

    void operator()(const Declare& step) {
        const auto& party = plan_.parties[step.party];
        auto text = fmt::format("{}{} {}", party.created ? "create " : "",
                                party.actor ? "actor" : "participant", party.id);
        const auto facts = in_parentheses(party.facts, Subject::Party, names_);
        if (!party.label.empty() || !facts.empty()) {
            text += fmt::format(" as {}", party.label);
            text += facts.empty() || party.label.empty() ? "" : party.facts_below ? "\n" : " ";
            text += facts;
        }
        put_line(visible(text));
        put_beneath(party.facts, Subject::Party);
    }
    void operator()(const Destroy& step) {
        put_line(fmt::format("destroy {}", names_[step.party]));
    }
    void operator()(const Arrow& arrow) {
        const auto activation =
            arrow.activation == 0 ? std::string{} : std::string(1, arrow.activation);
        put_line(fmt::format("{}{}{}{}: {}", names_[arrow.from], to_string(arrow.link), activation,
                             names_[arrow.to], visible(words_of(plan_, arrow))));
        put_beneath(arrow.facts, subject_of(arrow));
    }
    void operator()(const Act& act) {
        put_line(fmt::format("Note {} {}: {}", sides[std::to_underlying(act.side)],
                             names_[act.party], visible(words_of(plan_, act.action))));
        put_beneath(act.facts, Subject::Message);
    }
    void operator()(const Remark& remark) {
        put_line(fmt::format("Note {} {}{}{}: {}", sides[std::to_underlying(remark.side)],
                             names_[remark.first], remark.second ? "," : "",
                             remark.second ? names_[*remark.second] : "", visible(remark.text)));
    }
    void operator()(const Block& block) {
        depth_ -= is_section(block.kind) ? 1 : 0;
        std::string text{to_string(block.kind)};
        for (const auto& part :
             {block.colour, block.label, in_parentheses(block.facts, Subject::Block, names_)}) {
            text += part.empty() ? "" : " ";
            text += part;
        }
        put_line(visible(text));
        ++depth_;
        put_beneath(block.facts, Subject::Block);
    }
    void operator()(const End& /*end*/) {
        --depth_;
        put_line("end");
    }
    void operator()(const Decoration& decoration) {
        const bool comment = decoration.text.starts_with("%%");
        put_line(comment ? decoration.text : visible(decoration.text));
    }

  private:
    static bool is_comment(const Step& step) {
        const auto* decoration = std::get_if<Decoration>(&step.what);
        return decoration != nullptr && decoration->text.starts_with("%%");
    }

    void put_front() {
        const bool titled = std::ranges::any_of(plan_.steps, [](const Step& step) {
            const auto* decoration = std::get_if<Decoration>(&step.what);
            return decoration != nullptr && istarts_with(decoration->text, "title");
        });
        if (!plan_.front.empty()) {
            out_ += "---\n";
            for (const auto& line : plan_.front) {
                out_ += line + "\n";
            }
            out_ += "---\n";
        } else if (!plan_.title.empty() && !titled) {
            out_ += fmt::format("---\ntitle: \"{}\"\n---\n", plan_.title);
        }
    }

    // A comment directly beneath a statement would be read as a fact.
    void put(const Step& step) {
        const bool comment = is_comment(step);
        if (step.place.after_blank || (comment && !after_comment_)) {
            out_ += '\n';
        }
        std::visit(*this, step.what);
        after_comment_ = comment;
    }

    void put_line(std::string_view text) {
        out_.append(4 * depth_, ' ');
        out_ += text;
        out_ += '\n';
    }

    void put_beneath(const Facts& facts, Subject subject) {
        for (const auto& fact : facts) {
            if (fact.beneath) {
                std::string text = "%% ";
                append(text, fact, subject, names_);
                put_line(text);
            }
        }
    }

    const Plan& plan_;
    NameList names_;
    std::string out_;
    std::size_t depth_ = 0;
    bool after_comment_ = false;
};

} // namespace

std::string_view to_string(Link link) {
    return links[std::to_underlying(link)];
}
std::string_view to_string(BlockKind kind) {
    return block_names[std::to_underlying(kind)];
}

Subject subject_of(const Arrow& arrow) {
    return std::holds_alternative<Channel>(arrow.content) ? Subject::Channel
           : std::holds_alternative<Media>(arrow.content) ? Subject::Media
                                                          : Subject::Message;
}

std::string words_of(const Plan& plan, const Arrow& arrow) {
    const auto names = party_names(plan);
    auto out = std::visit(ContentPrinter{names}, arrow.content);
    const auto facts = in_parentheses(arrow.facts, subject_of(arrow), names);
    return facts.empty() ? out : fmt::format("{} {}", out, facts);
}

std::string words_of(const Plan& plan, const Action& action) {
    const auto names = party_names(plan);
    return std::visit(ActionPrinter{names}, action);
}

std::string to_mermaid(const Plan& plan) {
    return Printer(plan).print();
}

} // namespace cw::script
