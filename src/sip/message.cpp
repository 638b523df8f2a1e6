#include "sip/message.hpp"

#include <algorithm>
#include <utility>

#include "base/scan.hpp"
#include "base/text.hpp"
#include "sip/chars.hpp"
#include "sip/usual_line.hpp"

namespace cw::sip {

void HeaderIndex::clear() {
    size_ = 0;
    first_.fill(0);
    repeated_ = {};
}

bool HeaderIndex::grow() {
    if (capacity_ >= max_headers) {
        return false;
    }
    const auto capacity = std::min(capacity_ * 4, max_headers);
    auto bigger = std::make_unique<Header[]>(capacity);
    std::copy_n(data_, size_, bigger.get());
    heap_ = std::move(bigger);
    data_ = heap_.get();
    capacity_ = capacity;
    return true;
}

const char* problem_text(Problem problem) {
    switch (problem) {
    case Problem::BareLf:
        return "a line ends with LF alone";
    case Problem::BareCr:
        return "a CR without LF within a line";
    case Problem::NoBlankLine:
        return "no empty line after the headers";
    case Problem::StartLineSpace:
        return "too much white space in the start line";
    case Problem::BadRequestLine:
        return "the request line is malformed";
    case Problem::BadStatusLine:
        return "the status code is not three digits";
    case Problem::BadVersion:
        return "the SIP version is malformed";
    case Problem::NotAHeader:
        return "a line among the headers is not a header";
    case Problem::TooManyHeaders:
        return "too many headers";
    case Problem::BadLength:
        return "Content-Length is not a number";
    case Problem::LengthsDiffer:
        return "several Content-Length headers that differ";
    case Problem::BodyTooShort:
        return "the body is shorter than Content-Length says";
    case Problem::TrailingOctets:
        return "octets after the end of the body";
    }
    std::unreachable();
}

// One pass over the bytes of one message.
class Indexer {
  public:
    Indexer(std::string_view bytes, HeaderIndex& index, MessageView& view)
        : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()), index_(index),
          view_(view) {}

    Result<void> run();

  private:
    // The rest of the line at at_, which moves to the next one. Without its line end.
    std::string_view line() {
        const auto* from = at_;
        const auto* p = find_first<'\r', '\n'>(at_, end_);
        if (end_ - p >= 2 && *p == '\r' && p[1] == '\n') {
            at_ = p + 2;
            return between(from, p);
        }
        return unusual_line(p);
    }
    std::string_view unusual_line(const char* p);
    Result<void> start_line(std::string_view text);
    bool usual_start_line(std::string_view text);
    bool usual_status_line(std::string_view text);
    void status_line(std::string_view text);
    bool request_line(std::string_view text);
    void headers();
    void usual_headers();
    void header_line();
    void no_header_line();
    void body();
    void note(Problem problem, const char* where);

    [[nodiscard]] std::size_t offset(const char* p) const {
        return static_cast<std::size_t>(p - begin_);
    }
    static std::string_view between(const char* from, const char* to) {
        return {from, static_cast<std::size_t>(to - from)};
    }

    const char* begin_;
    const char* at_; // start of the next line
    const char* end_;
    HeaderIndex& index_;
    MessageView& view_;
};

void Indexer::note(Problem problem, const char* where) {
    view_.problems_ |= 1U << static_cast<unsigned>(problem);
    if (view_.first_problem_.what == nullptr && problem != Problem::TrailingOctets) {
        view_.first_problem_ = {Code::Malformed, static_cast<std::uint32_t>(offset(where)),
                                problem_text(problem)};
    }
}

// What line() does where the first CR or LF, at `p`, is not a CRLF.
std::string_view Indexer::unusual_line(const char* p) {
    const auto* from = at_;
    while (p != end_) {
        if (*p == '\n') {
            note(Problem::BareLf, p);
            at_ = p + 1;
            return between(from, p);
        }
        if (p + 1 != end_ && p[1] == '\n') {
            at_ = p + 2;
            return between(from, p);
        }
        if (p + 1 == end_) {
            break; // the LF may have been cut off
        }
        note(Problem::BareCr, p);
        p = find_first<'\r', '\n'>(p + 1, end_);
    }
    note(Problem::NoBlankLine, end_);
    at_ = end_;
    return between(from, p);
}

