#include "flow/call_record.hpp"

#include <algorithm>
#include <bit>
#include <concepts>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "base/bytes.hpp"
#include "flow/diagnose/rule.hpp"

namespace cw::flow {
namespace {

constexpr std::string_view magic = "CWC1";

// ---- the fields, for writing and reading alike. New ones go to the end of their structure.

template <class A>
void fields(A& a, Leg& l) {
    a(l.call_id, l.from, l.to, l.from_name, l.to_name, l.start, l.end);
}
template <class A>
void fields(A& a, Join& j) {
    a(j.leg_a, j.leg_b, j.score, j.evidence);
}
template <class A>
void fields(A& a, Message& m) {
    a(m.time, m.frame, m.size, m.status, m.media_count, m.method, m.cseq_method, m.vias, m.to_tag,
      m.leg, m.source, m.destination, m.sent_by, m.input, m.transport, m.malformed, m.truncated,
      m.sips, m.connection, m.cseq, m.media_begin, m.retransmission_of, m.duplicate_of, m.branch,
      m.from_tag, m.answer_tag, m.expires, m.traits, m.max_forwards, m.method_text, m.request_uri,
      m.reason, m.body_type, m.note, m.problem, m.contact, m.facts, m.is_signed, m.sealed, m.badge,
      m.words);
}
template <class A>
void fields(A& a, MediaLine& m) {
    a(m.receive, m.type, m.profile, m.codecs, m.crypto_suite, m.dtls, m.secure_profile, m.direction,
      m.cryptos, m.key, m.key_invalid, m.setup, m.ice, m.event_type);
}
template <class A>
void fields(A& a, Dtmf& d) {
    a(d.time, d.digit, d.duration_ms, d.ended);
}
template <class A>
void fields(A& a, Opening& o) {
    a(o.opened, o.failed, o.cut, o.rtcp_opened, o.rtcp_failed, o.rtcp_clear, o.failed_since,
      o.failed_frame, o.key_frame, o.rollovers, o.key_changes, o.failed_sequence, o.by, o.encrypted,
      o.proved);
}
template <class A>
void fields(A& a, MediaStream& s) {
    a(s.first, s.last, s.source, s.destination, s.ssrc, s.payload_type, s.announced, s.codec,
      s.srtp, s.packets, s.expected, s.duplicates, s.out_of_order, s.missing, s.lost, s.jitter_ms,
      s.mean_jitter_ms, s.max_gap_ms, s.mos, s.rtcp_reports, s.rtcp_loss, s.dtmf, s.suite,
      s.srtp_problem, s.opening, s.stray_events, s.stray_type);
}
template <class A>
void fields(A& a, Certificate& c) {
    a(c.subject, c.issuer, c.names, c.not_before, c.not_after, c.key, c.key_bits, c.signature);
}
template <class A>
void fields(A& a, Alert& alert) {
    a(alert.time, alert.from_client, alert.fatal, alert.number);
}
template <class A>
void fields(A& a, HandshakeStep& s) {
    a(s.time, s.from_client, s.name, s.detail);
}
template <class A>
void fields(A& a, LostBytes& l) {
    a(l.time, l.bytes, l.from_client);
}
template <class A>
void fields(A& a, StrayBytes& s) {
    a(s.bytes, s.frame, s.from_client);
}
template <class A>
void fields(A& a, Connection& c) {
    a(c.id, c.client, c.server, c.transport, c.start_seen, c.decrypted, c.resumed, c.hello_retry,
      c.mutual, c.handshake_done, c.close_notify_client, c.close_notify_server, c.fin, c.rst,
      c.frame, c.opened, c.hello, c.established, c.closed, c.records, c.bytes, c.missing_bytes,
      c.lost, c.sip_messages, c.version, c.offered, c.cipher, c.group, c.sni, c.alpn, c.reason,
      c.key_hint, c.server_chain, c.client_chain, c.alerts, c.handshake, c.verdict, c.verdict_good,
      c.accepted, c.to_client, c.unanswered_ping, c.heard_after_ping, c.stray, c.unnamed);
}
template <class A>
void fields(A& a, Hop& h) {
    a(h.client, h.server, h.transport, h.connection, h.messages, h.first, h.secure, h.weak,
      h.mutual, h.keys_shown, h.version, h.cipher, h.verified, h.verified_good, h.notes);
}
template <class A>
void fields(A& a, Security& s) {
    a(s.signalling, s.media, s.weakest, s.hops, s.sips, s.sips_broken, s.keys_exposed, s.media_by,
      s.smime);
}
// The other texts are the rule's.
template <class A>
void fields(A& a, Finding& f) {
    a(f.rule, f.severity, f.confidence, f.messages, f.evidence, f.cause, f.connections);
}
template <class A>
void fields(A& a, Call& c) {
    a(c.id, c.kind, c.state, c.from, c.to, c.from_name, c.to_name, c.start, c.end, c.answered,
      c.duration_s, c.final_status, c.cut_off, c.legs, c.joins, c.messages, c.media_lines,
      c.streams, c.connections, c.security, c.findings);
}

template <class T>
constexpr bool is_list = false;
template <class T>
constexpr bool is_list<std::vector<T>> = true;

// ---- writing

class Writer {
  public:
    Writer(std::string& out, const Call& call) : out_(out), call_(call) {}

