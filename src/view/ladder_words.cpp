#include "view/ladder_words.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/media_line.hpp"
#include "flow/secured_body.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/ladder_holds.hpp"

namespace cw::view {
namespace {

using Sealed = flow::SecuredBody::Sealed;

// The longest reason phrase of the registry has 35 characters. Longer ones are someone's own, and
// would push all columns apart.
constexpr std::size_t label_cells = 36;
constexpr std::size_t own_phrase_cells = 24;
constexpr std::size_t note_cells = 76;

std::string wire(std::string_view text, std::size_t cells) {
    return shorten(printable(text, 1024), cells);
}

bool is_unreadable(const flow::Message& m) {
    return m.sealed == static_cast<std::uint32_t>(Sealed::Unreadable);
}

void word(std::string& out, std::string_view more) {
    if (!more.empty()) {
        if (!out.empty()) {
            out += ' ';
        }
        out += more;
    }
}

void clause(std::string& out, std::string_view more) {
    if (!more.empty()) {
        if (!out.empty()) {
            out += " · ";
        }
        out += more;
    }
}

// What the body of a message carries, in a word or two.
std::string body_words(const flow::Call& call, const flow::Message& m) {
    std::string out;
    if (m.media_count > 0) {
        const auto* lines = &call.media_lines[m.media_begin];
        const auto open = std::find_if(lines, lines + m.media_count,
                                       [](const auto& line) { return line.receive.port != 0; });
        if (open == lines + m.media_count) {
            return "no media";
        }
        word(out, media_kind(call, *open));
        const bool video = std::any_of(lines, lines + m.media_count, [&](const auto& line) {
            return line.receive.port != 0 && call.text(line.type) == "video";
        });
        word(out, video ? "video" : "");
        word(out, m.status == 0 && is_hold(call, m) ? "hold" : "");
    }
    const auto type = call.text(m.body_type);
    if (m.sealed != 0 && !is_unreadable(m)) {
        word(out, m.is_signed != 0 ? "signed, encrypted" : "encrypted");
    } else if (m.is_signed != 0) {
        word(out, "signed");
    } else if (type == "application/pkcs7-mime") {
        word(out, "S/MIME");
    } else if (type == "multipart/signed") {
        word(out, "signed");
    }
    return out;
}

std::string counted(std::uint64_t n, std::string_view one, std::string_view many) {
    std::string out;
    append_grouped(out, n);
    return out.append(" ").append(n == 1 ? one : many);
}

std::string_view kind_name(flow::Kind kind) {
    switch (kind) {
    case flow::Kind::Call:
        return "Call";
    case flow::Kind::Registration:
        return "Registration";
    case flow::Kind::Message:
        return "Message";
    case flow::Kind::Subscription:
        return "Subscription";
    case flow::Kind::Options:
        return "Options";
    case flow::Kind::Other:
        break;
    }
    return "Exchange";
}

std::string closing_words(const flow::Connection& c) {
    if (c.rst) {
        return c.bytes == 0 && c.start_seen ? "refused" : "reset";
    }
    if (c.close_notify_client || c.close_notify_server) {
        return c.close_notify_client && c.close_notify_server ? "closed properly"
               : c.close_notify_client                        ? "closed by the client"
                                                              : "closed by the server";
    }
    if (!c.fin) {
        return {};
    }
    return c.is_tls() && c.decrypted ? "closed without close_notify" : "closed";
}

} // namespace

std::string media_kind(const flow::Call& call, const flow::MediaLine& line) {
    const auto profile = call.text(line.profile);
    if (!profile.empty() && !flow::is_rtp(profile)) {
        return iequals(profile, "udptl") ? "T.38" : wire(profile, 24); // [RFC 7345 §4]
    }
    if (line.dtls && line.secure_profile) {
        return "DTLS-SRTP";
    }
    return line.secure_profile || line.crypto_suite.length > 0 ? "SRTP" : "RTP";
}

std::string message_name(const flow::Call& call, const flow::Message& m) {
    if (m.status == 0) {
        const auto method = call.text(m.method_text);
        if (method.empty()) {
            return "message";
        }
        return m.method == sip::Method::Invite && m.to_tag ? "re-INVITE"
                                                           : wire(method, label_cells);
    }
    auto out = fmt::format("{}", m.status);
    const auto reason = printable(call.text(m.reason), 1024);
    const bool registered = cell_width(reason) < label_cells && m.status != 100;
    word(out, shorten(reason, registered ? label_cells : own_phrase_cells));
    return out;
}

std::string message_label(const flow::Call& call, const flow::Message& m,
                          sip::Method open_request) {
    auto out = message_name(call, m);
    word(out, body_words(call, m));
    if (m.status != 0 && m.cseq_method != open_request && m.cseq_method != sip::Method::None) {
        word(out, fmt::format("({})", wire(call.text(m.method_text), 16)));
    }
    if (m.malformed) {
        out.insert(0, "malformed ");
    }
    return out;
}

Tone message_tone(const flow::Message& m) {
    if (m.malformed) {
        return Tone::Bad;
    }
    if (m.status == 401 || m.status == 407 || m.status == 487 || m.status / 100 == 3 ||
        m.status == 422 || m.status == 423 || m.status == 494) {
        return Tone::Slow; // a step on the way, not a failure
    }
    return m.status >= 400 ? Tone::Bad : Tone::Plain;
}

std::string message_note(const flow::Call& call, const flow::Message& m) {
    std::string out;
    if (m.malformed) {
        clause(out, call.text(m.problem));
    }
    if (m.truncated) {
        clause(out, "cut by the capture");
    }
    clause(out, call.text(m.note));
    return wire(out, note_cells);
}

bool is_body_good(const flow::Message& m) {
    return m.is_signed < 2 && m.sealed != static_cast<std::uint32_t>(Sealed::Closed) &&
           !is_unreadable(m);
}

std::string body_note(const flow::Call& call, const flow::Message& m) {
    if (m.is_signed == 0 && m.sealed == 0) {
        return {};
    }
    auto out = (is_body_good(m) ? "✓ " : "✗ ") + wire(call.text(m.badge), 160);
    if (m.words.length > 0) {
        clause(out, "“" + wire(call.text(m.words), 60) + "”");
    }
    return out;
}

std::string handshake_label(const flow::Connection& c) {
    auto out = c.version.empty() ? std::string{"TLS"} : wire(short_version(c.version), 16);
    word(out, c.mutual ? "mutual" : "");
    word(out, c.resumed ? "resumed" : "");
    return out;
}

std::string handshake_detail(const flow::Connection& c) {
    std::string out;
    clause(out, wire(c.sni, 64));
    clause(out, wire(short_cipher(c.cipher), 32));
    clause(out, c.start_seen ? "" : "set up before the capture");
    clause(out, c.start_seen && !c.handshake_done ? "not finished" : "");
    return out;
}

std::string handshake_message_label(const flow::HandshakeStep& step) {
    auto out = wire(step.name, 32);
    clause(out, wire(step.detail, 64));
    return out;
}

std::string verdict_note(const flow::Connection& c) {
    return c.verdict.empty() ? std::string{}
                             : (c.verdict_good ? "✓ " : "✗ ") + wire(c.verdict, 160);
}

std::string undecrypted_label(const flow::Connection& c) {
    auto out = c.version.empty() ? std::string{"TLS"} : wire(short_version(c.version), 16);
    out += ", ";
    out += counted(c.records, "record", "records");
    out += ", ";
    append_size(out, c.bytes);
    return out;
}

std::string lost_label(const flow::LostBytes& place) {
    std::string out;
    append_grouped(out, place.bytes);
    return out += place.bytes == 1 ? " byte missing here" : " bytes missing here";
}

std::string connection_line(const flow::Connection& c) {
    std::string out;
    append_endpoint(out, c.client);
    out += " → ";
    append_endpoint(out, c.server);
    std::string rest{c.is_tls() ? handshake_label(c) : std::string{upper_name(c.transport)}};
    if (c.is_tls()) {
        clause(rest, wire(c.sni, 48));
        clause(rest, wire(c.cipher, 48));
        clause(rest, wire(c.group, 24));
        if (!c.server_chain.empty() && !c.server_chain.front().subject.empty()) {
            clause(rest, "certificate " + wire(c.server_chain.front().subject, 48));
        }
        clause(rest, c.hello_retry ? "after a HelloRetryRequest" : "");
        clause(rest, c.start_seen ? "" : "start not captured");
        clause(rest, c.decrypted ? wire(c.key_hint, 64) : "not decrypted: " + wire(c.reason, 120));
    }
    if (c.missing_bytes > 0) {
        std::string lost;
        append_size(lost, c.missing_bytes);
        clause(rest, lost + " not captured");
    }
    clause(rest, closing_words(c));
    return out.append("  ").append(rest);
}

std::string media_label(const flow::Call& call, const flow::MediaStream& s) {
    const auto srtp = call.text(s.srtp);
    std::string out{srtp.empty() ? "RTP" : srtp == "DTLS-SRTP" ? "DTLS-SRTP" : "SRTP"};
    const auto codec = call.text(s.codec);
    word(out, wire(codec.substr(0, codec.find('/')), 24));
    return out;
}

std::string media_detail(const flow::MediaStream& s) {
    std::string out;
    append_duration(out, s.last - s.first);
    if (s.expected > 0) {
        out += "  loss ";
        const auto missing = std::min(s.missing, s.expected);
        const auto percent = 100 * static_cast<double>(missing) / static_cast<double>(s.expected);
        // "0 %" is said only when nothing is missing.
        append_decimal(out, missing > 0 ? std::max(percent, 0.1) : 0, missing > 0 ? 1 : 0);
        out += " %";
    }
    if (s.mos > 0) {
        out += "  MOS ";
        append_decimal(out, s.mos, 1);
    } else if (s.jitter_ms > 0) {
        out += "  jitter ";
        append_decimal(out, s.jitter_ms, 1);
        out += " ms";
    }
    if (s.opening.failed > 0) {
        out += "  ";
        append_grouped(out, s.opening.failed);
        out += " not authentic";
    } else if (s.srtp.length > 0 && s.opening.opened == 0) {
        out += "  not opened";
    }
    return out;
}

std::string media_note(const flow::Call& call, const flow::MediaStream& s) {
    return wire(call.text(s.srtp_problem), 240);
}

std::string title_of(const flow::Call& call, std::uint64_t calls_in_all) {
    auto out = fmt::format("{} {}", kind_name(call.kind), call.id);
    if (calls_in_all > 0) {
        out += " of ";
        append_grouped(out, calls_in_all);
    }
    return out;
}

std::string summary_of(const flow::Call& call) {
    std::string out;
    if (call.legs.size() > 1) {
        clause(out, counted(call.legs.size(), "leg", "legs"));
    }
    clause(out, counted(call.messages.size(), "message", "messages"));
    const auto undecrypted = std::ranges::count_if(
        call.connections, [](const flow::Connection& c) { return c.is_tls() && !c.decrypted; });
    clause(out, security_text(call));
    if (undecrypted > 0) {
        clause(out, counted(static_cast<std::uint64_t>(undecrypted), "connection not readable",
                            "connections not readable"));
    }
    const bool promised = std::ranges::any_of(
        call.media_lines, [](const flow::MediaLine& line) { return line.receive.port != 0; });
    if (call.kind == flow::Kind::Call && call.streams.empty() && promised) {
        clause(out, "no media in the capture");
    }
    return out;
}

std::string outcome_text(const flow::Call& call) {
    std::string name{flow::to_string(call.state)};
    std::string length;
    append_duration(length, Duration{static_cast<std::int64_t>(call.duration_s * 1e9)});
    switch (call.state) {
    case flow::State::Completed:
        if (call.kind == flow::Kind::Call) {
            // Where the answer is not in the capture nobody knows how long it took.
            return call.duration_s > 0 ? name + " after " + length : name;
        }
        return call.final_status > 0 ? fmt::format("{} ({})", name, call.final_status) : name;
    case flow::State::Answered:
        if (!(call.duration_s > 0)) {
            return call.cut_off ? "answered, still up when the capture ends" : name;
        }
        return call.cut_off ? "answered, still up when the capture ends (" + length + ")"
                            : name + ", " + length;
    case flow::State::Trying:
    case flow::State::Ringing:
        return call.cut_off ? name + " when the capture ends" : name;
    case flow::State::Cancelled:
    case flow::State::Busy:
    case flow::State::Rejected:
    case flow::State::Redirected:
    case flow::State::Timeout:
    case flow::State::Failed:
        break;
    }
    return call.final_status > 0 ? fmt::format("{} ({})", name, call.final_status) : name;
}

Tone outcome_tone(const flow::Call& call) {
    switch (call.state) {
    case flow::State::Completed:
    case flow::State::Answered:
        return Tone::Good;
    case flow::State::Trying:
    case flow::State::Ringing:
        return Tone::Plain;
    case flow::State::Cancelled:
    case flow::State::Busy:
    case flow::State::Redirected:
        return Tone::Slow;
    case flow::State::Rejected:
    case flow::State::Timeout:
    case flow::State::Failed:
        break;
    }
    return Tone::Bad;
}

} // namespace cw::view
