// Extended regular expressions of POSIX, which are those of SIPp's scenarios. Bounded: expressions
// that could need memory or time beyond reason are refused. A Regex is not changed once it is made,
// and may be shared between threads.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cw::script::literal {

class Regex {
  public:
    static constexpr std::size_t longest = 4096;            // of the expression
    static constexpr std::size_t longest_text = 256 * 1024; // of what is searched; the rest is not
    static std::expected<Regex, std::string> make(std::string_view expression, bool ignore_case);

    // The whole and its groups, views of `text`; no data() where a group took no part. Empty: no
    // match.
    [[nodiscard]] std::vector<std::string_view> search(std::string_view text) const;

  private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_;
};

} // namespace cw::script::literal
