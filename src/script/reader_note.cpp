#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/pattern.hpp"
#include "script/reader.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

using Arguments = std::span<const Argument>;

std::string joined(Arguments keys) {
    std::string out;
    for (const auto& key : keys) {
        out += key.text;
    }
    return out;
}

template <class T>
std::optional<Action> timed(const Scope& /*scope*/, Arguments a) {
    return T{a[0].time()};
}
template <class T>
std::optional<Action> alone(const Scope& /*scope*/, Arguments /*a*/) {
    return T{};
}
std::optional<Action> hears(const Scope& /*scope*/, Arguments a) {
    Hears out{a[0].party(), a[1].time()};
    if (a[0].number >= first_sound) {
        out.what = static_cast<Sound>(a[0].number - first_sound);
    }
    return out;
}
std::optional<Action> says(const Scope& /*scope*/, Arguments a) {
    return Says{std::string(a[0].text)};
}
template <Minds::What what>
std::optional<Action> minds(const Scope& /*scope*/, Arguments a) {
    return Minds{what, a.empty() ? std::string{} : std::string(a[0].text)};
}
std::optional<Action> presses(const Scope& /*scope*/, Arguments a) {
    return Presses{joined(a)};
}
std::optional<Action> gets(const Scope& /*scope*/, Arguments a) {
    return Gets{joined(a), std::nullopt};
}
std::optional<Action> gets_within(const Scope& /*scope*/, Arguments a) {
    return Gets{joined(a.first(a.size() - 1)), a.back().time()};
}
std::optional<Action> reads(const Scope& scope, Arguments a) {
    auto text = read_template(scope, a[0].text);
    if (!text) {
        return std::nullopt;
    }
    return Reads{std::move(*text), a.size() > 1 ? std::optional(a[1].party()) : std::nullopt};
}

struct Row {
    std::string_view pattern;
    std::optional<Action> (*make)(const Scope&, Arguments);
};
constexpr auto rows = std::to_array<Row>({
    {"waits $duration", timed<Waits>},
    {"rings for $duration", timed<Rings>},
    {"hears $heard for $duration", hears},
    {"says $file", says},
    {"presses $keys", presses},
    {"gets $keys", gets},
    {"gets $keys within $duration", gets_within},
    {"reads $quoted", reads},
    {"reads $quoted signed by $party", reads},
    {"checks AUTN", alone<ChecksAutn>},
    {"hangs up", alone<HangsUp>},
    {"stands at $rest", minds<Minds::What::StandsAt>},
    {"goes on", minds<Minds::What::GoesOn>},
    {"computes", minds<Minds::What::Computes>},
    {"pauses $rest", minds<Minds::What::Pauses>},
});

constexpr std::array<std::pair<std::string_view, Side>, 3> sides{{
    {"over ", Side::Over},
    {"left of ", Side::LeftOf},
    {"right of ", Side::RightOf},
}};

} // namespace

// Note over alice,bob: text.
void FlowReader::read_note(Line& line, std::string_view rest) {
    const auto* side = std::ranges::find_if(
        sides, [&](const auto& entry) { return istarts_with(rest, entry.first); });
    const auto colon = rest.find(':');
    if (side == sides.end() || colon == std::string_view::npos || colon < side->first.size()) {
        complaints_.error(line.place(rest), "this is not how a Note begins",
                          "Note over, left of or right of a party, “:” and a text");
        return;
    }
    const auto ends = trim(rest.substr(side->first.size(), colon - side->first.size()));
    const auto text = trim(rest.substr(colon + 1));
    const auto comma = ends.find(',');
    const auto first = read_name(line, trim(ends.substr(0, comma)));
    if (!first) {
        return;
    }
    std::optional<PartyId> second;
    if (comma != std::string_view::npos) {
        second = read_name(line, trim(ends.substr(comma + 1)));
        if (!second) {
            return;
        }
    }
    if (text.empty()) {
        complaints_.error(line.place(rest.substr(colon)), "Mermaid wants a text in every Note",
                          "a text after “:”");
    } else if (text[0] < 'a' || text[0] > 'z') {
        add(line, Remark{*first, second, side->second, std::string(text)});
    } else if (second) {
        complaints_.error(line.place(ends), "an action has one subject",
                          "one party; a remark begins with a capital letter or a quotation mark");
    } else {
        line.flatten();
        read_action(line, *first, side->second, text);
    }
}

void FlowReader::read_action(const Line& line, PartyId party, Side side, std::string_view text) {
    const auto words = split_words(text);
    Match best;
    for (const auto& row : rows) {
        auto found = match(row.pattern, words, text, names_);
        if (found.complete) {
            if (auto action = row.make(scope(line), found.arguments)) {
                add(line, Act{party, side, std::move(*action), {}});
                beneath_ = Beneath::Deed;
            }
            return;
        }
        if (found.words > best.words) {
            best = std::move(found);
        }
    }
    if (best.words > 0) {
        const auto where = best.stopped.empty() ? text.substr(text.size()) : best.stopped;
        complaints_.error(line.place(where),
                          best.stopped.empty()
                              ? fmt::format("“{}” is not complete", text)
                              : fmt::format("“{}” does not fit here", best.stopped),
                          best.expected, std::string(nearest(best.stopped, best.choices)));
        return;
    }
    std::vector<std::string_view> verbs;
    for (const auto& row : rows) {
        verbs.push_back(row.pattern.substr(0, row.pattern.find(' ')));
    }
    complaints_.error(
        line.place(words[0]),
        fmt::format("“{}” is nothing that {} can do", words[0], plan_.parties[party].id),
        "waits, rings, hears, says, presses, gets, reads, checks AUTN or hangs up; a "
        "remark begins with a capital letter",
        std::string(nearest(words[0], verbs)));
}

} // namespace cw::script
