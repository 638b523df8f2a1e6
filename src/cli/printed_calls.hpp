// The calls of a book as JSON or as a list, written by all cores: each thread reads back the next
// calls and writes a piece of the report; the pieces go into it in the order of the calls. Memory
// is bounded: who is too far ahead of the others waits.
#pragma once

#include <cstdint>
#include <functional>

#include "flow/book.hpp"
#include "view/json.hpp"
#include "view/list_text.hpp"

namespace cw::cli {

struct PrintedCalls {
    std::uint64_t shown = 0;
    bool errors = false; // a finding of one of those is an error
};

// `book` is finished. Those of its calls that `is_wanted`, which is asked on several threads.
PrintedCalls write_calls(const flow::Book& book, view::JsonReport& report,
                         const std::function<bool(const flow::Call&)>& is_wanted);
PrintedCalls write_calls(const flow::Book& book, view::ListText& list,
                         const std::function<bool(const flow::Call&)>& is_wanted);

} // namespace cw::cli
