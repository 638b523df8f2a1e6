#include "sip/name_addr.hpp"

#include "base/text.hpp"
#include "sip/params.hpp"

namespace cw::sip {
namespace {

constexpr std::size_t max_loose_display = 256;

void note(NameAddr& out, AddrQuirk quirk) {
    out.quirk = out.quirk == AddrQuirk::None ? quirk : out.quirk;
}

// Before "<": a quoted string, tokens, or nothing [RFC 3261 §25.1 display-name]. Leaves the cursor
// at the "<", or untouched when what stands here is a bare URI.
void read_display(Cursor& cursor, NameAddr& out) {
    const auto start = cursor;
    if (cursor.peek() == '"') {
        if (const auto inside = cursor.quoted()) {
            out.display = *inside;
            cursor.skip_white();
            return;
        }
        note(out, AddrQuirk::OpenQuote);
        cursor.skip();
        out.display = trim(cursor.take_until<'<'>());
        return;
    }
    const auto words = cursor.take(chars::Token | chars::White);
    if (cursor.peek() == '<') {
        out.display = trim(words);
        return;
    }
    if (cursor.peek() != ':' && cursor.peek() != ';' && !cursor.done()) {
        // Words that should have been quoted, if a "<" comes before anything that a URI has. It is
        // looked for no further than display names go: a list of many would be walked many times.
        Cursor ahead{start.rest().substr(0, max_loose_display)};
        const auto loose = ahead.take_until<'<', ':', ';', '>'>();
        if (ahead.peek() == '<') {
            cursor = start;
            cursor.skip(loose.size());
            out.display = trim(loose);
            note(out, AddrQuirk::LooseDisplay);
            return;
        }
    }
    cursor = start;
}

bool read_uri(Cursor& cursor, NameAddr& out) {
    std::string_view text;
    if (cursor.eat('<')) {
        out.bracketed = true;
        const auto inside = cursor.take_until<'>'>();
        if (!cursor.eat('>')) {
            return false;
        }
        text = trim(inside);
        if (text.size() != inside.size()) {
            note(out, AddrQuirk::Spaces);
        }
    } else {
        text = trim(cursor.take_until<';', ',', '<', '>', '"', '\n'>());
        if (text.find('?') != std::string_view::npos) {
            note(out, AddrQuirk::Unbracketed);
        }
    }
    out.uri_text = text;
    if (!parse_uri(text, out.uri)) {
        note(out, AddrQuirk::BadUri);
    }
    return !text.empty();
}

// What is wrong in words, or nullptr.
const char* read_name_addr(std::string_view text, NameAddr& out) {
    Cursor cursor{text};
    cursor.skip_white();
    if (cursor.peek() == '*') {
        auto after = cursor;
        after.skip();
        after.skip_white();
        if (after.done()) {
            out.star = true;
            return nullptr;
        }
    }
    read_display(cursor, out);
    if (!read_uri(cursor, out)) {
        return "no URI where a name and address should stand";
    }
    const auto tail = cursor.rest();
    ParamCursor params{tail};
    for (Param param; params.next(param);) {
        if (chars::is_word(param.name, "tag") && out.tag.empty()) {
            out.tag = param.value;
        }
    }
    Cursor after{params.rest()};
    out.params = tail.substr(0, tail.size() - params.rest().size());
    if (params.quirk() != nullptr) {
        note(out, AddrQuirk::BadParam);
    }
    after.skip_white();
    if (after.eat(',')) {
        out.more = true;
        out.rest = after.rest();
    } else if (!after.done()) {
        return "text after a name and address";
    }
    return nullptr;
}

} // namespace

const char* quirk_text(AddrQuirk quirk) {
    switch (quirk) {
    case AddrQuirk::None:
        return "";
    case AddrQuirk::OpenQuote:
        return "a quote in the display name that never closes";
    case AddrQuirk::LooseDisplay:
        return "a display name that should be quoted";
    case AddrQuirk::Spaces:
        return "white space inside <>";
    case AddrQuirk::Unbracketed:
        return "a URI with '?' that is not inside <>";
    case AddrQuirk::BadUri:
        return "not a URI";
    case AddrQuirk::BadParam:
        return "a malformed header parameter";
    }
    return "";
}

Result<NameAddr> parse_name_addr(std::string_view text) {
    Result<NameAddr> result{std::in_place};
    if (const auto* wrong = read_name_addr(text, *result); wrong != nullptr) {
        result = fail(Code::Malformed, 0, wrong);
    }
    return result;
}

std::string_view uri_text_of(std::string_view text) {
    if (text.starts_with('<')) { // without a display name nothing else can come first
        const auto end = text.find('>');
        if (end != std::string_view::npos) {
            return trim(text.substr(1, end - 1));
        }
    }
    const auto parsed = parse_name_addr(text);
    return parsed ? parsed->uri_text : std::string_view{};
}

} // namespace cw::sip
