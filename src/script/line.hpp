// One line of a flow: its bytes, and its text as a reader sees it, with Mermaid's entities (#35;)
// and <br/> resolved. A view into the text knows where it came from in the file.
// A Line is not copied or moved while views of it are in use: they look into it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "script/complaint.hpp"
#include "script/place.hpp"

namespace cw::script {

class Line {
  public:
    static constexpr std::size_t longest = 8192; // bytes

    // `source` is one line without its end, not longer than `longest`; its last blanks are dropped.
    // Complains about bytes that have no place in a flow; is_sound() is false then.
    Line(std::string_view source, std::uint32_t number, bool after_blank, Complaints& complaints);

    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    [[nodiscard]] bool is_sound() const { return sound_; }
    // The whole line without blanks at its ends. A <br/> of the source is a '\n'.
    [[nodiscard]] std::string_view text() const;
    [[nodiscard]] bool is_comment() const { return text().starts_with("%%"); }
    // A line break of the picture becomes a blank: for what goes on the wire. Views stay good.
    void flatten();
    // Where `part`, a view into text(), stands in the file.
    [[nodiscard]] Place place(std::string_view part) const;

  private:
    bool check_letters(std::string_view source, Complaints& complaints) const;
    void decode(std::string_view source, Complaints& complaints);
    std::size_t decode_entity(std::string_view source, std::size_t at, std::uint32_t column,
                              Complaints& complaints);
    void put(std::string_view bytes, std::uint32_t column);
    [[nodiscard]] Place at_column(std::uint32_t column, std::uint32_t length) const;

    std::uint32_t number_;
    bool after_blank_;
    bool sound_ = true;
    std::string text_;
    std::vector<std::uint32_t> columns_; // of each byte of text_, and of its end
};

} // namespace cw::script
