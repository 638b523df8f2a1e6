// Keys of the media, and where the media goes.
#include <algorithm>

#include <fmt/format.h>

#include "flow/diagnose/families.hpp"
#include "flow/promises.hpp"

namespace cw::flow::diagnose {
namespace {

// Is "2 AES_CM_128_HMAC_SHA1_80" one of "1 AES_CM_128_HMAC_SHA1_32,2 AES_CM_128_HMAC_SHA1_80"?
bool is_listed(std::string_view list, std::string_view wanted) {
    while (!list.empty()) {
        const auto end = std::min(list.find(','), list.size());
        if (list.substr(0, end) == wanted) {
            return true;
        }
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

// D70 [RFC 4568 §5.1.2, §6.1].
void check_sdes(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    for (const auto& p : promises) {
        const auto& wanted = c.call().media_lines[p.offer_line];
        const auto& given = c.call().media_lines[p.answer_line];
        std::string words;
        bool grave = true;
        const auto chosen = c.text(given.cryptos);
        if (!chosen.empty() && wanted.cryptos.length > 0 &&
            !is_listed(c.text(wanted.cryptos), chosen)) {
            words = chosen.find(',') != std::string_view::npos
                        ? fmt::format("the answer has several: {}", quoted(chosen, 100))
                        : fmt::format("the answer takes {}, offered were {}", quoted(chosen, 60),
                                      quoted(c.text(wanted.cryptos), 200));
        } else if (given.key_invalid || (wanted.key_invalid && !chosen.empty())) {
            words = fmt::format("a key of the {} has not the length that its suite needs",
                                given.key_invalid ? "answer" : "offer");
        } else if (given.key != 0 && given.key == wanted.key) {
            words = "both directions have the same key";
            grave = false;
        }
        if (!words.empty()) {
            auto& finding = out.add("D70", {p.answer, p.offer}, std::move(words));
            if (!grave) { // they hear each other, and so may others
                set_severity(finding, Severity::Warning);
            }
            return;
        }
    }
}

// D74. With ICE (its profiles end in "F" mostly) other addresses than the first are in order.
void check_destination(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    for (const auto& p : promises) {
        if (c.text(c.call().media_lines[p.offer_line].profile).ends_with('F')) {
            return;
        }
    }
    const auto is_told = [&](const Endpoint& at) {
        return std::ranges::any_of(c.call().media_lines,
                                   [&](const MediaLine& line) { return line.receive == at; });
    };
    for (const auto& s : c.call().streams) {
        if (s.packets <= 5 || !s.announced || is_told(s.destination)) {
            continue;
        }
        for (const auto& p : promises) {
            const bool of_offerer = p.offerer == s.source;
            if (!of_offerer && p.answerer != s.source) {
                continue;
            }
            const auto& told = of_offerer ? p.answerer : p.offerer;
            const auto message = of_offerer ? p.answer : p.offer;
            // Behind NAT the address that was told is of no use; and who sends back to where media
            // comes from is heard there by all that use one port for both [RFC 4961].
            const bool comes_from_there =
                std::ranges::any_of(c.call().streams, [&](const MediaStream& o) {
                    return o.source == s.destination && o.destination == s.source && o.packets > 5;
                });
            const bool latched = comes_from_there ||
                                 (told.address.is_private() && !s.destination.address.is_private());
            auto& finding =
                out.add("D74", {message},
                        fmt::format("{} sends to {}{}, the SDP says {}", shown(s.source),
                                    shown(s.destination),
                                    comes_from_there ? ", where it is sent from" : "", shown(told)),
                        latched ? Confidence::Possible : Confidence::Likely);
            if (latched) {
                set_severity(finding, Severity::Note);
            }
            return;
        }
    }
}

// D71. Who has no key that opens any of it cannot tell a fault from a key that was not captured.
void check_authentic(const Case& c, Findings& out) {
    constexpr std::uint64_t enough = 5;
    for (const auto& s : c.call().streams) {
        if (s.opening.opened == 0 || s.opening.failed < enough) {
            continue;
        }
        std::uint32_t message = none; // the last that could have changed a key before
        for (std::uint32_t i = 0; i < c.call().messages.size(); ++i) {
            if (c.at(i).media_count > 0 && c.at(i).time <= s.opening.failed_since) {
                message = i;
            }
        }
        out.add("D71", {message},
                fmt::format("{} → {}: {} of {} packets do not pass, the first is frame {} with "
                            "sequence number {}, {} after the stream began",
                            shown(s.source), shown(s.destination), s.opening.failed,
                            s.opening.failed + s.opening.opened, s.opening.failed_frame,
                            s.opening.failed_sequence, shown(s.opening.failed_since - s.first)),
                Confidence::Likely);
        return;
    }
}

} // namespace

void check_media_keys(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    check_authentic(c, out);
    check_sdes(c, promises, out);
    check_dtls(c, promises, out);
    check_destination(c, promises, out);
}

} // namespace cw::flow::diagnose
