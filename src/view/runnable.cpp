#include "view/runnable.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "base/text.hpp"
#include "view/mermaid.hpp"

namespace cw::view {

using flow::Message;
using sip::Method;

namespace {

constexpr Duration shortest_pause = milliseconds(400);

std::string aor(std::string_view uri) {
    return std::string{uri.substr(0, uri.find_first_of(";?"))};
}

// What came from the wire and stands in a line of ours has no character with a meaning there.
bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= 200 && std::ranges::all_of(text, [](char c) {
        return is_alpha(c) || is_digit(c) || std::string_view{"._-+:@"}.contains(c);
    });
}

// Words that Mermaid would take for its own.
bool is_reserved(std::string_view id) {
    for (const std::string_view word :
         {"end",        "else",   "alt",      "opt",     "loop",      "par",         "and",
          "note",       "over",   "box",      "title",   "actor",     "participant", "create",
          "destroy",    "option", "critical", "break",   "rect",      "activate",    "deactivate",
          "autonumber", "link",   "links",    "details", "properties"}) {
        if (id == word) {
            return true;
        }
    }
    return false;
}

// "Alice@example.com" and "alice.example.com" → "alice", and none that is taken.
std::string id_for(std::string_view name, std::set<std::string>& taken) {
    std::string id;
    for (const char c : name.substr(0, std::min(name.find_first_of("@."), std::size_t{24}))) {
        if (is_alpha(c) || is_digit(c)) {
            id += ascii_lower(c);
        } else if (!id.empty() && id.back() != '_') {
            id += '_';
        }
    }
    while (id.ends_with('_')) {
        id.pop_back();
    }
    if (id.empty() || is_digit(id.front()) || is_reserved(id)) {
        id = "p" + id;
    }
    auto one = id;
    for (int n = 2; !taken.insert(one).second; ++n) {
        one = fmt::format("{}_{}", id, n);
    }
    return one;
}

// "3s", "500ms": to the half second, so that what is measured again comes out the same.
std::string length_of(Duration time) {
    const auto halves = std::max(1L, std::lround(time.seconds() * 2));
    return halves % 2 == 0 ? fmt::format("{}s", halves / 2) : fmt::format("{}ms", halves * 500);
}

struct OpenRequest {
    std::uint8_t leg = 0;
    std::uint32_t cseq = 0;
    Method method = Method::None;
};
struct Exchange {               // of offers and answers, in one leg
    bool waits = false;         // an offer
    std::uint32_t answered = 0; // CSeq of the INVITE whose offer has its answer
};
struct CallInFlow {
    std::uint8_t leg = 0;
    std::set<std::uint16_t> members;
    bool ended = false;
};

class Painter {
  public:
    Painter(const flow::Call& all, flow::KnownNames names, std::vector<std::string> problems)
        : all_(all), boxes_(all, names), problems_(std::move(problems)) {}

    std::string paint() {
        name_parties();
        for (const auto& m : all_.messages) {
            paint_connections(m);
            paint_message(m);
        }
        std::string out = "---\ntitle: ";
        append_mermaid_text(out, fmt::format("{} messages of a capture", count_));
        out += "\n---\nsequenceDiagram\n    autonumber\n";
        for (const auto box : shown_) {
            declare(out, box);
        }
        out += '\n';
        for (const auto& problem : problems_) {
            out += fmt::format("    %% Not as it was: {}\n", problem);
        }
        out += problems_.empty() ? "" : "\n";
        return out + body_;
    }

  private:
    struct Party {
        std::string id;
        bool user_agent = false;
        std::string uri;
        std::optional<flow::Transport> over;
    };

