// Session descriptions and media.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"
#include "flow/promises.hpp"
#include "flow/secured_body.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::HeaderId;
using sip::Method;

// D69: who hears the signalling has the key.
void check_key_in_clear(const Case& c, Findings& out) {
    std::vector<std::uint32_t> found;
    bool secure_profile = false;
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size() && found.size() < 12; ++i) {
        const auto& m = messages[i];
        if (m.media_count == 0 || is_secure(m.transport) || !m.is_first() ||
            hides_session(m.sealed) ||
            m.transport == Transport::Hep) { // HEP does not say how the message went
            continue;
        }
        const auto* lines = c.call().media_lines.data() + m.media_begin;
        for (const auto* line = lines; line != lines + m.media_count; ++line) {
            if (line->crypto_suite.length > 0 && line->receive.port != 0) {
                secure_profile |= line->secure_profile;
                if (found.empty() || found.back() != i) {
                    found.push_back(i);
                }
            }
        }
    }
    if (found.empty()) {
        return;
    }
    const auto& m = messages[found.front()];
    auto words = fmt::format("a=crypto from {} to {} over {}", shown(m.source),
                             shown(m.destination), to_string(m.transport));
    auto& finding = out.add("D69", std::move(found), std::move(words));
    if (!secure_profile) { // opportunistic SRTP is better than none [RFC 8643 §4]
        set_severity(finding, Severity::Note);
    }
}

std::string codecs_of(const Case& c, std::uint32_t message) {
    std::string out;
    const auto& m = c.at(message);
    for (std::uint32_t i = 0; i < m.media_count && out.size() < 200; ++i) {
        const auto& line = c.call().media_lines[m.media_begin + i];
        out += out.empty() ? "" : "; ";
        out += quoted(c.text(line.type), 16);
        out += ' ';
        out += quoted(c.text(line.profile), 24);
        out += ' ';
        out += quoted(c.text(line.codecs), 120);
    }
    return out;
}

// D67.
void check_refused_offer(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if ((t.status != 488 && t.status != 606) || t.request == none || c.at(t.request).vias > 1) {
            continue;
        }
        const auto warning = Facts{c.call(), c.at(t.final)}.value(HeaderId::Warning);
        // "If a UA receives a non-2xx final response to a re-INVITE, the session parameters MUST
        // remain unchanged" [RFC 3261 §14.1]; and a call that another offer opened has not failed.
        const bool call_goes_on =
            t.in_dialog || (c.call().answered.known() && c.call().answered > c.at(t.final).time);
        auto& finding = out.add(
            "D67", {t.final, t.request},
            fmt::format("{} to the offer {}{}{}{}", t.status,
                        c.at(t.request).media_count > 0 ? codecs_of(c, t.request) : "(none)",
                        warning.empty() ? "" : "; Warning: ", quoted(warning),
                        t.in_dialog ? "; the session goes on as it was" : ""));
        if (call_goes_on) {
            set_severity(finding, Severity::Warning);
        }
        return;
    }
}

// D68: SRTP offered and RTP answered, or the reverse. The profile of an answer is that of the offer
// [RFC 3264 §6].
void check_profiles(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    for (const auto& p : promises) {
        const auto& wanted = c.call().media_lines[p.offer_line];
        const auto& given = c.call().media_lines[p.answer_line];
        if (wanted.secure_profile == given.secure_profile) {
            continue;
        }
        out.add("D68", {p.answer, p.offer},
                fmt::format("offered {}, answered {}", quoted(c.text(wanted.profile), 32),
                            quoted(c.text(given.profile), 32)));
        return;
    }
    // Who does not want a line because of its profile takes it with port 0.
    if (std::ranges::none_of(c.call().media_lines,
                             [](const MediaLine& line) { return line.receive.port == 0; })) {
        return;
    }
    for (const auto& r : refusals_of(c.call())) {
        const auto& wanted = c.call().media_lines[r.offer_line];
        if (wanted.secure_profile) {
            out.add("D68", {r.answer, r.offer},
                    fmt::format("offered {} {}, and the answer refuses it with port 0",
                                quoted(c.text(wanted.type), 16),
                                quoted(c.text(wanted.profile), 32)),
                    Confidence::Likely);
            return;
        }
    }
}

// Does this message only say once more, or on another hop, what was agreed?
bool is_same_description(const Case& c, const Promise& p, std::uint32_t message) {
    const auto& m = c.at(message);
    return std::ranges::any_of(c.call().media_lines.begin() + m.media_begin,
                               c.call().media_lines.begin() + m.media_begin + m.media_count,
                               [&](const MediaLine& line) {
                                   return line.receive == p.offerer || line.receive == p.answerer;
                               });
}

