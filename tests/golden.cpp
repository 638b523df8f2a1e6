#include "golden.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

namespace cw::test {
namespace {

const std::filesystem::path source_dir{CALLWRIGHT_SOURCE_DIR};

std::string line_at(std::string_view text, std::size_t offset) {
    const auto begin = text.rfind('\n', offset == 0 ? 0 : offset - 1);
    const auto from = begin == std::string_view::npos ? 0 : begin + 1;
    return std::string{text.substr(from, text.find('\n', offset) - from)};
}

} // namespace

bool matches_golden(const std::string& name, std::string_view actual, std::string& why) {
    const auto golden = source_dir / "tests/golden" / name;
    const auto fresh = source_dir / "build/golden" / name;
    std::ifstream file{golden, std::ios::binary};
    const std::string expected{std::istreambuf_iterator<char>{file}, {}};
    if (file && expected == actual) {
        std::filesystem::remove(fresh);
        return true;
    }
    std::filesystem::create_directories(fresh.parent_path());
    std::ofstream{fresh, std::ios::binary} << actual;
    const auto parted = static_cast<std::size_t>(
        std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end()).first -
        expected.begin());
    why = fmt::format("{} differs in line {}; see it, and take it over if it is right, with "
                      "tools/approve\n  was: {}\n  is:  {}",
                      golden.string(),
                      1 + std::count(expected.begin(),
                                     expected.begin() + static_cast<std::ptrdiff_t>(parted), '\n'),
                      parted < expected.size() ? line_at(expected, parted) : "(nothing)",
                      parted < actual.size() ? line_at(actual, parted) : "(nothing)");
    return false;
}

} // namespace cw::test