    [[nodiscard]] std::string_view text(flow::Text t) const { return all_.text(t); }
    [[nodiscard]] bool is_shown(const Message& m) const {
        const auto from = boxes_.of(m.source);
        const auto to = boxes_.of(m.destination);
        return m.retransmission_of == flow::none && m.duplicate_of == flow::none && !m.malformed &&
               from != flow::no_box && to != flow::no_box && from != to;
    }
    void problem(std::string what) {
        if (std::ranges::find(problems_, what) == problems_.end()) {
            problems_.push_back(std::move(what));
        }
    }

    void name_parties() {
        for (const auto& box : boxes_.all()) {
            parties_.push_back({box.name, box.user_agent, "", std::nullopt});
        }
        std::vector<bool> begun(all_.legs.size());
        for (const auto& m : all_.messages) {
            if (!is_shown(m) || m.status != 0) {
                continue;
            }
            auto& from = parties_[boxes_.of(m.source)];
            auto& to = parties_[boxes_.of(m.destination)];
            to.over = to.over.value_or(m.transport);
            const auto& leg = all_.legs[m.leg];
            if (!m.to_tag && m.vias == 1 && !begun[m.leg]) {
                from.user_agent = true;
            }
            begun[m.leg] = true;
            if (m.to_tag) {
                continue;
            }
            if (from.user_agent && m.vias == 1 && from.uri.empty()) {
                from.uri = aor(text(leg.from));
            }
            if (to.user_agent && m.method != Method::Register && to.uri.empty()) {
                to.uri = aor(text(leg.to));
            }
        }
        std::set<std::string> taken;
        for (auto& party : parties_) {
            const bool named = !party.id.empty() && is_alpha(party.id.front());
            const auto colon = party.uri.find(':');
            party.id =
                id_for(named || colon == std::string::npos ? party.id : party.uri.substr(colon + 1),
                       taken);
        }
    }

    void declare(std::string& out, std::uint16_t box) const {
        const auto& party = parties_[box];
        const auto& seen = boxes_.all()[box];
        std::vector<std::string> facts;
        if (!party.user_agent) {
            facts.emplace_back("played");
        }
        if (party.over && *party.over != flow::Transport::Tls) {
            facts.emplace_back(upper(*party.over));
        }
        if (!seen.at.address.is_v4()) {
            facts.emplace_back("IPv6");
        }
        out += fmt::format("    {} {} as ", party.user_agent ? "actor" : "participant", party.id);
        append_mermaid_text(out, party.id);
        out += facts.empty() ? "\n" : fmt::format(" ({})\n", fmt::join(facts, ", "));
        if (is_plain(party.uri) && party.uri != fmt::format("sip:{}@example.com", party.id)) {
            out += fmt::format("    %% uri: {}\n", party.uri);
        }
    }
    static std::string upper(flow::Transport transport) {
        std::string out{flow::to_string(transport)};
        for (auto& c : out) {
            c = is_alpha(c) ? static_cast<char>(c & ~0x20) : c;
        }
        return out;
    }

    void arrow(std::uint16_t from, std::string_view link, std::uint16_t to, std::string_view step,
               const std::vector<std::string>& facts) {
        for (const auto box : {from, to}) {
            if (std::ranges::find(shown_, box) == shown_.end()) {
                shown_.push_back(box);
            }
        }
        body_ += fmt::format("    {}{}{}: {}", parties_[from].id, link, parties_[to].id, step);
        body_ += facts.empty() ? "\n" : fmt::format(" ({})\n", fmt::join(facts, ", "));
    }

    // The connections that were there when this message came over one of them.
    void paint_connections(const Message& m) {
        if (m.connection == 0 || !is_shown(m) || !drawn_.insert(m.connection).second) {
            return;
        }
        const auto at = std::ranges::find(all_.connections, m.connection, &flow::Connection::id);
        if (at == all_.connections.end() || !at->start_seen) {
            return;
        }
        const auto from = boxes_.of(at->client);
        const auto to = boxes_.of(at->server);
        if (from == flow::no_box || to == flow::no_box || from == to) {
            return;
        }
        std::vector<std::string> facts;
        std::string step = upper(at->transport);
        if (at->transport == flow::Transport::Tls) {
            if (at->version.starts_with("TLSv")) {
                step += " " + at->version.substr(4);
            }
            if (is_plain(at->sni) && at->sni.contains('.')) {
                facts.push_back(at->sni);
            }
            if (at->mutual) {
                facts.emplace_back("mutual");
            }
            if (at->resumed) {
                facts.emplace_back("resumed");
            }
        } else if (at->transport != flow::Transport::Tcp && at->transport != flow::Transport::Wss) {
            return;
        }
        arrow(from, "<<->>", to, step, facts);
    }

