// Reads the XML of SIPp's scenarios as it is in the wild: a tenth of it is not well-formed. What
// can be understood nevertheless is, and said; what cannot is refused with its line and column.
// Entities other than the five of XML and numbers are left as they stand, so none can grow. Total;
// the time it takes grows with the text alone. Values that own what they hold.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "script/place.hpp"

namespace cw::script::sipp {

namespace limit {
inline constexpr std::size_t bytes = 4 << 20;
inline constexpr std::size_t elements = 20'000;
inline constexpr std::size_t depth = 16;
inline constexpr std::size_t attributes = 64; // of one element
inline constexpr std::size_t repairs = 20;    // that are said one by one
} // namespace limit

struct Attribute {
    std::string name;
    std::string value;
};
struct Element {
    std::string name;
    std::vector<Attribute> attributes;
    std::string text; // its CDATA, or else what stands between its tags
    bool cdata = false;
    std::vector<Element> children;
    Place place;

    // Or nullptr.
    [[nodiscard]] const std::string* find(std::string_view attribute) const;
    // Or empty.
    [[nodiscard]] std::string_view get(std::string_view attribute) const;
};

struct Note { // what was wrong and has been understood, or why it cannot be
    Place place;
    std::string what;
};
struct Document {
    Element root;
    std::vector<Note> repairs;
};
std::expected<Document, Note> read_xml(std::string_view text);

} // namespace cw::script::sipp