bool is_sip(std::string_view text) {
    return text.size() >= 4 && text[3] == '/' && chars::is_word(text.substr(0, 3), "sip");
}

bool is_version(std::string_view text) {
    text.remove_prefix(4); // "SIP/", see is_sip()
    const auto dot = text.find('.');
    return dot != std::string_view::npos && dot != 0 && dot + 1 < text.size() &&
           chars::all(text.substr(0, dot), chars::Digit) &&
           chars::all(text.substr(dot + 1), chars::Digit);
}

// The place of the first blank; the end of the text when there is none.
std::size_t find_blank(std::string_view text) {
    const auto* at = find_first<' ', '\t'>(text.data(), text.data() + text.size());
    return static_cast<std::size_t>(at - text.data());
}

// Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF [RFC 3261 §7.2]. The phrase may be
// empty, and the SP before it is often missing then.
void Indexer::status_line(std::string_view text) {
    const auto* start = text.data();
    const auto version_end = find_blank(text);
    view_.version_ = text.substr(0, version_end);
    text.remove_prefix(version_end);
    std::size_t code = 0;
    while (code != text.size() && is_blank(text[code])) {
        ++code;
    }
    if (text.substr(0, code) != " ") {
        note(Problem::StartLineSpace, start);
    }
    text.remove_prefix(code);
    const auto code_end = find_blank(text);
    view_.method_text_ = text.substr(0, code_end);
    view_.reason_ = trim(text.substr(code_end));
    const auto status = parse_number<std::uint16_t>(view_.method_text_);
    if (view_.method_text_.size() != 3 || !status) {
        note(Problem::BadStatusLine, text.data());
        return;
    }
    view_.status_ = *status;
}

// Request-Line = Method SP Request-URI SP SIP-Version CRLF [RFC 3261 §7.1]. The version is looked
// for from the end, so that a Request-URI with spaces in it stays in one piece.
bool Indexer::request_line(std::string_view text) {
    const auto* start = text.data();
    const auto* end = start + text.size();
    const auto* method_end = find_first<' ', '\t'>(start, end);
    const auto* last = end;
    while (last != method_end && is_blank(last[-1])) {
        --last;
    }
    const auto* version = last;
    while (version != method_end && !is_blank(version[-1])) {
        --version;
    }
    if (version == method_end || method_end == start || !is_sip(between(version, last))) {
        return false;
    }
    view_.version_ = between(version, last);
    view_.method_text_ = between(start, method_end);
    view_.method_ = method_of(view_.method_text_);
    if (view_.method_ == Method::Other && !chars::is_token(view_.method_text_)) {
        if (!is_alpha(text.front())) {
            return false;
        }
        note(Problem::BadRequestLine, start);
    }
    view_.uri_ = trim(between(method_end, version));
    if (view_.uri_.empty()) {
        note(Problem::BadRequestLine, method_end);
    } else if (last != end || *method_end != ' ' || version[-1] != ' ' ||
               view_.uri_.size() + 2 != static_cast<std::size_t>(version - method_end)) {
        note(Problem::StartLineSpace, start);
    }
    return true;
}

// Is there something, which trim() would leave as it is?
bool is_trimmed(std::string_view text) {
    return !text.empty() && !chars::is(text.front(), chars::White) &&
           !chars::is(text.back(), chars::White);
}

// "SIP/2.0 200 OK", see usual_start_line(). `text` begins with the version and a space.
bool Indexer::usual_status_line(std::string_view text) {
    constexpr std::size_t code = 8; // where it begins
    constexpr std::size_t reason = 12;
    const auto* p = text.data();
    if (text.size() <= reason || !is_digit(p[code]) || !is_digit(p[code + 1]) ||
        !is_digit(p[code + 2]) || p[reason - 1] != ' ' || !is_trimmed(text.substr(reason))) {
        return false;
    }
    view_.version_ = text.substr(0, code - 1);
    view_.method_text_ = text.substr(code, 3);
    view_.status_ = static_cast<std::uint16_t>((p[code] - '0') * 100 + (p[code + 1] - '0') * 10 +
                                               (p[code + 2] - '0'));
    view_.reason_ = text.substr(reason);
    return true;
}