    void paint_message(const Message& m) {
        if (!is_shown(m)) {
            return;
        }
        const auto from = boxes_.of(m.source);
        paint_pause(m, from);
        last_ = m.time;
        ++count_;
        if (m.status == 0) {
            paint_request(m, from, boxes_.of(m.destination));
        } else {
            paint_response(m, from, boxes_.of(m.destination));
        }
    }

    // What was said, or that nothing was, since the message before.
    void paint_pause(const Message& m, std::uint16_t next) {
        if (!last_.known() || m.time - last_ < shortest_pause) {
            return;
        }
        const auto gap = m.time - last_;
        for (const auto& stream : all_.streams) {
            const auto from = boxes_.of(stream.source);
            const auto to = boxes_.of(stream.destination);
            if (held_ || !flows(stream, m.time) || from == flow::no_box || to == flow::no_box ||
                from == to) {
                continue;
            }
            const bool back = std::ranges::any_of(all_.streams, [&](const auto& other) {
                return flows(other, m.time) && boxes_.of(other.source) == to &&
                       boxes_.of(other.destination) == from;
            });
            arrow(from, back ? "<<-->>" : "-->>", to,
                  fmt::format("{}{}", stream.srtp.length != 0 ? "SRTP" : "RTP",
                              back ? " both ways" : ""),
                  {length_of(gap - milliseconds(200))}); // the way through the buffers
            return;
        }
        body_ += fmt::format("    Note over {}: waits {}\n", parties_[next].id, length_of(gap));
    }
    // Through most of the time since the last message?
    [[nodiscard]] bool flows(const flow::MediaStream& stream, Instant until) const {
        const auto begin = std::max(stream.first, last_);
        const auto end = std::min(stream.last, until);
        return stream.packets > 5 && begin < end && (end - begin).ns * 2 > (until - last_).ns;
    }

    void paint_request(const Message& m, std::uint16_t from, std::uint16_t to) {
        std::vector<std::string> facts;
        std::string step{sip::to_string(m.method)};
        if (m.method == Method::Other || m.method == Method::None) {
            problem("a request whose method is not known is left out");
            return;
        }
        const bool first = seen_.insert({m.leg, m.cseq, m.method, 0}).second;
        if (first && !m.to_tag && m.method != Method::Register && m.method != Method::Cancel &&
            m.method != Method::Ack) {
            step += target(m, to);
        }
        note_call(m, from, to, first, facts);
        if (first) {
            describe(m, facts);
            const auto challenged = challenged_.find({m.leg, m.method});
            if (challenged != challenged_.end() && challenged->second < m.cseq &&
                m.method != Method::Ack) {
                facts.emplace_back("digest");
                challenged_.erase(challenged);
            }
        }
        if (m.method == Method::Refer) {
            problem("a REFER names nobody here, for its Refer-To is not kept");
        }
        if (m.method != Method::Ack) {
            open_[{from, to}].push_back({m.leg, m.cseq, m.method});
        }
        arrow(from, "->>", to, step, facts);
    }

