#include "view/runnable.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "base/text.hpp"
#include "sip/dialog_id.hpp"
#include "sip/name_addr.hpp"
#include "view/mermaid.hpp"
#include "view/runnable_fields.hpp"

namespace cw::view {

using flow::Message;
using sip::Method;

namespace {

constexpr Duration shortest_pause = milliseconds(400);
// What `run` gives media to come through its buffers, beyond the time that is drawn.
constexpr Duration through_buffers = milliseconds(200);

std::string aor(std::string_view uri) {
    return std::string{uri.substr(0, uri.find_first_of(";?"))};
}

// What came from the wire and stands in a line of ours has no character with a meaning there.
bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= 200 && std::ranges::all_of(text, [](char c) {
        return is_alpha(c) || is_digit(c) || std::string_view{"._-+:@"}.contains(c);
    });
}

bool is_type_letter(char c) {
    return is_alpha(c) || is_digit(c) || std::string_view{"/.+-"}.contains(c);
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
    std::uint16_t caller = 0; // box
    std::set<std::uint16_t> members;
    bool ended = false;
    bool tagged = false; // the other end has a tag
    bool answered = false;
    bool refused = false; // in a way that the same caller may follow up [RFC 3261 §8.1.3]
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
        if (sealed_) {
            out += "    %% Bodies that are encrypted, and that no key has opened, are left out.\n";
        }
        out += problems_.empty() && !sealed_ ? "" : "\n";
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
                to.uri = name_of_called(m);
            }
        }
        std::set<std::string> taken;
        for (std::uint16_t box = 0; box < parties_.size(); ++box) {
            auto& party = parties_[box];
            const auto colon = party.uri.find(':');
            const auto asked = name_asked_for(box);
            const bool named = !party.id.empty() && is_alpha(party.id.front());
            party.id = id_for(colon != std::string::npos ? party.uri.substr(colon + 1)
                              : !asked.empty()           ? asked
                              : named                    ? party.id
                                                         : "p" + party.id,
                              taken);
        }
    }

    // Whom a request names that has reached its end: the Request-URI, which a proxy has perhaps
    // changed, where it is no address of a host; else To. Nobody who is somebody else already.
    [[nodiscard]] std::string name_of_called(const Message& m) const {
        for (const auto& uri : {aor(text(m.request_uri)), aor(text(all_.legs[m.leg].to))}) {
            const auto host = uri.substr(uri.find_first_of("@:") + 1);
            const bool address = parse_endpoint(host.substr(host.find('@') + 1), 5060).has_value();
            if (!uri.empty() && !address &&
                std::ranges::find(parties_, uri, &Party::uri) == parties_.end()) {
                return uri;
            }
        }
        return {};
    }
    // "b2" of a server name "b2.example.com" that somebody has asked for there.
    [[nodiscard]] std::string name_asked_for(std::uint16_t box) const {
        for (const auto& connection : all_.connections) {
            if (boxes_.of(connection.server) == box && is_plain(connection.sni)) {
                return connection.sni;
            }
        }
        return {};
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
               const std::vector<std::string>& facts, const std::vector<std::string>& lines = {}) {
        for (const auto box : {from, to}) {
            if (std::ranges::find(shown_, box) == shown_.end()) {
                shown_.push_back(box);
            }
        }
        body_ +=
            fmt::format("{}{}{}{}: {}", indent_, parties_[from].id, link, parties_[to].id, step);
        body_ += facts.empty() ? "\n" : fmt::format(" ({})\n", fmt::join(facts, ", "));
        for (const auto& line : lines) {
            body_ += fmt::format("{}%% {}\n", indent_, line);
        }
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
        const auto length = length_of(gap - through_buffers);
        // Each pair once, by the stream of theirs that stands first.
        std::map<std::pair<std::uint16_t, std::uint16_t>, Heard> pairs;
        for (const auto& stream : all_.streams) {
            const auto from = boxes_.of(stream.source);
            const auto to = boxes_.of(stream.destination);
            if (from == flow::no_box || to == flow::no_box || from == to || is_held(stream) ||
                !flows(stream, m.time)) {
                continue;
            }
            const bool turned = pairs.contains({to, from});
            auto& pair = pairs[turned ? std::pair{to, from} : std::pair{from, to}];
            (turned ? pair.back : pair.forth) = true;
            pair.secure = pair.secure || stream.srtp.length != 0;
        }
        for (std::size_t n = 0; const auto& [ends, heard] : pairs) {
            if (pairs.size() > 1) {
                body_ += n++ == 0 ? "    par\n" : "    and\n";
                indent_ = "        ";
            }
            const bool both = heard.forth && heard.back;
            arrow(ends.first, both ? "<<-->>" : "-->>", ends.second,
                  fmt::format("{}{}", heard.secure ? "SRTP" : "RTP", both ? " both ways" : ""),
                  {length});
        }
        indent_ = "    ";
        if (pairs.size() > 1) {
            body_ += "    end\n";
        } else if (pairs.empty()) {
            body_ += fmt::format("    Note over {}: waits {}\n", parties_[next].id, length_of(gap));
        }
    }
    struct Heard {
        bool forth = false;
        bool back = false;
        bool secure = false;
    };
    // A call on hold says nothing worth drawing, nor does one before its answer has come. Whose
    // stream it is the descriptions tell.
    [[nodiscard]] bool is_held(const flow::MediaStream& stream) const {
        const auto leg = media_of_.find(stream.destination);
        return leg != media_of_.end() &&
               (held_.contains(leg->second) || !settled_.contains(leg->second));
    }
    // Through a good part of the time since the last message? On a machine that has much to do a
    // stream begins late, and what comes after it later still.
    [[nodiscard]] bool flows(const flow::MediaStream& stream, Instant until) const {
        const auto begin = std::max(stream.first, last_);
        const auto end = std::min(stream.last, until);
        return stream.packets > 5 && begin < end &&
               (end - begin).ns * 3 > (until - last_ - through_buffers).ns;
    }

    // The message itself; nothing where its bytes are not known.
    [[nodiscard]] std::optional<sip::MessageView> original(const Message& m) {
        const auto bytes = text(m.facts);
        if (bytes.empty()) {
            return std::nullopt;
        }
        auto view = sip::index(bytes, index_);
        return view ? std::optional{*view} : std::nullopt;
    }

    // What stands for the names that this message brings, from here on.
    void learn(const sip::MessageView& view, const Message& m, std::uint16_t from) {
        using sip::HeaderId;
        if (m.contact.length != 0 && m.method != Method::Register &&
            (m.status == 0 ? m.vias == 1 : m.status < 300) && parties_[from].user_agent) {
            names_.add(text(m.contact), parties_[from].id + ".contact");
        }
        const auto call = std::ranges::find(calls_, m.leg, &CallInFlow::leg);
        if (call == calls_.end()) {
            return;
        }
        const auto number = call - calls_.begin() + 1;
        names_.add(text(all_.legs[m.leg].call_id), fmt::format("call{}.id", number));
        if (const auto whom = sip::parse_name_addr(view.value(HeaderId::From));
            whom && m.method == Method::Invite && !m.to_tag) {
            names_.add(whom->tag, fmt::format("call{}.from_tag", number));
        }
        if (const auto whom = sip::parse_name_addr(view.value(HeaderId::To));
            whom && m.status > 100 && m.status < 300 && m.cseq_method == Method::Invite &&
            !whom->tag.empty() && (m.status >= 200 || !call->tagged)) {
            names_.add(whom->tag, fmt::format("call{}.to_tag", number));
            call->tagged = true;
        }
    }

    // The lines beneath an arrow; of a message that is passed on those that are new.
    std::vector<std::string> lines_of(const sip::MessageView& view, const Message& m) {
        const auto method = m.status == 0 ? m.method : m.cseq_method;
        auto fields = field_lines(view, method, names_);
        for (const auto& name : fields.lost) {
            problem(fmt::format("{} of a {} cannot be written in a flow", name,
                                m.status == 0 ? std::string{sip::to_string(method)}
                                              : std::to_string(m.status)));
        }
        auto [at, fresh] = said_.try_emplace(key_of(m), fields.lines);
        if (fresh) {
            return std::move(fields.lines);
        }
        auto changed = changed_lines(at->second, fields.lines);
        at->second = std::move(fields.lines);
        return changed;
    }

    // "to carol", and which call is replaced [RFC 3515 §2.1, RFC 3891 §6].
    void describe_refer(const sip::MessageView& view, std::string& step,
                        std::vector<std::string>& facts, std::vector<std::string>& lines) {
        const auto refer_to = view.value(sip::HeaderId::ReferTo);
        const auto whom = sip::parse_name_addr(refer_to);
        if (!whom) {
            problem("a REFER names nobody");
            return;
        }
        const auto uri = whom->uri_text.substr(0, whom->uri_text.find('?'));
        const auto headers = whom->uri_text.substr(std::min(uri.size() + 1, whom->uri_text.size()));
        if (const auto party = party_called(aor(uri))) {
            step += " to " + parties_[*party].id;
        } else if (const auto other = names_.rewrite(uri); other && !other->contains(' ')) {
            step += " to ";
            append_mermaid_text(step, *other);
        } else {
            problem("a REFER names somebody who is not in the flow");
        }
        if (headers.empty()) {
            return;
        }
        const auto unescaped = sip::unescape(headers);
        const auto replaced = istarts_with(unescaped, "Replaces=") && !headers.contains('&')
                                  ? replaced_call(std::string_view{unescaped}.substr(9))
                                  : std::nullopt;
        if (replaced) {
            add_replaced(facts, *replaced);
        } else if (const auto value = names_.rewrite(refer_to)) {
            lines.push_back("Refer-To: " + *value);
        } else {
            problem("a Refer-To cannot be written in a flow");
        }
    }

    // "call 3 replaces call 2" is one fact.
    static void add_replaced(std::vector<std::string>& facts, std::size_t call) {
        const auto words = fmt::format("replaces call {}", call);
        const auto own = std::ranges::find_if(
            facts, [](const std::string& fact) { return fact.starts_with("call "); });
        if (own != facts.end()) {
            *own += " " + words;
        } else {
            facts.push_back(words);
        }
    }

    // The number of the call that a Replaces names, if that is all it says.
    [[nodiscard]] std::optional<std::size_t> replaced_call(std::string_view value) const {
        const auto dialog = sip::parse_dialog_id(value);
        if (!dialog || dialog->early_only) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < calls_.size(); ++i) {
            if (text(all_.legs[calls_[i].leg].call_id) == dialog->call_id) {
                return i + 1;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<std::uint16_t> party_called(std::string_view uri) const {
        for (std::uint16_t box = 0; box < parties_.size(); ++box) {
            const auto own = parties_[box].uri.empty()
                                 ? fmt::format("sip:{}@example.com", parties_[box].id)
                                 : parties_[box].uri;
            if (own == uri) {
                return box;
            }
        }
        return std::nullopt;
    }

    // For whom a body that was opened is encrypted, as facts, out of its badge ("encrypted for
    // bob@a.example and carol@a.example (AES-128-GCM)"); nothing when one of them is not drawn.
    [[nodiscard]] std::optional<std::vector<std::string>> encrypted_for(const Message& m) const {
        constexpr std::string_view before = "encrypted for ";
        auto names = text(m.badge);
        const auto at = names.find(before);
        names =
            at == std::string_view::npos ? std::string_view{} : names.substr(at + before.size());
        names = names.substr(0, names.find(" ("));
        const auto& leg = all_.legs[m.leg];
        const auto other = aor(text(m.status == 0 ? leg.to : leg.from));
        std::vector<std::string> out;
        bool alone = true;
        while (!names.empty()) {
            const auto end = std::min({names.find(", "), names.find(" and "), names.size()});
            const auto uri = "sip:" + std::string{names.substr(0, end)};
            names.remove_prefix(end);
            names.remove_prefix(names.starts_with(", ") ? 2 : names.empty() ? 0 : 5);
            const auto party = party_called(uri);
            if (!party) {
                return std::nullopt;
            }
            alone = alone && uri == other && out.empty();
            out.push_back("encrypted for " + parties_[*party].id);
        }
        std::ranges::sort(out); // CMS has them in the order of their octets
        if (alone && out.size() == 1) {
            return std::vector<std::string>{
                "encrypted"}; // for its other end, as goes without saying
        }
        return out.empty() ? std::nullopt : std::optional{std::move(out)};
    }

    // How the body is protected. False: it was not opened, or is not whole, or nobody that is drawn
    // could open it.
    bool describe_protection(const Message& m, std::vector<std::string>& facts) {
        const auto encrypted =
            m.sealed == 1 ? encrypted_for(m) : std::optional<std::vector<std::string>>{};
        if (m.sealed > 1 || (m.sealed == 1 && !encrypted)) {
            sealed_ = true;
            return false;
        }
        if (m.is_signed != 0) {
            facts.emplace_back("signed");
        }
        if (encrypted) {
            facts.insert(facts.end(), encrypted->begin(), encrypted->end());
        }
        return true;
    }

    // What the body says, where it is not a session description.
    void describe_body(const sip::MessageView& view, const Message& m, std::string& step,
                       std::vector<std::string>& facts) {
        const auto type = text(m.body_type);
        const bool secured = m.is_signed != 0 || m.sealed != 0;
        if (!describe_protection(m, facts)) {
            return;
        }
        if (m.method == Method::Notify && iequals(type, "message/sipfrag")) {
            if (auto status = reported_status(view.body()); !status.empty()) {
                facts.push_back(std::move(status));
            }
            return;
        }
        const auto words = trim(secured ? text(m.words) : view.body());
        const bool plain =
            !words.empty() && words.size() <= 200 && std::ranges::none_of(words, [](char c) {
                return static_cast<std::uint8_t>(c) < ' ' || std::string_view{"\"{}"}.contains(c);
            });
        if (m.method == Method::Message && (secured || iequals(type, "text/plain")) && plain) {
            step += " \"";
            append_mermaid_text(step, words);
            step += '"';
        } else if (secured && m.media_count == 0) {
            sealed_ = true;
        } else if (!view.body().empty() && m.media_count == 0 &&
                   !iequals(type, "application/dialog-info+xml")) { // play writes it anew
            problem(fmt::format("the body of a {} ({}) is not kept", sip::to_string(m.method),
                                std::ranges::all_of(type, is_type_letter) ? type : "?"));
        }
    }

    void paint_request(const Message& m, std::uint16_t from, std::uint16_t to) {
        std::vector<std::string> facts;
        std::vector<std::string> lines;
        std::string step{sip::to_string(m.method)};
        if (m.method == Method::Other || m.method == Method::None) {
            problem("a request whose method is not known is left out");
            return;
        }
        const bool first = seen_.insert({m.leg, m.cseq, m.method, 0}).second;
        const auto view = original(m);
        if (first && !m.to_tag && m.method != Method::Register && m.method != Method::Cancel &&
            m.method != Method::Ack && m.method != Method::Refer) {
            step += target(m, to);
        }
        note_call(m, from, to, first, facts);
        if (view) {
            learn(*view, m, from);
            lines = lines_of(*view, m);
        }
        if (first && view) {
            if (m.method == Method::Refer) {
                describe_refer(*view, step, facts, lines);
                if (std::ranges::find(calls_, m.leg, &CallInFlow::leg) == calls_.end()) {
                    facts.emplace_back("no call");
                }
            } else if (m.method == Method::Invite) {
                const auto replaced = replaced_call(view->value(sip::HeaderId::Replaces));
                if (replaced) {
                    add_replaced(facts, *replaced);
                    std::erase_if(lines, [](const auto& l) { return l.starts_with("Replaces:"); });
                }
            }
            describe_body(*view, m, step, facts);
        }
        if (first) {
            describe(m, facts);
            const auto challenged = challenged_.find({m.leg, m.method});
            if (challenged != challenged_.end() && challenged->second < m.cseq &&
                m.method != Method::Ack) {
                facts.emplace_back("digest");
                challenged_.erase(challenged);
            }
        } else {
            describe_again(m, facts);
        }
        if (m.method == Method::Refer && !view) {
            problem("a REFER names nobody here, for its Refer-To is not known");
        }
        if (m.method != Method::Ack) {
            open_[{from, to}].push_back({m.leg, m.cseq, m.method});
        }
        arrow(from, "->>", to, step, facts, lines);
    }

    [[nodiscard]] std::string target(const Message& m, std::uint16_t to) const {
        const auto uri = aor(text(all_.legs[m.leg].to));
        if (const auto box = party_called(uri)) {
            return *box == to ? "" : " " + parties_[*box].id;
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
            // A call between two that have one already, or after one that was refused, is to be
            // called another.
            const bool another = std::ranges::any_of(calls_, [&](const CallInFlow& call) {
                return (call.answered && !call.ended && call.members.contains(from) &&
                        call.members.contains(to)) ||
                       (call.refused && call.caller == from);
            });
            calls_.push_back({m.leg, from, {}});
            at = calls_.end() - 1;
            if (another && first) {
                facts.push_back(fmt::format("call {}", calls_.size()));
            }
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
        for (std::uint32_t i = 0; i < m.media_count; ++i) {
            media_of_[all_.media_lines[m.media_begin + i].receive] = m.leg;
        }
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
        const auto suite = text(line.crypto_suite);
        const auto kind = kind_of(line);
        // In an INVITE or an UPDATE it is an offer, even where another one waits: glare.
        const bool asks =
            m.status == 0 && (m.method == Method::Invite || m.method == Method::Update);
        const bool answers = exchange.waits && !asks;
        if (answers) {
            settled_.insert(m.leg);
        }
        exchange.waits = !answers;
        if (answers && m.status != 0) {
            exchange.answered = m.cseq;
        }
        facts.push_back(fmt::format("{} {}", kind, answers ? "answer" : "offer"));
        described_[key_of(m)] = {line.receive, answers};
        if (!line.dtls && is_plain(suite) && suite != "AES_CM_128_HMAC_SHA1_80") {
            facts.emplace_back(suite);
        }
        const bool still = line.direction == 's' || line.direction == 'i';
        if (!answers) {
            if (still) {
                facts.emplace_back("hold");
                held_.insert(m.leg);
            } else if (held_.erase(m.leg) != 0) {
                facts.emplace_back("resume");
            }
        }
    }

    // Somebody in the middle who has written a description of his own into what he passes on: a
    // gateway, a relay of media.
    void describe_again(const Message& m, std::vector<std::string>& facts) {
        const auto before = described_.find(key_of(m));
        if (m.media_count == 0 || before == described_.end() ||
            before->second.first == all_.media_lines[m.media_begin].receive) {
            return;
        }
        const auto& line = all_.media_lines[m.media_begin];
        media_of_[line.receive] = m.leg;
        facts.push_back(
            fmt::format("{} {}", kind_of(line), before->second.second ? "answer" : "offer"));
        before->second.first = line.receive;
    }
    [[nodiscard]] std::string_view kind_of(const flow::MediaLine& line) const {
        return line.dtls                         ? "DTLS-SRTP"
               : line.secure_profile             ? "SRTP"
               : line.crypto_suite.length == 0   ? "RTP"
               : text(line.profile) == "RTP/AVP" ? "OSRTP"
                                                 : "SRTP";
    }
    using Key = std::tuple<std::uint8_t, std::uint32_t, Method, std::uint16_t>;
    static Key key_of(const Message& m) {
        return {m.leg, m.cseq, m.status == 0 ? m.method : m.cseq_method, m.status};
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
                describe_protection(m, facts);
                describe(m, facts);
            }
            sealed_ = sealed_ || m.sealed > 1;
            if (m.status == 401 || m.status == 407) {
                challenged_[{m.leg, m.cseq_method}] = m.cseq;
            }
        } else {
            describe_again(m, facts);
        }
        if (m.status >= 200) {
            open.erase(at);
            const auto call = std::ranges::find(calls_, m.leg, &CallInFlow::leg);
            if (m.status >= 300 && m.cseq_method == Method::Invite &&
                (call == calls_.end() || call->answered || call->caller == to)) {
                offers_[m.leg].waits = false; // what it offered never was; a proxy may go on
            }
            if (call != calls_.end() && m.cseq_method == Method::Bye) {
                call->ended = true;
            } else if (call != calls_.end() && m.cseq_method == Method::Invite) {
                call->answered = call->answered || m.status < 300;
                call->refused = !call->answered && m.status >= 300;
            }
        }
        std::string step = std::to_string(m.status);
        std::string phrase{text(m.reason)};
        std::erase_if(phrase, [](char c) { return !is_alpha(c) && !is_digit(c) && c != ' '; });
        step += phrase.empty() ? "" : " " + phrase;
        std::vector<std::string> lines;
        if (const auto view = original(m)) {
            learn(*view, m, from);
            lines = lines_of(*view, m);
        }
        arrow(from, "-->>", to, step, facts, lines);
    }

    const flow::Call& all_;
    flow::Boxes boxes_;
    std::vector<std::string> problems_;
    std::vector<Party> parties_;       // by box
    std::vector<std::uint16_t> shown_; // in the order of their first arrow
    std::string body_;
    std::string_view indent_ = "    ";
    Instant last_; // the message before
    std::size_t count_ = 0;
    bool sealed_ = false;                       // a body that could not be read
    std::set<std::uint8_t> held_;               // legs
    std::set<std::uint8_t> settled_;            // legs in which an offer has been answered
    std::map<Endpoint, std::uint8_t> media_of_; // legs, by where their parties want media
    std::set<std::uint32_t> drawn_;             // connections
    std::set<std::tuple<std::uint8_t, std::uint32_t, Method, std::uint16_t>> seen_;
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<OpenRequest>> open_;
    std::map<std::pair<std::uint8_t, Method>, std::uint32_t> challenged_;
    std::map<std::uint8_t, Exchange> offers_;
    std::map<Key, std::vector<std::string>> said_;       // beneath the latest arrow of a message
    std::map<Key, std::pair<Endpoint, bool>> described_; // its media, and whether it answers
    RunnableNames names_;
    sip::HeaderIndex index_;
    std::vector<CallInFlow> calls_; // in the order in which they begin
};

} // namespace

void Runnable::add(const flow::Call& call, const Originals& original) {
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
        m.words = moved(m.words);
        m.facts = original ? all_.pool.add(original(m)) : flow::Text{};
        m.leg = static_cast<std::uint8_t>(m.leg + first_leg);
        m.media_begin += first_line;
        for (auto* index : {&m.retransmission_of, &m.duplicate_of}) {
            *index = *index == flow::none ? flow::none : *index + first_message;
        }
        all_.messages.push_back(m);
    }
    for (auto line : call.media_lines) {
        for (auto* text :
             {&line.type, &line.profile, &line.codecs, &line.crypto_suite, &line.cryptos}) {
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