    template <class... T>
    void operator()(T&... values) {
        (put(values), ...);
    }

    template <class T>
    void put(T& value) {
        if constexpr (std::same_as<T, bool>) {
            out_ += static_cast<char>(value);
        } else if constexpr (std::is_enum_v<T>) {
            number(static_cast<std::uint64_t>(value));
        } else if constexpr (std::signed_integral<T>) {
            const auto wide = static_cast<std::int64_t>(value);
            number((static_cast<std::uint64_t>(wide) << 1) ^
                   static_cast<std::uint64_t>(wide >> 63));
        } else if constexpr (std::unsigned_integral<T>) {
            number(value);
        } else if constexpr (std::same_as<T, double>) {
            const auto bits = std::bit_cast<std::uint64_t>(value);
            for (int shift = 56; shift >= 0; shift -= 8) {
                out_ += static_cast<char>(bits >> shift);
            }
        } else if constexpr (std::same_as<T, Instant>) {
            put(value.ns);
        } else if constexpr (std::same_as<T, Endpoint>) {
            out_ += as_text(value.address.octets);
            number(value.port);
        } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
            number(value.size());
            out_ += value;
        } else if constexpr (std::same_as<T, Text>) {
            text(value);
        } else if constexpr (is_list<T>) {
            number(value.size());
            for (auto& one : value) {
                put(one);
            }
        } else {
            group(value);
        }
    }

  private:
    void number(std::uint64_t n) {
        for (; n >= 0x80; n >>= 7) {
            out_ += static_cast<char>(n | 0x80);
        }
        out_ += static_cast<char>(n);
    }
    // Its place in the pool, from 1 on; or 0, and the text itself, when it is in no pool.
    void text(Text t) {
        if (t.offset >= TextPool::first_common) {
            const auto name = call_.text(t);
            number(0);
            number(name.size());
            out_ += name;
        } else {
            number(std::uint64_t{t.offset} + 1);
            number(t.length);
        }
    }
    template <class T>
    void group(T& value) {
        const auto place = out_.size();
        out_.append(4, '\0');
        fields(*this, value);
        const auto size = out_.size() - place - 4;
        for (int i = 0; i < 4; ++i) {
            out_[place + static_cast<std::size_t>(i)] = static_cast<char>(size >> (24 - 8 * i));
        }
    }

    std::string& out_;
    const Call& call_;
};

// ---- reading

// The texts of a finding are static.
void settle(Finding& finding) {
    const auto known = [](std::string_view text, std::initializer_list<std::string_view> texts) {
        const auto* at = std::ranges::find(texts, text);
        return at == texts.end() ? std::string_view{} : *at;
    };
    const auto* rule = diagnose::find_rule(finding.rule);
    finding.rule = rule != nullptr ? rule->id : "D??";
    finding.title = rule != nullptr ? rule->title : "A finding of a rule that is not known here";
    finding.rfc = rule != nullptr ? rule->rfc : "";
    finding.advice = rule != nullptr ? rule->fix : "Look at it with the callwright that found it.";
    finding.severity = known(finding.severity, {"error", "warning", "note"});
    finding.confidence = known(finding.confidence, {"certain", "likely", "possible"});
}

class RecordReader {
  public:
    RecordReader(std::string_view bytes, Call& call, AlertName alert_name)
        : at_(as_bytes(bytes)), call_(call), alert_name_(alert_name) {}

    [[nodiscard]] bool ok() const { return at_.ok() && ok_; }

    template <class... T>
    void operator()(T&... values) {
        (get(values), ...);
    }

    template <class T>
    void get(T& value) {
        if (at_.left() == 0) {
            return; // a field that the writer did not know
        }
        if constexpr (std::same_as<T, bool>) {
            value = at_.u8() != 0;
        } else if constexpr (std::is_enum_v<T>) {
            value = static_cast<T>(number());
            ok_ = ok_ && is_known(value);
        } else if constexpr (std::signed_integral<T>) {
            const auto n = number();
            value = static_cast<T>(static_cast<std::int64_t>(n >> 1) ^
                                   -static_cast<std::int64_t>(n & 1));
        } else if constexpr (std::unsigned_integral<T>) {
            value = static_cast<T>(number());
        } else if constexpr (std::same_as<T, double>) {
            value = std::bit_cast<double>(at_.be64());
        } else if constexpr (std::same_as<T, Instant>) {
            get(value.ns);
        } else if constexpr (std::same_as<T, Endpoint>) {
            const auto octets = at_.take(16);
            std::copy(octets.begin(), octets.end(), value.address.octets.begin());
            value.port = static_cast<std::uint16_t>(number());
        } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
            value = as_text(at_.take(number())); // of the record; see settle()
        } else if constexpr (std::same_as<T, Text>) {
            get_text(value);
        } else if constexpr (is_list<T>) {
            list(value);
        } else {
            group(value);
        }
    }

