// Flows: any text gives a plan or complaints. A plan is printed and read again, and is the same; a
// complaint has a place, and its report holds nothing that a terminal obeys.
#include <string>

#include "base/bytes.hpp"
#include "fuzz.hpp"
#include "script/describe.hpp"
#include "script/parse.hpp"
#include "script/print.hpp"
#include "script/utf8.hpp"

namespace {

using namespace cw::script;

void require_harmless(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto letter = next_letter(text, at);
        require(letter.valid && (letter.code == '\n' || !is_harmful(letter.code)));
        at += letter.size;
    }
}

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    if (input.size() > 65'536) {
        return;
    }
    const auto text = cw::as_text(input);
    const auto parsed = parse(text);
    std::string report;
    for (const auto& complaint : parsed.complaints) {
        require(complaint.place.line > 0 && complaint.place.column > 0);
        require(!complaint.what.empty());
        append(report, "flow.mmd", text, complaint);
    }
    require_harmless(report);
    if (!parsed.ok()) {
        return;
    }
    const auto printed = to_mermaid(parsed.plan);
    require_harmless(printed);
    const auto again = parse(printed);
    require(again.ok() && again.plan == parsed.plan);
    require_harmless(describe(parsed.plan));
}
