// Calls as a file, in the format that its name asks for: what the screens save.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"
#include "view/ladder.hpp"
#include "view/page.hpp"
#include "view/report.hpp"
#include "view/screen/screen.hpp"

namespace cw::cli {

// A call as it is to be shown, and the bytes of its messages, which are valid until the next one is
// asked for.
using SaveCall = std::function<void(
    const flow::Call& call, const std::function<std::string_view(const flow::Message&)>& original)>;

// Of a file of messages alone, as exported_calls.hpp writes them, where ".pcapng" is packets.
inline constexpr std::string_view messages_end = ".messages.pcapng";

// Writes the `count` calls that `for_each` hands over, which returns the captures that they came
// from.
view::Saved
save_calls(const std::string& path, std::size_t count, const view::PageOptions& page,
           const std::function<view::Ladder(const flow::Call&)>& lay_out,
           const std::function<std::vector<view::InputReport>(const SaveCall& save)>& for_each);

} // namespace cw::cli
