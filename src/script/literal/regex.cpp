#include "script/literal/regex.hpp"

#include <array>
#include <charconv>
#include <cstdint>

#include <regex.h>

#include "base/text.hpp"

namespace cw::script::literal {
namespace {

// How much the counted repetitions of an expression multiply it: each is laid out that often.
std::size_t repetition(std::string_view expression) {
    constexpr std::size_t beyond = 1'000'000;
    std::size_t product = 1;
    for (std::size_t at = 0; at < expression.size(); ++at) {
        if (expression[at] == '\\') {
            ++at;
        } else if (expression[at] == '{') {
            std::size_t most = 1;
            for (auto i = at + 1; i < expression.size() && expression[i] != '}'; ++i) {
                if (is_digit(expression[i])) {
                    std::size_t count = 0;
                    while (i < expression.size() && is_digit(expression[i]) && count < beyond) {
                        count = count * 10 + static_cast<std::size_t>(expression[i++] - '0');
                    }
                    most = std::max(most, count);
                    --i;
                }
            }
            product = std::min(beyond, product * most);
        }
    }
    return product;
}

bool refers_back(std::string_view expression) {
    for (std::size_t at = 0; at + 1 < expression.size(); ++at) {
        if (expression[at] == '\\') {
            if (is_digit(expression[at + 1])) {
                return true;
            }
            ++at;
        }
    }
    return false;
}

} // namespace

struct Regex::Compiled {
    regex_t regex{};
    bool made = false;
    Compiled() = default;
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled() {
        if (made) {
            regfree(&regex);
        }
    }
};

std::expected<Regex, std::string> Regex::make(std::string_view expression, bool ignore_case) {
    constexpr std::size_t most_repetition = 2000;
    if (expression.size() > longest) {
        return std::unexpected{std::string{"a regular expression that is too long"}};
    }
    if (repetition(expression) > most_repetition) {
        return std::unexpected{std::string{"a regular expression that repeats too much"}};
    }
    if (refers_back(expression)) {
        return std::unexpected{std::string{"a regular expression that refers back (\\1)"}};
    }
    const std::string text{expression};
    auto compiled = std::make_shared<Compiled>();
    const int error =
        regcomp(&compiled->regex, text.c_str(), REG_EXTENDED | (ignore_case ? REG_ICASE : 0));
    if (error != 0) {
        std::array<char, 200> why{};
        regerror(error, &compiled->regex, why.data(), why.size());
        return std::unexpected{std::string{"this is no regular expression: "} + why.data()};
    }
    compiled->made = true;
    Regex out;
    out.compiled_ = std::move(compiled);
    return out;
}

std::vector<std::string_view> Regex::search(std::string_view text) const {
    constexpr std::size_t most_groups = 32;
    text = text.substr(0, longest_text);
    const std::string copy{text.substr(0, text.find('\0'))};
    std::array<regmatch_t, most_groups> found{};
    if (regexec(&compiled_->regex, copy.c_str(), found.size(), found.data(), 0) != 0) {
        return {};
    }
    std::vector<std::string_view> out;
    const auto groups = std::min(most_groups, compiled_->regex.re_nsub + 1);
    for (std::size_t i = 0; i < groups; ++i) {
        const auto& one = found[i];
        out.push_back(one.rm_so < 0 ? std::string_view{}
                                    : text.substr(static_cast<std::size_t>(one.rm_so),
                                                  static_cast<std::size_t>(one.rm_eo - one.rm_so)));
    }
    return out;
}

} // namespace cw::script::literal
