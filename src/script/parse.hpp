// Reads a flow: the text of a Mermaid sequence diagram becomes a Plan. Total: whatever the text is,
// it comes back with a plan or with complaints that say where and why. The time it takes grows with
// the text alone.
#pragma once

#include <string_view>
#include <vector>

#include "script/complaint.hpp"
#include "script/plan.hpp"

namespace cw::script {

namespace limit {
inline constexpr std::size_t text = 1 << 20; // bytes of a flow
inline constexpr std::size_t steps = 10'000; // lines that say something
inline constexpr std::size_t arrows = 5'000;
inline constexpr std::size_t depth = 32;          // blocks inside each other
inline constexpr std::size_t open_requests = 256; // that wait for their answer at one moment
inline constexpr std::size_t calls = 256;
} // namespace limit

struct Parsed {
    Plan plan; // to be performed only when ok()
    std::vector<Complaint> complaints;
    [[nodiscard]] bool ok() const {
        for (const auto& complaint : complaints) {
            if (!complaint.warning) {
                return false;
            }
        }
        return true;
    }
};
Parsed parse(std::string_view text);

} // namespace cw::script
