#include "script/sipp/injection.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::script::sipp {
namespace {

// SEQUENTIAL, RANDOM or USER, and what stands behind it: PRINTF=100,PRINTFOFFSET=5
std::expected<void, std::string> read_heading(std::string_view line, Injection& out) {
    while (!line.empty()) {
        const auto comma = std::min(line.find_first_of(",;"), line.size());
        const auto word = trim(line.substr(0, comma));
        line.remove_prefix(std::min(comma + 1, line.size()));
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        if (equals == std::string_view::npos) {
            if (iequals(name, "RANDOM")) {
                out.order = Injection::Order::Random;
            }
            continue;
        }
        const auto number = parse_number<std::uint32_t>(trim(word.substr(equals + 1)));
        if (!number || *number > 1'000'000'000) { // products of two stay within 64 bits
            return std::unexpected{fmt::format("line 1: {} has no number up to 10^9", name)};
        }
        if (iequals(name, "PRINTF")) {
            out.printed = *number;
        } else if (iequals(name, "PRINTFOFFSET")) {
            out.printed_offset = *number;
        } else if (iequals(name, "PRINTFMULTIPLE")) {
            out.printed_multiple = *number;
        }
    }
    return {};
}

std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> out;
    while (out.size() < limit::injected_fields) {
        const auto semicolon = line.find(';');
        out.emplace_back(line.substr(0, semicolon));
        if (semicolon == std::string_view::npos) {
            break;
        }
        line.remove_prefix(semicolon + 1);
    }
    return out;
}

// "user%04d" and 17 → "user0017"; what is no pattern stays.
std::string printed(std::string_view text, std::int64_t number) {
    std::string out;
    while (!text.empty()) {
        const auto percent = text.find('%');
        out += text.substr(0, percent);
        if (percent == std::string_view::npos) {
            break;
        }
        text.remove_prefix(percent + 1);
        if (text.starts_with('%')) {
            out += '%';
            text.remove_prefix(1);
            continue;
        }
        const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
        if (end >= text.size() || (text[end] != 'd' && text[end] != 'u' && text[end] != 'i')) {
            out += '%';
            continue;
        }
        constexpr std::uint32_t widest = 64;
        const auto width =
            std::min(parse_number<std::uint32_t>(text.substr(0, end)).value_or(0), widest);
        out += text.starts_with('0') ? fmt::format("{:0{}}", number, width)
                                     : fmt::format("{:{}}", number, width);
        text.remove_prefix(end + 1);
    }
    return out;
}

} // namespace

std::uint64_t Injection::row_of(std::uint64_t call, std::uint64_t chance) const {
    const auto all = std::max<std::uint64_t>(size(), 1);
    return order == Order::Random ? chance % all : (call - 1) % all;
}

std::optional<std::string> Injection::field(std::uint64_t row, std::size_t number) const {
    if (rows.empty() || row >= size()) {
        return std::nullopt;
    }
    const auto& fields = rows[row % rows.size()];
    if (number >= fields.size()) {
        return std::nullopt;
    }
    return printed == 0
               ? fields[number]
               : sipp::printed(fields[number],
                               static_cast<std::int64_t>(row) * printed_multiple + printed_offset);
}

void fill_row(const std::vector<Injection>& files, std::uint64_t call, std::uint64_t chance,
              std::map<std::string, std::string>& row) {
    for (const auto& file : files) {
        const auto at = file.row_of(call, chance);
        for (std::size_t i = 0;; ++i) {
            const auto value = file.field(at, i);
            if (!value) {
                break;
            }
            const auto name = fmt::format("field{}", i);
            row.try_emplace(name, *value);
            row.insert_or_assign(file.name + "/" + name, *value);
            row.insert_or_assign(file.path + "/" + name, *value);
        }
    }
}

Tables::Tables(std::vector<Injection> files) : files_(std::move(files)), indices_(files_.size()) {}

std::size_t Tables::place_of(std::string_view file) const {
    const auto found = std::ranges::find_if(files_, [&](const Injection& one) {
        return file.empty() || one.name == file || one.path == file;
    });
    return static_cast<std::size_t>(found - files_.begin());
}

const Injection* Tables::find(std::string_view file) const {
    const auto at = place_of(file);
    return at < files_.size() ? &files_[at] : nullptr;
}

std::optional<std::uint64_t> Tables::look_up(std::string_view file, std::string_view key) {
    const auto at = place_of(file);
    if (at == files_.size()) {
        return std::nullopt;
    }
    const auto& one = files_[at];
    auto& indices = indices_[at];
    const std::string wanted{key};
    for (std::size_t number = 0; number < limit::injected_fields; ++number) {
        if (number == indices.size()) {
            auto& index = indices.emplace_back();
            for (std::uint64_t row = 0; row < one.size(); ++row) {
                if (auto text = one.field(row, number)) {
                    index.insert_or_assign(std::move(*text), row);
                }
            }
        }
        if (const auto found = indices[number].find(wanted); found != indices[number].end()) {
            return found->second;
        }
        if (indices[number].empty()) {
            break; // no row has that many fields
        }
    }
    return std::nullopt;
}

void Tables::enter(std::size_t file, std::uint64_t number) {
    auto& indices = indices_[file];
    for (std::size_t i = 0; i < indices.size(); ++i) {
        if (auto text = files_[file].field(number, i)) {
            indices[i].insert_or_assign(std::move(*text), number);
        }
    }
}

bool Tables::insert(std::string_view file, std::string_view row) {
    const auto at = place_of(file);
    if (at == files_.size() || files_[at].printed != 0 ||
        files_[at].rows.size() >= limit::injected_rows) {
        return false;
    }
    files_[at].rows.push_back(fields_of(row));
    enter(at, files_[at].rows.size() - 1);
    return true;
}

bool Tables::replace(std::string_view file, std::uint64_t number, std::string_view row) {
    const auto at = place_of(file);
    if (at == files_.size() || files_[at].printed != 0 || number >= files_[at].rows.size()) {
        return false;
    }
    for (std::size_t i = 0; i < indices_[at].size(); ++i) {
        const auto text = files_[at].field(number, i);
        const auto known = text ? indices_[at][i].find(*text) : indices_[at][i].end();
        if (known != indices_[at][i].end() && known->second == number) {
            indices_[at][i].erase(known);
        }
    }
    files_[at].rows[number] = fields_of(row);
    enter(at, number);
    return true;
}

bool is_injection(std::string_view text) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trim(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        const auto word = trim(line.substr(0, line.find_first_of(",;\r")));
        return iequals(word, "SEQUENTIAL") || iequals(word, "RANDOM") || iequals(word, "USER") ||
               iequals(word, "USERS");
    }
    return false;
}

std::expected<Injection, std::string> read_injection(std::string_view text, std::string path) {
    Injection out;
    out.name = path.substr(path.rfind('/') + 1);
    out.path = std::move(path);
    bool first = true;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        auto line = trim(text.substr(at, end - at));
        at = end + 1;
        while (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        if (std::exchange(first, false)) {
            if (auto done = read_heading(line, out); !done) {
                return std::unexpected{done.error()};
            }
            continue;
        }
        if (out.rows.size() == limit::injected_rows) {
            return std::unexpected{std::string{"it has too many rows"}};
        }
        out.rows.push_back(fields_of(line));
    }
    if (out.rows.empty()) {
        return std::unexpected{
            std::string{"it has no row below its first line (SEQUENTIAL, RANDOM or USER)"}};
    }
    return out;
}

} // namespace cw::script::sipp
