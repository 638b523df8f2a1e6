#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/reader.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

// Those that begin like another come before it.
constexpr std::array<std::pair<std::string_view, Link>, 8> links{{
    {"<<-->>", Link::DashedBoth},
    {"<<->>", Link::SolidBoth},
    {"-->>", Link::Dashed},
    {"->>", Link::Solid},
    {"--x", Link::DashedLost},
    {"-x", Link::SolidLost},
    {"--)", Link::DashedShown},
    {"-)", Link::SolidShown},
}};

constexpr std::array<std::pair<std::string_view, Carrier>, 4> carriers{{
    {"TLS", Carrier::Tls},
    {"TCP", Carrier::Tcp},
    {"WSS", Carrier::Wss},
    {"DTLS", Carrier::Dtls},
}};
constexpr std::array<std::pair<std::string_view, Stream>, 3> streams{{
    {"SRTP", Stream::Srtp},
    {"RTP", Stream::Rtp},
    {"DTMF", Stream::Dtmf},
}};

// " · 12 ms" at the end: measured, written by the tool.
std::string_view without_measure(std::string_view text) {
    constexpr std::string_view mark = " · ";
    while (true) {
        const auto at = text.rfind(mark);
        if (at == std::string_view::npos || text.find('"', at) != std::string_view::npos) {
            return text;
        }
        text = trim(text.substr(0, at));
    }
}

std::string upper(std::string_view word) {
    std::string out;
    for (const char c : word) {
        out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
    return out;
}

// What an arrow may begin with, for suggestions.
std::vector<std::string_view> beginnings_of_steps() {
    std::vector<std::string_view> out;
    for (int i = 1; i < std::to_underlying(sip::Method::Other); ++i) {
        out.push_back(to_string(static_cast<sip::Method>(i)));
    }
    for (const auto& [name, carrier] : carriers) {
        out.push_back(name);
    }
    for (const auto& [name, stream] : streams) {
        out.push_back(name);
    }
    return out;
}

template <class Table>
auto lookup(const Table& table, std::string_view name) {
    const auto* found =
        std::ranges::find_if(table, [&](const auto& entry) { return entry.first == name; });
    return found == table.end() ? std::nullopt : std::optional(found->second);
}

bool is_number(std::string_view word) {
    return !word.empty() && std::ranges::all_of(word, is_digit);
}

// A literal party may send what no registry knows: "PING".
bool is_method_word(std::string_view word) {
    return word.size() <= 32 && std::ranges::all_of(word, [](char c) {
               return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '-';
           });
}

} // namespace

// Returns whether this line is one: whether it begins with a name and an arrow.
bool FlowReader::read_arrow(Line& line) {
    const auto text = line.text();
    const auto from = take_id(text);
    const auto rest = trim(text.substr(from.size()));
    const auto* link = std::ranges::find_if(
        links, [&](const auto& entry) { return rest.starts_with(entry.first); });
    if (from.empty() || link == links.end()) {
        return false;
    }
    line.flatten();
    Arrow arrow;
    arrow.link = link->second;
    arrow.number = next_number_;
    next_number_ += number_step_;
    ++plan_.arrows;
    auto after = trim(rest.substr(link->first.size()));
    if (after.starts_with('+') || after.starts_with('-')) {
        arrow.activation = after[0];
        after = trim(after.substr(1));
    }
    const auto to = take_id(after);
    const auto colon = trim(after.substr(to.size()));
    const auto said = colon.empty() ? colon : trim(colon.substr(1));
    if (to.empty() || !colon.starts_with(':') || said.empty()) {
        const bool cut = is_lost(arrow.link) && !colon.empty() && !colon.starts_with(':');
        complaints_.error(line.place(to.empty()               ? after.substr(0, 1)
                                     : colon.starts_with(':') ? colon
                                                              : colon.substr(0, 1)),
                          to.empty() ? "an arrow has to end at a party"
                                     : "Mermaid wants a text on every arrow",
                          cut          ? "“:” and a text; “-x” in a name is an arrow, too"
                          : to.empty() ? "a name after the arrow"
                                       : "“:” and a text after the name");
        return true;
    }
    const auto sender = read_name(line, from);
    const auto receiver = read_name(line, to);
    if (!sender || !receiver) {
        return true;
    }
    arrow.from = *sender;
    arrow.to = *receiver;
    if (arrow.activation != 0) {
        activate(line, to, arrow.activation == '+' ? arrow.to : arrow.from,
                 arrow.activation == '+');
    }
    check_creation(line, arrow);
    read_content(line, without_measure(said), arrow);
    return true;
}

