#include "play/load/rote_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/text.hpp"
#include "crypto/digest_fields.hpp"
#include "sip/header.hpp"

namespace cw::play {

using sip::HeaderId;

namespace {

// How far a sequence number goes on in one call.
constexpr std::uint64_t most_plus = 64;

// Nothing hangs on what stands in these, unless the flow says so; and then it is not done by rote.
constexpr sip::HeaderSet ignored{std::span<const HeaderId>{
    std::array{HeaderId::Other, HeaderId::Accept, HeaderId::AcceptEncoding,
               HeaderId::AcceptLanguage, HeaderId::AlertInfo, HeaderId::Allow,
               HeaderId::AllowEvents, HeaderId::CallInfo, HeaderId::ContentLength, HeaderId::Date,
               HeaderId::MaxForwards, HeaderId::Organization, HeaderId::Server, HeaderId::SessionId,
               HeaderId::Subject, HeaderId::Timestamp, HeaderId::UserAgent, HeaderId::Warning}}};

struct Span {
    std::size_t begin = 0;
    std::size_t length = 0;
};

// The value of the parameter that `name` (";tag=") begins, from `from` on.
std::optional<Span> parameter(std::string_view text, std::string_view name, std::size_t from) {
    const auto at = text.find(name, from);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const auto begin = at + name.size();
    const auto end = std::min(text.find_first_of(";,> \t\r\n", begin), text.size());
    return Span{begin, end - begin};
}

// Which headers differ from call to call, and in what.
Gaps::Kind kind_of(HeaderId id) {
    using Kind = Gaps::Kind;
    static constexpr auto kinds = [] {
        std::array<Kind, sip::header_id_count> out{};
        out.fill(Kind::Other);
        const auto set = [&](HeaderId header, Kind kind) {
            out[static_cast<std::size_t>(header)] = kind;
        };
        set(HeaderId::Via, Kind::Branch);
        set(HeaderId::From, Kind::Tag);
        set(HeaderId::To, Kind::Tag);
        set(HeaderId::CSeq, Kind::Number);
        set(HeaderId::CallId, Kind::CallId);
        set(HeaderId::Contact, Kind::Contact);
        set(HeaderId::RecordRoute, Kind::Route);
        set(HeaderId::RSeq, Kind::RSeq);
        set(HeaderId::WwwAuthenticate, Kind::Challenge);
        set(HeaderId::ProxyAuthenticate, Kind::Challenge);
        return out;
    }();
    return kinds[static_cast<std::size_t>(id)];
}

bool is_credentials(HeaderId id) {
    return id == HeaderId::Authorization || id == HeaderId::ProxyAuthorization;
}

// Where in its value; nothing: nowhere.
std::optional<Span> gap_in(HeaderId id, std::string_view value) {
    const auto kind = kind_of(id);
    if (kind == Gaps::Kind::Other || kind == Gaps::Kind::Challenge) {
        return std::nullopt;
    }
    if (kind == Gaps::Kind::Branch) {
        return parameter(value, ";branch=", 0);
    }
    if (kind == Gaps::Kind::Tag) {
        const auto end = value.rfind('>');
        return parameter(value, ";tag=", end == std::string_view::npos ? 0 : end);
    }
    if (kind == Gaps::Kind::Number) {
        return Span{0, std::min(value.find_first_not_of("0123456789"), value.size())};
    }
    return Span{0, value.size()};
}

// Could this stand in the gap of a value that is the same around it? Then gap_in() finds it there.
bool may_stand(Gaps::Kind kind, std::string_view text) {
    constexpr auto ends = [] {
        std::array<bool, 256> out{};
        for (const unsigned char c : std::string_view{";,> \t\r\n"}) {
            out[c] = true;
        }
        return out;
    }();
    if (kind == Gaps::Kind::Branch || kind == Gaps::Kind::Tag) {
        return std::ranges::none_of(text, [&](unsigned char c) { return ends[c]; });
    }
    return kind != Gaps::Kind::Number ||
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    return parse_number<std::uint64_t>(text);
}

// The gap of that kind that has this text, the latest; for numbers also one that is a little lower.
Known find_known(const Gaps& gaps, Gaps::Kind kind, std::string_view text) {
    Known out;
    if (text.empty()) {
        return out;
    }
    const auto number = kind == Gaps::Kind::Number ? number_in(text) : std::nullopt;
    for (auto i = gaps.size(); i-- > 0;) {
        if (gaps.kind(i) != kind) {
            continue;
        }
        if (gaps.text(i) == text) {
            return {static_cast<std::int32_t>(i), 0};
        }
        const auto lower = number ? number_in(gaps.text(i)) : std::nullopt;
        if (lower && *lower < *number && *number - *lower <= most_plus &&
            (out.gap < 0 || *number - *lower < out.plus)) {
            out = {static_cast<std::int32_t>(i), static_cast<std::uint32_t>(*number - *lower)};
        }
    }
    return out;
}

bool is_known(const Gaps& gaps, Known known, std::string_view text) {
    const auto value = gaps.text(static_cast<std::size_t>(known.gap));
    if (known.plus == 0) {
        return value == text;
    }
    const auto lower = number_in(value);
    const auto number = number_in(text);
    return lower && number && *lower + known.plus == *number;
}

std::string_view uri_in(std::string_view contact) {
    const auto begin = contact.find('<');
    const auto end = contact.find('>', begin == std::string_view::npos ? 0 : begin);
    return begin != std::string_view::npos && end != std::string_view::npos
               ? contact.substr(begin + 1, end - begin - 1)
               : std::string_view{};
}

// What differs from one challenge to the next, for one that is the same but for that.
void add_challenge(Gaps& gaps, std::string_view value) {
    const auto challenge = crypto::parse_challenge(value);
    gaps.add(Gaps::Kind::Nonce, challenge ? challenge->nonce : std::string_view{});
    gaps.add(Gaps::Kind::Opaque, challenge ? challenge->opaque : std::string_view{});
}

bool same_challenge(std::string_view a, std::string_view b) {
    const auto one = crypto::parse_challenge(a);
    const auto other = crypto::parse_challenge(b);
    return one && other && one->realm == other->realm && one->algorithm == other->algorithm &&
           one->qop == other->qop && one->stale == other->stale &&
           one->opaque.empty() == other->opaque.empty();
}

void add_new(Gaps& gaps, HeaderId id, std::string_view value) {
    gaps.add(kind_of(id), value);
    if (id == HeaderId::Contact) {
        gaps.add(Gaps::Kind::Target, uri_in(value));
    }
}

} // namespace

// ---- forms

namespace {

struct Found {
    std::size_t begin = 0;
    std::size_t length = 0;
    Known known;
    bool body_length = false;
};

// 0: neither a digit nor a letter.
int kind_of_character(unsigned char c) {
    return c >= '0' && c <= '9' ? 1 : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? 2 : 0;
}

// Values of the call's row may be short, and stand anywhere; but not within a word or a number.
void find_own(std::string_view text, const Gaps& gaps, std::vector<Found>& out) {
    const auto goes_on = [&](std::size_t at) { // what is before it
        const int kind = kind_of_character(static_cast<unsigned char>(text[at]));
        return kind != 0 && kind == kind_of_character(static_cast<unsigned char>(text[at - 1]));
    };
    for (std::size_t i = 0; i < gaps.size() && gaps.kind(i) == Gaps::Kind::Own; ++i) {
        const auto own = gaps.text(i);
        for (auto at = text.find(own); !own.empty() && at != std::string_view::npos;
             at = text.find(own, at + 1)) {
            const auto end = at + own.size();
            if ((at == 0 || !goes_on(at)) && (end == text.size() || !goes_on(end))) {
                out.push_back({at, own.size(), {static_cast<std::int32_t>(i), 0}, false});
            }
        }
    }
}

// In the order of the text; of those that begin together, the longest first.
void put_in_order(std::vector<Found>& found) {
    std::ranges::stable_sort(found, [](const Found& a, const Found& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.length > b.length;
    });
}

// Names of ours are long and like no other text: they are found wherever they stand.
void find_names(std::string_view text, const Gaps& gaps, std::vector<Found>& out) {
    constexpr std::size_t least = 10;
    for (std::size_t i = 0; i < gaps.size(); ++i) {
        const auto kind = gaps.kind(i);
        const auto name = gaps.text(i);
        if (name.size() < least || (kind != Gaps::Kind::Branch && kind != Gaps::Kind::Tag &&
                                    kind != Gaps::Kind::CallId && kind != Gaps::Kind::Octets)) {
            continue;
        }
        for (auto at = text.find(name); at != std::string_view::npos;
             at = text.find(name, at + name.size())) {
            out.push_back({at, name.size(), {static_cast<std::int32_t>(i), 0}, false});
        }
    }
}

// What others made may be short: it is looked for where such a thing stands.
void find_values(std::string_view text, const Gaps& gaps, std::vector<Found>& out) {
    const auto add = [&](std::size_t begin, std::size_t end, Gaps::Kind kind) {
        const auto known = find_known(gaps, kind, text.substr(begin, end - begin));
        if (known.gap >= 0) {
            out.push_back({begin, end - begin, known, false});
        }
    };
    if (!text.starts_with("SIP/")) {
        const auto begin = text.find(' ') + 1;
        add(begin, std::min(text.find(' ', begin), text.size()), Gaps::Kind::Target);
    }
    const auto head = std::min(text.find("\r\n\r\n"), text.size());
    for (std::size_t at = text.find("\r\n"); at < head;) {
        at += 2;
        const auto end = std::min(text.find("\r\n", at), head);
        const auto line = text.substr(at, end - at);
        const auto colon = std::min(line.find(": "), line.size());
        const auto id = sip::header_id(line.substr(0, colon));
        const auto value = std::min(at + colon + 2, end);
        if (id == HeaderId::ContentLength) {
            out.push_back({value, end - value, {}, true});
        } else if (id == HeaderId::Route) {
            add(value, end, Gaps::Kind::Route);
        } else if (id == HeaderId::RAck) {
            const auto space = std::min(text.find(' ', value), end);
            add(value, space, Gaps::Kind::RSeq);
            add(space + 1, std::min(text.find(' ', space + 1), end), Gaps::Kind::Number);
        } else if (is_credentials(id)) {
            if (const auto c = crypto::parse_credentials(text.substr(value, end - value))) {
                const auto add_part = [&](std::string_view part, Gaps::Kind kind) {
                    const auto begin = static_cast<std::size_t>(part.data() - text.data());
                    add(begin, begin + part.size(), kind);
                };
                add_part(c->nonce, Gaps::Kind::Nonce);
                if (!c->opaque.empty()) {
                    add_part(c->opaque, Gaps::Kind::Opaque);
                }
            }
        } else if (const auto gap = gap_in(id, text.substr(value, end - value))) {
            add(value + gap->begin, value + gap->begin + gap->length, kind_of(id));
        }
        at = end;
    }
    constexpr std::string_view origin = "\r\no=- ";
    if (const auto at = text.find(origin, head); at != std::string_view::npos) {
        const auto begin = at + origin.size();
        add(begin, std::min(text.find(' ', begin), text.size()), Gaps::Kind::Session);
    }
}

} // namespace

Text::Text(std::string_view text, const Gaps& gaps) {
    std::vector<Found> found;
    find_own(text, gaps, found);
    put_in_order(found);
    std::size_t at = 0;
    const auto keep = [&](std::size_t end, std::int32_t gap) {
        pieces_.push_back(
            {static_cast<std::uint32_t>(fixed_.size()), static_cast<std::uint32_t>(end - at), gap});
        fixed_.append(text.substr(at, end - at));
    };
    for (const auto& one : found) {
        if (one.begin >= at) {
            keep(one.begin, one.known.gap);
            at = one.begin + one.length;
        }
    }
    if (at != 0) {
        keep(text.size(), -1);
    } else {
        fixed_ = text;
    }
}

bool Text::take_front(std::string_view& value, const Gaps& gaps) const {
    const auto take = [&value](std::string_view text) {
        const bool there = value.starts_with(text);
        value.remove_prefix(there ? text.size() : 0);
        return there;
    };
    return pieces_.empty() ? take(fixed_) : std::ranges::all_of(pieces_, [&](const Piece& piece) {
        return take(std::string_view{fixed_}.substr(piece.begin, piece.length)) &&
               (piece.gap < 0 || take(gaps.text(static_cast<std::size_t>(piece.gap))));
    });
}

bool Text::take_back(std::string_view& value, const Gaps& gaps) const {
    const auto take = [&value](std::string_view text) {
        const bool there = value.ends_with(text);
        value.remove_suffix(there ? text.size() : 0);
        return there;
    };
    return pieces_.empty()
               ? take(fixed_)
               : std::all_of(pieces_.rbegin(), pieces_.rend(), [&](const Piece& piece) {
                     return (piece.gap < 0 ||
                             take(gaps.text(static_cast<std::size_t>(piece.gap)))) &&
                            take(std::string_view{fixed_}.substr(piece.begin, piece.length));
                 });
}

Form::Form(std::string_view text, const Gaps& gaps) {
    std::vector<Found> found;
    find_names(text, gaps, found);
    find_values(text, gaps, found);
    find_own(text, gaps, found);
    put_in_order(found);
    const auto head = text.find("\r\n\r\n");
    const auto body = head == std::string_view::npos ? text.size() : head + 4;
    std::size_t at = 0;
    const auto keep = [&](std::size_t end) {
        Piece piece;
        piece.begin = static_cast<std::uint32_t>(fixed_.size());
        piece.length = static_cast<std::uint32_t>(end - at);
        fixed_.append(text.substr(at, end - at));
        pieces_.push_back(piece);
        at = end;
    };
    bool in_body = false;
    const auto begin_body = [&](std::size_t before) {
        if (!in_body && before >= body) {
            keep(body);
            body_ = pieces_.size();
            in_body = true;
        }
    };
    for (const auto& one : found) {
        if (one.begin < at) {
            continue; // within another
        }
        begin_body(one.begin);
        keep(one.begin);
        pieces_.back().known = one.known;
        pieces_.back().body_length = one.body_length;
        at = one.begin + one.length;
    }
    begin_body(text.size());
    keep(text.size());
}

namespace {

void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

} // namespace

void Form::print(const Gaps& gaps, std::string& out) const {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const auto& piece = pieces_[i];
        out.append(fixed_, piece.begin, piece.length);
        if (piece.body_length) {
            std::size_t length = 0;
            for (auto j = body_; j < pieces_.size(); ++j) {
                const auto gap = pieces_[j].known.gap;
                length += pieces_[j].length +
                          (gap >= 0 ? gaps.text(static_cast<std::size_t>(gap)).size() : 0);
            }
            append_number(out, length);
        } else if (piece.known.gap >= 0) {
            const auto value = gaps.text(static_cast<std::size_t>(piece.known.gap));
            if (piece.known.plus == 0) {
                out.append(value);
            } else {
                append_number(out, number_in(value).value_or(0) + piece.known.plus);
            }
        }
    }
}

