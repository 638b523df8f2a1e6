// The calls of a book as JSON, written by all cores: each thread reads back the next calls and
// writes a piece of the report; the pieces go into it in the order of the calls. Memory is bounded:
// who is too far ahead of the others waits.
#pragma once

#include <cstdint>
#include <functional>

#include "flow/book.hpp"
#include "view/json.hpp"

namespace cw::cli {

struct JsonCalls {
    std::uint64_t shown = 0;
    bool errors = false; // a finding of one of those is an error
};

// `book` is finished. Those of its calls that `is_wanted`, which is asked on several threads.
JsonCalls write_calls(const flow::Book& book, view::JsonReport& report,
                      const std::function<bool(const flow::Call&)>& is_wanted);

} // namespace cw::cli