// Mermaid wants the arrow that creates or destroys a party directly after the line that says so.
void FlowReader::check_creation(const Line& line, const Arrow& arrow) {
    if (created_ && arrow.to != *created_) {
        complaints_.error(line.place(line.text()),
                          "the party above was created, and this arrow does not go to it",
                          "an arrow to the party that was created");
    }
    if (destroyed_ && arrow.to != *destroyed_ && arrow.from != *destroyed_) {
        complaints_.error(line.place(line.text()),
                          "the party above was destroyed, and this arrow has no end there",
                          "an arrow to or from the party that was destroyed");
    }
    created_.reset();
    destroyed_.reset();
}

void FlowReader::read_content(const Line& line, std::string_view text, Arrow& arrow) {
    arrow.said = line.place(text);
    if (is_shown(arrow.link)) {
        arrow.content = Narration{std::string(text)};
        add(line, std::move(arrow));
        return;
    }
    const auto parts = divide(text);
    if (parts.fault != Divided::Fault::None) {
        complaints_.error(line.place(parts.fault_at), "this parenthesis has no partner",
                          "facts in (parentheses) at the end");
        return;
    }
    if (const auto open = parts.head.find('(');
        open != std::string_view::npos && parts.head.find('"') > open) {
        complaints_.error(line.place(parts.head.substr(open)), "facts stand at the end of the line",
                          "(facts), and nothing after them");
        return;
    }
    const auto words = split_words(parts.head);
    const auto first = words.empty() ? parts.head : words[0];
    const auto method = sip::method_of(first);
    auto subject = Subject::Message;
    const auto before = plan_.steps.size();
    if (is_number(first)) {
        read_response(line, parts.head, arrow);
    } else if (!first.empty() &&
               (method != sip::Method::Other || (is_method_word(first) && has_literal(plan_)))) {
        read_request(line, parts.head, arrow);
    } else if (lookup(carriers, first)) {
        subject = Subject::Channel;
        read_channel(line, parts.head, arrow);
    } else if (lookup(streams, first)) {
        subject = Subject::Media;
        read_media(line, parts.head, arrow);
    } else {
        const auto known = beginnings_of_steps();
        complaints_.error(
            line.place(first.empty() ? text : first),
            fmt::format("“{}” is no message, connection or media", first),
            "a SIP method, a status, TLS, TCP, WSS, DTLS, SRTP, RTP or DTMF; a remark "
            "is a Note or an open arrow -)",
            std::string(nearest(upper(first), known)));
        return;
    }
    if (plan_.steps.size() == before) {
        return; // it has complained
    }
    beneath_ = Beneath::Arrow;
    auto& added = std::get<Arrow>(plan_.steps.back().what);
    if (goes_both_ways(added.link) && subject == Subject::Message) {
        complaints_.error(line.place(parts.head), "a message goes one way", "->> or -->>");
    }
    if (parts.has_facts) {
        read_facts(scope(line), subject, parts.facts, added.facts);
    }
}

// INVITE, REFER to carol, MESSAGE bob "Hello".
void FlowReader::read_request(const Line& line, std::string_view head, Arrow& arrow) {
    const auto words = split_words(head);
    Request request;
    request.method = sip::method_of(words[0]);
    request.other = request.method == sip::Method::Other ? words[0] : "";
    std::size_t at = 1;
    const bool to = at < words.size() && words[at] == "to";
    at += to ? 1 : 0;
    if (at < words.size() && !words[at].starts_with('"')) {
        if (!read_target(line, words[at++], request)) {
            return;
        }
    } else if (to) {
        complaints_.error(line.place(words[1]), "“to” whom?", "a party or a SIP address");
        return;
    }
    if (at < words.size() && words[at].size() >= 2 && words[at].starts_with('"') &&
        words[at].ends_with('"')) {
        auto text = read_template(scope(line), words[at].substr(1, words[at].size() - 2));
        if (!text) {
            return;
        }
        request.text = std::move(*text);
        ++at;
    }
    if (at < words.size()) {
        complaints_.error(line.place(words[at]),
                          fmt::format("“{}” does not belong here", words[at]),
                          "a target and a \"text\"; facts in (parentheses)");
        return;
    }
    arrow.content = std::move(request);
    add(line, std::move(arrow));
}

