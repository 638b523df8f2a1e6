// Text to Session.
#include "sdp/session.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/text.hpp"
#include "sdp/attribute_name.hpp"
#include "sdp/known_lines.hpp"
#include "sdp/word.hpp"

namespace cw::sdp {
namespace {

// Where each type of line stands in a session description; the m= sections repeat a part of it
// [RFC 8866 §5].
constexpr std::string_view session_order = "vosiuepcbtrzka";
constexpr std::string_view media_order = "micbka";
constexpr std::uint8_t nowhere = 0xff;

// The place of each type in one of these, from its letter on.
using Places = std::array<std::uint8_t, 256>;
constexpr Places places_in(std::string_view order) {
    Places places{};
    places.fill(nowhere);
    for (std::size_t i = 0; i < order.size(); ++i) {
        places[static_cast<std::uint8_t>(order[i])] = static_cast<std::uint8_t>(i);
    }
    return places;
}
constexpr auto session_places = places_in(session_order);
constexpr auto media_places = places_in(media_order);

Fingerprint take_fingerprint(std::string_view value) {
    Fingerprint out;
    out.hash = take_word(value);
    out.value = trimmed(value);
    return out;
}

// A line that is about these and nothing else.
bool is_about_codecs(std::string_view line) {
    constexpr std::array<std::string_view, 7> beginnings{
        "a=rtpmap:", "a=fmtp:", "a=ptime:", "a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"};
    return std::ranges::any_of(
        beginnings, [line](std::string_view beginning) { return line.starts_with(beginning); });
}

} // namespace

class Parser {
  public:
    Parser(std::string_view text, Session& session, KnownLines* known = nullptr)
        : text_(text), out_(session), known_(known) {}

    Result<void> run();

  private:
    void line(char type, std::string_view value);
    void origin(std::string_view value);
    std::optional<Connection> connection(std::string_view value);
    void media(std::string_view value);
    void attribute(std::string_view text);
    void session_attribute(AttributeName name, const Attribute& a);
    void media_attribute(Media& m, AttributeName name, const Attribute& a);
    void codec_attribute(Media& m, AttributeName name, const Attribute& a);
    void rtpmap(Media& m, std::string_view value);
    void rtcp(Media& m, std::string_view value);
    void crypto(Media& m, std::string_view value);
    bool take_known(std::string_view& rest);
    void begin_block();
    void end_block();
    void check_order(char type);
    void note(const char* what);

    // Appends to a shared list; its media's slice is the end of that list.
    template <class T>
    void add(std::vector<T>& list, Slice& slice, const T& element) {
        if (list.size() >= Session::max_elements) {
            note("more lines than are looked at");
            return;
        }
        if (slice.count == 0) {
            slice.begin = static_cast<std::uint32_t>(list.size());
        }
        list.push_back(element);
        ++slice.count;
    }

    [[nodiscard]] Media* current() { return in_media_ ? &out_.media.back() : nullptr; }