// A start line as nearly all are: a method that has an id, single spaces, "SIP/2.0". False, and
// nothing is done, when it is not so plain.
bool Indexer::usual_start_line(std::string_view text) {
    constexpr std::string_view first{"SIP/2.0 "};
    constexpr std::string_view last{" SIP/2.0"};
    if (text.starts_with(first)) {
        return usual_status_line(text);
    }
    if (!text.ends_with(last)) {
        return false;
    }
    const auto* end = text.data() + text.size() - last.size();
    const auto* method_end = find_first<' '>(text.data(), end);
    const auto name = between(text.data(), method_end);
    const auto method = method_of(name);
    if (method_end == end || method == Method::Other || !is_trimmed(between(method_end + 1, end))) {
        return false;
    }
    view_.request_ = true;
    view_.method_ = method;
    view_.method_text_ = name;
    view_.uri_ = between(method_end + 1, end);
    view_.version_ = between(end + 1, end + last.size());
    return true;
}

Result<void> Indexer::start_line(std::string_view text) {
    if (usual_start_line(text)) {
        return {};
    }
    const auto where = offset(text.data());
    const bool cut = view_.has(Problem::NoBlankLine); // the line has no end
    if (is_sip(text)) {
        if (cut && text.size() < 11) {
            return fail(Code::Truncated, where, "the bytes end within the start line");
        }
        status_line(text);
    } else if (request_line(text)) {
        view_.request_ = true;
    } else if (cut) {
        return fail(Code::Truncated, where, "the bytes end within the start line");
    } else {
        return fail(Code::Malformed, where, "not the start line of a SIP message");
    }
    if (view_.version_ != "SIP/2.0" && !is_version(view_.version_)) {
        note(Problem::BadVersion, view_.version_.data());
    }
    return {};
}

// A line at at_ that does not begin like a header: without a colon, or a fold with nothing before
// it.
void Indexer::no_header_line() {
    note(Problem::NotAHeader, at_);
    line();
}

// One header field at at_, which is not an empty line.
inline void Indexer::header_line() {
    const auto* from = at_;
    const auto* colon = find_first<':', '\r', '\n'>(from, end_);
    while (colon != end_ && *colon == '\r' && colon + 1 != end_ && colon[1] != '\n') {
        colon = find_first<':', '\r', '\n'>(colon + 1, end_); // a CR that ends no line
    }
    if (colon == end_ || *colon != ':') {
        no_header_line();
        return;
    }
    const auto* name_end = colon;
    while (name_end != from && is_blank(name_end[-1])) {
        --name_end;
    }
    view_.plain_ = view_.plain_ && name_end == colon;
    const auto name = between(from, name_end);
    const auto id = header_id(name);
    const auto* value = colon + 1;
    while (value != end_ && is_blank(*value)) {
        ++value;
    }
    at_ = value;
    auto text = line();
    // A line that begins with a blank continues the one before it [RFC 3261 §7.3.1].
    while (at_ != end_ && is_blank(*at_)) {
        view_.plain_ = false;
        const auto more = line();
        text = between(value, more.data() + more.size());
    }
    text = trim(text);
    if (id == HeaderId::Other && !chars::is_token(name)) {
        note(Problem::NotAHeader, from);
    } else if (!index_.add(id, name, text)) {
        note(Problem::TooManyHeaders, from);
    }
}

// Those from at_ on whose lines are usual.
inline void Indexer::usual_headers() {
    const auto* at = at_;
    const auto* const end = end_;
    auto& index = index_;
    for (usual::Line line; usual::read_line(at, end, line); at = line.end + 2) {
        if (!index.add(line.id, {at, line.name_length}, between(line.value, line.end))) {
            break;
        }
    }
    at_ = at;
}

void Indexer::headers() {
    while (true) {
        usual_headers();
        if (at_ == end_) {
            break;
        }
        if (*at_ == '\r' && at_ + 1 != end_ && at_[1] == '\n') {
            at_ += 2;
            return;
        }
        if (*at_ == '\n') {
            note(Problem::BareLf, at_);
            ++at_;
            return;
        }
        header_line();
    }
    note(Problem::NoBlankLine, end_);
}

