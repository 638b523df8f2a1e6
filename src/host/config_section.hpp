// A table of a TOML file as a table in the source: a key, how its value is read, and what the
// reader of the documentation is told. Used by config_keys.cpp alone.
#pragma once

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "host/config.hpp"

namespace cw::host {

// The first thing that is wrong.
class Problem {
  public:
    // Always false, to be returned.
    bool say(const toml::node& node, std::string what) {
        return say(node.source(), std::move(what));
    }
    bool say(const toml::source_region& where, std::string what) {
        if (!error_) {
            error_ = ConfigError{{}, where.begin.line, where.begin.column, std::move(what), {}};
        }
        return false;
    }
    [[nodiscard]] const std::optional<ConfigError>& error() const { return error_; }
    // From here on lines hold passwords, so none is shown.
    void hide_lines(bool hide) { hidden_ = error_ ? hidden_ : hide; }
    [[nodiscard]] bool lines_hidden() const { return hidden_; }

  private:
    std::optional<ConfigError> error_;
    bool hidden_ = false;
};

template <class T>
struct Key {
    const char* name;
    const char* value;   // what may stand there, for people
    const char* absent;  // what holds without it
    const char* meaning; // a sentence
    bool (*read)(const toml::node& node, T& into, Problem& problem);
};

// The whole file (config_keys.cpp).
bool read_root(const toml::table& root, Config& config, Problem& problem);

bool unknown_key(const toml::key& key, const std::vector<std::string_view>& known,
                 Problem& problem);

template <class T>
bool read_table(const toml::table& table, std::span<const Key<T>> keys, T& into, Problem& problem) {
    for (const auto& [key, node] : table) {
        const Key<T>* found = nullptr;
        for (const auto& candidate : keys) {
            found = key.str() == candidate.name ? &candidate : found;
        }
        if (found == nullptr) {
            std::vector<std::string_view> known;
            for (const auto& candidate : keys) {
                known.emplace_back(candidate.name);
            }
            return unknown_key(key, known, problem);
        }
        if (!found->read(node, into, problem)) {
            return false;
        }
    }
    return true;
}

// ---- readers of values. Each returns false after it has told the Problem.

bool read_string(const toml::node& node, std::string& into, Problem& problem);
bool read_strings(const toml::node& node, std::vector<std::string>& into, Problem& problem);
bool read_bool(const toml::node& node, bool& into, Problem& problem);
bool read_number(const toml::node& node, std::int64_t least, std::int64_t most, std::int64_t& into,
                 Problem& problem);

template <std::int64_t Least, std::int64_t Most, std::integral T>
bool read_integer(const toml::node& node, T& into, Problem& problem) {
    std::int64_t value = 0;
    if (!read_number(node, Least, Most, value, problem)) {
        return false;
    }
    into = static_cast<T>(value);
    return true;
}
template <std::int64_t Least, std::int64_t Most>
bool read_seconds(const toml::node& node, Duration& into, Problem& problem) {
    std::int64_t value = 0;
    if (!read_number(node, Least, Most, value, problem)) {
        return false;
    }
    into = seconds(value);
    return true;
}

// One of several words.
template <class T>
struct Word {
    std::string_view text;
    T value;
};
std::string one_of(const std::vector<std::string_view>& words, std::string_view found);
template <class T, std::size_t N>
bool read_word(const toml::node& node, const Word<T> (&words)[N], T& into, Problem& problem) {
    std::string text;
    if (!read_string(node, text, problem)) {
        return false;
    }
    std::vector<std::string_view> known;
    for (const auto& word : words) {
        if (word.text == text) {
            into = word.value;
            return true;
        }
        known.push_back(word.text);
    }
    return problem.say(node, one_of(known, text));
}

// The tables of an array of tables, or a single one.
template <class F>
bool each_table(const toml::node& node, Problem& problem, F&& take) {
    if (const auto* table = node.as_table()) {
        return take(*table);
    }
    const auto* array = node.as_array();
    if (array == nullptr) {
        return problem.say(node, "expected a table");
    }
    for (const auto& element : *array) {
        const auto* table = element.as_table();
        if (table == nullptr) {
            return problem.say(element, "expected a table");
        }
        if (!take(*table)) {
            return false;
        }
    }
    return true;
}

} // namespace cw::host
