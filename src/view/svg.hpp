// A ladder as SVG: text stays text, each arrow says in its <title> what it is, light and dark
// follow the reader's choice, and nothing is loaded. Rows are drawn one by one with their top at 0,
// so that the page (page.hpp) can show those in sight only.
//
// Single-threaded; a painter lives no longer than its Ladder.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "view/ladder.hpp"

namespace cw::view {

// Appends printable text for an element or a quoted attribute.
void append_xml(std::string& out, std::string_view text);

// The bar beside a lifeline for as long as a stream lasts: from one row to another.
struct SvgSpan {
    int x = 0;
    std::size_t first = 0; // rows
    std::size_t last = 0;
    bool secure = false;
};

// A shaded field between two lifelines for as long as media is on hold.
struct SvgHold {
    static constexpr int label_x = 36; // beside the locks
    int x = 0;
    int width = 0;
    std::size_t first = 0; // rows
    std::size_t last = 0;
    std::string label; // "hold 4.2 s"
};

class SvgPainter {
  public:
    static constexpr int heads_height = 58;

    explicit SvgPainter(const Ladder& ladder);

    [[nodiscard]] int width() const { return width_; }
    [[nodiscard]] int left() const { return left_; }   // where what is drawn of columns begins
    [[nodiscard]] int right() const { return right_; } // the last lifeline
    [[nodiscard]] const std::vector<int>& columns() const { return x_; }
    [[nodiscard]] const std::vector<SvgSpan>& spans() const { return spans_; }

    [[nodiscard]] const std::vector<SvgHold>& holds() const { return holds_; }

    // 0: the row is part of another one.
    [[nodiscard]] int height(std::size_t row) const;
    // Appends a <g>; nothing when the height is 0.
    void append_row(std::string& out, std::size_t row) const;
    // The boxes, their tops at `y`.
    void append_heads(std::string& out, int y) const;
    // The shapes that rows use; once in a document.
    static void append_shapes(std::string& out);

  private:
    void find_columns();
    void find_handshakes();
    void find_spans();
    void find_holds();
    void append_gutter(std::string& out, const Row& row, int y) const;
    void append_arrow(std::string& out, const Row& row, std::string_view kind) const;
    void append_self(std::string& out, const Row& row) const;
    void append_lock(std::string& out, const Row& row, int x, int y) const;
    void append_badges(std::string& out, const Row& row, int y) const;
    void append_pill(std::string& out, const Row& row) const;
    void append_grey(std::string& out, const Row& row) const;
    void append_fold(std::string& out, const Row& row) const;
    void append_media(std::string& out, const Row& row) const;
    void append_gap(std::string& out, const Row& row) const;
    void append_note(std::string& out, const Row& row) const;
    void append_title(std::string& out, const Row& row, std::string_view more = {}) const;

    const Ladder& ladder_;
    bool mixed_ = false; // some hops are clear and some are not
    int width_ = 0;
    int left_ = 0;
    int right_ = 0;
    std::vector<int> x_;   // of each lifeline
    std::vector<int> box_; // widths
    std::vector<SvgSpan> spans_;
    std::vector<SvgHold> holds_;
    std::unordered_map<std::size_t, std::string> handshakes_; // row of a pill → its messages
};

// Appends a whole document: title, chips, findings, ladder, connections.
void append_svg(std::string& out, const Ladder& ladder);

} // namespace cw::view
