#include "script/words.hpp"

#include "base/text.hpp"

namespace cw::script {
namespace {

bool is_space(char c) {
    return is_blank(c) || c == '\n';
}

} // namespace

std::vector<std::string_view> split_words(std::string_view text) {
    std::vector<std::string_view> words;
    std::size_t at = 0;
    while (at < text.size()) {
        if (is_space(text[at])) {
            ++at;
            continue;
        }
        const auto begin = at;
        const auto quote = text[at] == '"' ? text.find('"', at + 1) : std::string_view::npos;
        if (quote != std::string_view::npos) {
            at = quote + 1;
        }
        while (at < text.size() && !is_space(text[at])) {
            ++at;
        }
        words.push_back(text.substr(begin, at - begin));
    }
    return words;
}

std::vector<std::string_view> split_facts(std::string_view text) {
    std::vector<std::string_view> facts;
    std::size_t begin = 0;
    bool quoted = false;
    int brackets = 0;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        const char c = at < text.size() ? text[at] : ',';
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted &&
                   (c == '{' || (c == '<' && at + 1 < text.size() && !is_space(text[at + 1])))) {
            ++brackets; // "loss < 1%" opens nothing
        } else if (!quoted && (c == '}' || c == '>') && brackets > 0) {
            --brackets;
        }
        if (at == text.size() || (c == ',' && !quoted && brackets == 0)) {
            facts.push_back(trim(text.substr(begin, at - begin)));
            begin = at + 1;
        }
    }
    return facts;
}

Divided divide(std::string_view text) {
    text = trim(text);
    Divided out;
    out.head = text;
    bool quoted = false;
    int depth = 0;
    std::size_t open = std::string_view::npos;
    std::size_t close = std::string_view::npos;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '"') {
            quoted = !quoted;
        } else if (!quoted && text[at] == '(') {
            open = depth++ == 0 ? at : open;
        } else if (!quoted && text[at] == ')') {
            if (depth == 0) {
                out.fault = Divided::Fault::NotOpened;
                out.fault_at = text.substr(at, 1);
                return out;
            }
            close = --depth == 0 ? at : close;
        }
    }
    if (depth > 0) {
        out.fault = Divided::Fault::NotClosed;
        out.fault_at = text.substr(open, 1);
    } else if (close != std::string_view::npos && close + 1 == text.size()) {
        out.head = trim(text.substr(0, open));
        out.facts = trim(text.substr(open + 1, close - open - 1));
        out.has_facts = true;
    }
    return out;
}

} // namespace cw::script
