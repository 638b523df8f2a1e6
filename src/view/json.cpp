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
    j.member("id", call.id);
    j.member("kind", to_string(call.kind));
    j.key("call_ids");
    j.open_array();
    for (std::size_t i = 0; i < call.legs.size(); ++i) {
        j.value(call.text(call.legs[i].call_id));
    }
    j.close_array();
    j.member("from", call.text(call.from));
    j.member("to", call.text(call.to));
    j.member("state", to_string(call.state));
    j.key("final_status");
    if (call.final_status > 0) {
        j.value(std::uint32_t{call.final_status});
    } else {
        j.null();
    }
    write_time("start", call.start);
    write_time("answered", call.answered);
    write_time("end", call.end);
    j.key("duration_s");
    j.value(call.duration_s, 3);
    j.member("cut_off", call.cut_off);
    write_legs(call);
    write_messages(call);
    j.key("media");
    j.open_array();
    for (const auto& s : call.streams) {
        write_media(s, call.pool);
    }
    j.close_array();
    j.key("security");
    j.open_object();
    j.member("signalling", signalling_name(call.security.signalling));
    j.member("media", media_name(call.security.media));
    j.member("weakest", std::string_view{call.security.weakest});
    write_security(call);
    j.close_object();
    write_findings(j, call.findings);
    j.close_object();
    j.line();
    flush_when_large();
}

// What the verdict rests on.
void JsonReport::write_security(const flow::Call& call) {
    auto& j = json_;
    const auto& s = call.security;
    j.member_or_null("media_by", s.media_by);
    j.member_or_null("keys_exposed", s.keys_exposed);
    j.member_or_null("sips", s.sips);
    j.member("sips_broken", s.sips_broken);
    j.member_or_null("smime", s.smime);
    j.key("hops");
    j.open_array();
    for (const auto& hop : s.hops) {
        j.open_object();
        write_endpoint("client", hop.client);
        write_endpoint("server", hop.server);
        j.member("transport", to_string(hop.transport));
        j.key("connection");
        if (hop.connection != 0) {
            j.value(hop.connection);
        } else {
            j.null();
        }
        j.member("messages", hop.messages);
        j.member("secure", hop.secure);
        j.member_or_null("version", hop.version);
        j.member_or_null("cipher", hop.cipher);
        j.member_or_null("verified", hop.verified);
        j.member("verified_good", hop.verified_good);
        j.member("mutual", hop.mutual);
        j.member("keys_shown", hop.keys_shown);
        j.member("weak", hop.weak);
        j.key("notes");
        j.open_array();
        for (const auto& note : hop.notes) {
            j.value(std::string_view{note});
        }
        j.close_array();
        j.close_object();
    }
    j.close_array();
}

void JsonReport::write_legs(const flow::Call& call) {
    json_.key("legs");
    json_.open_array();
    for (const auto& leg : call.legs) {
        json_.open_object();
        json_.member("call_id", call.text(leg.call_id));
        json_.member("from", call.text(leg.from));
        json_.member("to", call.text(leg.to));
        json_.member_or_null("from_name", call.text(leg.from_name));
        json_.member_or_null("to_name", call.text(leg.to_name));
        json_.close_object();
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
    for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
        write_message(call, i);
        flush_when_large();
    }
    json_.close_array();
}

char* JsonReport::put_endpoint(char* at, const Endpoint& e) {
    const auto place = e.port ^ e.port >> 4U ^ e.address.octets.back();
    auto& known = endpoints_[static_cast<unsigned>(place) % endpoints_.size()];
    if (known.size == 0 || known.endpoint != e) {
        known.endpoint = e;
        known.size = static_cast<std::uint8_t>(view::write_endpoint(known.text.data(), e) -
                                               known.text.data());
    }
    *at++ = '"';
    std::memcpy(at, known.text.data(), known.text.size()); // of a fixed size, which is cheaper
    at += known.size;
    *at++ = '"';
    return at;
}

char* JsonReport::put_time(char* at, Instant t) {
    if (!t.known()) {
        return put(at, "null");
    }
    *at++ = '"';
    at = times_.write_rfc3339(at, t);
    *at++ = '"';
    return at;
}

