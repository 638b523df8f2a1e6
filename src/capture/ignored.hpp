// What the decoder did not understand, counted by name, so that nothing disappears unsaid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cw::capture {

class Ignored {
  public:
    struct Entry {
        std::string name; // "arp", "link type 147", "ethertype 0x88f7"
        std::uint64_t count = 0;
    };

    // `name` must be a literal.
    void add(const char* name) { add(name, no_number); }
    // A literal and a number after it, in hexadecimal when the literal ends with "0x".
    void add(const char* name, std::uint32_t number);
    // A name out of the capture: what cannot be printed is replaced, the rest cut at 40 characters.
    void add_named(const char* prefix, std::string_view name);

    // In the order of their first time; at most 64 names, then "others".
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] std::uint64_t count_of(std::string_view name) const;

  private:
    static constexpr std::uint32_t no_number = 0xffff'ffff;
    struct Key {
        const char* literal;
        std::uint32_t number;
    };
    void count(Key key, std::string_view name);

    std::vector<Key> keys_; // beside entries_
    std::vector<Entry> entries_;
};

} // namespace cw::capture
