#include "view/json.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

namespace cw::view {
namespace {

// What a piece keeps at most.
constexpr std::size_t most_kept = std::size_t{1} << 20;
// As much as 64 calls of seven messages need, which would grow to twice that piece by piece.
constexpr std::size_t usual_piece = std::size_t{320} << 10;

std::string_view signalling_name(flow::Protection p) {
    switch (p) {
    case flow::Protection::Secure:
        return "tls";
    case flow::Protection::Mixed:
        return "mixed";
    case flow::Protection::Clear:
    case flow::Protection::None:
        break;
    }
    return "clear";
}

std::string_view media_name(flow::Protection p) {
    switch (p) {
    case flow::Protection::Secure:
        return "srtp";
    case flow::Protection::Mixed:
        return "mixed";
    case flow::Protection::Clear:
        return "clear";
    case flow::Protection::None:
        break;
    }
    return "none";
}

void write_certificate_time(JsonWriter& json, TimeWriter& times, Instant time) {
    if (time.known()) {
        json.quoted(TimeWriter::most, [&](char* at) { return times.write_rfc3339(at, time); });
    } else {
        json.null();
    }
}

void write_certificates(JsonWriter& json, TimeWriter& times,
                        const std::vector<flow::Certificate>& chain) {
    json.open_array();
    for (const auto& c : chain) {
        json.open_object();
        json.member("subject", std::string_view{c.subject});
        json.member("issuer", std::string_view{c.issuer});
        json.key("names");
        json.open_array();
        for (const auto& n : c.names) {
            json.value(std::string_view{n});
        }
        json.close_array();
        json.key("not_before");
        write_certificate_time(json, times, c.not_before);
        json.key("not_after");
        write_certificate_time(json, times, c.not_after);
        json.close_object();
    }
    json.close_array();
}

void write_findings(JsonWriter& json, std::span<const flow::Finding> findings) {
    json.key("findings");
    json.open_array();
    for (const auto& f : findings) {
        json.open_object();
        json.member("rule", std::string_view{f.rule});
        json.member("severity", std::string_view{f.severity});
        json.member("title", std::string_view{f.title});
        json.key("messages");
        json.open_array();
        for (const auto index : f.messages) {
            json.value(index);
        }
        json.close_array();
        json.member_or_null("rfc", f.rfc);
        json.member_or_null("advice", f.advice);
        json.member_or_null("evidence", f.evidence);
        json.member_or_null("confidence", f.confidence);
        json.key("cause"); // the finding that brought this about, as an index of this array
        if (f.cause == flow::none) {
            json.null();
        } else {
            json.value(f.cause);
        }
        json.key("connections");
        json.open_array();
        for (const auto id : f.connections) {
            json.value(id);
        }
        json.close_array();
        json.close_object();
    }
    json.close_array();
}

} // namespace

JsonReport::JsonReport(Sink sink, std::string_view version) : sink_(std::move(sink)) {
    json_.open_object();
    json_.line();
    json_.member("callwright", version);
    json_.line();
}

JsonReport::JsonReport(Sink sink) : sink_(std::move(sink)), part_(Part::Calls) {
    json_.open_array();
}

JsonReport::JsonReport(Piece piece)
    : sink_(std::move(piece.overflow)), part_(Part::Calls), flush_at_(most_kept) {
    json_.reserve(usual_piece);
    restart();
}

// A piece begins with what separates it from the one before, so that it goes out as it is.
void JsonReport::calls(std::string_view piece, bool go_on) {
    if (!go_on && !has_calls_) {
        constexpr std::string_view separator = ",\n";
        has_calls_ = true;
        enter(Part::Calls);
        json_.raw(0, [](char* at) { return at; }); // the line end
        flush();
        piece.remove_prefix(separator.size());
    }
    sink_(piece);
    json_.line();
}

void JsonReport::finish_calls() {
    json_.close_array();
    flush();
    part_ = Part::Done;
}

// Closes the array that is open and opens the next one, until it is that of `part`; those in
// between stay empty.
void JsonReport::enter(Part part) {
    while (part_ < part) {
        if (part_ != Part::Begin) {
            json_.line();
            json_.close_array();
            json_.line();
        }
        part_ = static_cast<Part>(std::to_underlying(part_) + 1);
        if (part_ == Part::Done) {
            return;
        }
        part_ == Part::Tls     ? json_.key("tls")
        : part_ == Part::Calls ? json_.key("calls")
                               : json_.key("media");
        json_.open_array();
        json_.line();
    }
}

void JsonReport::flush_when_large() {
    if (json_.text().size() >= flush_at_) {
        flush();
    }
}

void JsonReport::flush() {
    sink_(json_.text());
    json_.clear();
}

void JsonReport::tls(const flow::Connection& connection) {
    if (!connection.is_tls()) {
        return;
    }
    assert(part_ <= Part::Tls);
    enter(Part::Tls);
    write_connection(connection);
    json_.line();
    flush_when_large();
}

void JsonReport::write_connection(const flow::Connection& c) {
    json_.open_object();
    json_.member("id", c.id);
    write_endpoint("client", c.client);
    write_endpoint("server", c.server);
    json_.member("transport", to_string(c.transport));
    json_.member_or_null("version", c.version);
    json_.member_or_null("cipher", c.cipher);
    json_.member_or_null("sni", c.sni);
    json_.member("resumed", c.resumed);
    json_.member("decrypted", c.decrypted);
    json_.member_or_null("reason", c.decrypted ? std::string_view{} : std::string_view{c.reason});
    json_.member_or_null("key", c.key_hint);
    json_.member("sip_messages", c.sip_messages);
    json_.key("handshake");
    json_.open_object();
    json_.member("start_seen", c.start_seen);
    json_.member("done", c.handshake_done);
    json_.member("mutual", c.mutual);
    json_.member("hello_retry", c.hello_retry);
    json_.member_or_null("offered", c.offered);
    json_.member_or_null("group", c.group);
    json_.member_or_null("alpn", c.alpn);
    write_time("client_hello", c.hello);
    write_time("finished", c.established);
    json_.key("server_certificates");
    write_certificates(json_, times_, c.server_chain);
    json_.key("client_certificates");
    write_certificates(json_, times_, c.client_chain);
    json_.close_object();
    json_.key("alerts");
    json_.open_array();
    for (const auto& a : c.alerts) {
        json_.open_object();
        write_time("time", a.time);
        json_.member("from", a.from_client ? "client" : "server");
        json_.member("level", a.fatal ? "fatal" : "warning");
        json_.member("number", std::uint32_t{a.number});
        json_.member_or_null("name", a.name);
        json_.close_object();
    }
    json_.close_array();
    json_.key("close_notify");
    json_.open_object();
    json_.member("client", c.close_notify_client);
    json_.member("server", c.close_notify_server);
    json_.close_object();
    json_.key("closed_by");
    if (c.rst) {
        json_.value("rst");
    } else if (c.fin) {
        json_.value("fin");
    } else {
        json_.null();
    }
    json_.member("frame", c.frame);
    write_time("opened", c.opened);
    write_time("closed", c.closed);
    json_.member("records", c.records);
    json_.member("bytes", c.bytes);
    json_.member("missing_bytes", c.missing_bytes);
    json_.close_object();
}

void JsonReport::call(const flow::Call& call) {
    enter(Part::Calls);
    auto& j = json_;
    j.open_object();
    write_head(call);
    write_legs(call);
    write_messages(call);
    j.key("media");
    j.open_array();
    for (const auto& s : call.streams) {
        write_media(s, call.pool);
    }
    j.close_array();
    write_security(call.security);
    write_findings(j, call.findings);
    j.close_object();
    j.line();
    flush_when_large();
}

// What is told of the whole call, put together in one piece.
void JsonReport::write_head(const flow::Call& call) {
    constexpr std::size_t names_and_numbers = 1024;
    std::size_t texts = std::size_t{call.from.length} + call.to.length;
    for (const auto& leg : call.legs) {
        texts += leg.call_id.length + 2; // with what stands around it
    }
    json_.raw(names_and_numbers + longest_escape * texts, [&](char* at) {
        at = write_number(put(at, "\"id\":"), call.id);
        at = put_word(put(at, ",\"kind\":"), to_string(call.kind));
        at = put(at, ",\"call_ids\":[");
        for (std::size_t i = 0; i < call.legs.size(); ++i) {
            at = i == 0 ? at : put(at, ",");
            at = put_string(at, call.text(call.legs[i].call_id));
        }
        at = put_string(put(at, "],\"from\":"), call.text(call.from));
        at = put_string(put(at, ",\"to\":"), call.text(call.to));
        at = put_word(put(at, ",\"state\":"), to_string(call.state));
        at = put(at, ",\"final_status\":");
        at = call.final_status > 0 ? write_number(at, call.final_status) : put(at, "null");
        at = put_time(put(at, ",\"start\":"), times_, call.start);
        at = put_time(put(at, ",\"answered\":"), times_, call.answered);
        at = put_time(put(at, ",\"end\":"), times_, call.end);
        at = write_decimal(put(at, ",\"duration_s\":"), call.duration_s, 3);
        return put_bool(put(at, ",\"cut_off\":"), call.cut_off);
    });
}

namespace {

std::size_t most_of(const flow::Hop& hop) {
    constexpr std::size_t names_and_numbers = 512;
    std::size_t texts = hop.version.size() + hop.cipher.size() + hop.verified.size();
    for (const auto& note : hop.notes) {
        texts += note.size() + 2; // with what stands around it
    }
    return names_and_numbers + longest_escape * texts;
}

char* put_hop(char* at, const flow::Hop& hop) {
    at = put_endpoint(put(at, "{\"client\":"), hop.client);
    at = put_endpoint(put(at, ",\"server\":"), hop.server);
    at = put_word(put(at, ",\"transport\":"), to_string(hop.transport));
    at = put(at, ",\"connection\":");
    at = hop.connection != 0 ? write_number(at, hop.connection) : put(at, "null");
    at = write_number(put(at, ",\"messages\":"), hop.messages);
    at = put_bool(put(at, ",\"secure\":"), hop.secure);
    at = put_string_or_null(put(at, ",\"version\":"), hop.version);
    at = put_string_or_null(put(at, ",\"cipher\":"), hop.cipher);
    at = put_string_or_null(put(at, ",\"verified\":"), hop.verified);
    at = put_bool(put(at, ",\"verified_good\":"), hop.verified_good);
    at = put_bool(put(at, ",\"mutual\":"), hop.mutual);
    at = put_bool(put(at, ",\"keys_shown\":"), hop.keys_shown);
    at = put_bool(put(at, ",\"weak\":"), hop.weak);
    at = put(at, ",\"notes\":[");
    for (const auto& note : hop.notes) {
        at = &note == hop.notes.data() ? at : put(at, ",");
        at = put_string(at, note);
    }
    return put(at, "]}");
}

} // namespace

// The verdict, and what it rests on.
void JsonReport::write_security(const flow::Security& s) {
    constexpr std::size_t names = 512;
    const auto texts = s.weakest.size() + s.media_by.size() + s.keys_exposed.size() +
                       s.sips.size() + s.smime.size();
    json_.raw(names + longest_escape * texts, [&](char* at) {
        at = put_word(put(at, "\"security\":{\"signalling\":"), signalling_name(s.signalling));
        at = put_word(put(at, ",\"media\":"), media_name(s.media));
        at = put_string(put(at, ",\"weakest\":"), s.weakest);
        at = put_string_or_null(put(at, ",\"media_by\":"), s.media_by);
        at = put_string_or_null(put(at, ",\"keys_exposed\":"), s.keys_exposed);
        at = put_string_or_null(put(at, ",\"sips\":"), s.sips);
        at = put_bool(put(at, ",\"sips_broken\":"), s.sips_broken);
        at = put_string_or_null(put(at, ",\"smime\":"), s.smime);
        return put(at, ",\"hops\":");
    });
    json_.begin_value();
    json_.open_array();
    for (const auto& hop : s.hops) {
        json_.raw(most_of(hop), [&](char* at) { return put_hop(at, hop); });
    }
    json_.close_array();
    json_.close_object();
}

namespace {

std::size_t most_of(const flow::Leg& leg) {
    constexpr std::size_t names = 256;
    const auto texts = std::size_t{leg.call_id.length} + leg.from.length + leg.to.length +
                       leg.from_name.length + leg.to_name.length;
    return names + longest_escape * texts;
}

char* put_leg(char* at, const flow::Call& call, const flow::Leg& leg) {
    at = put_string(put(at, "{\"call_id\":"), call.text(leg.call_id));
    at = put_string(put(at, ",\"from\":"), call.text(leg.from));
    at = put_string(put(at, ",\"to\":"), call.text(leg.to));
    at = put_string_or_null(put(at, ",\"from_name\":"), call.text(leg.from_name));
    at = put_string_or_null(put(at, ",\"to_name\":"), call.text(leg.to_name));
    return put(at, "}");
}

} // namespace

void JsonReport::write_legs(const flow::Call& call) {
    json_.key("legs");
    json_.open_array();
    for (const auto& leg : call.legs) {
        json_.raw(most_of(leg), [&](char* at) { return put_leg(at, call, leg); });
    }
    json_.close_array();
    json_.key("joined_by");
    json_.open_array();
    for (const auto& join : call.joins) {
        json_.open_object();
        json_.key("legs");
        json_.open_array();
        json_.value(std::uint32_t{join.leg_a});
        json_.value(std::uint32_t{join.leg_b});
        json_.close_array();
        json_.member("score", std::uint32_t{join.score});
        json_.member("evidence", call.text(join.evidence));
        json_.close_object();
    }
    json_.close_array();
}

void JsonReport::write_messages(const flow::Call& call) {
    json_.key("messages");
    json_.open_array();
    message_.begin_call();
    for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
        json_.raw(MessageJson::most(call, call.messages[i]),
                  [&](char* at) { return message_.write(at, call, i); });
        flush_when_large();
    }
    json_.close_array();
}

