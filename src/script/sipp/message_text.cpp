#include "script/sipp/message_text.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/fact.hpp"

namespace cw::script::sipp {
namespace {

using literal::Draft;
using literal::name_of;

std::vector<std::string> named(const std::vector<std::string>& headers, std::string_view name) {
    std::vector<std::string> out;
    for (const auto& line : headers) {
        if (iequals(name_of(line), name)) {
            out.push_back(line);
        }
    }
    return out;
}

std::vector<std::string> names_in(const std::vector<std::string>& headers) {
    std::vector<std::string> out;
    for (const auto& line : headers) {
        const auto name = name_of(line);
        if (std::ranges::none_of(out, [&](const auto& n) { return iequals(n, name); })) {
            out.emplace_back(name);
        }
    }
    return out;
}

bool same_headers(const Draft& a, const Draft& b) {
    auto left = a.headers;
    auto right = b.headers;
    std::ranges::stable_sort(left, {}, [](const auto& line) { return std::string{name_of(line)}; });
    std::ranges::stable_sort(right, {},
                             [](const auto& line) { return std::string{name_of(line)}; });
    return left == right;
}

Facts facts_of(const std::vector<std::string>& said, bool described) {
    Facts out;
    if (described) {
        out.push_back({{}, false, Description{}});
    }
    for (const auto& text : said) {
        if (text.starts_with('|')) {
            out.push_back(
                {{}, true, Said{Said::About::Line, text.size() > 2 ? text.substr(2) : ""}});
        } else if (text.starts_with("to: ")) {
            out.push_back({{}, true, Said{Said::About::To, text.substr(4)}});
        } else {
            out.push_back({{},
                           true,
                           Header{.id = sip::header_id(text.substr(3)),
                                  .name = text.substr(3),
                                  .absent = true,
                                  .value = {},
                                  .without = {}}});
        }
    }
    return out;
}

std::string bar(std::string_view line) {
    return line.empty() ? "|" : fmt::format("| {}", line);
}

std::vector<std::string> say_whole(const Draft& message) {
    std::vector<std::string> out{bar(message.start)};
    for (const auto& line : message.headers) {
        out.push_back(bar(line));
    }
    if (!message.body.empty()) {
        out.emplace_back("|");
        for (const auto& line : message.body) {
            out.push_back(bar(line));
        }
    }
    return out;
}

// What differs from `usual`.
std::vector<std::string> say_difference(const Draft& usual, const Draft& message,
                                        std::string_view target) {
    std::vector<std::string> out;
    if (usual.start != message.start && !target.empty()) {
        out.push_back(fmt::format("to: {}", target));
    }
    for (const auto& name : names_in(usual.headers)) {
        if (named(message.headers, name).empty()) {
            out.push_back(fmt::format("no {}", name));
        }
    }
    for (const auto& name : names_in(message.headers)) {
        const auto lines = named(message.headers, name);
        if (lines != named(usual.headers, name)) {
            for (const auto& line : lines) {
                out.push_back(bar(line));
            }
        }
    }
    if (message.body != usual.body) {
        out.emplace_back("|");
        for (const auto& line : message.body) {
            out.push_back(bar(line));
        }
    }
    return out;
}

std::string_view target_in(std::string_view start) {
    const auto first = start.find(' ');
    const auto last = start.rfind(' ');
    return first == std::string_view::npos || last <= first
               ? std::string_view{}
               : trim(start.substr(first + 1, last - first - 1));
}

} // namespace

std::vector<std::string> lines_of(std::string_view cdata) {
    std::vector<std::string> out;
    while (!cdata.empty()) {
        const auto end = cdata.find('\n');
        auto line = cdata.substr(0, end);
        while (!line.empty() && (line.back() == '\r' || is_blank(line.back()))) {
            line.remove_suffix(1);
        }
        line = trim(line);
        if (!line.empty() || !out.empty()) {
            out.emplace_back(line);
        }
        cdata = end == std::string_view::npos ? std::string_view{} : cdata.substr(end + 1);
    }
    while (!out.empty() && out.back().empty()) {
        out.pop_back();
    }
    return out;
}

Draft read_message(const std::vector<std::string>& lines) {
    Draft out;
    std::size_t at = 0;
    if (!lines.empty()) {
        out.start = lines[at++];
    }
    for (; at < lines.size() && !lines[at].empty(); ++at) {
        out.headers.push_back(lines[at]);
    }
    for (++at; at < lines.size(); ++at) {
        out.body.push_back(lines[at]);
    }
    return out;
}

bool read_start(std::string_view start, Words& out) {
    if (start.starts_with("SIP/")) {
        const auto rest = trim(start.substr(std::min(start.find(' '), start.size())));
        out.status = rest.substr(0, rest.find(' '));
        out.phrase = trim(rest.substr(out.status.size()));
        return !out.status.empty();
    }
    out.method = start.substr(0, start.find(' '));
    return !out.method.empty() && out.method.size() < start.size() &&
           start.find("SIP/") != std::string_view::npos;
}

std::vector<std::string> say_message(literal::Habits& habits, const Words& words,
                                     const Draft& message, bool& described) {
    const auto status = parse_number<std::uint16_t>(words.status);
    const auto usual = words.method.empty() ? habits.response(status.value_or(0), words.phrase)
                                            : habits.request(words.method);
    described = message.described();
    auto compared = message;
    if (trim(usual.start) == message.start) {
        compared.start = usual.start; // a response without a phrase
    }
    // "0" is the length of nothing, as well as of what is counted.
    for (auto& line : compared.headers) {
        if (iequals(name_of(line), "Content-Length") && compared.body.empty() &&
            trim(std::string_view{line}.substr(std::min<std::size_t>(15, line.size()))) == "0") {
            line = "Content-Length: [len]";
        }
    }
    const auto target = words.method.empty() ? std::string_view{} : target_in(compared.start);
    auto base = literal::apply(habits, usual, facts_of({}, described));
    auto said = say_difference(base, compared, target);
    const auto made = literal::apply(habits, usual, facts_of(said, described));
    const bool same = !made.whole && made.start == compared.start && same_headers(made, compared) &&
                      made.body == compared.body;
    if (!same) {
        said = say_whole(message);
        described = false;
        habits.sent(literal::apply(habits, usual, facts_of(said, false)));
        return said;
    }
    habits.sent(made);
    return said;
}

} // namespace cw::script::sipp
