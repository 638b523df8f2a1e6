// The identity of a header field: an id for those that have a meaning here, Other for all the rest.
// Generated from headers.def. Field names are compared without regard to case, and a compact form
// is the same header as the long one [RFC 3261 §7.3.1, §7.3.3].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cw::sip {

enum class HeaderId : std::uint8_t {
    Other,
#define CW_SIP_HEADER(id, name, compact, list, rfc) id,
#include "sip/headers.def"
#undef CW_SIP_HEADER
};

inline constexpr std::size_t header_id_count = 1
#define CW_SIP_HEADER(id, name, compact, list, rfc) +1
#include "sip/headers.def"
#undef CW_SIP_HEADER
    ;

// A set of ids.
class HeaderSet {
  public:
    constexpr HeaderSet() = default;
    constexpr explicit HeaderSet(std::span<const HeaderId> ids) {
        for (const auto id : ids) {
            insert(id);
        }
    }
    constexpr void insert(HeaderId id) { words_[word(id)] |= bit(id); }
    [[nodiscard]] constexpr bool has(HeaderId id) const {
        return (words_[word(id)] & bit(id)) != 0;
    }
    // Is an id in both?
    [[nodiscard]] constexpr bool meets(const HeaderSet& other) const {
        std::uint64_t both = 0;
        for (std::size_t i = 0; i < words_.size(); ++i) {
            both |= words_[i] & other.words_[i];
        }
        return both != 0;
    }

  private:
    static constexpr std::size_t word(HeaderId id) { return static_cast<std::size_t>(id) / 64; }
    static constexpr std::uint64_t bit(HeaderId id) {
        return std::uint64_t{1} << (static_cast<std::size_t>(id) % 64);
    }
    std::array<std::uint64_t, (header_id_count + 63) / 64> words_{};
};

// `name` is a field name without blanks, in any case, long or compact. O(1).
HeaderId header_id(std::string_view name);

// The long name as its RFC writes it; empty for Other. Static text.
std::string_view to_string(HeaderId id);
// The one-letter form, or 0.
char compact_form(HeaderId id);
// May one field hold several values, with commas between them?
bool is_list(HeaderId id);
// Where the header is defined: "RFC 3261 §20.42"; empty for Other. Static text.
std::string_view defined_in(HeaderId id);

} // namespace cw::sip
