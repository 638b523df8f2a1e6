#include "cli/save_calls.hpp"

#include <fmt/format.h>

#include "cli/exported_calls.hpp"
#include "cli/output.hpp"
#include "view/ladder_text.hpp"
#include "view/mermaid.hpp"
#include "view/svg.hpp"

namespace cw::cli {

view::Saved
save_calls(const std::string& path, std::size_t count, const view::PageOptions& page_options,
           const std::function<view::Ladder(const flow::Call&)>& lay_out,
           const std::function<std::vector<view::InputReport>(const SaveCall& save)>& for_each) {
    const auto ends = [&](std::string_view end) { return path.ends_with(end); };
    if (!ends(".txt") && !ends(".mmd") && !ends(".svg") && !ends(".html") && !ends(".pcapng")) {
        return {false, "Which kind? name.txt, .mmd, .svg, .html or .pcapng"};
    }
    if (ends(".svg") && count != 1) {
        return {false, "An SVG shows one call: choose one"};
    }
    auto out = Output::open(path);
    if (!out) {
        return {false, fmt::format("{}: {}", path, out.error().what)};
    }
    std::uint64_t without = 0; // messages
    const view::Sink sink = [&](std::string_view text) { out->write(text); };
    if (ends(".html")) {
        view::PageWriter page{sink, page_options};
        const auto inputs = for_each([&](const flow::Call& call, const auto& original) {
            page.call(call, lay_out(call), original);
        });
        page.finish(inputs);
    } else if (ends(".pcapng")) {
        ExportedCalls exported{sink};
        for_each(
            [&](const flow::Call& call, const auto& original) { exported.call(call, original); });
        without = exported.without();
    } else {
        std::string text;
        for_each([&](const flow::Call& call, const auto&) {
            const auto ladder = lay_out(call);
            text += text.empty() ? "" : "\n";
            ends(".svg")   ? view::append_svg(text, ladder)
            : ends(".txt") ? view::append_text(text, ladder)
            : count == 1   ? view::append_mermaid(text, ladder)
                           : view::append_mermaid_section(text, ladder);
        });
        sink(text);
    }
    if (!out->finish()) {
        return {false, fmt::format("{}: writing failed", path)};
    }
    if (without > 0) {
        return {true, fmt::format("{}: saved without {} messages, whose bytes are not known", path,
                                  without)};
    }
    return {true, fmt::format("{} call{} saved in {}", count, count == 1 ? "" : "s", path)};
}

} // namespace cw::cli
