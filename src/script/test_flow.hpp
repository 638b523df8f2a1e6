// Flows for tests: three parties, and a body of lines that is indented beneath them. In a text that
// is to be refused "‸" stands where the complaint should point.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "script/names.hpp"
#include "script/parse.hpp"

namespace cw::script::test {

inline constexpr std::string_view mark = "‸";

// `body` beneath alice and bob, who are played, and pbx, which is under test.
inline std::string flow(std::string_view body) {
    std::string out = "sequenceDiagram\n"
                      "    actor alice as Alice\n"
                      "    participant pbx as PBX (under test)\n"
                      "    actor bob as Bob\n"
                      "\n";
    while (!body.empty()) {
        const auto end = std::min(body.find('\n'), body.size());
        const auto line = body.substr(0, end);
        out += line.empty() ? "" : "    ";
        out += line;
        out += '\n';
        body.remove_prefix(std::min(end + 1, body.size()));
    }
    return out;
}

// Takes the mark out of the text and says where it stood.
inline Place take_mark(std::string& text) {
    Place place{1, 1, 0, false};
    const auto at = text.find(mark);
    for (std::size_t i = 0; i < at && i < text.size(); ++i) {
        if (text[i] == '\n') {
            ++place.line;
            place.column = 1;
        } else if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80U) {
            ++place.column;
        }
    }
    if (at != std::string::npos) {
        text.erase(at, mark.size());
    }
    return place;
}

inline std::string report(const std::string& text, const Parsed& parsed) {
    std::string out;
    for (const auto& complaint : parsed.complaints) {
        append(out, "flow.mmd", text, complaint);
    }
    return out;
}

inline std::string read_whole(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// The n-th arrow of a plan, from 0.
inline const Arrow& arrow(const Plan& plan, std::size_t n) {
    for (const auto& step : plan.steps) {
        if (const auto* found = std::get_if<Arrow>(&step.what); found != nullptr && n-- == 0) {
            return *found;
        }
    }
    static const Arrow none;
    return none;
}

} // namespace cw::script::test
