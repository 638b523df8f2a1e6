#include "capture/container.hpp"

#include <cstring>

#include <fmt/format.h>

namespace cw::capture {

void Problems::add(const char* kind, std::string line) {
    for (std::size_t i = 0; i < seen_.size(); ++i) {
        if (std::strcmp(seen_[i].kind, kind) == 0) {
            lines_[i].resize(seen_[i].bare);
            const auto more = seen_[i].times++;
            lines_[i] += fmt::format(" (and {} more like this)", more);
            return;
        }
    }
    if (seen_.size() < 32) {
        seen_.push_back({kind, 1, line.size()});
        lines_.push_back(std::move(line));
    }
}

} // namespace cw::capture
