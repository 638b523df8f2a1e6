#include "sip/multipart.hpp"

#include <utility>

#include "base/scan.hpp"
#include "base/text.hpp"
#include "sip/params.hpp"

namespace cw::sip {
namespace {

constexpr std::size_t max_boundary = 70; // [RFC 2046 §5.1.1]

// One line off the front of `text`, without its line end.
std::string_view take_line(std::string_view& text) {
    const auto* begin = text.data();
    const auto* lf = find_first<'\n'>(begin, begin + text.size());
    auto line = text.substr(0, static_cast<std::size_t>(lf - begin));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

// The value of the first header whose name fits.
template <class Fits>
std::string_view value_in(std::string_view text, Fits fits) {
    while (!text.empty()) {
        const auto line = take_line(text);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !fits(trim(line.substr(0, colon)))) {
            continue;
        }
        const auto* from = line.data() + colon + 1;
        const auto* to = line.data() + line.size();
        while (!text.empty() && is_blank(text.front())) {
            const auto more = take_line(text);
            to = more.data() + more.size();
        }
        return trim({from, static_cast<std::size_t>(to - from)});
    }
    return {};
}

} // namespace

std::string_view BodyPart::value(HeaderId id) const {
    return value_in(headers, [&](std::string_view name) {
        return id != HeaderId::Other && header_id(name) == id;
    });
}

std::string_view BodyPart::value(std::string_view wanted) const {
    return value_in(headers, [&](std::string_view name) { return iequals(name, wanted); });
}

BodyPart BodyPart::of(std::string_view bytes) {
    BodyPart part;
    part.bytes = bytes;
    auto rest = bytes;
    while (!rest.empty()) {
        const auto* line = rest.data();
        if (take_line(rest).empty()) {
            part.headers = bytes.substr(0, static_cast<std::size_t>(line - bytes.data()));
            part.content = rest;
            return part;
        }
    }
    part.headers = bytes; // no empty line, so no content
    part.content = bytes.substr(bytes.size());
    return part;
}

std::optional<ContentType> BodyPart::content_type() const {
    const auto text = value(HeaderId::ContentType);
    const auto type = parse_content_type(text.empty() ? "text/plain" : text);
    return type ? std::optional{*type} : std::nullopt;
}

Result<Multipart> Multipart::open(std::string_view body, const ContentType& type) {
    Multipart out;
    out.body_ = body;
    out.boundary_ = find_param(type.params, "boundary").value_or(std::string_view{});
    if (!iequals(type.type, "multipart")) {
        return fail(Code::Malformed, 0, "not a multipart");
    }
    if (out.boundary_.empty() || out.boundary_.size() > max_boundary) {
        return fail(Code::Malformed, 0, "a multipart without a boundary");
    }
    const auto first = out.find_delimiter(); // what stands before it is to be ignored
    if (!first) {
        return fail(Code::Malformed, 0, "a multipart without its delimiter");
    }
    out.at_ = first->end;
    out.closed_ = first->last;
    return out;
}

// The next line that is "--" and the boundary, with blanks and perhaps "--" behind it. A line that
// only begins like that is no delimiter.
std::optional<Multipart::Delimiter> Multipart::find_delimiter() const {
    auto text = body_.substr(at_);
    while (!text.empty()) {
        const auto begin = static_cast<std::size_t>(text.data() - body_.data());
        auto line = take_line(text);
        if (!line.starts_with("--") || !line.substr(2).starts_with(boundary_)) {
            continue;
        }
        line.remove_prefix(2 + boundary_.size());
        const bool last = line.starts_with("--");
        if (!trim(last ? line.substr(2) : line).empty()) {
            continue;
        }
        auto before = begin;
        if (before > at_ && body_[before - 1] == '\n') {
            --before;
            before -= before > at_ && body_[before - 1] == '\r' ? 1 : 0;
        }
        return Delimiter{before, static_cast<std::size_t>(text.data() - body_.data()), last};
    }
    return std::nullopt;
}

std::optional<BodyPart> Multipart::next() {
    if (closed_ || at_ >= body_.size()) {
        return std::nullopt;
    }
    const auto start = at_;
    const auto delimiter = find_delimiter();
    const auto end = delimiter ? delimiter->begin : body_.size();
    at_ = delimiter ? delimiter->end : body_.size();
    closed_ = delimiter && delimiter->last;

    return BodyPart::of(body_.substr(start, end - start));
}

LeafCursor::LeafCursor(std::string_view body, std::string_view type) {
    const BodyPart whole{body, body.substr(0, 0), body};
    const auto parsed = parse_content_type(type);
    if (!parsed) {
        single_ = Leaf{whole, {}};
    } else if (!open(whole, *parsed)) {
        single_ = Leaf{whole, *parsed};
    }
}

bool LeafCursor::open(const BodyPart& part, const ContentType& type) {
    if (depth_ == max_depth) {
        return false;
    }
    const auto inner = Multipart::open(part.content, type);
    if (!inner) {
        return false;
    }
    stack_[depth_++] = *inner;
    return true;
}

std::optional<LeafCursor::Leaf> LeafCursor::next() {
    if (single_) {
        return std::exchange(single_, std::nullopt);
    }
    while (depth_ > 0 && parts_ < max_parts) {
        const auto part = stack_[depth_ - 1]->next();
        if (!part) {
            --depth_;
            continue;
        }
        ++parts_;
        const auto type = part->content_type();
        if (!type) {
            return Leaf{*part, {}};
        }
        if (!open(*part, *type)) {
            return Leaf{*part, *type};
        }
    }
    return std::nullopt;
}

} // namespace cw::sip
