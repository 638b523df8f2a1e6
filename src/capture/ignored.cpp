#include "capture/ignored.hpp"

#include <fmt/format.h>

namespace cw::capture {
namespace {

constexpr std::size_t most_names = 64;

} // namespace

void Ignored::add(const char* name, std::uint32_t number) {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        if (keys_[i].literal == name && keys_[i].number == number) {
            ++entries_[i].count;
            return;
        }
    }
    if (entries_.size() >= most_names) {
        count({nullptr, no_number}, "others");
        return;
    }
    const std::string_view text{name};
    count({name, number}, number == no_number    ? std::string{text}
                          : text.ends_with("0x") ? fmt::format("{}{:04x}", text, number)
                                                 : fmt::format("{} {}", text, number));
}

void Ignored::add_named(const char* prefix, std::string_view name) {
    auto text = fmt::format("{} {}", prefix, name.substr(0, 40));
    for (auto& c : text) {
        c = c >= ' ' && c <= '~' ? c : '?';
    }
    count({nullptr, no_number}, text);
}

// By the text, as two literals of two files may say the same.
void Ignored::count(Key key, std::string_view name) {
    for (auto& entry : entries_) {
        if (entry.name == name) {
            ++entry.count;
            return;
        }
    }
    if (entries_.size() >= most_names && name != "others") {
        count({nullptr, no_number}, "others");
        return;
    }
    keys_.push_back(key);
    entries_.push_back({std::string{name}, 1});
}

std::uint64_t Ignored::count_of(std::string_view name) const {
    for (const auto& entry : entries_) {
        if (entry.name == name) {
            return entry.count;
        }
    }
    return 0;
}

} // namespace cw::capture
