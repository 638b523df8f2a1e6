#include "sip/header.hpp"

#include <array>
#include <cstring>

#include "base/text.hpp"

namespace cw::sip {
namespace {

struct Row {
    std::string_view name;
    char compact;
    bool list;
    std::string_view rfc;
};

constexpr std::array<Row, header_id_count> rows{{
    {"", 0, false, ""},
#define CW_SIP_HEADER(id, name, compact, list, rfc) {name, compact, list, rfc},
#include "sip/headers.def"
#undef CW_SIP_HEADER
}};

constexpr auto names = [] {
    std::array<std::string_view, header_id_count> table{};
    for (std::size_t id = 0; id < rows.size(); ++id) {
        table[id] = rows[id].name;
    }
    return table;
}();

// An open-addressed table from the hash of a name to its row, made by the compiler. It is under a
// third full, so that a name of ours is met at the first or second slot, and any other name soon
// meets an empty one.
constexpr std::size_t slot_count = 512;
static_assert(header_id_count * 3 < slot_count && header_id_count <= 256);

constexpr std::uint32_t fold(char c) {
    return static_cast<std::uint8_t>(c) | 0x20U;
}

// The factors were chosen so that the headers of everyday calls meet no other at their slot.
// Note: equal hashes say nothing; a name is ours only when its bytes are. `name` is not empty.
constexpr std::size_t slot_of(std::string_view name) {
    const auto n = name.size();
    return (static_cast<std::uint32_t>(n) * 327 + fold(name[0]) * 147 + fold(name[n - 1]) * 387 +
            fold(name[n / 2])) %
           slot_count;
}

constexpr auto slots = [] {
    std::array<std::uint8_t, slot_count> table{};
    for (std::size_t id = 1; id < rows.size(); ++id) {
        auto slot = slot_of(rows[id].name);
        while (table[slot] != 0) {
            slot = (slot + 1) % slot_count;
        }
        table[slot] = static_cast<std::uint8_t>(id);
    }
    return table;
}();

constexpr auto compact_ids = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t id = 1; id < rows.size(); ++id) {
        if (const auto c = rows[id].compact; c != 0) {
            table[static_cast<std::uint8_t>(c)] = static_cast<std::uint8_t>(id);
            table[static_cast<std::uint8_t>(c - 0x20)] = static_cast<std::uint8_t>(id);
        }
    }
    return table;
}();

constexpr auto longest_name = [] {
    std::size_t longest = 0;
    for (const auto& row : rows) {
        longest = row.name.size() > longest ? row.name.size() : longest;
    }
    return longest;
}();

template <class Word>
Word load(const char* p) {
    Word word{};
    std::memcpy(&word, p, sizeof word);
    return word;
}

// Equal bytes, word by word, the last word overlapping the one before it: names are short, a call
// of memcmp costs more than the comparison. `n` is 2 or more.
bool same_bytes(const char* a, const char* b, std::size_t n) {
    const auto same = [a, b]<class Word>(Word, std::size_t at) {
        return load<Word>(a + at) == load<Word>(b + at);
    };
    if (n < 4) {
        return same(std::uint16_t{}, 0) && same(std::uint16_t{}, n - 2);
    }
    if (n < 8) {
        return same(std::uint32_t{}, 0) && same(std::uint32_t{}, n - 4);
    }
    for (std::size_t at = 0; at + 8 < n; at += 8) {
        if (!same(std::uint64_t{}, at)) {
            return false;
        }
    }
    return same(std::uint64_t{}, n - 8);
}

} // namespace

HeaderId header_id(std::string_view name) {
    if (name.size() <= 1) {
        return name.empty()
                   ? HeaderId::Other
                   : static_cast<HeaderId>(compact_ids[static_cast<std::uint8_t>(name[0])]);
    }
    if (name.size() > longest_name) {
        return HeaderId::Other;
    }
    for (auto slot = slot_of(name); slots[slot] != 0; slot = (slot + 1) % slot_count) {
        const auto known = names[slots[slot]];
        // Most senders write the name as the RFC does, so that spelling is tried first.
        if (known.size() == name.size() &&
            (same_bytes(known.data(), name.data(), name.size()) || iequals(known, name))) {
            return static_cast<HeaderId>(slots[slot]);
        }
    }
    return HeaderId::Other;
}

std::string_view to_string(HeaderId id) {
    return rows[static_cast<std::size_t>(id)].name;
}

char compact_form(HeaderId id) {
    return rows[static_cast<std::size_t>(id)].compact;
}

bool is_list(HeaderId id) {
    return rows[static_cast<std::size_t>(id)].list;
}

std::string_view defined_in(HeaderId id) {
    return rows[static_cast<std::size_t>(id)].rfc;
}

} // namespace cw::sip
