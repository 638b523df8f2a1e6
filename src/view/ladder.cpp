#include "view/ladder.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "flow/promises.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/ladder_holds.hpp"
#include "view/ladder_words.hpp"

namespace cw::view {
namespace {

// What happened longer before the call than any of its timers run [RFC 3261 §17.1.1.2: 64·T1] is
// shown, but not measured from.
constexpr Duration long_before = seconds(32);
constexpr Duration long_wait = seconds(1);
constexpr Duration gap_from = seconds(10);
constexpr Duration digits_together = seconds(3);

// A hostile call can hold thousands of each; the rest is counted.
constexpr std::size_t max_connections = 48;
constexpr std::size_t max_alerts = 8;
constexpr std::size_t max_lost_places = 8; // of a connection
constexpr std::size_t max_handshake_messages = 32;
constexpr std::size_t max_streams = 48;

class Layout {
  public:
    Layout(const flow::Call& call, const LadderOptions& options)
        : call_(call), options_(options), boxes_(call, options.names, options.columns) {}

    Ladder make() {
        make_head();
        make_columns();
        add_connections();
        add_messages();
        add_streams();
        add_absent_media();
        // Stable: what was added first stands first among equals.
        std::ranges::stable_sort(out_.rows, {}, &Row::time);
        measure();
        out_.holds = find_holds(call_, [this](const Endpoint& e) { return column(e); });
        return std::move(out_);
    }

  private:
    void make_head();
    void make_columns();
    void add_findings();
    void add_connections();
    void add_connection(const flow::Connection& c);
    void add_handshake_messages(const flow::Connection& c);
    void add_alerts(const flow::Connection& c);
    void add_lost(const flow::Connection& c);
    void add_closing(const flow::Connection& c);
    void add_messages();
    void add_message(std::uint32_t index, sip::Method& open_request);
    bool fold(std::uint32_t index);
    void add_streams();
    void add_digits(const flow::MediaStream& s);
    void add_absent_media();
    void measure();

    std::uint16_t column(const Endpoint& e) const {
        const auto box = boxes_.of(e);
        return box == flow::no_box ? std::uint16_t{0} : box;
    }
    [[nodiscard]] bool is_during_call(Instant time) const {
        return time.known() && time - call_.start >= Duration{} && time - call_.end <= long_before;
    }
    // A row without a time of its own is sorted to the beginning of the call.
    Row& add(RowKind kind, Instant time, const Endpoint& from, const Endpoint& to) {
        auto& row = out_.rows.emplace_back();
        row.kind = kind;
        row.has_time = time.known();
        row.has_delta = row.has_time;
        row.time = row.has_time ? time : call_.start;
        row.from = column(from);
        row.to = column(to);
        return row;
    }
    // Below the row that was added last. Empty notes are not added.
    void add_note(std::string text, Tone tone) {
        if (text.empty()) {
            return;
        }
        const auto& above = out_.rows.back();
        Row note;
        note.kind = RowKind::Note;
        note.tone = tone;
        note.time = above.time;
        note.from = above.from;
        note.to = above.to;
        note.leg = above.leg;
        note.label = std::move(text);
        out_.rows.push_back(std::move(note));
    }

