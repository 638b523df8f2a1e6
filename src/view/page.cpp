#include "view/page.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "rtp/quality.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/json.hpp"
#include "view/ladder_words.hpp"
#include "view/mermaid.hpp"
#include "view/page/files.hpp"
#include "view/screen/screen.hpp"
#include "view/svg.hpp"

namespace cw::view {
namespace {

// In JSON "<" stands in texts only, where it may as well be escaped. Without it, nothing in a
// script element can end it or change how it is read.
std::string harmless(std::string_view json) {
    std::string out;
    out.reserve(json.size() + 64);
    for (const char c : json) {
        if (c == '<') {
            out += "\\u003c";
        } else {
            out += c;
        }
    }
    return out;
}

std::string_view name_of(Tone tone) {
    switch (tone) {
    case Tone::Good:
        return "good";
    case Tone::Bad:
        return "bad";
    case Tone::Slow:
        return "slow";
    case Tone::Dim:
        return "dim";
    case Tone::Plain:
        break;
    }
    return "plain";
}

bool is_text(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const auto point = decode_utf8(bytes, at);
        if (!point.valid || point.code == 0) {
            return false;
        }
        at += point.size;
    }
    return true;
}

// A message as text, or as an array of one text in hexadecimal when it is no UTF-8.
void write_bytes(JsonWriter& json, std::string_view bytes) {
    if (bytes.empty()) {
        json.null();
    } else if (is_text(bytes)) {
        json.value(bytes);
    } else {
        constexpr std::string_view digits = "0123456789abcdef";
        json.open_array();
        json.quoted(2 * bytes.size(), [&](char* at) {
            for (const char c : bytes) {
                const auto byte = static_cast<unsigned char>(c);
                *at++ = digits[byte >> 4U];
                *at++ = digits[byte & 0xfU];
            }
            return at;
        });
        json.close_array();
    }
}

void write_ladder(JsonWriter& json, const Ladder& ladder) {
    const SvgPainter painter{ladder};
    std::string text;
    json.open_object();
    json.member("call", std::string_view{ladder.title_call});
    json.member("from", std::string_view{ladder.title_from});
    json.member("to", std::string_view{ladder.title_to});
    json.member("end", std::string_view{ladder.title_end});
    json.member("summary", std::string_view{ladder.summary});
    json.member("security", std::string_view{ladder.security});
    json.member("weakest", std::string_view{ladder.weakest});
    json.member("state", name_of(ladder.state));
    json.member("safe", name_of(ladder.security_state));
    json.key("findings");
    json.open_array();
    for (const auto& f : ladder.findings) {
        json.open_object();
        json.member("tone", name_of(f.tone));
        json.member("rule", std::string_view{f.rule});
        json.member("title", std::string_view{f.title});
        json.member("evidence", std::string_view{f.evidence});
        json.member("advice", std::string_view{f.advice});
        json.member("rfc", std::string_view{f.rfc});
        json.member("depth", std::uint32_t{f.depth});
        json.key("numbers");
        json.open_array();
        for (const auto n : f.numbers) {
            json.value(n);
        }
        json.close_array();
        json.close_object();
    }
    json.close_array();
    json.member("width", static_cast<std::int64_t>(painter.width()));
    json.key("columns");
    json.open_array();
    for (const auto x : painter.columns()) {
        json.value(static_cast<std::int64_t>(x));
    }
    json.close_array();
    painter.append_heads(text, 0);
    json.member("heads", std::string_view{text});
    json.key("spans");
    json.open_array();
    for (const auto& span : painter.spans()) {
        json.open_array();
        json.value(static_cast<std::int64_t>(span.x));
        json.value(std::uint64_t{span.first});
        json.value(std::uint64_t{span.last});
        json.value(span.secure);
        json.close_array();
    }
    json.close_array();
    json.key("holds");
    json.open_array();
    for (const auto& hold : painter.holds()) {
        json.open_array();
        json.value(static_cast<std::int64_t>(hold.x));
        json.value(static_cast<std::int64_t>(hold.width));
        json.value(std::uint64_t{hold.first});
        json.value(std::uint64_t{hold.last});
        json.value(std::string_view{hold.label});
        json.close_array();
    }
    json.close_array();
    json.key("rows"); // height, kind, message, leg, picture
    json.open_array();
    for (std::size_t i = 0; i < ladder.rows.size(); ++i) {
        const auto& row = ladder.rows[i];
        text.clear();
        painter.append_row(text, i);
        json.open_array();
        json.value(static_cast<std::int64_t>(painter.height(i)));
        json.value(
            row.kind == RowKind::Media || row.kind == RowKind::NoMedia || row.kind == RowKind::Dtmf
                ? "media"
            : row.kind == RowKind::Message || row.kind == RowKind::Retransmissions ? "message"
            : row.kind == RowKind::Note || row.kind == RowKind::Gap                ? "note"
                                                                                   : "connection");
        json.value(row.number);
        json.value(row.leg == no_leg ? std::int64_t{-1} : std::int64_t{row.leg});
        json.value(std::string_view{text});
        json.close_array();
    }
    json.close_array();
    json.key("safety");
    json.open_array();
    for (const auto& [tone, line] : ladder.safety) {
        json.open_array();
        json.value(name_of(tone));
        json.value(std::string_view{line});
        json.close_array();
    }
    json.close_array();
    json.key("connections");
    json.open_array();
    for (const auto& line : ladder.connections) {
        json.value(std::string_view{line});
    }
    json.close_array();
    text.clear();
    append_mermaid(text, ladder);
    json.member("mermaid", std::string_view{text});
    json.close_object();
}

void write_chain(JsonWriter& json, const std::vector<flow::Certificate>& chain) {
    TimeWriter times;
    json.open_array();
    for (const auto& c : chain) {
        json.open_object();
        json.member("subject", std::string_view{c.subject});
        json.member("issuer", std::string_view{c.issuer});
        json.key("names");
        json.open_array();
        for (const auto& name : c.names) {
            json.value(std::string_view{name});
        }
        json.close_array();
        json.key("from");
        json.quoted(TimeWriter::most,
                    [&](char* at) { return times.write_rfc3339(at, c.not_before); });
        json.key("until");
        json.quoted(TimeWriter::most,
                    [&](char* at) { return times.write_rfc3339(at, c.not_after); });
        json.close_object();
    }
    json.close_array();
}

// Of each connection what a reader of its messages asks: who was verified, by which certificates.
void write_connections(JsonWriter& json, const flow::Call& call) {
    json.open_object();
    for (const auto& c : call.connections) {
        if (!c.is_tls()) {
            continue;
        }
        json.any_key(fmt::format("{}", c.id));
        json.open_object();
        json.member("line", std::string_view{printable(connection_line(c))});
        json.member("version", std::string_view{c.version});
        json.member("cipher", std::string_view{c.cipher});
        json.member("sni", std::string_view{c.sni});
        json.member("verdict", std::string_view{c.verdict});
        json.member("good", c.verdict_good);
        json.key("server");
        write_chain(json, c.server_chain);
        json.key("client");
        write_chain(json, c.client_chain);
        json.close_object();
    }
    json.close_object();
}

// How each stream fared, period by period: [packets, missing, jitter, MOS]. MOS is 0 where there is
// no model for the codec, or nothing came.
void write_courses(JsonWriter& json, const flow::Call& call, const flow::MediaCourse& courses) {
    TimeWriter times;
    json.open_array();
    for (const auto& stream : call.streams) {
        const auto* course = courses.of(stream);
        if (course == nullptr) {
            json.null();
            continue;
        }
        const auto codec = call.text(stream.codec);
        json.open_object();
        json.key("begin");
        json.quoted(TimeWriter::most,
                    [&](char* at) { return times.write_rfc3339(at, course->begin); });
        json.key("period_s");
        json.value(course->period.seconds(), 0);
        json.key("periods");
        json.open_array();
        for (const auto& period : course->periods) {
            const double all = period.packets + period.missing;
            json.open_array();
            json.value(period.packets);
            json.value(period.missing);
            json.value(period.jitter_ms, 2);
            json.value(period.packets == 0 ? 0.0
                                           : rtp::mos(codec.substr(0, codec.find('/')),
                                                      {.loss = period.missing / all,
                                                       .jitter_ms = period.jitter_ms}),
                       2);
            json.close_array();
        }
        json.close_array();
        json.close_object();
    }
    json.close_array();
}

// A row of the list.
void write_row(JsonWriter& json, std::string_view id, std::string_view kind, const Ladder& ladder,
               std::string_view start, std::size_t messages, std::string_view call_ids) {
    json.open_object();
    json.member("id", id);
    json.member("kind", kind);
    json.member("start", start);
    json.member("from", std::string_view{ladder.title_from.empty() ? ladder.title_call
                                                                   : ladder.title_from});
    json.member("to", std::string_view{ladder.title_to});
    json.member("end", std::string_view{ladder.title_end});
    json.member("state", name_of(ladder.state));
    json.member("messages", std::uint64_t{messages});
    json.member("security", std::string_view{ladder.security});
    json.member("weakest", std::string_view{ladder.weakest});
    json.member("safe", name_of(ladder.security_state));
    json.member("ids", call_ids);
    json.key("rules");
    json.open_array();
    for (const auto& f : ladder.findings) {
        json.open_array();
        json.value(std::string_view{f.rule});
        json.value(name_of(f.tone));
        json.value(std::string_view{f.title});
        json.close_array();
    }
    json.close_array();
    json.close_object();
}

std::string call_ids(const flow::Call& call) {
    std::string ids;
    for (const auto& leg : call.legs) {
        ids += ids.empty() ? "" : " ";
        ids += printable(call.text(leg.call_id), 256);
    }
    return ids;
}

} // namespace

