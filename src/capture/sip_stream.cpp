#include "capture/sip_stream.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/scan.hpp"
#include "base/text.hpp"
#include "capture/recognise.hpp"
#include "sip/method.hpp"

namespace cw::capture {

namespace {

// Most messages that cross a chunk's end are smaller than this; a larger buffer is given back when
// it becomes empty, since a capture may have very many connections.
constexpr std::size_t buffer_to_keep = 4096;

// What is no start line is kept up to this length, since one may stand at its end.
constexpr std::size_t max_junk_line = 4096;

bool is_line_end(char c) {
    return c == '\r' || c == '\n';
}

// Where the line that is searched from `from` ends, at most at `limit`; npos when not there.
std::size_t find_line_end(std::string_view text, std::size_t from, std::size_t limit) {
    const auto end = std::min(text.size(), limit);
    if (from >= end) {
        return std::string_view::npos;
    }
    const auto* found = find_first<'\n'>(text.data() + from, text.data() + end);
    return found == text.data() + end ? std::string_view::npos
                                      : static_cast<std::size_t>(found - text.data());
}

// The line ends of [from, end), one after the other. A header line has some 42 bytes, so that
// sixteen are compared once, and not again for the line that begins among them.
class LineEnds {
  public:
    LineEnds(const char* from, const char* end) : at_(from), end_(end) {}

    // The next '\n'; nullptr when there is none.
    const char* next() {
#if defined(__SSE2__)
        while (hits_ == 0 && end_ - at_ >= 16) {
            const auto chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
            const auto hits = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\n'));
            hits_ = static_cast<unsigned>(_mm_movemask_epi8(hits));
            at_ += 16;
        }
        if (hits_ != 0) {
            const auto* found = at_ - 16 + std::countr_zero(hits_);
            hits_ &= hits_ - 1;
            return found;
        }
#endif
        const auto* found = find_first<'\n'>(at_, end_);
        at_ = found == end_ ? end_ : found + 1;
        return found == end_ ? nullptr : found;
    }

  private:
    const char* at_; // up to here all was compared
    const char* end_;
    unsigned hits_ = 0; // of the sixteen before at_, those that were not told yet
};

// What a line's first byte says of the line.
enum class First : std::uint8_t { Other, Length, Status, LineEnd };
constexpr auto first_table = [] {
    std::array<First, 256> table{};
    for (const char c : std::string_view{"cClL"}) {
        table[static_cast<unsigned char>(c)] = First::Length; // it may be Content-Length
    }
    for (const char c : std::string_view{"sS"}) {
        table[static_cast<unsigned char>(c)] = First::Status; // it may be "SIP/2.0 200 OK"
    }
    table['\r'] = table['\n'] = First::LineEnd;
    return table;
}();

// Is `text`, of at least fourteen bytes, "Content-Length" so far?
bool is_content_length(std::string_view text) {
    const auto folded = [](const char* at) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        return word | 0x2020'2020'2020'2020ULL; // a CR would look like the dash
    };
    return text[7] == '-' && folded(text.data()) == folded("content-") &&
           folded(text.data() + 6) == folded("t-length");
}

// The offset of the value when `line` is a Content-Length header in its long or compact form,
// 0 otherwise. Blanks may stand before the colon [RFC 3261 §7.3.1].
std::size_t content_length_value(std::string_view line) {
    constexpr std::size_t size = std::string_view{"Content-Length"}.size();
    std::size_t at = 1;
    if (ascii_lower(line.front()) != 'l') {
        if (line.size() <= size || !is_content_length(line)) {
            return 0;
        }
        at = size;
    }
    while (at < line.size() && is_blank(line[at])) {
        ++at;
    }
    return at < line.size() && line[at] == ':' ? at + 1 : 0;
}

// The number at the beginning of `value`, which may be folded. 0 for what is no number, and the
// largest number for one that is too large.
std::uint64_t parse_length(std::string_view value) {
    std::size_t at = 0;
    while (at < value.size() && (is_blank(value[at]) || is_line_end(value[at]))) {
        // A line end not followed by a blank ends the header.
        if (value[at] == '\n' && (at + 1 == value.size() || !is_blank(value[at + 1]))) {
            return 0;
        }
        ++at;
    }
    std::uint64_t length = 0;
    const auto* end = value.data() + value.size();
    const auto [after, error] = std::from_chars(value.data() + at, end, length);
    if (error == std::errc::result_out_of_range) {
        return UINT64_MAX;
    }
    const bool ends = after == end || is_blank(*after) || is_line_end(*after);
    return error == std::errc{} && ends ? length : 0;
}

// In a header section no line can be a start line; when one is, a blank line got lost.
bool is_lost_start_line(std::string_view line) {
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    if (line.size() <= 8) {
        return false;
    }
    const bool response = line[3] == '/' && ascii_lower(line.front()) == 's';
    const bool request = line[line.size() - 4] == '/' && line[line.size() - 2] == '.' &&
                         line[line.size() - 8] == ' ';
    return (response || request) && is_sip_start_line(line);
}

} // namespace

