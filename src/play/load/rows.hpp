// The users of a load: rows of a CSV file (RFC 4180) with a heading. Values that own what they
// hold.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cw::play {

namespace limit {
inline constexpr std::size_t csv_columns = 64;
inline constexpr std::size_t csv_rows = 5'000'000;
} // namespace limit

struct Rows {
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;

    [[nodiscard]] std::map<std::string, std::string> row(std::size_t n) const;
};
// Fails with a sentence that names the line.
std::expected<Rows, std::string> parse_rows(std::string_view text);

} // namespace cw::play