void append_page_row(std::string& out, const flow::Call& call, std::uint32_t number, bool live) {
    const auto row = screen_row(call, live);
    std::string start;
    TimeWriter{}.append_rfc3339(start, call.start);
    JsonWriter json;
    json.open_object();
    json.member("id", number);
    json.member("kind", std::string_view{row.kind});
    json.member("start", std::string_view{start});
    json.member("from", std::string_view{row.from});
    json.member("to", std::string_view{row.to});
    json.member("end", std::string_view{row.end});
    json.member("state", name_of(row.state));
    json.member("messages", std::uint64_t{row.messages});
    json.member("security", std::string_view{row.security});
    json.member("weakest", std::string_view{row.weakest});
    json.member("safe", name_of(row.safe));
    json.member("ids", std::string_view{call_ids(call)});
    const bool up = call.state == flow::State::Trying || call.state == flow::State::Ringing ||
                    call.state == flow::State::Answered;
    json.member("live", live && up);
    json.key("rules");
    json.open_array();
    for (const auto& finding : call.findings) {
        json.open_array();
        json.value(std::string_view{printable(finding.rule, 16)});
        json.value(finding.severity == "error"     ? "bad"
                   : finding.severity == "warning" ? "slow"
                                                   : "plain");
        json.value(std::string_view{printable(finding.title, 256)});
        json.close_array();
    }
    json.close_array();
    json.close_object();
    out += json.text();
}

