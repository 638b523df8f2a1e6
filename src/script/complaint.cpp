#include "script/complaint.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/utf8.hpp"

namespace cw::script {
namespace {

constexpr std::size_t longest_line = 200; // characters of a line that are shown
constexpr std::size_t longest_word = 40;  // letters of a word that is compared

std::string_view line_of(std::string_view text, std::uint32_t number) {
    for (std::uint32_t at = 1; at < number; ++at) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            return {};
        }
        text.remove_prefix(end + 1);
    }
    text = text.substr(0, text.find('\n'));
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    return text;
}

// What follows "password:" is nobody's business.
std::string_view without_secret(std::string_view line, bool& cut) {
    constexpr std::string_view key = "password:";
    for (std::size_t at = 0; at + key.size() <= line.size(); ++at) {
        if (iequals(line.substr(at, key.size()), key)) {
            cut = at + key.size() < line.size();
            return line.substr(0, at + key.size());
        }
    }
    return line;
}

// The line as a terminal may show it: one column a character, nothing that it obeys.
std::string harmless(std::string_view line, std::size_t first) {
    std::string shown;
    std::size_t column = 0;
    for (std::size_t at = 0; at < line.size(); ++column) {
        const auto letter = next_letter(line, at);
        at += letter.size;
        if (column < first || column >= first + longest_line) {
            continue;
        }
        if (letter.code == '\t') {
            shown += ' ';
        } else if (!letter.valid || is_harmful(letter.code)) {
            shown += '?';
        } else {
            shown += line.substr(at - letter.size, letter.size);
        }
    }
    return shown;
}

void append_line(std::string& out, std::string_view flow, const Complaint& complaint) {
    bool cut = false;
    const auto line = without_secret(line_of(flow, complaint.place.line), cut);
    const std::size_t column = complaint.place.column > 0 ? complaint.place.column - 1 : 0;
    const std::size_t first = column > longest_line - 40 ? column - (longest_line - 40) : 0;
    const auto shown = harmless(line, first);
    out += fmt::format("{:>6} | {}{}\n       | ", complaint.place.line, shown, cut ? " …" : "");
    out.append(column - first, ' ');
    out += '^';
    const std::size_t length = std::min<std::size_t>(complaint.place.length, longest_line);
    const std::size_t room = longest_line - std::min(longest_line, column - first);
    out.append(std::min(length > 0 ? length - 1 : 0, room), '~');
    out += '\n';
}

// Insertions, deletions, replacements and swapped neighbours between two short words.
std::size_t distance(std::string_view a, std::string_view b) {
    using Row = std::array<std::size_t, longest_word + 1>;
    Row before{};
    Row last{};
    Row row{};
    for (std::size_t j = 0; j <= b.size(); ++j) {
        last[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
            if (i > 1 && j > 1 && ascii_lower(a[i - 1]) == ascii_lower(b[j - 2]) &&
                ascii_lower(a[i - 2]) == ascii_lower(b[j - 1])) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    return last[b.size()];
}

} // namespace

void append(std::string& out, std::string_view file, std::string_view flow,
            const Complaint& complaint) {
    out += fmt::format("{}:{}:{}: {}: {}\n", file, complaint.place.line, complaint.place.column,
                       complaint.warning ? "warning" : "error", complaint.what);
    append_line(out, flow, complaint);
    if (!complaint.expected.empty()) {
        out += fmt::format("         expected {}\n", complaint.expected);
    }
    if (!complaint.nearest.empty()) {
        out += fmt::format("         did you mean “{}”?\n", complaint.nearest);
    }
}

void Complaints::add(Complaint complaint) {
    errors_ += complaint.warning ? 0 : 1;
    if (kept_.size() < limit) {
        kept_.push_back(std::move(complaint));
    }
}

std::vector<Complaint> Complaints::take() {
    std::ranges::stable_sort(kept_, {}, [](const Complaint& complaint) {
        return std::pair{complaint.place.line, complaint.place.column};
    });
    return std::move(kept_);
}

std::string_view nearest(std::string_view written, std::span<const std::string_view> words) {
    if (written.empty() || written.size() > longest_word) {
        return {};
    }
    std::string_view best;
    std::size_t least = std::max<std::size_t>(1, written.size() / 3) + 1;
    for (const auto word : words) {
        if (word.size() > longest_word) {
            continue;
        }
        const auto far = distance(written, word);
        if (far < least) {
            least = far;
            best = word;
        }
    }
    return best;
}

} // namespace cw::script