void JsonReport::write_media(const flow::MediaStream& s, const flow::TextPool& texts) {
    auto& j = json_;
    j.open_object();
    j.key("ssrc");
    j.quoted(10, [&](char* at) {
        constexpr std::string_view hex = "0123456789abcdef";
        *at++ = '0';
        *at++ = 'x';
        for (int shift = 28; shift >= 0; shift -= 4) {
            *at++ = hex[s.ssrc >> shift & 0xf];
        }
        return at;
    });
    write_endpoint("src", s.source);
    write_endpoint("dst", s.destination);
    j.member_or_null("codec", texts.view(s.codec));
    j.member("payload_type", std::uint32_t{s.payload_type});
    j.member_or_null("srtp", texts.view(s.srtp));
    write_opening(s, texts);
    j.member("packets", s.packets);
    j.member("expected", s.expected);
    j.member("lost", s.lost);
    j.member("missing", s.missing);
    j.member("duplicates", s.duplicates);
    j.member("out_of_order", s.out_of_order);
    j.key("jitter_ms");
    j.value(s.jitter_ms, 3);
    j.key("mean_jitter_ms");
    j.value(s.mean_jitter_ms, 3);
    j.key("max_gap_ms");
    j.value(s.max_gap_ms, 3);
    j.key("mos");
    if (s.mos > 0) {
        j.value(s.mos, 2);
    } else {
        j.null(); // no published model for its codec
    }
    write_time("first", s.first);
    write_time("last", s.last);
    j.member("announced", s.announced);
    j.key("rtcp");
    j.open_object();
    j.member("reports", s.rtcp_reports);
    j.key("fraction_lost");
    if (s.rtcp_loss >= 0) {
        j.value(s.rtcp_loss, 4);
    } else {
        j.null();
    }
    j.close_object();
    j.key("dtmf");
    j.open_array();
    for (const auto& d : s.dtmf) {
        j.open_object();
        write_time("time", d.time);
        j.member("digit", std::string_view{&d.digit, 1});
        j.member("duration_ms", std::uint32_t{d.duration_ms});
        j.close_object();
    }
    j.close_array();
    j.close_object();
}