std::string live_page() {
    std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<title>Callwright</title>\n<link rel=\"stylesheet\" href=\"page.css\">\n"
                      "</head>\n<body class=\"live\">\n";
    out += page::live_html;
    out += page::page_html;
    out += "<svg width=\"0\" height=\"0\" class=\"shapes\" aria-hidden=\"true\">";
    SvgPainter::append_shapes(out);
    out += "</svg>\n<script src=\"page.js\"></script>\n</body></html>\n";
    return out;
}

std::string live_style() {
    return std::string{page::page_css} + std::string{page::ladder_css} +
           std::string{page::live_css};
}

std::string_view live_script() {
    return page::live_js;
}

PageWriter::PageWriter(Sink sink, const PageOptions& options) : sink_(std::move(sink)) {
    std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n";
    if (!options.script_hash.empty()) {
        out += fmt::format(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "style-src 'unsafe-inline'; script-src '{}'; base-uri 'none'; form-action "
            "'none'\">\n",
            options.script_hash);
    }
    out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
    append_xml(out, printable(options.title, 512));
    out += "</title>\n<style>\n";
    out += page::page_css;
    out += page::ladder_css;
    out += "</style></head>\n<body>\n";
    out += page::page_html;
    out += "<svg width=\"0\" height=\"0\" class=\"shapes\" aria-hidden=\"true\">";
    SvgPainter::append_shapes(out);
    out += "</svg>\n";
    JsonWriter json;
    json.open_object();
    json.member("version", std::string_view{options.version});
    json.member("command", std::string_view{options.command});
    json.close_object();
    out +=
        "<script type=\"application/json\" id=\"about\">" + harmless(json.text()) + "</script>\n";
    sink_(out);
}