void Indexer::body() {
    const auto* end = end_;
    const auto* length = index_.find(HeaderId::ContentLength);
    if (length != nullptr) {
        const auto there = static_cast<std::size_t>(end_ - at_);
        const auto announced = parse_short_number<std::uint32_t>(length->value);
        if (!announced) {
            note(Problem::BadLength, length->value.data());
        } else if (*announced > there) {
            note(Problem::BodyTooShort, at_);
        } else {
            end = at_ + *announced;
        }
        if (index_.repeated(HeaderId::ContentLength)) {
            const auto differs = [length](const Header& h) {
                return h.id == HeaderId::ContentLength && h.value != length->value;
            };
            if (std::ranges::any_of(index_.headers(), differs)) {
                note(Problem::LengthsDiffer, length->value.data());
            }
        }
        if (end != end_) {
            note(Problem::TrailingOctets, end);
        }
    }
    view_.body_ = between(at_, end);
    view_.bytes_ = between(begin_, end);
}

Result<void> Indexer::run() {
    index_.clear();
    view_.index_ = &index_;
    while (at_ != end_ && (*at_ == '\r' || *at_ == '\n')) {
        ++at_; // [RFC 3261 §7.5]: "SHOULD ignore any CRLF appearing before the start-line"
    }
    begin_ = at_;
    if (at_ == end_) {
        return fail(Code::Truncated, 0, "no start line");
    }
    if (const auto r = start_line(line()); !r) {
        return r;
    }
    headers();
    body();
    return {};
}

const Header* MessageView::find_by_name(std::string_view name) const {
    if (const auto id = header_id(name); id != HeaderId::Other) {
        return find(id);
    }
    for (const auto& header : headers()) {
        if (iequals(header.name, name)) {
            return &header;
        }
    }
    return nullptr;
}

Result<MessageView> index(std::string_view bytes, HeaderIndex& index) {
    Result<MessageView> result{std::in_place};
    if (const auto r = Indexer{bytes, index, *result}.run(); !r) {
        result = std::unexpected(r.error());
    }
    return result;
}

const char* refused_problem(const MessageView& message, const Policy& policy) {
    if (!message.first_problem()) {
        return nullptr;
    }
    const std::array<std::pair<Problem, bool>, 12> allowed{{
        {Problem::BadRequestLine, false},
        {Problem::BadStatusLine, false},
        {Problem::BadVersion, false},
        {Problem::StartLineSpace, policy.allow_start_line_space},
        {Problem::BareLf, policy.allow_bare_lf},
        {Problem::BareCr, policy.allow_bare_cr},
        {Problem::NoBlankLine, policy.allow_missing_blank_line},
        {Problem::NotAHeader, policy.allow_unreadable_headers},
        {Problem::TooManyHeaders, false},
        {Problem::BadLength, policy.allow_wrong_length},
        {Problem::LengthsDiffer, policy.allow_wrong_length},
        {Problem::BodyTooShort, policy.allow_wrong_length},
    }};
    for (const auto& [problem, is_allowed] : allowed) {
        if (!is_allowed && message.has(problem)) {
            return problem_text(problem);
        }
    }
    return nullptr;
}

Result<MessageView> parse(std::string_view bytes, HeaderIndex& index, const Policy& policy) {
    auto result = sip::index(bytes, index);
    const auto* wrong = result ? refused_problem(*result, policy) : nullptr;
    if (wrong != nullptr) {
        result = fail(Code::Malformed, result->first_problem()->offset, wrong);
    }
    return result;
}

std::string_view unfold(std::string_view value, std::string& buffer) {
    const auto* end = value.data() + value.size();
    const auto* line_break = find_first<'\r', '\n'>(value.data(), end);
    if (line_break == end) {
        return value;
    }
    buffer.clear();
    const auto* from = value.data();
    while (line_break != end) {
        const auto* text_end = line_break;
        while (text_end != from && is_blank(text_end[-1])) {
            --text_end;
        }
        buffer.append(from, text_end);
        buffer.push_back(' ');
        from = line_break;
        while (from != end && chars::is(*from, chars::White)) {
            ++from;
        }
        line_break = find_first<'\r', '\n'>(from, end);
    }
    buffer.append(from, end);
    return buffer;
}

} // namespace cw::sip