bool flows_to(const Case& c, const Endpoint& receiver) {
    return std::ranges::any_of(c.call().streams, [&](const MediaStream& s) {
        return s.destination == receiver && s.packets > 5;
    });
}
bool flows_from(const Case& c, const Endpoint& sender) {
    return std::ranges::any_of(c.call().streams, [&](const MediaStream& s) {
        return s.source == sender && s.packets > 5;
    });
}

// Was this agreement in force for long enough that media must have come? Another offer may follow
// at once, or another phone take the call.
bool lasted(const Case& c, const Promise& p) {
    constexpr Duration enough = seconds(4);
    auto end = c.call().end;
    const auto& answer = c.at(p.answer);
    const auto on_this_hop = [&](const Message& m) {
        return (c.same_party(m.source, answer.source) &&
                c.same_party(m.destination, answer.destination)) ||
               (c.same_party(m.source, answer.destination) &&
                c.same_party(m.destination, answer.source));
    };
    for (auto i = p.answer + 1; i < c.call().messages.size(); ++i) {
        const auto& m = c.at(i);
        const bool over = m.media_count > 0 || m.method == Method::Bye;
        if (over && m.is_first() && m.leg == answer.leg && m.status < 300 && on_this_hop(m) &&
            !is_same_description(c, p, i)) {
            end = m.time;
            break;
        }
    }
    const auto begin = std::max(answer.time, c.call().answered);
    return end - begin >= enough;
}

// Is anything of this host in the call?
bool is_source(const Case& c, const IpAddress& host) {
    const auto from_there = [&host](const auto& one) { return one.source.address == host; };
    return std::ranges::any_of(c.call().messages, from_there) ||
           std::ranges::any_of(c.call().streams, from_there);
}

// D73: audio was agreed both ways and was heard in one.
void check_one_way(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    if (c.call().duration_s < 4 || c.call().streams.empty()) {
        return;
    }
    for (const auto& p : promises) {
        if (!p.to_offerer || !p.to_answerer) {
            continue;
        }
        if (!lasted(c, p)) {
            continue;
        }
        const auto ends = ends_of(c.call(), p);
        const auto any = [&c](const std::vector<Endpoint>& places, auto&& flows) {
            return std::ranges::any_of(places, [&](const Endpoint& one) { return flows(c, one); });
        };
        const bool to_offerer = any(ends.offerer, flows_to) || any(ends.answerer, flows_from);
        const bool to_answerer = any(ends.answerer, flows_to) || any(ends.offerer, flows_from);
        if (to_offerer == to_answerer) {
            continue;
        }
        const auto& deaf = to_offerer ? p.answerer : p.offerer;
        const auto message = to_offerer ? p.answer : p.offer;
        const bool hidden = deaf.address.is_private() && !c.at(message).source.address.is_private();
        const auto& mute = to_offerer ? p.offerer : p.answerer;
        const bool unseen = !is_source(c, mute.address);
        auto& finding =
            out.add("D73", {message, to_offerer ? p.offer : p.answer},
                    fmt::format("nothing was seen on its way to {}{}; the other direction flows{}",
                                shown(deaf),
                                hidden ? ", which is a private address told from a public one" : "",
                                unseen ? fmt::format("; {} sends nothing at all that was captured",
                                                     to_string(mute.address))
                                       : std::string{}),
                    hidden   ? Confidence::Certain
                    : unseen ? Confidence::Possible
                             : Confidence::Likely);
        if (unseen && !hidden) { // the capture may not see what it sends
            set_severity(finding, Severity::Warning);
        }
        return;
    }
}

// D75. Silent unless some media of the call was seen: on another hop, or between other addresses.
void check_no_media(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    if (c.call().duration_s < 4 || c.call().streams.empty()) {
        return;
    }
    for (const auto& p : promises) {
        const bool any = flows_to(c, p.offerer) || flows_to(c, p.answerer) ||
                         flows_from(c, p.offerer) || flows_from(c, p.answerer);
        if (any || !p.to_offerer || !p.to_answerer || !lasted(c, p)) {
            continue;
        }
        // A relay gives each side its own addresses, and only those beside it see media.
        const bool near = std::ranges::any_of(c.call().streams, [&](const MediaStream& s) {
            return s.destination.address == p.offerer.address ||
                   s.destination.address == p.answerer.address;
        });
        if (near) {
            out.add("D75", {p.answer, p.offer},
                    fmt::format("{} and {} were agreed, and neither saw a packet", shown(p.offerer),
                                shown(p.answerer)),
                    Confidence::Possible);
            return;
        }
    }
}

