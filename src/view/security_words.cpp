// How protected a call was, in a few words: for the list and for the line below a ladder's title.
#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/ladder.hpp"
#include "view/security_words.hpp"

namespace cw::view {
namespace {

// "TLS 1.3" when every connection that carried messages had that version, else "TLS".
std::string tls_text(const flow::Call& call) {
    std::string_view version;
    for (const auto& c : call.connections) {
        if (!c.is_tls() || c.sip_messages == 0 || c.version.empty()) {
            continue;
        }
        if (!version.empty() && version != c.version) {
            return "TLS";
        }
        version = c.version;
    }
    return version.empty() ? "TLS" : shorten(printable(short_version(version), 64), 12);
}

std::string_view media_text(flow::Protection media) {
    switch (media) {
    case flow::Protection::Secure:
        return "SRTP";
    case flow::Protection::Mixed:
        return "SRTP+RTP";
    case flow::Protection::Clear:
        return "RTP";
    case flow::Protection::None:
        break;
    }
    return {};
}

} // namespace

std::string_view weakest_in(std::string_view sentence, std::size_t cells) {
    constexpr std::string_view before = ": ";
    const auto colon = sentence.find(before);
    return colon == std::string_view::npos || cell_width(sentence) <= cells
               ? sentence
               : sentence.substr(colon + before.size());
}

std::string security_text(const flow::Call& call) {
    std::string out;
    switch (call.security.signalling) {
    case flow::Protection::Secure:
        out = tls_text(call);
        break;
    case flow::Protection::Mixed:
        out = "mixed";
        break;
    case flow::Protection::Clear:
        if (!call.messages.empty()) {
            out = upper_name(call.messages.front().transport);
            out += ' ';
        }
        out += "clear";
        break;
    case flow::Protection::None:
        break;
    }
    if (const auto media = media_text(call.security.media); !media.empty()) {
        if (!out.empty()) {
            out += " · ";
        }
        out += media;
    }
    return out;
}

std::vector<std::pair<Tone, std::string>> safety_lines(const flow::Call& call) {
    constexpr std::size_t most_hops = 24;
    std::vector<std::pair<Tone, std::string>> lines;
    const auto& s = call.security;
    for (const auto& hop : s.hops) {
        if (lines.size() >= most_hops) {
            lines.emplace_back(Tone::Dim,
                               fmt::format("and {} more hops", s.hops.size() - most_hops));
            break;
        }
        auto line = fmt::format("{} → {}  ", to_string(hop.client), to_string(hop.server));
        if (!hop.secure) {
            lines.emplace_back(Tone::Bad,
                               fmt::format("{}{} in clear", line, upper_name(hop.transport)));
            continue;
        }
        line += hop.version.empty() ? "TLS" : printable(short_version(hop.version), 64);
        if (!hop.cipher.empty()) {
            line += " " + printable(hop.cipher, 64);
        }
        if (!hop.verified.empty()) {
            line += " · " + printable(hop.verified, 240);
        }
        for (const auto& note : hop.notes) {
            line += " · " + printable(note, 160);
        }
        lines.emplace_back(hop.weak            ? Tone::Bad
                           : hop.verified_good ? Tone::Good
                                               : Tone::Slow,
                           std::move(line));
    }
    const auto add = [&](Tone tone, std::string_view name, const std::string& words) {
        if (!words.empty()) {
            lines.emplace_back(tone, fmt::format("{}: {}", name, printable(words, 400)));
        }
    };
    add(s.sips_broken ? Tone::Bad : Tone::Good, "sips", s.sips);
    const bool clear_key =
        std::ranges::any_of(s.hops, [](const flow::Hop& h) { return h.keys_shown && !h.secure; });
    add(clear_key ? Tone::Bad : Tone::Slow, "media keys shown", s.keys_exposed);
    add(s.media == flow::Protection::Secure  ? Tone::Good
        : s.media == flow::Protection::Mixed ? Tone::Slow
                                             : Tone::Bad,
        "media", s.media_by);
    add(Tone::Plain, "S/MIME", s.smime);
    return lines;
}

Tone security_tone(const flow::Call& call) {
    const auto& s = call.security;
    if (s.signalling == flow::Protection::None && s.media == flow::Protection::None) {
        return Tone::Plain;
    }
    if (s.signalling == flow::Protection::Clear || s.media == flow::Protection::Clear) {
        return Tone::Bad;
    }
    const bool mixed =
        s.signalling == flow::Protection::Mixed || s.media == flow::Protection::Mixed;
    return mixed ? Tone::Slow : Tone::Good;
}

} // namespace cw::view
