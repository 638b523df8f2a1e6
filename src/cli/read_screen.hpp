// What the screens of `read -i` ask for: calls out of a finished Reading, filters, files.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cli/reading.hpp"
#include "flow/redact.hpp"
#include "view/page.hpp"
#include "view/screen/screen.hpp"

namespace cw::cli {

class ReadScreen {
  public:
    using LayOut = std::function<view::Ladder(const flow::Call&)>;
    // All of them must outlive this.
    ReadScreen(Reading& reading, flow::Redactor& redactor, bool redact, LayOut lay_out,
               view::PageOptions page)
        : reading_(reading), redactor_(redactor), redact_(redact), lay_out_(std::move(lay_out)),
          page_(std::move(page)) {}

    // A line of the list; as it is to be shown.
    void add(const flow::Call& call);
    // Until the user leaves. False: there is no terminal.
    bool run(const view::ScreenOptions& options);

  private:
    view::ScreenCall load(std::uint32_t id);
    bool filter(const std::string& text, std::set<std::uint32_t>& fit, std::string& why);
    std::string save(const std::vector<std::uint32_t>& ids, const std::string& path);
    template <class Visit>
    void for_each(const std::vector<std::uint32_t>& ids, Visit visit);

    Reading& reading_;
    flow::Redactor& redactor_;
    bool redact_;
    LayOut lay_out_;
    view::PageOptions page_;
    std::vector<view::ScreenRow> rows_;
};

} // namespace cw::cli