void PageWriter::begin_entry() {
    sink_(fmt::format("<script type=\"application/json\" id=\"entry-{}\">", entries_++));
    list_ += list_.empty() ? "[" : ",\n";
}

void PageWriter::end_entry() {
    sink_("</script>\n");
}

void PageWriter::call(const flow::Call& call, const Ladder& ladder, const Bytes& bytes) {
    begin_entry();
    write_page_entry(sink_, call, ladder, bytes, course_);
    end_entry();
    std::string start;
    TimeWriter{}.append_rfc3339(start, call.start);
    JsonWriter row;
    write_row(row, fmt::format("{}", call.id), to_string(call.kind), ladder, start,
              call.messages.size(), call_ids(call));
    list_ += row.text();
}

void write_page_entry(const Sink& sink, const flow::Call& call, const Ladder& ladder,
                      const PageWriter::Bytes& bytes, const flow::MediaCourse* course) {
    JsonWriter json;
    std::string facts;
    JsonReport report{[&](std::string_view piece) { facts += piece; }};
    report.call(call);
    report.finish_calls();
    sink(harmless("{\"call\":" + facts + ",\"ladder\":"));
    write_ladder(json, ladder);
    sink(harmless(json.text()));
    json.clear();
    JsonWriter rest;
    write_connections(rest, call);
    sink(harmless(",\n\"connections\":" + std::string{rest.text()}));
    if (course != nullptr && !call.streams.empty()) {
        JsonWriter charts;
        write_courses(charts, call, *course);
        sink(harmless(",\n\"courses\":" + std::string{charts.text()}));
    }
    sink(",\n\"raw\":[");
    for (std::size_t i = 0; i < call.messages.size(); ++i) {
        JsonWriter one;
        write_bytes(one, bytes(call.messages[i]));
        sink(i > 0 ? ",\n" : "");
        sink(harmless(one.text()));
    }
    sink("]}");
}

void PageWriter::flow(const Ladder& ladder, std::span<const PageVerdict> verdicts,
                      std::string_view source) {
    begin_entry();
    JsonWriter json;
    json.open_object();
    json.key("ladder");
    write_ladder(json, ladder);
    json.key("verdicts");
    json.open_array();
    for (const auto& v : verdicts) {
        json.open_object();
        json.member("place", std::string_view{v.place});
        json.member("at", std::string_view{v.at});
        json.member("who", std::string_view{v.who});
        json.member("what", std::string_view{v.what});
        json.member("verdict", std::string_view{v.verdict});
        json.member("why", std::string_view{v.why});
        json.member("expected", std::string_view{v.expected});
        json.member("received", std::string_view{v.received});
        json.member("tone", name_of(v.tone));
        json.close_object();
    }
    json.close_array();
    json.member("source", source);
    json.close_object();
    sink_(harmless(json.text()));
    end_entry();
    JsonWriter row;
    write_row(row, "flow", "flow", ladder, "", verdicts.size(), "");
    list_ += row.text();
}

void PageWriter::finish(std::span<const InputReport> inputs) {
    sink_("<script type=\"application/json\" id=\"rows\">" +
          harmless(list_.empty() ? "[]" : list_ + "]") + "</script>\n");
    JsonWriter json;
    json.open_array();
    for (const auto& input : inputs) {
        json.open_object();
        json.member("file", std::string_view{input.file});
        json.member("packets", input.packets);
        json.key("problems");
        json.open_array();
        for (const auto& problem : input.problems) {
            json.value(std::string_view{problem});
        }
        json.close_array();
        json.key("ignored");
        json.open_object();
        for (const auto& [what, count] : input.ignored) {
            json.any_key(what);
            json.value(count);
        }
        json.close_object();
        json.close_object();
    }
    json.close_array();
    sink_("<script type=\"application/json\" id=\"inputs\">" + harmless(json.text()) +
          "</script>\n<script>");
    sink_(page_script());
    sink_("</script>\n</body></html>\n");
}

std::string_view page_script() {
    return page::page_js;
}

} // namespace cw::view