// ---- shapes

Shape::Shape(const sip::MessageView& message, Gaps& gaps)
    : request_(message.is_request()), method_(message.method()), status_(message.status()),
      start_(request_ ? message.request_uri() : message.reason(), gaps), body_(message.body()) {
    const auto known_before = gaps; // a value that comes twice in one message is new twice
    for (const auto& header : message.headers()) {
        if (ignored.has(header.id)) {
            continue;
        }
        auto& line = lines_.emplace_back();
        line.id = header.id;
        if (kind_of(header.id) == Gaps::Kind::Challenge) {
            line.challenge = header.value;
            add_challenge(gaps, header.value);
            continue;
        }
        const auto gap = gap_in(header.id, header.value);
        if (!gap) {
            line.before = Text{header.value, gaps};
            continue;
        }
        const auto value = header.value.substr(gap->begin, gap->length);
        line.before = Text{header.value.substr(0, gap->begin), gaps};
        line.after = Text{header.value.substr(gap->begin + gap->length), gaps};
        line.has_gap = true;
        line.known = find_known(known_before, kind_of(header.id), value);
        if (line.known.gap < 0) {
            add_new(gaps, header.id, value);
        }
    }
}

bool Shape::fits(const sip::MessageView& message, Gaps& gaps) const {
    auto start = message.is_request() ? message.request_uri() : message.reason();
    if (message.is_request() != request_ || message.method() != method_ ||
        message.status() != status_ || message.first_problem() || !start_.take_front(start, gaps) ||
        !start.empty() || !same_but_for_names(body_, message.body())) {
        return false;
    }
    const auto before = gaps.size();
    auto line = lines_.begin();
    for (const auto& header : message.headers()) {
        if (ignored.has(header.id)) {
            continue;
        }
        const auto value = header.value;
        if (kind_of(header.id) == Gaps::Kind::Challenge) {
            if (line == lines_.end() || line->id != header.id ||
                !same_challenge(line->challenge, value)) {
                gaps.cut(before);
                return false;
            }
            add_challenge(gaps, value);
            ++line;
            continue;
        }
        auto middle = value;
        const bool same = line != lines_.end() && line->id == header.id &&
                          line->before.take_front(middle, gaps) &&
                          line->after.take_back(middle, gaps) && (line->has_gap || middle.empty());
        if (!same || (line->has_gap && !may_stand(kind_of(header.id), middle))) {
            gaps.cut(before);
            return false;
        }
        if (line->has_gap) {
            if (line->known.gap < 0) {
                add_new(gaps, header.id, middle);
            } else if (!is_known(gaps, line->known, middle)) {
                gaps.cut(before);
                return false;
            }
        }
        ++line;
    }
    if (line != lines_.end()) {
        gaps.cut(before);
        return false;
    }
    return true;
}

