// Golden files: what a view wrote once, looked at by a person and kept in tests/golden. When the
// output changes, the test fails and leaves the new text in build/golden; `tools/approve` shows the
// difference and takes it over.
#pragma once

#include <string>
#include <string_view>

namespace cw::test {

// True when `actual` is the same as tests/golden/<name>. Otherwise says in `why` where they part.
bool matches_golden(const std::string& name, std::string_view actual, std::string& why);

} // namespace cw::test