    const flow::Call& call_;
    const LadderOptions& options_;
    flow::Boxes boxes_;
    Ladder out_;
    std::unordered_map<std::uint32_t, std::string> badges_; // by message
    std::unordered_map<std::uint32_t, std::size_t> rows_;   // message → its row, before sorting
    std::unordered_map<std::uint32_t, std::size_t> folds_;  // message → its Retransmissions row
};

void Layout::make_head() {
    if (call_.messages.empty()) { // what is known of connections on which none was read
        const bool readable = std::ranges::all_of(
            call_.connections, [](const auto& c) { return c.decrypted || !c.is_tls(); });
        out_.title_call = readable ? "Without a message" : "Not decrypted";
        const auto count = call_.connections.size();
        out_.title_end = fmt::format("{} connection{}", count, count == 1 ? "" : "s");
        out_.state = Tone::Bad;
        return;
    }
    const auto party = [this](flow::Text text) {
        const auto name = printable(address_of_record(call_.text(text)), 256);
        return name.empty() ? std::string{"?"} : name;
    };
    out_.title_call = title_of(call_, options_.calls_in_all);
    out_.title_from = party(call_.from);
    out_.title_to = party(call_.to);
    out_.title_end = outcome_text(call_);
    out_.state = outcome_tone(call_);
    out_.summary = summary_of(call_);
    out_.security = security_text(call_);
    out_.security_state = security_tone(call_);
    out_.weakest = printable(call_.security.weakest, 256);
    out_.safety = safety_lines(call_);
    add_findings();
}

// The badge stands at the first message of the evidence alone: the others are in the JSON.
void Layout::add_findings() {
    constexpr std::uint8_t deepest = 4;
    for (const auto& finding : call_.findings) {
        LadderFinding shown;
        shown.tone = finding.severity == "error"     ? Tone::Bad
                     : finding.severity == "warning" ? Tone::Slow
                                                     : Tone::Plain;
        if (finding.cause < out_.findings.size()) {
            const auto above = out_.findings[finding.cause].depth;
            shown.depth = static_cast<std::uint8_t>(std::min<int>(above + 1, deepest));
        }
        shown.rule = printable(finding.rule, 16);
        shown.title = printable(finding.title, 256);
        shown.evidence = printable(finding.evidence, 1024);
        shown.advice = printable(finding.advice, 1024);
        shown.rfc = printable(finding.rfc, 64);
        for (const auto index : finding.messages) {
            shown.numbers.push_back(index + 1);
        }
        if (!finding.messages.empty()) {
            auto& badge = badges_[finding.messages.front()];
            if (badge.find(shown.rule) == std::string::npos) {
                badge += badge.empty() ? "" : " ";
                badge += shown.rule;
            }
        }
        out_.findings.push_back(std::move(shown));
    }
}

void Layout::make_columns() {
    for (const auto& box : boxes_.all()) {
        Column column;
        if (box.show_port) {
            append_endpoint(column.address, box.at);
        } else {
            append_address(column.address, box.at.address);
        }
        column.name = printable(box.name, 128);
        if (column.name.empty()) {
            column.name = std::move(column.address);
            column.address.clear();
        }
        column.user_agent = box.user_agent;
        out_.columns.push_back(std::move(column));
    }
}

void Layout::add_connections() {
    std::size_t shown = 0;
    for (const auto& c : call_.connections) {
        if (++shown > max_connections) {
            out_.connections.push_back(
                fmt::format("and {} more connections", call_.connections.size() - max_connections));
            return;
        }
        add_connection(c);
        out_.connections.push_back(connection_line(c));
    }
}

void Layout::add_connection(const flow::Connection& c) {
    const auto opened = c.hello.known() ? c.hello : c.opened;
    if (c.is_tls() && !c.decrypted) {
        auto& row = add(RowKind::Undecrypted, opened, c.client, c.server);
        row.tone = Tone::Dim;
        row.label = undecrypted_label(c);
        row.detail = shorten(printable(c.reason, 512), 100);
    } else if (c.is_tls()) {
        add_handshake_messages(c);
        const auto done = !c.handshake.empty() && c.established.known() ? c.established : opened;
        auto& row = add(RowKind::Handshake, c.start_seen ? done : Instant{}, c.client, c.server);
        row.tone = c.handshake_done || !c.start_seen ? Tone::Good : Tone::Bad;
        row.lock = Lock::Secure;
        row.label = handshake_label(c);
        row.detail = handshake_detail(c);
        add_note(verdict_note(c), c.verdict_good ? Tone::Good : Tone::Bad);
    }
    add_alerts(c);
    add_lost(c);
    add_closing(c);
}

void Layout::add_handshake_messages(const flow::Connection& c) {
    std::size_t shown = 0;
    for (const auto& step : c.handshake) {
        if (++shown > max_handshake_messages) {
            return;
        }
        auto& row =
            add(RowKind::HandshakeMessage, step.time, step.from_client ? c.client : c.server,
                step.from_client ? c.server : c.client);
        row.tone = Tone::Dim;
        row.label = handshake_message_label(step);
    }
}

void Layout::add_alerts(const flow::Connection& c) {
    std::size_t shown = 0;
    for (const auto& alert : c.alerts) {
        if (alert.number == 0) {
            continue; // close_notify: how every good connection ends
        }
        if (++shown > max_alerts) {
            return;
        }
        auto& row = add(RowKind::Alert, alert.time, alert.from_client ? c.client : c.server,
                        alert.from_client ? c.server : c.client);
        row.tone = alert.fatal ? Tone::Bad : Tone::Slow;
        row.label = alert.name.empty() ? fmt::format("TLS alert {}", alert.number)
                                       : fmt::format("TLS alert {}", alert.name);
    }
}

// Where a stream that could be read has a hole, a message may be missing. A connection that carries
// many calls has holes that are none of this one's.
void Layout::add_lost(const flow::Connection& c) {
    if (c.is_tls() && !c.decrypted) {
        return;
    }
    std::size_t shown = 0;
    for (const auto& place : c.lost) {
        if (!is_during_call(place.time) || ++shown > max_lost_places) {
            continue; // the line of the connection has the sum
        }
        auto& row = add(RowKind::Connection, place.time, place.from_client ? c.client : c.server,
                        place.from_client ? c.server : c.client);
        row.tone = Tone::Slow;
        row.label = lost_label(place);
    }
}

void Layout::add_closing(const flow::Connection& c) {
    if (!is_during_call(c.closed) && !(c.rst && c.bytes == 0)) {
        return;
    }
    const auto name = c.is_tls() ? std::string_view{"TLS"} : upper_name(c.transport);
    if (c.rst) {
        auto& row =
            add(RowKind::Connection, c.closed.known() ? c.closed : c.opened, c.server, c.client);
        row.tone = Tone::Bad;
        row.label = c.bytes == 0 && c.start_seen ? "TCP refused" : fmt::format("{} reset", name);
    } else if (c.is_tls() && c.decrypted && c.fin && c.handshake_done && !c.close_notify_client &&
               !c.close_notify_server) {
        auto& row = add(RowKind::Connection, c.closed, c.client, c.server);
        row.tone = Tone::Slow;
        row.label = "closed without close_notify"; // a truncation would look alike [RFC 8446 §6.1]
    }
}

void Layout::add_messages() {
    auto open_request = sip::Method::None;
    for (std::uint32_t i = 0; i < call_.messages.size(); ++i) {
        if (!fold(i)) {
            add_message(i, open_request);
        }
    }
}

// Puts a retransmission or a copy into the row of its original; false when it has none.
bool Layout::fold(std::uint32_t index) {
    const auto& m = call_.messages[index];
    if (m.duplicate_of < index) {
        const auto row = rows_.find(m.duplicate_of);
        if (row != rows_.end()) {
            auto& original = out_.rows[row->second];
            ++original.count;
            original.detail = fmt::format("seen {}×", original.count + 1);
        }
        return true;
    }
    if (m.retransmission_of >= index || !options_.fold_retransmissions) {
        return false;
    }
    const auto& original = call_.messages[m.retransmission_of];
    auto at = folds_.find(m.retransmission_of);
    if (at == folds_.end()) {
        auto& row = add(RowKind::Retransmissions, m.time, m.source, m.destination);
        row.tone = Tone::Slow;
        row.dashed = m.status != 0;
        row.leg = m.leg;
        row.number = index + 1;
        row.label = message_name(call_, original);
        row.detail = "repeated";
        at = folds_.emplace(m.retransmission_of, out_.rows.size() - 1).first;
    }
    auto& row = out_.rows[at->second];
    ++row.count;
    row.delta = m.time - original.time;
    if (const auto badge = badges_.find(index);
        badge != badges_.end() && row.badge.find(badge->second) == std::string::npos) {
        row.badge += row.badge.empty() ? "" : " ";
        row.badge += badge->second;
    }
    return true;
}

void Layout::add_message(std::uint32_t index, sip::Method& open_request) {
    const auto& m = call_.messages[index];
    auto& row = add(RowKind::Message, m.time, m.source, m.destination);
    row.number = index + 1;
    row.dashed = m.status != 0;
    row.tone = message_tone(m);
    row.lock = m.transport == flow::Transport::Hep ? Lock::Unknown
               : flow::is_secure(m.transport)      ? Lock::Secure
                                                   : Lock::Open;
    // An ACK is not answered, so it does not change what the next response is about.
    if (m.status == 0 && m.method != sip::Method::Ack) {
        open_request = m.method;
    }
    row.sips = m.sips;
    row.leg = m.leg;
    row.part_clear =
        row.lock == Lock::Secure && call_.security.signalling == flow::Protection::Mixed;
    row.label = message_label(call_, m, open_request);
    if (const auto badge = badges_.find(index); badge != badges_.end()) {
        row.badge = badge->second;
    }
    rows_.emplace(index, out_.rows.size() - 1);
    add_note(message_note(call_, m), m.malformed ? Tone::Bad : Tone::Dim);
    add_note(body_note(call_, m), is_body_good(m) ? Tone::Good : Tone::Bad);
}

void Layout::add_streams() {
    std::size_t shown = 0;
    for (const auto& s : call_.streams) {
        if (++shown > max_streams) {
            continue;
        }
        auto& row = add(RowKind::Media, s.first, s.source, s.destination);
        row.has_delta = false;
        row.tone = s.opening.failed > 0 ? Tone::Bad : s.srtp.length > 0 ? Tone::Good : Tone::Plain;
        row.lock = s.srtp.length > 0 && s.opening.encrypted ? Lock::Secure : Lock::Open;
        row.toward_left = row.from > row.to;
        std::tie(row.from, row.to) = std::minmax({row.from, row.to});
        row.until = s.last;
        row.label = media_label(call_, s);
        row.detail = media_detail(s);
        add_note(media_note(call_, s), s.opening.failed > 0 ? Tone::Bad : Tone::Dim);
        add_digits(s);
    }
    if (call_.streams.size() > max_streams) {
        const auto& last = call_.streams.back();
        auto& row = add(RowKind::Media, last.first, last.source, last.destination);
        row.has_delta = false;
        row.label = fmt::format("and {} more streams", call_.streams.size() - max_streams);
    }
}

void Layout::add_digits(const flow::MediaStream& s) {
    constexpr std::size_t max_digits = 32;
    for (std::size_t i = 0; i < s.dtmf.size();) {
        auto& row = add(RowKind::Dtmf, s.dtmf[i].time, s.source, s.destination);
        row.has_delta = false;
        row.label = "DTMF";
        const auto begin = i;
        do {
            row.label += ' ';
            row.label += s.dtmf[i].digit >= ' ' && s.dtmf[i].digit <= '~' ? s.dtmf[i].digit : '?';
            ++i;
        } while (i < s.dtmf.size() && i - begin < max_digits &&
                 s.dtmf[i].time - s.dtmf[i - 1].time < digits_together);
    }
}

// Media that was agreed and never came, where the other direction shows that the capture could have
// seen it.
void Layout::add_absent_media() {
    for (const auto& promise : flow::promises_of(call_)) {
        const flow::MediaStream* seen_to_offerer = nullptr;
        const flow::MediaStream* seen_to_answerer = nullptr;
        for (const auto& s : call_.streams) {
            // Behind a NAT the packets come from elsewhere than the description says.
            if (s.destination == promise.offerer || s.source == promise.answerer) {
                seen_to_offerer = &s;
            }
            if (s.destination == promise.answerer || s.source == promise.offerer) {
                seen_to_answerer = &s;
            }
        }
        const bool missing_to_offerer =
            promise.to_offerer && seen_to_offerer == nullptr && seen_to_answerer != nullptr;
        const bool missing_to_answerer =
            promise.to_answerer && seen_to_answerer == nullptr && seen_to_offerer != nullptr;
        if (missing_to_offerer == missing_to_answerer) {
            continue; // all there, or nothing seen at all
        }
        const auto& other = missing_to_offerer ? *seen_to_answerer : *seen_to_offerer;
        auto& row = add(RowKind::NoMedia, other.first, other.destination, other.source);
        row.has_delta = row.has_time = false;
        row.tone = Tone::Bad;
        row.toward_left = row.from > row.to;
        std::tie(row.from, row.to) = std::minmax({row.from, row.to});
        row.label = fmt::format("no {}", media_kind(call_, call_.media_lines[promise.answer_line]));
        row.detail = "promised, never seen";
        if (out_.rows.size() > call_.messages.size() + 4 * max_streams) {
            return;
        }
    }
}

// Deltas, long waits and gaps, over the sorted rows.
void Layout::measure() {
    std::vector<Row> rows;
    rows.reserve(out_.rows.size());
    Instant previous;
    Instant active; // the last time that something happened, folded things included
    for (auto& row : out_.rows) {
        const bool far_before = row.time + long_before < call_.start;
        if (!row.has_delta || far_before) {
            row.has_delta = false;
            rows.push_back(std::move(row));
            continue;
        }
        const bool fold = row.kind == RowKind::Retransmissions;
        if (previous.known()) {
            if (row.time - active >= gap_from) {
                Row gap;
                gap.kind = RowKind::Gap;
                gap.tone = Tone::Dim;
                gap.time = row.time;
                gap.delta = row.time - active;
                gap.to =
                    static_cast<std::uint16_t>(out_.columns.empty() ? 0 : out_.columns.size() - 1);
                append_duration(gap.label, gap.delta);
                rows.push_back(std::move(gap));
            }
        }
        active = std::max(active, fold ? row.time + row.delta : row.time);
        if (!fold) {
            row.delta = row.time - previous;
            row.has_delta = previous.known();
        }
        previous = row.time;
        rows.push_back(std::move(row));
    }
    out_.rows = std::move(rows);
}

} // namespace

Ladder layout(const flow::Call& call, const LadderOptions& options) {
    return Layout{call, options}.make();
}

} // namespace cw::view
