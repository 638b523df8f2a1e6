#include "script/read_flow.hpp"

#include "script/sipp/convert.hpp"

namespace cw::script {

Parsed read_flow(std::string_view text, std::string_view name) {
    return sipp::is_scenario(text) ? sipp::read(text, name) : parse(text);
}

} // namespace cw::script
