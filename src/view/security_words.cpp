// How protected a call was, in a few words: for the list and for the line below a ladder's title.
#include <string>
#include <string_view>

#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/ladder.hpp"

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
