#include "cli/run_papers.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/output.hpp"

namespace cw::cli {
namespace {

// Letters, digits and signs that no file system or shell takes for more: a user part may have any.
std::string safe_name(std::string_view person) {
    constexpr std::size_t most = 100;
    std::string out{person.substr(0, most)};
    std::ranges::replace_if(
        out,
        [](char c) {
            return !is_alpha(c) && !is_digit(c) && !std::string_view{"@.-_+"}.contains(c);
        },
        '_');
    return out;
}

} // namespace

std::string write_papers(const std::string& folder, std::string_view name,
                         const std::vector<play::Papers>& papers) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    std::set<std::string> taken;
    for (const auto& one : papers) {
        auto whose = safe_name(one.whose);
        while (!taken.insert(whose).second) {
            whose += '_';
        }
        const auto path =
            (std::filesystem::path{folder} / fmt::format("{}.{}.pem", name, whose)).string();
        auto out = Output::open(path, one.whose == "ca" ? Output::For::All : Output::For::Owner);
        if (out) {
            out->write(one.pem);
        }
        if (!out || !out->finish()) {
            return path + ": cannot be written";
        }
    }
    return {};
}

} // namespace cw::cli