// ---- digests

namespace {

// The places of credentials in a message, each given to `tell(begin, length)` until it says false.
template <class Tell>
bool each_credentials(std::string_view text, Tell tell) {
    const auto head = std::min(text.find("\r\n\r\n"), text.size());
    for (const std::string_view name : {"\r\nAuthorization: ", "\r\nProxy-Authorization: "}) {
        for (auto at = text.find(name); at < head; at = text.find(name, at + 1)) {
            const auto begin = at + name.size();
            if (!tell(begin, text.find("\r\n", begin) - begin)) {
                return false;
            }
        }
    }
    return true;
}

} // namespace

bool has_credentials(std::string_view text) {
    return !each_credentials(text, [](std::size_t, std::size_t) { return false; });
}

bool sign(std::string& text, const Cast& cast, crypto::Digester& digester) {
    const auto before = text;
    const auto head = text.find("\r\n\r\n");
    const bool signs = each_credentials(before, [&](std::size_t begin, std::size_t length) {
        const auto c = crypto::parse_credentials(std::string_view{before}.substr(begin, length));
        const auto algorithm = c ? crypto::digest_algorithm(c->algorithm) : std::nullopt;
        const auto self =
            c ? std::ranges::find(cast.members, c->username, &Member::login) : cast.members.end();
        if (!algorithm || self == cast.members.end()) {
            return false;
        }
        const auto ha1 = digester.ha1(*algorithm, c->username, c->realm, self->password);
        const auto response = digester.response(
            {.algorithm = *algorithm,
             .ha1 = ha1.text(),
             .method = std::string_view{before}.substr(0, before.find(' ')),
             .uri = c->uri,
             .nonce = c->nonce,
             .qop = c->qop,
             .nc = c->nc,
             .cnonce = c->cnonce,
             .body = head == std::string::npos ? "" : std::string_view{before}.substr(head + 4)});
        if (response.text().size() != c->response.size()) {
            return false;
        }
        text.replace(static_cast<std::size_t>(c->response.data() - before.data()),
                     c->response.size(), response.text());
        return true;
    });
    if (!signs) {
        text = before;
    }
    return signs;
}

