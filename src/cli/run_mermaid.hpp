// A flow that has failed, as a flow: the file itself up to the arrow that failed, with what was
// measured behind each arrow, and what went wrong as a note. For the job summary of a CI, which
// draws it.
#pragma once

#include <string>
#include <string_view>

#include "play/report.hpp"
#include "script/plan.hpp"

namespace cw::cli {

// `text` is the file's. It reads as a flow again, unless the file is none in Mermaid: then empty.
std::string failed_flow(std::string_view text, const script::Plan& plan,
                        const play::Report& report);

} // namespace cw::cli
