// The list of calls in a terminal: one line each, printed as they come, so any number of them takes
// no memory. Column widths follow from the width of the terminal, not from the data; what does not
// fit is shortened in its middle, never wrapped.
//
//   ListText list{sink, {.width = 100}};
//   list.connection(c)…  list.call(call)…  list.finish(inputs, counts);
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "flow/call.hpp"
#include "view/canvas.hpp"
#include "view/figures.hpp"
#include "view/report.hpp"

namespace cw::view {

struct ListOptions {
    std::size_t width = 100; // cells; less than 60 counts as 60
    bool ascii = false;
    bool colour = false;
};

class ListText {
  public:
    explicit ListText(Sink sink, const ListOptions& options = {});
    // A piece of a list: calls alone, kept for rows() of that list. What is too long to be kept
    // goes to `overflow`, part by part as it gets ready.
    struct Piece {
        Sink overflow;
    };
    ListText(Piece piece, const ListOptions& options);
    ListText(const ListText&) = delete;
    ListText& operator=(const ListText&) = delete;

    void call(const flow::Call& call);
    [[nodiscard]] const ListOptions& options() const { return options_; }
    // Of a piece: what it keeps. Valid until the next call to it.
    [[nodiscard]] std::string_view kept() const { return out_; }
    // Begins the next piece, in the same memory.
    void restart() { out_.clear(); }
    // The text of a piece, or some of it, and of how many calls it is the last.
    void rows(std::string_view piece, std::uint64_t calls);
    // What was said so far goes to the sink at once: for lists that grow as one looks.
    void flush();
    // Undecrypted TLS connections are counted by reason, and bytes that the capture lacks, for the
    // summary. In any order with call().
    void connection(const flow::Connection& c);
    // An RTP stream that belongs to no call; `texts` holds its texts. The first few are shown.
    void stray(const flow::MediaStream& s, const flow::TextPool& texts);
    // What the run brought in all. Nothing may follow.
    void finish(std::span<const InputReport> inputs, const ReportCounts& counts);

  private:
    struct Widths {
        std::size_t number, time, kind, from, to, state, duration, messages, security, legs, found,
            weakest;
    };
    struct Unreadable {
        std::uint64_t count = 0;
        std::string example; // the reason in full
        Endpoint client;
        Endpoint server;
    };
    static Widths widths_for(std::size_t width);
    void header_if_due();
    // One cell of the table: at least `width` cells, a blank after it.
    void cell(std::string_view text, std::size_t width, bool right = false, Ink ink = Ink::Normal);
    void end_line();
    void found(const flow::Call& call);
    void weakest(const std::string& sentence);
    std::string said(std::string_view text) const;
    void summary_line(std::string_view head, std::string_view text, Ink ink);

    Sink sink_;
    ListOptions options_;
    Widths widths_;
    std::string out_;
    std::string scratch_;
    std::string sentence_; // the weakest point of the latest call
    std::string as_cell_;  // that as its cell: the same is said of most calls
    TimeWriter times_;
    std::map<std::string, Unreadable> unreadable_; // by the kind of reason
    std::uint64_t unreadable_others_ = 0;
    std::uint64_t listed_ = 0;
    bool header_due_ = true;
    std::uint64_t with_gaps_ = 0;
    std::uint64_t missing_bytes_ = 0;
    static constexpr std::uint64_t max_strays = 8;
    std::uint64_t strays_ = 0;
    std::vector<std::string> stray_lines_;
};

} // namespace cw::view