// ---- bodies

namespace {

// The next line, taken off `text`.
std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

// "m=audio 4000 RTP/AVP 0" without its port, which must not be 0.
bool same_media(std::string_view a, std::string_view b) {
    const auto port = [](std::string_view line) {
        const auto begin = std::min(line.find(' '), line.size());
        const auto end = std::min(line.find(' ', begin + 1), line.size());
        return Span{begin, end - begin};
    };
    const auto one = port(a);
    const auto other = port(b);
    return (a.substr(one.begin, one.length) == " 0") ==
               (b.substr(other.begin, other.length) == " 0") &&
           a.substr(0, one.begin) == b.substr(0, other.begin) &&
           a.substr(one.begin + one.length) == b.substr(other.begin + other.length);
}

bool same_line(std::string_view a, std::string_view b) {
    if (a == b) {
        return true;
    }
    for (const std::string_view free : {"o=", "a=rtcp:", "a=ssrc:", "a=ice-ufrag:", "a=ice-pwd:"}) {
        if (a.starts_with(free) && b.starts_with(free)) {
            return true;
        }
    }
    if (a.starts_with("m=") && b.starts_with("m=")) {
        return same_media(a, b);
    }
    // [RFC 4568 §9.1] tag, suite, and "inline:" with a key of the same length
    constexpr std::string_view key = " inline:";
    const auto at = a.find(key);
    return a.starts_with("a=crypto:") && at != std::string_view::npos && a.size() == b.size() &&
           a.substr(0, at + key.size()) == b.substr(0, at + key.size());
}

} // namespace

bool same_but_for_names(std::string_view a, std::string_view b) {
    if (a == b) {
        return true;
    }
    if (!a.starts_with("v=0") || !b.starts_with("v=0")) {
        return false;
    }
    while (!a.empty() && !b.empty()) {
        if (!same_line(take_line(a), take_line(b))) {
            return false;
        }
    }
    return a.empty() && b.empty();
}

} // namespace cw::play
