#include "sip/frame.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "sip/cursor.hpp"
#include "sip/header.hpp"

namespace cw::sip {
namespace {

// Longer start lines are not recognised: long enough for any real one, and it bounds the work per
// line of find_message().
constexpr std::size_t max_start_line = 8192;

struct HeadEnd {
    std::size_t at = 0;   // where the body begins; 0: not found
    std::size_t next = 0; // where to go on when more bytes are there
    bool bare_lf = false; // in the part that was looked at
    bool bare_cr = false;
};

// Looks for the empty line, from `from` on: a place where no line end was passed over before. A
// line end that is the last byte may yet be half of the empty line, so the search goes on before
// it.
HeadEnd find_head_end(std::string_view text, std::size_t from, bool bare_lf_allowed) {
    const auto* begin = text.data();
    const auto* end = begin + text.size();
    HeadEnd out;
    const auto* p = begin + from;
    for (;;) {
        p = find_first<'\n'>(p, end);
        if (p == end) {
            out.next = text.size();
            return out;
        }
        out.bare_lf |= p == begin || p[-1] != '\r';
        if (out.bare_lf && !bare_lf_allowed) {
            out.next = static_cast<std::size_t>(p - begin);
            return out;
        }
        const auto* line = p + 1;
        if (end - line >= 1 && *line == '\n') {
            out.bare_lf = true;
            out.at = static_cast<std::size_t>(line + 1 - begin);
            return out;
        }
        if (end - line >= 2 && line[0] == '\r' && line[1] == '\n') {
            out.at = static_cast<std::size_t>(line + 2 - begin);
            return out;
        }
        if (line == end || (*line == '\r' && end - line == 1)) {
            out.next = static_cast<std::size_t>(p - begin);
            return out;
        }
        p = line;
    }
}

// The value of the header at the start of `line`, which runs to the end of the head; folds and all.
std::string_view value_of(std::string_view from_colon) {
    Cursor cursor{from_colon};
    const auto* from = cursor.at();
    for (;;) {
        cursor.take_until<'\n'>();
        const auto value = cursor.since(from);
        if (!cursor.eat('\n') || !is_blank(cursor.peek())) {
            return trim(value);
        }
    }
}

// All Content-Length headers of a complete head.
struct Length {
    bool found = false;
    bool bad = false; // not a number, or two that differ
    std::uint32_t value = 0;
};

Length find_length(std::string_view head) {
    Length out;
    std::string_view first;
    Cursor cursor{head};
    while (!cursor.done()) {
        cursor.take_until<'\n'>();
        cursor.eat('\n');
        const auto initial = ascii_lower(cursor.peek());
        if (initial != 'c' && initial != 'l') {
            continue;
        }
        const auto name = cursor.take(chars::Token);
        if (name.size() != 1 && name.size() != 14) {
            continue;
        }
        while (is_blank(cursor.peek())) {
            cursor.skip();
        }
        if (header_id(name) != HeaderId::ContentLength || !cursor.eat(':')) {
            continue;
        }
        const auto value = value_of(cursor.rest());
        out.bad |= out.found && value != first;
        first = out.found ? first : value;
        out.found = true;
    }
    const auto number = parse_number<std::uint32_t>(first);
    out.bad |= out.found && !number;
    out.value = number.value_or(0);
    return out;
}

Error error(Code code, std::size_t offset, const char* what) {
    return {code, static_cast<std::uint32_t>(offset), what};
}

} // namespace

void Framer::restart() {
    *this = Framer{*policy_};
}

// The head is complete: [0, head_size_).
std::variant<Need, Frame, Error> Framer::measure(Bytes bytes) {
    const auto length = find_length(as_text(bytes.first(head_size_)));
    if (length.bad && !policy_->allow_wrong_length) {
        return error(Code::Malformed, 0, "Content-Length is not a number, or is there twice");
    }
    if (!length.found && !policy_->allow_missing_length_on_stream) {
        // "If no body is present in a message, then the Content-Length header field value MUST be
        // set to zero. [...] The Content-Length header field MUST be used with stream oriented
        // transports." [RFC 3261 §20.14, §18.3]
        return error(Code::Malformed, 0, "no Content-Length on a stream");
    }
    if (length.value > policy_->max_body) {
        return error(Code::LimitExceeded, 0, "Content-Length beyond the limit");
    }
    frame_size_ = head_size_ + length.value;
    return Need{};
}

std::variant<Need, Frame, Error> Framer::next(Bytes bytes) {
    const auto text = as_text(bytes);
    if (text.empty()) {
        return Need{};
    }
    if (head_size_ == 0 && scanned_ == 0 && (text[0] == '\r' || text[0] == '\n')) {
        if (text[0] == '\n') {
            if (!policy_->allow_bare_lf) {
                return error(Code::Malformed, 0, "a line ends with LF alone");
            }
            return Frame{Frame::Kind::LineEnd, 1, 0};
        }
        if (text.size() == 1) {
            return Need{};
        }
        if (text[1] == '\n') {
            return Frame{Frame::Kind::LineEnd, 2, 0};
        }
    }
    if (head_size_ == 0) {
        const auto found = find_head_end(text, scanned_, policy_->allow_bare_lf);
        if (found.bare_lf && !policy_->allow_bare_lf) {
            return error(Code::Malformed, found.next, "a line ends with LF alone");
        }
        const auto head_so_far = found.at != 0 ? found.at : text.size();
        if (head_so_far > policy_->max_head) {
            return error(Code::LimitExceeded, policy_->max_head, "headers beyond the limit");
        }
        if (found.at == 0) {
            scanned_ = found.next;
            return Need{};
        }
        head_size_ = found.at;
        if (const auto r = measure(bytes); std::holds_alternative<Error>(r)) {
            return r;
        }
    }
    if (text.size() < frame_size_) {
        return Need{frame_size_ - text.size()};
    }
    const Frame frame{Frame::Kind::Message, head_size_, frame_size_ - head_size_};
    restart();
    return frame;
}

std::variant<Need, Frame, Error> frame(Bytes bytes, const Policy& policy) {
    return Framer{policy}.next(bytes);
}

namespace {

Likeness as_status_line(std::string_view line, bool whole) {
    constexpr std::string_view start = "SIP/2.0 ";
    const auto n = std::min(line.size(), start.size());
    if (!iequals(line.substr(0, n), start.substr(0, n))) {
        return Likeness::No;
    }
    if (line.size() < start.size() + 3) {
        return whole ? Likeness::No : Likeness::Maybe;
    }
    const auto code = line.substr(start.size(), 3);
    return chars::all(code, chars::Digit) ? Likeness::Yes : Likeness::No;
}

// METHOD SP uri SP SIP/2.0: the URI needs a scheme, so that "GET / HTTP/1.1" and plain words fail
// early.
Likeness as_request_line(std::string_view line, bool whole) {
    Cursor cursor{line};
    const auto method = cursor.take(chars::Token);
    if (method.empty() || method.size() > 64) {
        return Likeness::No;
    }
    if (cursor.done()) {
        return whole ? Likeness::No : Likeness::Maybe;
    }
    if (!cursor.eat(' ')) {
        return Likeness::No;
    }
    while (cursor.eat(' ')) {
    }
    cursor.eat('<');
    const auto scheme = cursor.take(chars::Token);
    if (cursor.done()) {
        return whole ? Likeness::No : Likeness::Maybe;
    }
    if (scheme.empty() || !cursor.eat(':')) {
        return Likeness::No;
    }
    if (!whole) {
        return Likeness::Maybe;
    }
    auto text = cursor.rest();
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    const auto version = text.substr(text.find_last_of(" \t") + 1);
    return istarts_with(version, "SIP/") && version.size() >= 7 && version.size() < text.size()
               ? Likeness::Yes
               : Likeness::No;
}

} // namespace

Likeness looks_like_sip(Bytes bytes) {
    auto text = as_text(bytes);
    while (!text.empty() && (text.front() == '\r' || text.front() == '\n')) {
        text.remove_prefix(1);
    }
    if (text.empty()) {
        return Likeness::Maybe;
    }
    const auto window = text.substr(0, max_start_line);
    const auto* end = window.data() + window.size();
    const auto* line_end = find_first<'\n'>(window.data(), end);
    const bool whole = line_end != end || window.size() == max_start_line;
    auto line = window.substr(0, static_cast<std::size_t>(line_end - window.data()));
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    const auto as_status = as_status_line(line, whole);
    return as_status != Likeness::No ? as_status : as_request_line(line, whole);
}

std::size_t find_message(Bytes bytes, std::size_t from) {
    const auto text = as_text(bytes);
    const auto* end = text.data() + text.size();
    while (from < text.size()) {
        const auto first = text[from];
        const bool blank_line = first == '\r' || first == '\n';
        if (!blank_line && looks_like_sip(bytes.subspan(from)) != Likeness::No) {
            return from;
        }
        const auto* line_end = find_first<'\n'>(text.data() + from, end);
        if (line_end == end) {
            break;
        }
        from = static_cast<std::size_t>(line_end - text.data()) + 1;
    }
    return text.size();
}

} // namespace cw::sip
