#include "view/list_text.hpp"

#include <algorithm>
#include <string_view>

#include "base/text.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/ladder.hpp"
#include "view/security_words.hpp"

namespace cw::view {
namespace {

constexpr std::size_t flush_at = 32 * 1024;
constexpr std::size_t max_reasons = 32;
constexpr std::size_t with_date = 23; // "2026-05-01 10:00:01.120"
// Where both parties have so many cells, the rest is for the weakest point, if it is so much.
constexpr std::size_t enough_of_party = 22;
constexpr std::size_t least_of_sentence = 40;

Ink ink_of(Tone tone) {
    switch (tone) {
    case Tone::Good:
        return Ink::Green;
    case Tone::Bad:
        return Ink::Red;
    case Tone::Slow:
        return Ink::Amber;
    case Tone::Dim:
        return Ink::Dim;
    case Tone::Plain:
        break;
    }
    return Ink::Normal;
}

std::string_view short_kind(flow::Kind kind) {
    switch (kind) {
    case flow::Kind::Call:
        return "call";
    case flow::Kind::Registration:
        return "reg";
    case flow::Kind::Message:
        return "msg";
    case flow::Kind::Subscription:
        return "sub";
    case flow::Kind::Options:
        return "opt";
    case flow::Kind::Other:
        break;
    }
    return "-";
}

bool is_plain_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// A reason without the figures in it: "no key for client random 3f9a…" and another random are one
// kind of reason.
std::string kind_of_reason(std::string_view reason) {
    std::string out;
    for (std::size_t at = 0; at < reason.size();) {
        const auto end = std::min(reason.find(' ', at), reason.size());
        const auto word = reason.substr(at, end - at);
        const bool cipher = word.find("TLS_") != std::string_view::npos;
        const bool figure = !cipher && word.size() > 1 && std::ranges::any_of(word, is_digit);
        out += figure ? std::string_view{"…"} : word;
        out += ' ';
        at = end + 1;
    }
    return out;
}

} // namespace

ListText::Widths ListText::widths_for(std::size_t width) {
    // Fixed parts, and what is left is for the two addresses.
    const bool wide = width >= 96;
    Widths w{.number = wide ? 6U : 5U,
             .time = width >= 128   ? with_date
                     : width >= 108 ? std::size_t{12}
                                    : std::size_t{8},
             .kind = 4,
             .from = 0,
             .to = 0,
             .state = wide ? 14U : 12U,
             .duration = width >= 80 ? 7U : 0U,
             .messages = width >= 80 ? 4U : 0U,
             .security = width >= 80 ? 16U : 13U,
             .legs = wide ? 4U : 0U,
             .found = width >= 80 ? 5U : 3U,
             .weakest = 0};
    std::size_t fixed = 1; // between from and to
    for (const auto cells :
         {w.number, w.time, w.kind, w.state, w.duration, w.messages, w.security, w.legs, w.found}) {
        fixed += cells > 0 ? cells + 1 : 0;
    }
    const auto left = width > fixed + 8 ? width - fixed : 8;
    w.from = (left + 1) / 2;
    w.to = left / 2;
    if (left >= 2 * enough_of_party + least_of_sentence + 1) {
        w.from = w.to = enough_of_party;
        w.weakest = left - 2 * enough_of_party - 1;
    }
    return w;
}

ListText::ListText(Sink sink, const ListOptions& options)
    : sink_(std::move(sink)), options_(options),
      widths_(widths_for(std::max<std::size_t>(options.width, 60))) {}

ListText::ListText(Piece piece, const ListOptions& options)
    : ListText(std::move(piece.overflow), options) {
    header_due_ = false;
}

std::string ListText::said(std::string_view text) const {
    return options_.ascii ? to_ascii(text) : std::string{text};
}

void ListText::cell(std::string_view text, std::size_t width, bool right, Ink ink) {
    if (width == 0) {
        return;
    }
    // Most cells are short ASCII: no need to measure.
    std::string kept;
    auto cells = text.size();
    if (!is_plain_ascii(text)) {
        kept = said(printable(text, 1024));
        text = kept;
        cells = cell_width(text);
    }
    if (cells > width) {
        kept = shorten(text.size() > 2048 ? text.substr(0, 2048) : text, width,
                       options_.ascii ? std::string_view{".."} : std::string_view{"…"});
        text = kept;
        cells = cell_width(text);
    }
    const auto pad = width > cells ? width - cells : 0;
    if (right) {
        out_.append(pad, ' ');
    }
    append_inked(out_, text, ink, options_.colour);
    if (!right) {
        out_.append(pad, ' ');
    }
    out_ += ' ';
}

void ListText::end_line() {
    while (!out_.empty() && out_.back() == ' ') {
        out_.pop_back();
    }
    out_ += '\n';
    if (out_.size() >= flush_at) {
        flush();
    }
}

void ListText::header_if_due() {
    if (!header_due_) {
        return;
    }
    header_due_ = false;
    const auto& w = widths_;
    const auto head = [&](std::string_view text, std::size_t width, bool right = false) {
        cell(text, width, right, Ink::Bold);
    };
    head("#", w.number, true);
    head("time", w.time);
    head("kind", w.kind);
    head("from", w.from);
    head("to", w.to);
    head("state", w.state);
    head("length", w.duration, true);
    head("msgs", w.messages, true);
    head("security", w.security);
    head("legs", w.legs, true);
    head("found", w.found);
    head("weakest", w.weakest);
    end_line();
}

void ListText::call(const flow::Call& call) {
    ++listed_;
    header_if_due();
    const auto& w = widths_;
    const auto filled = [&](auto write) {
        scratch_.clear();
        write(scratch_);
        return std::string_view{scratch_};
    };
    cell(filled([&](std::string& s) { append_number(s, call.id); }), w.number, true);
    cell(filled([&](std::string& s) {
             if (w.time >= with_date) {
                 times_.append_date(s, call.start);
                 s += ' ';
             }
             append_time_of_day(s, call.start, w.time >= 12);
         }),
         w.time, false, Ink::Dim);
    cell(short_kind(call.kind), w.kind);
    cell(address_of_record(call.text(call.from)), w.from);
    cell(address_of_record(call.text(call.to)), w.to);
    cell(filled([&](std::string& s) {
             s += flow::to_string(call.state);
             if (call.final_status >= 300) {
                 s += ' ';
                 append_number(s, call.final_status);
             } else if (call.cut_off) {
                 s += options_.ascii ? " >" : " ▸"; // the capture ended, not the call
             }
         }),
         w.state, false, ink_of(outcome_tone(call)));
    cell(filled([&](std::string& s) {
             if (call.duration_s > 0) {
                 append_duration(s, Duration{static_cast<std::int64_t>(call.duration_s * 1e9)});
             }
         }),
         w.duration, true);
    cell(filled([&](std::string& s) { append_number(s, call.messages.size()); }), w.messages, true);
    cell(security_text(call), w.security, false, ink_of(security_tone(call)));
    cell(filled([&](std::string& s) { append_number(s, call.legs.size()); }), w.legs, true);
    found(call);
    weakest(call.security.weakest);
    end_line();
}

void ListText::rows(std::string_view piece, std::uint64_t calls) {
    if (!piece.empty()) {
        header_if_due();
        flush();
        sink_(piece);
    }
    listed_ += calls;
}

void ListText::weakest(const std::string& sentence) {
    if (sentence != sentence_ || as_cell_.empty()) {
        const auto begin = out_.size();
        cell(weakest_in(sentence, widths_.weakest), widths_.weakest, false, Ink::Dim);
        sentence_ = sentence;
        as_cell_ = out_.substr(begin);
    } else {
        out_ += as_cell_;
    }
}

// The gravest finding, and how many more there are: "D01+2". Notes are no reason for a badge.
void ListText::found(const flow::Call& call) {
    const flow::Finding* gravest = nullptr;
    std::size_t count = 0;
    for (const auto& finding : call.findings) {
        if (finding.severity == "note") {
            continue;
        }
        ++count;
        if (gravest == nullptr || (finding.severity == "error" && gravest->severity != "error")) {
            gravest = &finding;
        }
    }
    if (gravest == nullptr) {
        cell("", widths_.found);
        return;
    }
    scratch_ = gravest->rule;
    if (count > 1 && widths_.found > 3) {
        scratch_ += '+';
        append_number(scratch_, std::min<std::size_t>(count - 1, 9));
    }
    cell(scratch_, widths_.found, false, gravest->severity == "error" ? Ink::Red : Ink::Amber);
}

void ListText::connection(const flow::Connection& c) {
    if (c.missing_bytes > 0) {
        ++with_gaps_;
        missing_bytes_ += c.missing_bytes;
    }
    if (!c.is_tls() || c.decrypted) {
        return;
    }
    auto kind = kind_of_reason(c.reason);
    const auto known = unreadable_.find(kind);
    if (known != unreadable_.end()) {
        ++known->second.count;
    } else if (unreadable_.size() < max_reasons) {
        unreadable_.emplace(std::move(kind), Unreadable{.count = 1,
                                                        .example = printable(c.reason, 512),
                                                        .client = c.client,
                                                        .server = c.server});
    } else {
        ++unreadable_others_;
    }
}

void ListText::stray(const flow::MediaStream& s, const flow::TextPool& texts) {
    if (++strays_ > max_strays) {
        return;
    }
    std::string line;
    append_endpoint(line, s.source);
    line += " → ";
    append_endpoint(line, s.destination);
    line += "  ";
    line += printable(texts.view(s.codec), 48);
    line += "  ";
    append_duration(line, s.last - s.first);
    line += ", ";
    append_grouped(line, s.packets);
    line += " packets, ";
    append_grouped(line, s.missing);
    line += " missing";
    stray_lines_.push_back(std::move(line));
}

void ListText::summary_line(std::string_view head, std::string_view text, Ink ink) {
    append_inked(out_, head, ink, options_.colour);
    out_ += said(text);
    out_ += '\n';
}

void ListText::finish(std::span<const InputReport> inputs, const ReportCounts& counts) {
    const auto counted = [](std::string& s, std::uint64_t n, std::string_view one,
                            std::string_view many) {
        if (!s.empty()) {
            s += " · ";
        }
        append_grouped(s, n);
        s += ' ';
        s += n == 1 ? one : many;
    };
    if (listed_ > 0) {
        out_ += '\n';
    }
    std::string line;
    counted(line, counts.calls, "call", "calls");
    if (listed_ != counts.calls) {
        counted(line, listed_, "shown", "shown");
    }
    counted(line, counts.sip_messages, "SIP message", "SIP messages");
    counted(line, counts.packets, "packet", "packets");
    if (counts.tls_connections > 0) {
        counted(line, counts.tls_connections, "TLS connection", "TLS connections");
        line += ", ";
        append_grouped(line, counts.tls_decrypted);
        line += " decrypted";
    }
    if (counts.rtp_streams > 0) {
        counted(line, counts.rtp_streams, "RTP stream", "RTP streams");
    }
    summary_line("", line, Ink::Normal);

    if (missing_bytes_ > 0) {
        line.clear();
        append_size(line, missing_bytes_);
        line += with_gaps_ == 1 ? " of one TCP connection are not in the capture"
                                : " of TCP connections are not in the capture";
        summary_line("lost: ", line, Ink::Amber);
    }
    for (const auto& text : stray_lines_) {
        summary_line("RTP without a call: ", text, Ink::Amber);
    }
    if (strays_ > stray_lines_.size()) {
        line.clear();
        append_grouped(line, strays_ - stray_lines_.size());
        summary_line("RTP without a call: ", line + " more streams", Ink::Amber);
    }
    for (const auto& [kind, group] : unreadable_) {
        line.clear();
        append_grouped(line, group.count);
        line += group.count == 1 ? " TLS connection: " : " TLS connections: ";
        line += group.example.empty() ? "no reason known" : group.example;
        line += group.count == 1 ? " (" : " (the first: ";
        append_endpoint(line, group.client);
        line += " → ";
        append_endpoint(line, group.server);
        line += ')';
        summary_line("not decrypted: ", line, Ink::Amber);
    }
    if (unreadable_others_ > 0) {
        line.clear();
        append_grouped(line, unreadable_others_);
        summary_line("not decrypted: ", line + " more, for other reasons", Ink::Amber);
    }

    std::map<std::string_view, std::uint64_t> ignored;
    for (const auto& input : inputs) {
        for (const auto& [name, count] : input.ignored) {
            ignored[name] += count;
        }
    }
    line.clear();
    for (const auto& [name, count] : ignored) {
        line += line.empty() ? "" : " · ";
        append_printable(line, name, 64);
        line += ' ';
        append_grouped(line, count);
    }
    if (!line.empty()) {
        summary_line("ignored: ", line, Ink::Dim);
    }
    for (const auto& input : inputs) {
        for (const auto& problem : input.problems) {
            summary_line(said(printable(input.file, 512) + ": "), printable(problem, 1024),
                         Ink::Amber);
        }
    }
    flush();
}

void ListText::flush() {
    sink_(out_);
    out_.clear();
}

} // namespace cw::view
