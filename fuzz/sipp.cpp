// SIPp's XML, broken in any way: it is refused with a place, or becomes a flow that the reader of
// flows takes, and whose program every literal party can have.
#include <map>
#include <string>

#include "base/bytes.hpp"
#include "fuzz.hpp"
#include "script/literal/program.hpp"
#include "script/print.hpp"
#include "script/read_flow.hpp"
#include "script/sipp/convert.hpp"
#include "script/sipp/injection.hpp"

void fuzz(std::span<const std::uint8_t> input) {
    using namespace cw::script;
    if (input.size() > 65'536) {
        return;
    }
    const auto text = cw::as_text(input);
    const auto done = sipp::convert(text, "fuzz");
    require(done.ok() == !done.flow.empty());
    for (const auto& note : done.refused) {
        require(note.place.line > 0 && !note.what.empty());
    }
    if (const auto rows = sipp::read_injection(text, "fuzz.csv")) {
        std::map<std::string, std::string> row;
        sipp::fill_row({*rows}, 7, 11, row);
    }
    if (!done.ok()) {
        return;
    }
    const auto parsed = parse(done.flow);
    require(parsed.ok());
    require(parse(to_mermaid(parsed.plan)).plan == parsed.plan);
    Complaints complaints;
    static_cast<void>(literal::compile(parsed.plan, 0, complaints));
    require(!complaints.any_error());
}