bool FlowReader::read_target(const Line& line, std::string_view word, Request& request) {
    if (const auto party = names_.find(word)) {
        request.target = *party;
        return true;
    }
    for (const std::string_view scheme : {"sip:", "sips:", "tel:", "urn:", "{"}) {
        if (word.starts_with(scheme) && word.size() > scheme.size()) {
            auto uri = read_template(scope(line), word);
            if (uri) {
                request.target = std::move(*uri);
            }
            return uri.has_value();
        }
    }
    const auto views = names_.views();
    const bool fact = is_fact(names_, Subject::Message, word);
    complaints_.error(line.place(word),
                      fmt::format("“{}” is neither a party nor a SIP address", word),
                      fact ? fmt::format("facts in parentheses: ({})", word)
                           : "a party, or an address as in sip:bob@example.com",
                      fact ? std::string{} : std::string(nearest(word, views)));
    return false;
}

void FlowReader::read_response(const Line& line, std::string_view head, Arrow& arrow) {
    const auto digits = head.substr(0, head.find_first_not_of("0123456789"));
    const auto status = parse_number<std::uint16_t>(digits);
    if (digits.size() != 3 || !status || *status < 100 || *status > 699) {
        complaints_.error(line.place(digits), fmt::format("“{}” is no status", digits),
                          "a number from 100 to 699");
        return;
    }
    Response response;
    response.status = *status;
    response.phrase = trim(head.substr(digits.size()));
    arrow.content = std::move(response);
    add(line, std::move(arrow));
}

// TLS 1.3 handshake.
void FlowReader::read_channel(const Line& line, std::string_view head, Arrow& arrow) {
    constexpr std::array<std::pair<std::string_view, std::uint8_t>, 4> versions{
        {{"1.0", 10}, {"1.1", 11}, {"1.2", 12}, {"1.3", 13}}};
    const auto words = split_words(head);
    Channel channel;
    channel.carrier = *lookup(carriers, words[0]);
    const bool versioned = channel.carrier == Carrier::Tls || channel.carrier == Carrier::Dtls;
    std::size_t at = 1;
    if (at < words.size() && versioned) {
        if (const auto version = lookup(versions, words[at])) {
            channel.version = *version;
            ++at;
        }
    }
    if (at < words.size() && words[at] == "handshake") {
        ++at;
    }
    if (at < words.size()) {
        const bool fact = is_fact(names_, Subject::Channel, words[at]);
        complaints_.error(line.place(words[at]),
                          fmt::format("“{}” does not belong here", words[at]),
                          fact        ? fmt::format("facts in parentheses: ({})", words[at])
                          : versioned ? "a version from 1.0 to 1.3; facts in (parentheses)"
                                      : "facts in (parentheses), or nothing");
        return;
    }
    arrow.content = channel;
    add(line, std::move(arrow));
}

// SRTP both ways, RTP ringback, DTMF 1 2 #.
void FlowReader::read_media(const Line& line, std::string_view head, Arrow& arrow) {
    const auto words = split_words(head);
    Media media;
    media.stream = *lookup(streams, words[0]);
    const auto phrase = trim(head.substr(words[0].size()));
    // The portable form for Mermaid 10 draws one head: the words say so as well.
    media.both_ways = goes_both_ways(arrow.link) || phrase == "both ways";
    if (media.stream != Stream::Dtmf) {
        media.phrase = phrase;
    } else {
        for (const char key : phrase) {
            if (std::string_view(" 0123456789*#ABCD").find(key) == std::string_view::npos ||
                media.keys.size() >= 64) {
                complaints_.error(line.place(phrase), "these are not keys",
                                  "0 to 9, *, #35;, A to D");
                return;
            }
            if (key != ' ') {
                media.keys += key;
            }
        }
    }
    arrow.content = std::move(media);
    add(line, std::move(arrow));
}

} // namespace cw::script