    [[nodiscard]] std::string target(const Message& m, std::uint16_t to) const {
        const auto uri = aor(text(all_.legs[m.leg].to));
        for (std::uint16_t box = 0; box < parties_.size(); ++box) {
            const auto own = parties_[box].uri.empty()
                                 ? fmt::format("sip:{}@example.com", parties_[box].id)
                                 : parties_[box].uri;
            if (own == uri) {
                return box == to ? "" : " " + parties_[box].id;
            }
        }
        return is_plain(uri) ? " " + uri : "";
    }

    // Which call it is, where that is not the latest of the two.
    void note_call(const Message& m, std::uint16_t from, std::uint16_t to, bool first,
                   std::vector<std::string>& facts) {
        auto at = std::ranges::find(calls_, m.leg, &CallInFlow::leg);
        if (at == calls_.end() && m.method == Method::Invite && !m.to_tag) {
            if (!parties_[from].user_agent && first) {
                problem(fmt::format("{} opens a call of its own, as a back-to-back user agent does",
                                    parties_[from].id));
            }
            calls_.push_back({m.leg, {}, false});
            at = calls_.end() - 1;
        }
        if (at == calls_.end()) {
            return;
        }
        at->members.insert({from, to});
        if (m.method == Method::Invite && !m.to_tag) {
            return;
        }
        const auto both = [&](const CallInFlow& call) {
            return call.members.contains(from) && call.members.contains(to);
        };
        const auto latest = std::find_if(calls_.rbegin(), calls_.rend(), [&](const auto& call) {
            return both(call) && !call.ended;
        });
        if (latest != calls_.rend() && latest->leg != m.leg && first) {
            facts.push_back(fmt::format("call {}", at - calls_.begin() + 1));
        }
    }

    // What its body describes, where it was written, not where it is passed on.
    void describe(const Message& m, std::vector<std::string>& facts) {
        auto& exchange = offers_[m.leg];
        if (m.media_count == 0) {
            if (m.method == Method::Invite && !m.to_tag) {
                facts.emplace_back("no SDP");
            }
            return;
        }
        if (m.status != 0 && m.cseq_method == Method::Invite && exchange.answered == m.cseq) {
            return; // what a provisional response has said is said again
        }
        const auto& line = all_.media_lines[m.media_begin];
        const auto profile = text(line.profile);
        const auto suite = text(line.crypto_suite);
        const std::string_view kind = line.dtls              ? "DTLS-SRTP"
                                      : line.secure_profile  ? "SRTP"
                                      : suite.empty()        ? "RTP"
                                      : profile == "RTP/AVP" ? "OSRTP"
                                                             : "SRTP";
        const bool answers = exchange.waits;
        exchange.waits = !answers;
        if (answers && m.status != 0) {
            exchange.answered = m.cseq;
        }
        facts.push_back(fmt::format("{} {}", kind, answers ? "answer" : "offer"));
        if (!line.dtls && is_plain(suite) && suite != "AES_CM_128_HMAC_SHA1_80") {
            facts.emplace_back(suite);
        }
        const bool still = line.direction == 's' || line.direction == 'i';
        if (!answers) {
            if (still) {
                facts.emplace_back("hold");
            } else if (held_) {
                facts.emplace_back("resume");
            }
            held_ = still;
        }
    }

    void paint_response(const Message& m, std::uint16_t from, std::uint16_t to) {
        std::vector<std::string> facts;
        auto& open = open_[{to, from}];
        const auto same = [&](const OpenRequest& one) {
            return one.leg == m.leg && one.cseq == m.cseq && one.method == m.cseq_method;
        };
        const auto at = std::ranges::find_if(open, same);
        if (at == open.end()) {
            problem(fmt::format("a {} answers a request that is not in the capture", m.status));
            return;
        }
        if (open.back().method != m.cseq_method) {
            facts.emplace_back(sip::to_string(m.cseq_method));
        }
        if (seen_.insert({m.leg, m.cseq, m.cseq_method, m.status}).second) {
            if (m.media_count != 0) {
                describe(m, facts);
            }
            if (m.status == 401 || m.status == 407) {
                challenged_[{m.leg, m.cseq_method}] = m.cseq;
            }
        }
        if (m.status >= 200) {
            open.erase(at);
            if (m.status >= 300 && m.cseq_method == Method::Invite) {
                offers_[m.leg].waits = false; // what it offered never was
            }
            const auto call = std::ranges::find(calls_, m.leg, &CallInFlow::leg);
            if (call != calls_.end() && m.cseq_method == Method::Bye) {
                call->ended = true;
            }
        }
        std::string step = std::to_string(m.status);
        std::string phrase{text(m.reason)};
        std::erase_if(phrase, [](char c) { return !is_alpha(c) && !is_digit(c) && c != ' '; });
        step += phrase.empty() ? "" : " " + phrase;
        arrow(from, "-->>", to, step, facts);
    }

