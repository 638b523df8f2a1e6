// Text on a terminal: how many cells it takes, and how text from the wire is made harmless before
// a person sees it. A SIP message can carry escape sequences, controls that reverse the direction
// of writing, and bytes that are no UTF-8; every view passes such text through printable() and
// prints nothing else of it. No locale is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cw::view {

// One code point read from UTF-8. `code` is U+FFFD and `size` 1 where the bytes are no UTF-8.
struct CodePoint {
    char32_t code = 0;
    std::uint8_t size = 1;
    bool valid = true;
};
// `at` must be inside `text`.
CodePoint decode_utf8(std::string_view text, std::size_t at);
void append_utf8(std::string& out, char32_t code);

// Cells that a terminal gives to a code point: 0 (combining), 1 or 2 (East Asian, emoji).
int cell_width(char32_t code);
// Cells of a text that has been through printable().
std::size_t cell_width(std::string_view text);

// Shows nothing itself but changes how its neighbours look or are ordered: general category Cf,
// line and paragraph separators, tags, noncharacters.
bool is_deceptive(char32_t code);

// Appends `wire` as valid UTF-8 in one line without anything that a terminal obeys: controls become
// their pictures (ESC is ␛), invisible and direction-changing characters and broken bytes become
// U+FFFD, and of combining marks no more than three follow a base. Longer than `max_bytes`, the
// text is shortened in its middle.
void append_printable(std::string& out, std::string_view wire, std::size_t max_bytes = 4096);
std::string printable(std::string_view wire, std::size_t max_bytes = 4096);

// `text` (printable) in at most `cells` cells, the middle replaced by "…" where it must shrink.
// With fewer than three cells, its beginning.
std::string shorten(std::string_view text, std::size_t cells, std::string_view ellipsis = "…");

// `text` (printable) in ASCII: the signs that our own labels use get their usual spelling ("->",
// "x", "us"), every other character becomes "?".
std::string to_ascii(std::string_view text);

} // namespace cw::view
