#include "sdp/candidate.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace cw::sdp {

std::optional<Endpoint> rtp_candidate(std::string_view value) {
    // foundation component transport priority address port
    std::array<std::string_view, 6> words;
    for (auto& word : words) {
        const auto space = std::min(value.find(' '), value.size());
        word = value.substr(0, space);
        value.remove_prefix(std::min(space + 1, value.size()));
    }
    const auto address = IpAddress::parse(words[4]);
    const auto port = parse_number<std::uint16_t>(words[5]);
    if (words[1] != "1" || !iequals(words[2], "udp") || !address || !port || *port == 0) {
        return std::nullopt;
    }
    return Endpoint{*address, *port};
}

} // namespace cw::sdp