namespace {

char* put_index_or_null(char* at, std::uint32_t index) {
    return index == flow::none ? put(at, "null") : write_number(at, index);
}

// One of our own names, of up to ten characters, which needs no escaping.
char* put_name(char* at, std::string_view name) {
    *at++ = '"';
    at = std::copy(name.begin(), name.end(), at);
    *at++ = '"';
    return at;
}

std::string_view signed_word(const flow::Message& m) {
    return m.is_signed == 0   ? "no"
           : m.is_signed == 1 ? "good"
           : m.is_signed == 2 ? "bad"
                              : "unproven"; // it fits, and who signed is not known to be trusted
}
std::string_view sealed_word(const flow::Message& m) {
    constexpr std::array names{"no", "opened", "closed", "unreadable", "partly"};
    return names[std::min<std::size_t>(m.sealed, names.size() - 1)];
}

char* put_bool(char* at, bool b) {
    return b ? put(at, "true") : put(at, "false");
}

} // namespace

// The bulk of every report, so it is put together in one piece.
void JsonReport::write_message(const flow::Call& call, std::uint32_t index) {
    const auto& m = call.messages[index];
    const bool request = m.status == 0;
    const bool is_known = !to_string(m.method).empty();
    const auto method = call.text(m.method_text);
    const auto cseq_method = to_string(m.cseq_method);
    const auto call_id =
        m.leg < call.legs.size() ? call.text(call.legs[m.leg].call_id) : std::string_view{};
    const auto reason = call.text(m.reason);
    const auto uri = call.text(m.request_uri);
    const auto body_type = call.text(m.body_type);
    const auto note = call.text(m.note);
    const auto problem = call.text(m.problem);
    const auto badge = call.text(m.badge);
    const auto words = call.text(m.words);
    constexpr std::size_t names_and_numbers = 1024;
    const auto texts = 2 * method.size() + call_id.size() + reason.size() + uri.size() +
                       body_type.size() + note.size() + problem.size() + badge.size() +
                       words.size();
    json_.raw(names_and_numbers + longest_escape * texts, [&](char* at) {
        at = write_number(put(at, "{\"index\":"), index);
        at = write_number(put(at, ",\"frame\":"), m.frame);
        at = write_number(put(at, ",\"input\":"), m.input);
        at = put_time(put(at, ",\"time\":"), m.time);
        at = put_endpoint(put(at, ",\"src\":"), m.source);
        at = put_endpoint(put(at, ",\"dst\":"), m.destination);
        at = put_name(put(at, ",\"transport\":"), to_string(m.transport));
        if (request) {
            at = put(at, ",\"method\":");
            at = is_known ? put_name(at, method) : put_string_or_null(at, method);
            at = put(at, ",\"status\":null,\"reason\":null");
        } else {
            at = write_number(put(at, ",\"method\":null,\"status\":"), m.status);
            at = put_string(put(at, ",\"reason\":"), reason);
        }
        at = write_number(put(at, ",\"cseq\":\""), m.cseq);
        auto* blank = at; // where the quote of the method stands
        at = cseq_method.empty() ? put_string(at, method) : put_name(at, cseq_method);
        *blank = ' ';
        at = put_string(put(at, ",\"call_id\":"), call_id);
        at = put_index_or_null(put(at, ",\"retransmission_of\":"), m.retransmission_of);
        at = put_index_or_null(put(at, ",\"duplicate_of\":"), m.duplicate_of);
        at = write_number(put(at, ",\"leg\":"), m.leg);
        at = write_number(put(at, ",\"size\":"), m.size);
        at = put_index_or_null(put(at, ",\"connection\":"),
                               m.connection == 0 ? flow::none : m.connection);
        at = put_string_or_null(put(at, ",\"uri\":"), uri);
        at = put_string_or_null(put(at, ",\"body_type\":"), body_type);
        at = put_string_or_null(put(at, ",\"note\":"), note);
        at = put_bool(put(at, ",\"malformed\":"), m.malformed);
        at = put_string_or_null(put(at, ",\"problem\":"), problem);
        at = put_bool(put(at, ",\"truncated\":"), m.truncated);
        if (m.is_signed != 0 || m.sealed != 0) {
            at = put_string(put(at, ",\"smime\":{\"signed\":"), signed_word(m));
            at = put_string(put(at, ",\"encrypted\":"), sealed_word(m));
            at = put_string(put(at, ",\"badge\":"), badge);
            at = put(put_string_or_null(put(at, ",\"text\":"), words), "}");
        }
        return put(at, "}");
    });
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