  private:
    static bool is_known(sip::Method m) { return m <= sip::Method::Other; }
    static bool is_known(Transport t) { return t <= Transport::Hep; }
    static bool is_known(Kind k) { return k <= Kind::Other; }
    static bool is_known(State s) { return s <= State::Failed; }
    static bool is_known(Protection p) { return p <= Protection::Secure; }
    static bool is_known(KeyExchange k) { return k <= KeyExchange::Dtls; }

    std::uint64_t number() {
        std::uint64_t n = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto octet = at_.u8();
            n |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
            if ((octet & 0x80) == 0) {
                return n;
            }
        }
        ok_ = false;
        return 0;
    }
    void get_text(Text& text) {
        const auto place = number();
        const auto length = number();
        const auto pool = call_.pool.bytes().size();
        if (place == 0) {
            text = call_.pool.add(as_text(at_.take(length)));
        } else if (place - 1 > pool || length > pool - (place - 1)) {
            ok_ = false;
        } else {
            text = {static_cast<std::uint32_t>(place - 1), static_cast<std::uint32_t>(length)};
        }
    }
    template <class T>
    void list(std::vector<T>& values) {
        const auto count = number();
        if (count > at_.left()) { // each takes a byte at least
            ok_ = false;
            return;
        }
        for (std::uint64_t i = 0; i < count && ok(); ++i) {
            get(values.emplace_back());
        }
    }
    template <class T>
    void group(T& value) {
        const auto size = at_.be32();
        const auto whole = std::exchange(at_, Reader{{}});
        auto behind = whole;
        at_ = Reader{behind.take(size)};
        ok_ = ok_ && behind.ok();
        fields(*this, value);
        ok_ = ok();
        at_ = behind;
        if constexpr (std::same_as<T, Alert>) {
            value.name = alert_name_(value.number);
        }
        if constexpr (std::same_as<T, Finding>) {
            settle(value);
        }
    }

    Reader at_;
    Call& call_;
    AlertName alert_name_;
    bool ok_ = true;
};

// Indices that painters follow without asking.
bool is_sound(const Call& call) {
    const auto messages = call.messages.size();
    const auto in_call = [&](std::uint32_t i) { return i == none || i < messages; };
    for (const auto& m : call.messages) {
        if (!in_call(m.retransmission_of) || !in_call(m.duplicate_of) ||
            m.media_begin > call.media_lines.size() ||
            m.media_count > call.media_lines.size() - m.media_begin || m.leg >= call.legs.size()) {
            return false;
        }
    }
    for (const auto& j : call.joins) {
        if (std::max(j.leg_a, j.leg_b) >= call.legs.size()) {
            return false;
        }
    }
    for (const auto& hop : call.security.hops) {
        if (!in_call(hop.first)) {
            return false;
        }
    }
    for (const auto& f : call.findings) {
        if ((f.cause != none && f.cause >= call.findings.size()) ||
            !std::ranges::all_of(f.messages, [&](std::uint32_t i) { return i < messages; })) {
            return false;
        }
    }
    return true;
}

} // namespace

void append_record(const Call& call, std::string& out) {
    out += magic;
    const auto pool = call.pool.bytes();
    const auto size = static_cast<std::uint32_t>(pool.size());
    for (int shift = 24; shift >= 0; shift -= 8) {
        out += static_cast<char>(size >> shift);
    }
    out += pool;
    Writer writer{out, call};
    writer.put(const_cast<Call&>(call)); // Note: fields() serves reading too; nothing is changed
}

bool read_record(std::string_view bytes, Call& call, AlertName alert_name) {
    call.clear();
    Reader head{as_bytes(bytes)};
    const bool mine = as_text(head.take(magic.size())) == magic;
    const auto pool = head.take(head.be32());
    if (!mine || !head.ok() || head.left() == 0) {
        return false;
    }
    call.pool.append(as_text(pool));
    RecordReader reader{as_text(head.rest()), call, alert_name};
    reader.get(call);
    if (!reader.ok() || !is_sound(call)) {
        call.clear();
        return false;
    }
    return true;
}

} // namespace cw::flow