    std::string_view text_;
    Session& out_;
    KnownLines* known_; // nullptr: none
    std::size_t line_offset_ = 0;
    std::size_t order_ = 0; // of the last line, in session_order or media_order
    // Where lines about codecs begin that are not known yet, and what there was before them.
    struct Block {
        std::size_t begin = std::string_view::npos;
        std::size_t attributes = 0;
        std::size_t rtpmaps = 0;
        std::size_t fmtps = 0;
    };
    Block block_;
    bool in_media_ = false;
    bool skip_media_ = false; // beyond max_media
};

void Parser::note(const char* what) {
    if (out_.problem_.what == nullptr) {
        out_.problem_ = {Code::Malformed, static_cast<std::uint32_t>(line_offset_), what};
    }
}

void Parser::check_order(char type) {
    const auto letter = static_cast<std::uint8_t>(type);
    const auto at = (in_media_ ? media_places : session_places)[letter];
    if (at == nowhere) {
        note(session_places[letter] == nowhere ? "a line of an unknown type"
                                               : "a line out of order");
        return;
    }
    // t= and r= alternate.
    if (at < order_ && !(type == 't' && session_order[order_] == 'r' && !in_media_)) {
        note("a line out of order");
    }
    order_ = at;
}

void Parser::origin(std::string_view value) {
    auto& o = out_.origin;
    o.username = take_word(value);
    o.session_id = take_word(value);
    o.session_version = take_word(value);
    o.network_type = take_word(value);
    o.address_type = take_word(value);
    o.address = take_word(value);
    if (o.address.empty() || !value.empty()) {
        note("o= does not have six parts");
    }
}

std::optional<Connection> Parser::connection(std::string_view value) {
    Connection c;
    c.network_type = take_word(value);
    c.address_type = take_word(value);
    const auto address = take_word(value);
    if (address.empty() || !value.empty()) {
        note("c= does not have three parts");
    }
    const auto slash = find<'/'>(address);
    c.address = address.substr(0, slash);
    c.ip = IpAddress::parse(c.address);
    if (slash != std::string_view::npos) {
        c.range = address.substr(slash + 1);
    }
    return c.present() ? std::optional{c} : std::nullopt;
}

void Parser::media(std::string_view value) {
    in_media_ = true;
    order_ = 0;
    skip_media_ = out_.media.size() >= Session::max_media;
    if (skip_media_) {
        note("more media than are looked at");
        return;
    }
    auto& m = out_.media.emplace_back();
    m.connection = out_.connection;
    m.direction = out_.direction;
    m.fingerprint = out_.fingerprint;
    m.setup = out_.setup;
    m.ice_ufrag = out_.ice_ufrag;
    m.type = take_word(value);
    const auto ports = take_word(value);
    const auto slash = find<'/'>(ports);
    const auto port = parse_short_number<std::uint16_t>(ports.substr(0, slash));
    m.port = port.value_or(0);
    if (slash != std::string_view::npos) {
        m.port_count = parse_short_number<std::uint16_t>(ports.substr(slash + 1)).value_or(1);
    }
    m.protocol = take_word(value);
    m.format_list = trimmed(value);
    if (!port || m.protocol.empty() || m.format_list.empty()) {
        note("m= does not have a port, a protocol and a format");
    }
    for (auto formats = m.format_list; !formats.empty();) {
        add(out_.formats_, m.formats, take_word(formats));
    }
}

void Parser::session_attribute(AttributeName name, const Attribute& a) {
    add(out_.attributes_, out_.attributes, a);
    if (is_direction(name)) {
        out_.direction = direction_of(name);
    } else if (name == AttributeName::Group) {
        auto mids = a.value;
        const auto semantics = take_word(mids);
        if (out_.groups.size() < Session::max_media) {
            out_.groups.push_back({semantics, mids});
        }
    } else if (name == AttributeName::Fingerprint && out_.fingerprint.value.empty()) {
        out_.fingerprint = take_fingerprint(a.value);
    } else if (name == AttributeName::Setup) {
        out_.setup = a.value;
    } else if (name == AttributeName::IceUfrag) {
        out_.ice_ufrag = a.value;
    } else if (name == AttributeName::IceLite) {
        out_.ice_lite = true;
    }
}

// rtpmap:<payload type> <encoding>/<clock rate>[/<channels>] [RFC 8866 §6.6]
void Parser::rtpmap(Media& m, std::string_view value) {
    Rtpmap map;
    const auto payload_type = parse_short_number<std::uint8_t>(take_word(value));
    const auto slash = find<'/'>(value);
    if (!payload_type || *payload_type > 127 || slash == std::string_view::npos || slash == 0) {
        note("a=rtpmap is malformed");
        return;
    }
    map.payload_type = *payload_type;
    map.encoding = value.substr(0, slash);
    auto rest = value.substr(slash + 1);
    const auto second = find<'/'>(rest);
    const auto clock = parse_short_number<std::uint32_t>(trimmed(rest.substr(0, second)));
    if (!clock) {
        note("a=rtpmap without a clock rate");
    }
    map.clock_rate = clock.value_or(0);
    if (second != std::string_view::npos) {
        map.channels =
            parse_short_number<std::uint8_t>(trimmed(rest.substr(second + 1))).value_or(1);
    }
    add(out_.rtpmaps_, m.rtpmaps, map);
}

// rtcp:<port> [<nettype> <addrtype> <address>] [RFC 3605 §2.1]
void Parser::rtcp(Media& m, std::string_view value) {
    const auto port = parse_short_number<std::uint16_t>(take_word(value));
    if (!port) {
        note("a=rtcp without a port");
        return;
    }
    m.rtcp_port = *port;
    if (!value.empty()) {
        m.rtcp_connection = connection(value).value_or(Connection{});
    }
}

// crypto:<tag> <suite> <key parameters> [<session parameters>] [RFC 4568 §4]
void Parser::crypto(Media& m, std::string_view value) {
    Crypto c;
    const auto tag = parse_short_number<std::uint32_t>(take_word(value));
    c.suite = take_word(value);
    c.key_parameters = take_word(value);
    c.session_parameters = value;
    if (!tag || c.key_parameters.empty()) {
        note("a=crypto without tag, suite or key");
        return;
    }
    c.tag = *tag;
    add(out_.cryptos_, m.cryptos, c);
}

void Parser::codec_attribute(Media& m, AttributeName name, const Attribute& a) {
    if (name == AttributeName::Rtpmap) {
        rtpmap(m, a.value);
    } else if (name == AttributeName::Fmtp) {
        Fmtp f;
        f.parameters = a.value;
        f.format = take_word(f.parameters);
        add(out_.fmtps_, m.fmtps, f);
    } else if (name == AttributeName::Rtcp) {
        rtcp(m, a.value);
    } else if (name == AttributeName::Crypto) {
        crypto(m, a.value);
    } else if (name == AttributeName::Candidate) {
        add(out_.candidates_, m.candidates, a.value);
    } else if (name == AttributeName::Ptime) {
        // Some write "20.0" or "20 30"; the whole number in front is what is meant.
        const auto digits = a.value.substr(0, a.value.find_first_not_of("0123456789"));
        m.ptime_ms = parse_short_number<std::uint32_t>(digits).value_or(0);
    }
}

void Parser::media_attribute(Media& m, AttributeName name, const Attribute& a) {
    add(out_.attributes_, m.attributes, a);
    if (is_direction(name)) {
        m.direction = direction_of(name);
    } else if (name == AttributeName::Mid) {
        m.mid = a.value;
    } else if (name == AttributeName::Label) {
        m.label = a.value;
    } else if (name == AttributeName::RtcpMux) {
        m.rtcp_mux = true;
    } else if (name == AttributeName::BundleOnly) {
        m.bundle_only = true;
    } else if (name == AttributeName::Setup) {
        m.setup = a.value;
    } else if (name == AttributeName::IceUfrag) {
        m.ice_ufrag = a.value;
    } else if (name == AttributeName::Fingerprint) {
        const bool own = !m.fingerprint.value.empty() &&
                         m.fingerprint.value.data() != out_.fingerprint.value.data();
        m.fingerprint = own ? m.fingerprint : take_fingerprint(a.value);
    } else {
        codec_attribute(m, name, a);
    }
}

void Parser::attribute(std::string_view text) {
    const auto colon = find<':'>(text);
    Attribute a;
    a.name = trimmed(text.substr(0, colon));
    if (colon != std::string_view::npos) {
        a.value = trimmed(text.substr(colon + 1));
    }
    const auto name = name_of(a.name);
    out_.has_fingerprints |= name == AttributeName::Fingerprint;
    out_.has_candidates |= name == AttributeName::Candidate;
    if (auto* m = current()) {
        media_attribute(*m, name, a);
    } else {
        session_attribute(name, a);
    }
}

void Parser::line(char type, std::string_view value) {
    if (type != 'm') {
        check_order(type);
    }
    if (skip_media_ && type != 'm') {
        out_.has_fingerprints = out_.has_candidates = true;
        return;
    }
    switch (type) {
    case 'v':
        out_.version = value;
        if (value != "0") {
            note("v= is not 0");
        }
        break;
    case 'o':
        origin(value);
        break;
    case 's':
        out_.name = value;
        break;
    case 'i':
        if (auto* m = current()) {
            m->title = value;
        }
        break;
    case 'c':
        if (const auto c = connection(value)) {
            auto& to = in_media_ ? out_.media.back().connection : out_.connection;
            // Of several c= in one media the first counts here [RFC 8866 §5.7].
            const bool repeated = in_media_ && to.address.data() != out_.connection.address.data();
            to = repeated ? to : *c;
        }
        break;
    case 't':
        out_.time = out_.time.empty() ? value : out_.time;
        break;
    case 'a':
        attribute(value);
        break;
    case 'm':
        media(value);
        break;
    default:
        break;
    }
}

// Lines about codecs that are the same as some before.
bool Parser::take_known(std::string_view& rest) {
    const auto* block = known_->find(rest);
    if (block == nullptr ||
        out_.attributes_.size() + block->attributes.size() > Session::max_elements) {
        return false; // no more of the others than of attributes
    }
    const auto here = [from = block->text.data(), to = rest.data()](std::string_view part) {
        return KnownLines::moved(part, from, to);
    };
    auto& m = out_.media.back();
    for (const auto& a : block->attributes) {
        add(out_.attributes_, m.attributes, Attribute{here(a.name), here(a.value)});
    }
    for (auto map : block->rtpmaps) {
        map.encoding = here(map.encoding);
        add(out_.rtpmaps_, m.rtpmaps, map);
    }
    for (const auto& f : block->fmtps) {
        add(out_.fmtps_, m.fmtps, Fmtp{here(f.format), here(f.parameters)});
    }
    m.ptime_ms = block->ptime_ms.value_or(m.ptime_ms);
    m.direction = block->direction.value_or(m.direction);
    order_ = media_places['a'];
    rest.remove_prefix(block->text.size());
    return true;
}

void Parser::begin_block() {
    block_ = {line_offset_, out_.attributes_.size(), out_.rtpmaps_.size(), out_.fmtps_.size()};
}

void Parser::end_block() {
    const auto block = std::exchange(block_, {});
    const auto lines = text_.substr(block.begin, line_offset_ - block.begin);
    // What is wrong in them would have to be told again.
    if (out_.problem_.what == nullptr && lines.ends_with('\n') &&
        lines.size() <= KnownLines::longest) {
        known_->remember(lines, std::span{out_.attributes_}.subspan(block.attributes),
                         std::span{out_.rtpmaps_}.subspan(block.rtpmaps),
                         std::span{out_.fmtps_}.subspan(block.fmtps), out_.media.back());
    }
}

Result<void> Parser::run() {
    out_.clear();
    bool is_sdp = false;
    auto rest = text_;
    while (!rest.empty()) {
        line_offset_ = static_cast<std::size_t>(rest.data() - text_.data());
        if (block_.begin != std::string_view::npos) {
            if (!is_about_codecs(rest)) {
                end_block();
            }
        } else if (in_media_ && !skip_media_ && known_ != nullptr &&
                   rest.starts_with("a=rtpmap:")) {
            if (take_known(rest)) {
                continue;
            }
            begin_block();
        }
        const auto lf = find<'\n'>(rest);
        auto text = rest.substr(0, lf);
        rest.remove_prefix(lf == std::string_view::npos ? rest.size() : lf + 1);
        if (text.ends_with('\r')) {
            text.remove_suffix(1);
        }
        if (text.empty()) {
            continue;
        }
        if (text.size() < 2 || text[1] != '=') {
            note("a line that is not type=value");
            continue;
        }
        is_sdp |= text[0] == 'v' || text[0] == 'm';
        if (!is_sdp && out_.problem_.what == nullptr) {
            note("the first line is not v=");
        }
        line(text[0], text.substr(2));
    }
    if (!is_sdp) {
        return fail(Code::Malformed, 0, "no v= and no m= line");
    }
    line_offset_ = text_.size();
    if (block_.begin != std::string_view::npos) {
        end_block();
    }
    if (out_.version.empty() || out_.origin.address.empty()) {
        note("v= or o= is missing");
    }
    return {};
}

Result<void> parse(std::string_view text, Session& session) {
    return Parser{text, session}.run();
}

Result<void> parse(std::string_view text, Session& session, KnownLines& known) {
    return Parser{text, session, &known}.run();
}

Result<Session> parse(std::string_view text) {
    Result<Session> result{std::in_place};
    if (const auto r = parse(text, *result); !r) {
        result = std::unexpected(r.error());
    }
    return result;
}

} // namespace cw::sdp