void SipStream::on_bytes(Bytes bytes, const Datagram& by, Sink& sink) {
    auto chunk = as_text(bytes);
    if (held_ && !held_->text.empty()) {
        // Of a body only what belongs to it is copied; of a header the end is not known yet.
        const auto wanted =
            state_ == State::Body ? size_ - held_->text.size() : std::string_view::npos;
        held_->text += chunk.substr(0, wanted);
        chunk.remove_prefix(std::min(wanted, chunk.size()));
        if (state_ != State::Body || held_->text.size() == size_) {
            Cursor cursor{held_->text, by};
            while (step(cursor, sink)) {
            }
            held_->text.erase(0, cursor.at);
        }
        held_->by = by;
        held_->by.payload = {};
        if (held_->text.empty() && held_->text.capacity() > buffer_to_keep) {
            held_.reset();
        }
    }
    if (!chunk.empty()) {
        Cursor cursor{chunk, by};
        while (step(cursor, sink)) {
        }
        keep(cursor);
    }
    report_junk(sink);
}

bool SipStream::step(Cursor& cursor, Sink& sink) {
    switch (state_) {
    case State::Between:
        return between(cursor);
    case State::InJunk:
        return in_junk(cursor);
    case State::Header:
        return in_header(cursor, sink);
    case State::Body:
        return in_body(cursor, sink);
    }
    return false;
}

bool SipStream::between(Cursor& cursor) {
    if (!skip_blank_lines(cursor)) {
        return false;
    }
    const auto rest = cursor.rest();
    auto limit = max_junk_line;
    auto end = find_line_end(rest, searched_, limit);
    if (end == std::string_view::npos && rest.size() >= limit && can_begin_sip_start_line(rest)) {
        limit = max_header;
        end = find_line_end(rest, searched_, limit);
    }
    if (end == std::string_view::npos) {
        if (rest.size() >= limit) {
            skip_junk(cursor, limit);
            state_ = State::InJunk;
            return true;
        }
        searched_ = static_cast<std::uint32_t>(rest.size());
        return false;
    }
    switch (is_start(rest, end)) {
    case Verdict::NeedMore:
        searched_ = static_cast<std::uint32_t>(end);
        return false;
    case Verdict::No: {
        const auto glued = end <= max_junk_line ? glued_sip_start_line(rest.substr(0, end)) : 0;
        skip_junk(cursor, glued != 0 ? glued : end + 1);
        return true;
    }
    case Verdict::Yes:
        break;
    }
    state_ = State::Header;
    line_ = static_cast<std::uint32_t>(end + 1);
    searched_ = line_;
    length_at_ = 0;
    return true;
}

// Takes the rest of an oversized body and then line ends away. False when nothing else is there.
bool SipStream::skip_blank_lines(Cursor& cursor) {
    if (to_skip_ != 0) {
        const auto size = std::min<std::uint64_t>(to_skip_, cursor.rest().size());
        cursor.at += static_cast<std::size_t>(size);
        to_skip_ -= size;
    }
    while (cursor.at < cursor.data.size() && is_line_end(cursor.data[cursor.at])) {
        if (cursor.data[cursor.at] == '\n') {
            ++blank_lines_;
            after_gap_ = false;
        }
        ++cursor.at;
    }
    return cursor.at < cursor.data.size();
}

void SipStream::skip_junk(Cursor& cursor, std::size_t size) {
    cursor.at += size;
    junk_ += size;
    searched_ = 0;
    in_step_ = false;
    after_gap_ = false;
}

// Whether `rest` begins with a message, of which the first line has `line_size` bytes.
//
// Out of step, the line may also be one of a message's body: a message/sipfrag or message/sip
// [RFC 3420, RFC 3261 §27.5]. A sipfrag is often a status line alone, so that a header has to
// follow. The line may have a body's last bytes before it, "helloBYE sip:...", and right after a
// gap it may lack its beginning, "VITE sip:..."; neither is an extension method.
SipStream::Verdict SipStream::is_start(std::string_view rest, std::size_t line_size) const {
    const auto line = rest.substr(0, line_size);
    if (!is_sip_start_line(line)) {
        return Verdict::No;
    }
    if (in_step_) {
        return Verdict::Yes;
    }
    if (!istarts_with(line, "SIP/") &&
        sip::method_of(line.substr(0, line.find_first_of(" \t"))) == sip::Method::Other &&
        (after_gap_ || (line_size <= max_junk_line && glued_sip_start_line(line) != 0))) {
        return Verdict::No;
    }
    constexpr std::size_t longest_name = 128;
    const auto header = rest.substr(line_size + 1, longest_name);
    for (const char c : header) {
        if (c == ':') {
            return header.front() == ':' ? Verdict::No : Verdict::Yes;
        }
        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.' && !is_blank(c)) {
            return Verdict::No;
        }
    }
    return header.size() < longest_name ? Verdict::NeedMore : Verdict::No;
}

