// What the screens of `read -i` ask for: calls out of a Reading, filters, files. Rows are there
// while it goes on; what is in a call is shown when it is over.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/interactive.hpp"
#include "cli/reading.hpp"
#include "flow/filter.hpp"
#include "flow/redact.hpp"
#include "view/page.hpp"
#include "view/screen/screen.hpp"

namespace cw::cli {

class ReadScreen {
  public:
    using LayOut = std::function<view::Ladder(const flow::Call&, flow::Boxes::Of columns)>;
    // All of them must outlive this.
    ReadScreen(Reading& reading, flow::Redactor& redactor, bool redact, LayOut lay_out,
               view::PageOptions page)
        : reading_(reading), redactor_(redactor), redact_(redact), lay_out_(std::move(lay_out)),
          page_(std::move(page)) {}

    // A line of the list, of a call as it was read. False: the user has left already.
    using Add = std::function<bool(const flow::Call& call)>;
    struct Work {
        std::function<void()> read; // reads to the end; empty: that was done
        // Adds the calls that are wanted, as long as it may.
        std::function<void(const Add& add)> list;
        // One that is not over would be listed.
        std::function<bool(const flow::Call& call)> is_wanted;
    };
    // Until the user leaves. False: there is no terminal. What is there is shown, and can be used,
    // while `work` is done.
    bool run(const view::ScreenOptions& options, const Work& work);

  private:
    bool add(const flow::Call& call, Interactive& terminal);
    bool glance(const Work& work, Interactive& terminal, Instant now, unsigned percent);
    void drop_joined();
    // What a row is known by: the call's key in the Book, for its number is known at the end only.
    [[nodiscard]] std::uint32_t id_of_visited() { return reading_.book().key() + 1; }
    view::ScreenCall load(std::uint32_t id, flow::Boxes::Of columns);
    bool filter(const std::string& text, std::set<std::uint32_t>& fit, std::string& why);
    view::Saved save_packets(const std::vector<std::uint32_t>& ids, const std::string& path);
    view::Saved save(const std::vector<std::uint32_t>& ids, const std::string& path);
    template <class Visit>
    void visit(std::uint32_t id, Visit visit);

    Reading& reading_;
    flow::Redactor& redactor_;
    bool redact_;
    LayOut lay_out_;
    view::PageOptions page_;
    view::Screen* screen_ = nullptr;    // while it runs
    std::optional<flow::Filter> typed_; // the filter of the screen
    std::set<std::uint32_t> early_;     // rows that were shown before all was read
    bool read_ = false;
    std::size_t added_ = 0;
    std::chrono::steady_clock::time_point drawn_;
    Instant end_; // of what was read
};

} // namespace cw::cli