// What became of SRTP; null for RTP in clear.
void JsonReport::write_opening(const flow::MediaStream& s, const flow::TextPool& texts) {
    auto& j = json_;
    j.key("opening");
    if (s.srtp.length == 0) {
        j.null();
        return;
    }
    const auto& o = s.opening;
    j.open_object();
    j.member("opened", o.opened);
    j.member("failed", o.failed);
    j.member("cut", o.cut);
    j.member_or_null("suite", texts.view(s.suite));
    const std::string_view by = o.by == flow::KeyExchange::Sdes   ? "sdes"
                                : o.by == flow::KeyExchange::Dtls ? "dtls"
                                                                  : "";
    j.member_or_null("keys", by);
    write_frame("key_frame", o.key_frame);
    j.member("key_changes", o.key_changes);
    j.member("rollovers", o.rollovers);
    j.member("encrypted", o.encrypted);
    j.member("authenticated", o.proved);
    write_time("failed_since", o.failed_since);
    write_frame("failed_frame", o.failed_frame);
    j.member("rtcp_opened", o.rtcp_opened);
    j.member("rtcp_failed", o.rtcp_failed);
    j.member("rtcp_clear", o.rtcp_clear);
    j.member_or_null("problem", texts.view(s.srtp_problem));
    j.close_object();
}