bool SipStream::in_junk(Cursor& cursor) {
    const auto rest = cursor.rest();
    const auto end = find_line_end(rest, 0, rest.size());
    if (end == std::string_view::npos) {
        skip_junk(cursor, rest.size());
        return false;
    }
    skip_junk(cursor, end + 1);
    state_ = State::Between;
    return true;
}

bool SipStream::in_header(Cursor& cursor, Sink& sink) {
    const auto message = cursor.rest();
    const auto* const begin = message.data();
    const auto* const limit = begin + std::min(message.size(), max_header);
    const auto* line = begin + line_;
    const auto offset = [begin](const char* p) { return static_cast<std::uint32_t>(p - begin); };
    for (LineEnds ends{begin + searched_, limit};;) {
        const auto* end = ends.next();
        if (end == nullptr) {
            line_ = offset(line);
            if (message.size() < max_header) {
                searched_ = static_cast<std::uint32_t>(message.size());
                return false;
            }
            hand_on(cursor, max_header, true, sink);
            in_step_ = false;
            state_ = State::InJunk;
            return true;
        }
        const auto first = first_table[static_cast<unsigned char>(*line)];
        // Nearly all lines end here: they begin and end like no line that counts. "x.y" is how a
        // request line ends; the first line is behind us, so that there are bytes before.
        if (first == First::Other && end[-2] != '.' && end[-3] != '.') {
            line = end + 1;
            continue;
        }
        if (end == line || (end == line + 1 && *line == '\r')) {
            line_ = offset(end) + 1;
            end_header(cursor, sink);
            return true;
        }
        const std::string_view text{line, static_cast<std::size_t>(end - line)};
        if (const auto value = first == First::Length ? content_length_value(text) : 0;
            value != 0 && length_at_ == 0) {
            length_at_ = offset(line) + static_cast<std::uint32_t>(value);
        } else if (is_lost_start_line(text)) {
            hand_on(cursor, offset(line), true, sink);
            return true;
        }
        line = end + 1;
    }
}

// The header section is complete and has line_ bytes.
void SipStream::end_header(Cursor& cursor, Sink& sink) {
    // "If no body is present [...] the Content-Length [...] MUST be set to zero"; on a stream it is
    // mandatory [RFC 3261 §20.14, §18.3]. Without it, what follows shows whether there was a body.
    const auto header = cursor.data.substr(cursor.at, line_);
    const auto length = length_at_ == 0 ? 0 : parse_length(header.substr(length_at_));
    if (length > max_body) {
        hand_on(cursor, line_, true, sink);
        in_step_ = false;
        return;
    }
    const auto kept = std::min<std::uint64_t>(length, max_kept_body);
    size_ = line_ + static_cast<std::uint32_t>(kept);
    beyond_ = length - kept;
    state_ = State::Body;
}

bool SipStream::in_body(Cursor& cursor, Sink& sink) {
    if (cursor.rest().size() < size_) {
        return false;
    }
    to_skip_ = beyond_;
    hand_on(cursor, size_, beyond_ != 0, sink);
    in_step_ = length_at_ != 0;
    return true;
}

// Hands on the message at the cursor, which has `size` bytes, and goes on after it.
void SipStream::hand_on(Cursor& cursor, std::size_t size, bool truncated, Sink& sink) {
    sink.on_message(cursor.data.substr(cursor.at, size), truncated, cursor.by);
    cursor.at += size;
    state_ = State::Between;
    searched_ = 0;
    in_step_ = true;
}

void SipStream::keep(const Cursor& cursor) {
    const auto rest = cursor.rest();
    if (rest.empty()) {
        return;
    }
    if (!held_) {
        held_ = std::make_unique<Held>();
    }
    held_->text = rest;
    held_->by = cursor.by;
    held_->by.payload = {};
}

void SipStream::report_junk(Sink& sink) {
    if (junk_ != 0) {
        sink.on_junk(junk_);
        junk_ = 0;
    }
}

void SipStream::hand_on_partial(Sink& sink) {
    if (held_ && !held_->text.empty()) {
        if (state_ == State::Header || state_ == State::Body) {
            sink.on_message(held_->text, true, held_->by);
        } else {
            junk_ += held_->text.size();
        }
    }
    held_.reset();
    report_junk(sink);
}

void SipStream::on_gap(std::uint64_t /*missing*/, Sink& sink) {
    hand_on_partial(sink);
    state_ = State::Between;
    searched_ = 0;
    to_skip_ = 0;
    in_step_ = false;
    after_gap_ = true;
}

void SipStream::flush(Sink& sink) {
    hand_on_partial(sink);
    state_ = State::Between;
    searched_ = 0;
    to_skip_ = 0;
    in_step_ = true;
}

} // namespace cw::capture
