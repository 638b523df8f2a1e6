// Saving: which calls, as what; and the question whether they may be lost.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/screen/screen.hpp"

namespace cw::view {

// What can be saved from where the user is, what is nearest first.
std::vector<Screen::Choice> Screen::choices() const {
    std::vector<Choice> out;
    const auto add = [&](std::string words, std::vector<std::uint32_t> ids) {
        if (!ids.empty()) {
            out.push_back({std::move(words), std::move(ids)});
        }
    };
    if (before_ != At::List) {
        add(flow_ids_.size() == 1
                ? fmt::format("call {}, on the ladder", number_of(flow_ids_.front()))
                : fmt::format("the {} calls on the ladder", flow_ids_.size()),
            flow_ids_);
    } else if (!shown_.empty()) {
        const auto& row = rows_[shown_[chosen_]];
        add(fmt::format("call {}, the chosen one", row.shown_number()), {row.id});
    }
    add(fmt::format("the {} selected", selected_.size()), {selected_.begin(), selected_.end()});
    std::vector<std::uint32_t> ids;
    if (shown_.size() != rows_.size()) {
        for (const auto place : shown_) {
            ids.push_back(rows_[place].id);
        }
        auto words = fmt::format("the {} that are shown", ids.size());
        add(std::move(words), std::exchange(ids, {}));
    }
    for (const auto& row : rows_) {
        ids.push_back(row.id);
    }
    auto all = fmt::format("all {}", ids.size()); // before they are moved from
    add(std::move(all), std::move(ids));
    return out;
}

std::uint32_t Screen::number_of(std::uint32_t id) const {
    const auto row = std::ranges::find(rows_, id, &ScreenRow::id);
    return row == rows_.end() ? id : row->shown_number();
}

// As sngrep: from the list those that are selected, else those that are shown.
void Screen::open_save() {
    if (at_ != At::Save) {
        before_ = at_;
    }
    const auto all = choices();
    if (all.empty()) {
        said_ = "There is no call yet";
        return;
    }
    at_ = At::Save;
    dialog_ = before_ == At::List && all.size() > 1 ? 1 : 0;
    typed_ = "calls.pcapng";
}

void Screen::save_key(const std::string& key) {
    const auto count = choices().size();
    if (key == "esc") {
        at_ = before_;
    } else if (key == "down" || key == "tab") {
        dialog_ = (dialog_ + 1) % count;
    } else if (key == "up") {
        dialog_ = (dialog_ + count - 1) % count;
    } else if (key != "enter") {
        edit_typed(key);
    } else if (typed_.empty()) {
        said_ = "A file needs a name";
    } else if (source_.exists && source_.exists(typed_)) {
        prompt_ = Prompt::Overwrite;
    } else {
        save_chosen();
    }
}

// What went wrong can be set right in the dialog.
void Screen::save_chosen() {
    const auto all = choices();
    const auto& ids = all[std::min(dialog_, all.size() - 1)].ids;
    auto saved = source_.save(ids, typed_);
    said_ = std::move(saved.said);
    if (saved.done) {
        saved_.insert(ids.begin(), ids.end());
        at_ = before_;
    }
}

void Screen::paint_save(std::vector<Line>& out) const {
    out.push_back({"Save", false});
    out.push_back({"", false});
    std::size_t at = 0;
    for (const auto& choice : choices()) {
        out.push_back(
            {fmt::format("  ({}) {}", at == dialog_ ? "*" : " ", choice.words), at == dialog_});
        ++at;
    }
    out.push_back({"", false});
    out.push_back({fmt::format("  as: {}_", printable(typed_, 400)), false});
    out.push_back({"", false});
    out.push_back(
        {"  .pcapng for callwright and Wireshark, .txt, .mmd (Mermaid), .html; .svg of one "
         "call",
         false});
}

std::size_t Screen::unsaved() const {
    return rows_.size() - saved_.size();
}

// False: the user leaves.
bool Screen::leave() {
    if (!source_.calls_are_lost || unsaved() == 0) {
        return false;
    }
    prompt_ = Prompt::Leave;
    return true;
}

} // namespace cw::view