// D78, from the other side: "If a stream is offered as sendonly, the corresponding stream MUST be
// marked as recvonly or inactive in the answer." [RFC 3264 §6.1]
void check_hold_answer(const Case& c, const std::vector<Promise>& promises, Findings& out) {
    for (const auto& p : promises) {
        const auto& wanted = c.call().media_lines[p.offer_line];
        const auto& given = c.call().media_lines[p.answer_line];
        const bool talks_back =
            wanted.direction == 's' && (given.direction == 'b' || given.direction == 's');
        if (talks_back || (wanted.direction == 'i' && given.direction != 'i')) {
            auto& finding = out.add("D78", {p.answer, p.offer},
                                    fmt::format("offered {}, answered {}",
                                                wanted.direction == 's' ? "sendonly" : "inactive",
                                                given.direction == 'b'   ? "sendrecv"
                                                : given.direction == 's' ? "sendonly"
                                                                         : "recvonly"));
            set_severity(finding, Severity::Note);
            return;
        }
    }
}

// D78: hold that nobody took back.
void check_hold(const Case& c, Findings& out) {
    std::uint32_t held = none;
    Instant end = c.call().end;
    for (std::uint32_t i = 0; i < c.call().messages.size(); ++i) {
        const auto& m = c.at(i);
        if (m.media_count == 0 || !m.is_first() || m.vias > 1 || m.status >= 300) {
            continue;
        }
        const auto& line = c.call().media_lines[m.media_begin];
        const bool hold = line.direction == 's' || line.direction == 'i' ||
                          (line.receive.port != 0 && line.receive.address.is_unspecified());
        if (m.status == 0) {
            held = hold && m.to_tag ? i : none;
        }
    }
    constexpr Duration long_hold = seconds(60);
    // Who transfers a call holds it until it is over.
    const bool transferred = std::ranges::any_of(c.transactions(), [&](const Transaction& t) {
        return t.method == Method::Refer && t.request != none && held != none &&
               c.at(t.request).time > c.at(held).time;
    });
    if (held != none && !transferred && end - c.at(held).time >= long_hold) {
        out.add("D78", {held},
                fmt::format("put on hold and not taken back in the {} until the end",
                            shown(end - c.at(held).time)),
                Confidence::Possible);
    }
}

// D81.
void check_quality(const Case& c, Findings& out) {
    for (const auto& s : c.call().streams) {
        if (s.packets < 100 || s.expected == 0) {
            continue;
        }
        const auto lost = 100.0 * static_cast<double>(s.missing) / static_cast<double>(s.expected);
        const bool rough = s.mean_jitter_ms > 30;
        if (lost < 2.0 && !rough) {
            continue;
        }
        auto words =
            fmt::format("{} → {}: {:.1f} % lost, jitter {:.0f} ms on the average, {:.0f} "
                        "at most",
                        shown(s.source), shown(s.destination), lost, s.mean_jitter_ms, s.jitter_ms);
        if (s.rtcp_loss >= 0) {
            words += fmt::format("; its receiver reported {:.1f} %", 100 * s.rtcp_loss);
        }
        out.add("D81", {}, std::move(words));
        return;
    }
}

} // namespace

void check_media(const Case& c, Findings& out) {
    check_refused_offer(c, out);
    check_digits(c, out);
    check_quality(c, out);
    if (c.call().media_lines.empty()) {
        return;
    }
    check_key_in_clear(c, out);
    check_hold(c, out);
    if (!c.call().answered.known()) {
        return;
    }
    // Without a stream and a key, and with one kind of profile, what was agreed upon tells nothing.
    const auto& lines = c.call().media_lines;
    const bool tells = std::ranges::any_of(lines, [&](const MediaLine& line) {
        return line.secure_profile != lines.front().secure_profile || line.cryptos.length > 0 ||
               line.dtls || line.direction == 's' || line.direction == 'i';
    });
    if (c.call().streams.empty() && !tells) {
        return;
    }
    const auto promises = promises_of(c.call());
    check_profiles(c, promises, out);
    if (!out.has("D78")) {
        check_hold_answer(c, promises, out);
    }
    check_one_way(c, promises, out);
    check_no_media(c, promises, out);
    check_media_keys(c, promises, out);
}

} // namespace cw::flow::diagnose
