#include "play/writer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "dialog/draft.hpp"

namespace cw::play {

using sip::HeaderId;

void Writer::apply_facts(Draft& draft) {
    std::vector<std::string> set;
    for (const auto& fact : a_.facts) {
        if (const auto* line = std::get_if<script::SdpLine>(&fact.value)) {
            change_sdp(draft, *line);
        }
        const auto* header = std::get_if<script::Header>(&fact.value);
        if (header == nullptr) {
            continue;
        }
        if (header->absent) {
            draft.remove(header->name);
            continue;
        }
        const bool star = header->id == HeaderId::Contact && header->value.pieces.size() == 1 &&
                          std::holds_alternative<script::Any>(header->value.pieces[0]) &&
                          draft.method() == "REGISTER";
        auto value = star ? std::optional<std::string>{"*"} : s_.values.fill(header->value, where_);
        if (!value && header->id != HeaderId::RSeq && !draft.has(header->name)) {
            // Nobody else writes it: an identifier of the sender's own, as an entity tag is.
            value = s_.values.fill(header->value, where_, nullptr, std::to_string(s_.names.rseq()));
        }
        for (const auto& param : header->without) {
            drop_param(draft, header->name, param);
        }
        if (!value) {
            continue; // with a `*`, or to be captured from what others write: compared only
        }
        // The same name twice: two fields.
        if (std::ranges::find(set, header->name) != set.end()) {
            draft.add(header->name, *value);
        } else {
            draft.set(header->name, *value);
            set.push_back(header->name);
        }
    }
}

// `;ck=…` or `, ck="…"` is taken out of the field.
void Writer::drop_param(Draft& draft, const std::string& name, const std::string& param) {
    std::string value{draft.value(name)};
    for (const char divider : {',', ';'}) {
        std::size_t begin = 0;
        bool quoted = false;
        for (std::size_t i = 0; i <= value.size(); ++i) {
            const bool end = i == value.size();
            quoted = !end && value[i] == '"' ? !quoted : quoted;
            if (!end && (quoted || value[i] != divider)) {
                continue;
            }
            const auto one = trim(std::string_view{value}.substr(begin, i - begin));
            if (begin != 0 && iequals(one.substr(0, one.find('=')), param)) {
                value.erase(begin - 1, i - begin + 1);
                draft.set(name, value);
                return;
            }
            begin = i + 1;
        }
    }
}

// The line of the same letter and attribute takes the new value; else it goes to the end.
void Writer::change_sdp(Draft& draft, const script::SdpLine& line) {
    if (draft.body().empty()) {
        return;
    }
    std::string value;
    if (!line.absent) {
        const auto filled = s_.values.fill(line.value, where_);
        if (!filled) {
            return;
        }
        value = *filled;
    } else if (const auto name = s_.values.fill(line.value, where_)) {
        value = *name;
    }
    const auto name = line.letter == 'a' || line.absent ? value.substr(0, value.find_first_of(": "))
                                                        : std::string{};
    std::string out;
    bool done = false;
    std::string_view rest = draft.body();
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size() - 1);
        const auto whole = rest.substr(0, end + 1);
        rest.remove_prefix(end + 1);
        const auto text = trim(whole);
        const bool same = text.size() > 1 && text[0] == line.letter && text[1] == '=' &&
                          (name.empty() || text.substr(2, text.find(':') - 2) == name);
        if (!same) {
            out += whole;
        } else if (!line.absent && !done) {
            out += fmt::format("{}={}\r\n", line.letter, value);
            done = true;
        }
    }
    if (!done && !line.absent) {
        out += fmt::format("{}={}\r\n", line.letter, value);
    }
    draft.set_body("", out);
}

} // namespace cw::play