    const flow::Call& all_;
    flow::Boxes boxes_;
    std::vector<std::string> problems_;
    std::vector<Party> parties_;       // by box
    std::vector<std::uint16_t> shown_; // in the order of their first arrow
    std::string body_;
    Instant last_; // the message before
    std::size_t count_ = 0;
    bool held_ = false;
    std::set<std::uint32_t> drawn_; // connections
    std::set<std::tuple<std::uint8_t, std::uint32_t, Method, std::uint16_t>> seen_;
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<OpenRequest>> open_;
    std::map<std::pair<std::uint8_t, Method>, std::uint32_t> challenged_;
    std::map<std::uint8_t, Exchange> offers_;
    std::vector<CallInFlow> calls_; // in the order in which they begin
};

} // namespace

void Runnable::add(const flow::Call& call) {
    if (all_.legs.size() + call.legs.size() > 255 ||
        all_.messages.size() + call.messages.size() > most_messages) {
        problems_.emplace_back("calls that were too many for one flow are left out");
        return;
    }
    const auto base = all_.pool.append(call.pool.bytes());
    const auto moved = [base](flow::Text text) {
        flow::TextPool::rebase(text, base);
        return text;
    };
    const auto first_leg = static_cast<std::uint8_t>(all_.legs.size());
    const auto first_message = static_cast<std::uint32_t>(all_.messages.size());
    const auto first_line = static_cast<std::uint32_t>(all_.media_lines.size());
    for (auto leg : call.legs) {
        for (auto* text : {&leg.call_id, &leg.from, &leg.to, &leg.from_name, &leg.to_name}) {
            *text = moved(*text);
        }
        all_.legs.push_back(leg);
    }
    for (auto m : call.messages) {
        for (auto* text : {&m.method_text, &m.request_uri, &m.reason, &m.body_type, &m.note,
                           &m.problem, &m.contact}) {
            *text = moved(*text);
        }
        m.leg = static_cast<std::uint8_t>(m.leg + first_leg);
        m.media_begin += first_line;
        for (auto* index : {&m.retransmission_of, &m.duplicate_of}) {
            *index = *index == flow::none ? flow::none : *index + first_message;
        }
        all_.messages.push_back(m);
    }
    for (auto line : call.media_lines) {
        for (auto* text : {&line.type, &line.profile, &line.codecs, &line.crypto_suite}) {
            *text = moved(*text);
        }
        all_.media_lines.push_back(line);
    }
    for (auto stream : call.streams) {
        stream.codec = moved(stream.codec);
        stream.srtp = moved(stream.srtp);
        all_.streams.push_back(std::move(stream));
    }
    for (const auto& connection : call.connections) {
        if (std::ranges::find(all_.connections, connection.id, &flow::Connection::id) ==
            all_.connections.end()) {
            all_.connections.push_back(connection);
        }
    }
}

std::string Runnable::write(flow::KnownNames names) {
    // Indices of retransmissions are not looked at any more, only whether there is one.
    std::ranges::stable_sort(all_.messages, {}, &Message::time);
    return Painter{all_, names, problems_}.paint();
}

} // namespace cw::view
