// What the words of a line may refer to: the parties of the flow. All are known before the first
// line is read, so that a fact may name a party that is declared further down.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "script/complaint.hpp"
#include "script/line.hpp"
#include "script/value.hpp"

namespace cw::script {

inline constexpr std::size_t most_parties = 64;

class Names {
  public:
    void add(std::string_view id) { ids_.emplace_back(id); }
    [[nodiscard]] std::optional<PartyId> find(std::string_view id) const {
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            if (ids_[i] == id) {
                return static_cast<PartyId>(i);
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] std::size_t size() const { return ids_.size(); }
    [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }
    [[nodiscard]] std::vector<std::string_view> views() const { return {ids_.begin(), ids_.end()}; }

  private:
    std::vector<std::string> ids_;
};

// What reading a part of a line needs at hand.
struct Scope {
    const Line& line;
    const Names& names;
    Complaints& complaints;
};

// "<{alice.uri}>;tag=*": `text` is a view into the line. Complains and returns nothing when braces
// do not hold a variable.
std::optional<Template> read_template(const Scope& scope, std::string_view text);

} // namespace cw::script
