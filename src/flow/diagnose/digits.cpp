// Keys that were pressed and do not arrive, or arrive twice: in INFO, and as events in RTP. Which
// keys they were is nobody's business: they may be a PIN.
#include <algorithm>

#include <fmt/format.h>

#include "flow/diagnose/families.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::Method;

constexpr std::string_view digit_note = "DTMF "; // of Message::note, and then the key

bool is_digit_info(const Case& c, const Transaction& t) {
    return t.method == Method::Info && t.request != none && c.at(t.request).vias <= 1 &&
           c.text(c.at(t.request).note).starts_with(digit_note);
}

// INFO that the other side does not take.
bool find_refused(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (is_digit_info(c, t) && t.status >= 400 && t.status != 401 && t.status != 407) {
            out.add("D80", {t.final, t.request},
                    fmt::format("INFO with a digit was answered {}", t.status));
            return true;
        }
    }
    return false;
}

// Events of a payload type that the receiver has not named, so that it drops them.
bool find_strays(const Case& c, Findings& out) {
    constexpr std::uint32_t enough = 3;
    for (const auto& s : c.call().streams) {
        if (s.stray_events < enough) {
            continue;
        }
        for (auto i = static_cast<std::uint32_t>(c.call().messages.size()); i-- > 0;) {
            const auto& m = c.at(i);
            const auto* lines = c.call().media_lines.data() + m.media_begin;
            const auto* line = std::find_if(lines, lines + m.media_count, [&](const MediaLine& l) {
                return l.receive == s.destination;
            });
            if (line == lines + m.media_count || !m.is_first()) {
                continue;
            }
            out.add("D80", {i},
                    fmt::format("{} → {}: {} packets of payload type {} look like telephone "
                                "events; the receiver {}",
                                shown(s.source), shown(s.destination), s.stray_events, s.stray_type,
                                line->event_type == 255
                                    ? "has not offered to take any"
                                    : fmt::format("takes them as type {}", line->event_type)),
                    Confidence::Likely);
            return true;
        }
    }
    return false;
}

// "[…] the final packet […] with the E bit" is sent three times [RFC 4733 §2.5.1.4]: where none of
// them is there, the receiver does not know when the key was let go.
bool find_unended(const Case& c, Findings& out) {
    constexpr Duration pause = milliseconds(500); // then no further packet of it comes
    for (const auto& s : c.call().streams) {
        const auto unended = [&](const Dtmf& digit) {
            return !digit.ended && digit.time + milliseconds(digit.duration_ms) + pause < s.last;
        };
        const auto count = std::ranges::count_if(s.dtmf, unended);
        if (count == 0) {
            continue;
        }
        const auto first = std::ranges::find_if(s.dtmf, unended);
        auto& finding = out.add(
            "D80", {},
            fmt::format("{} → {}: {} of {} key presses have no packet that ends them, the first "
                        "{} after the stream began",
                        shown(s.source), shown(s.destination), count, s.dtmf.size(),
                        shown(first->time - s.first)),
            Confidence::Likely);
        set_severity(finding, Severity::Warning);
        return true;
    }
    return false;
}

// The same key in INFO and in RTP, from one machine at one time.
void find_doubled(const Case& c, Findings& out) {
    constexpr Duration at_once = seconds(1);
    for (const auto& t : c.transactions()) {
        if (!is_digit_info(c, t)) {
            continue;
        }
        const auto& info = c.at(t.request);
        const auto key = c.text(info.note).substr(digit_note.size());
        for (const auto& s : c.call().streams) {
            for (const auto& digit : s.dtmf) {
                const auto apart =
                    std::max(digit.time, info.time) - std::min(digit.time, info.time);
                if (s.source.address != info.source.address || apart > at_once ||
                    key != std::string_view{&digit.digit, 1}) {
                    continue;
                }
                auto& finding = out.add(
                    "D80", {t.request},
                    fmt::format("the same key in INFO and, {} apart, as telephone event in {} → {}",
                                shown(apart), shown(s.source), shown(s.destination)),
                    Confidence::Likely);
                set_severity(finding, Severity::Warning);
                return;
            }
        }
    }
}

} // namespace

// D80.
void check_digits(const Case& c, Findings& out) {
    if (!find_refused(c, out) && !find_strays(c, out) && !find_unended(c, out)) {
        find_doubled(c, out);
    }
}

} // namespace cw::flow::diagnose