void JsonReport::stray(const flow::MediaStream& s, const flow::TextPool& texts) {
    enter(Part::Strays);
    write_media(s, texts);
    json_.line();
    flush_when_large();
}

void JsonReport::finish(std::span<const InputReport> inputs, const ReportCounts& counts,
                        std::span<const flow::Finding> findings) {
    enter(Part::Done);
    json_.key("inputs");
    json_.open_array();
    for (const auto& input : inputs) {
        json_.line();
        json_.open_object();
        json_.member("file", std::string_view{input.file});
        json_.member("packets", input.packets);
        json_.member("bytes", input.bytes);
        write_time("first", input.first);
        write_time("last", input.last);
        json_.key("ignored");
        json_.open_object();
        for (const auto& [name, count] : input.ignored) {
            json_.any_key(name);
            json_.value(count);
        }
        json_.close_object();
        json_.key("problems");
        json_.open_array();
        for (const auto& problem : input.problems) {
            json_.value(std::string_view{problem});
        }
        json_.close_array();
        json_.close_object();
    }
    json_.close_array();
    json_.line();
    json_.key("counts");
    json_.open_object();
    json_.member("packets", counts.packets);
    json_.member("sip_messages", counts.sip_messages);
    json_.member("calls", counts.calls);
    json_.member("tls_connections", counts.tls_connections);
    json_.member("tls_decrypted", counts.tls_decrypted);
    json_.member("rtp_streams", counts.rtp_streams);
    json_.close_object();
    json_.line();
    write_findings(json_, findings);
    json_.line();
    json_.close_object();
    sink_(json_.text());
    sink_("\n");
    json_.clear();
}

} // namespace cw::view
