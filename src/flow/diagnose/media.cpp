// Session descriptions and media.
#include <algorithm>

#include <fmt/format.h>

#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"

namespace cw::flow::diagnose {
namespace {

// D69: who hears the signalling has the key.
void check_key_in_clear(const Case& c, Findings& out) {
    std::vector<std::uint32_t> shown_keys;
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size() && shown_keys.size() < 12; ++i) {
        const auto& m = messages[i];
        if (m.media_count == 0 || is_secure(m.transport) || !m.is_first()) {
            continue;
        }
        const auto* lines = c.call().media_lines.data() + m.media_begin;
        if (std::any_of(lines, lines + m.media_count,
                        [](const MediaLine& line) { return line.crypto_suite.length > 0; })) {
            shown_keys.push_back(i);
        }
    }
    if (!shown_keys.empty()) {
        const auto& m = messages[shown_keys.front()];
        auto words = fmt::format("a=crypto from {} to {} over {}", shown(m.source),
                                 shown(m.destination), to_string(m.transport));
        out.add("D69", std::move(shown_keys), std::move(words));
    }
}

} // namespace

void check_media(const Case& c, Findings& out) {
    if (c.call().media_lines.empty()) {
        return;
    }
    check_key_in_clear(c, out);
}

} // namespace cw::flow::diagnose
