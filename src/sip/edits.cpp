#include "sip/edits.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "sip/list.hpp"

namespace cw::sip {
namespace {

const char* end_of(std::string_view text) {
    return text.data() + text.size();
}
std::string_view between(const char* from, const char* to) {
    return {from, static_cast<std::size_t>(to - from)};
}

} // namespace

std::string_view line_of(const MessageView& message, const Header& header) {
    const auto* end = end_of(message.head());
    const auto* p = end_of(header.value);
    while (p != end) {
        const auto ended = *p++ == '\n';
        if (ended && (p == end || !is_blank(*p))) {
            break;
        }
    }
    return between(header.name.data(), p);
}

void Edits::begin(const MessageView& message) {
    message_ = &message;
    edits_.clear();
    texts_.clear();
}

std::uint32_t Edits::offset(const char* p) const {
    return static_cast<std::uint32_t>(p - message_->bytes().data());
}

void Edits::replace(std::string_view part, std::string_view text) {
    edits_.push_back({offset(part.data()), offset(end_of(part)),
                      static_cast<std::uint32_t>(texts_.size()),
                      static_cast<std::uint32_t>(text.size())});
    texts_ += text;
}

void Edits::insert(const char* at, std::string_view text) {
    replace({at, 0}, text);
}

void Edits::insert_on_top(std::string_view lines) {
    const auto headers = message_->headers();
    insert(headers.empty() ? end_of(message_->head()) : headers.front().name.data(), lines);
}

void Edits::insert_below(std::string_view lines) {
    const auto headers = message_->headers();
    insert(headers.empty() ? end_of(message_->head()) : end_of(line_of(*message_, headers.back())),
           lines);
}

void Edits::remove_line(const Header& header) {
    remove(line_of(*message_, header));
}

void Edits::remove_first_values(HeaderId id, std::size_t count) {
    for (const auto& header : message_->headers()) {
        if (count == 0) {
            return;
        }
        if (header.id != id) {
            continue;
        }
        ListCursor values{header.value};
        auto value = values.next();
        const auto* from = header.value.data();
        while (value && count != 0) {
            --count;
            value = values.next();
        }
        if (value) {
            remove(between(from, value->data()));
        } else {
            remove_line(header);
        }
    }
}

void Edits::normalise() {
    if (message_->is_plain()) {
        return;
    }
    for (const auto& header : message_->headers()) {
        const auto* name_end = end_of(header.name);
        if (*name_end != ':') {
            remove(between(name_end, std::find(name_end, header.value.data(), ':')));
        }
        // Before the value, in it, and behind it.
        const auto* begin = header.value.data();
        const auto* end = end_of(header.value);
        const auto* colon = std::find(name_end, begin, ':');
        if (colon != begin && std::find(colon, begin, '\r') != begin) {
            replace(between(colon + 1, begin), " ");
        }
        for (const auto* p = std::find(begin, end, '\r'); p != end; p = std::find(p, end, '\r')) {
            const auto* from = p;
            while (p != end && (is_blank(*p) || *p == '\r' || *p == '\n')) {
                ++p;
            }
            replace(between(from, p), " ");
        }
        if (const auto* stop = end_of(line_of(*message_, header));
            stop - end > 2 && std::find(end, stop - 2, '\r') != stop - 2) {
            remove(between(end, stop - 2));
        }
    }
}

void Edits::apply(std::string& out) {
    const auto bytes = message_->bytes();
    const auto earlier = [](const Edit& a, const Edit& b) { return a.begin < b.begin; };
    if (!std::ranges::is_sorted(edits_, earlier)) {
        std::ranges::stable_sort(edits_, earlier);
    }
    std::uint32_t at = 0;
    for (const auto& edit : edits_) {
        if (edit.begin < at) {
            continue; // within what was removed
        }
        out.append(bytes, at, edit.begin - at);
        out.append(texts_, edit.text, edit.text_size);
        at = edit.end;
    }
    out.append(bytes, at, bytes.size() - at);
}

} // namespace cw::sip
