// Calls as one page that needs nothing besides itself: list, ladder, messages, findings, in a file
// that loads nothing and runs no script but its own. Written call by call, so that memory does not
// grow with their number. What a capture holds goes into the page as data only: JSON in which no
// "<" occurs, shown as text by src/view/page/*.js.
//
//   PageWriter page{sink, options};  page.call(call, ladder, bytes)…  page.finish(inputs);
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"
#include "flow/media_course.hpp"
#include "view/ladder.hpp"
#include "view/report.hpp"

namespace cw::view {

struct PageOptions {
    std::string title;   // of the window
    std::string version; // the program's
    std::string command; // that opens the same inputs: "callwright read call.pcapng"
    // "sha256-…" of page_script(), for the page's own rule of what may run; empty: no such rule.
    std::string script_hash;
};

// A line of a performance: an arrow of a flow and what came of it.
struct PageVerdict {
    std::string place; // "12", the line in the flow
    std::string at;    // seconds
    std::string who;
    std::string what;
    std::string verdict;
    std::string why;
    std::string expected;
    std::string received;
    Tone tone = Tone::Plain;
};

class PageWriter {
  public:
    PageWriter(Sink sink, const PageOptions& options);
    PageWriter(const PageWriter&) = delete;
    PageWriter& operator=(const PageWriter&) = delete;

    // Gives the bytes of a message; empty when they are not to be shown. Valid until asked again.
    using Bytes = std::function<std::string_view(const flow::Message&)>;
    void call(const flow::Call& call, const Ladder& ladder, const Bytes& bytes);
    // Calls that follow get charts of their streams from it, which must outlive them.
    void charts_from(const flow::MediaCourse& course) { course_ = &course; }
    // A performance of a flow; `source` is its text.
    void flow(const Ladder& ladder, std::span<const PageVerdict> verdicts, std::string_view source);
    // Nothing may follow.
    void finish(std::span<const InputReport> inputs);

  private:
    void begin_entry();
    void end_entry();

    Sink sink_;
    const flow::MediaCourse* course_ = nullptr;
    std::string list_; // a row of JSON for each entry
    std::size_t entries_ = 0;
};

// What runs in the page.
std::string_view page_script();

// ---- the page of a program that goes on: the same list, ladders and panes, which ask for calls
// over a WebSocket

// What the list shows of a call, as JSON; `live`: it may go on.
void append_page_row(std::string& out, const flow::Call& call, std::uint32_t number, bool live);
// What the ladder and the panes show of it, as JSON without any "<".
// `course`: what is charted of its streams; null: nothing.
void write_page_entry(const Sink& sink, const flow::Call& call, const Ladder& ladder,
                      const PageWriter::Bytes& bytes, const flow::MediaCourse* course = nullptr);
// The page itself; it asks for page.css and page.js, which follow.
std::string live_page();
std::string live_style();
std::string_view live_script();

} // namespace cw::view
