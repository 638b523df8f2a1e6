#include "script/parse.hpp"

#include "script/literal/program.hpp"
#include "script/meaning.hpp"
#include "script/reader.hpp"

namespace cw::script {

Parsed parse(std::string_view text) {
    Parsed out;
    Complaints complaints;
    FlowReader(text, out.plan, complaints).read();
    // A line that could not be read would make others look wrong: a request that is missing leaves
    // its response without a question.
    if (!complaints.any_error()) {
        if (has_literal(out.plan)) {
            literal::check(out.plan, complaints);
        } else {
            resolve(out.plan, complaints);
        }
    }
    out.complaints = complaints.take();
    return out;
}

} // namespace cw::script
