// The SIP parser: framing whole and in pieces, index, parse, check, and every value parser. The
// first byte of the input chooses the policy and where the stream is cut.
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "sip/check.hpp"
#include "sip/content_type.hpp"
#include "sip/cseq.hpp"
#include "sip/date.hpp"
#include "sip/dialog_id.hpp"
#include "sip/event.hpp"
#include "sip/frame.hpp"
#include "sip/list.hpp"
#include "sip/multipart.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/rack.hpp"
#include "sip/reason.hpp"
#include "sip/session_expires.hpp"
#include "sip/via.hpp"

namespace {

using namespace cw;
using namespace cw::sip;

bool within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

Policy policy_from(unsigned bits) {
    auto p = Policy::strict();
    p.allow_bare_lf = (bits & 1) != 0;
    p.allow_missing_length_on_stream = (bits & 2) != 0;
    p.allow_wrong_length = (bits & 4) != 0;
    p.max_head = 4096;
    p.max_body = (bits & 8) != 0 ? 64 : 65'536;
    return p;
}

// The frames of a stream that comes in pieces of `step` bytes, ended by -1 for an error.
std::vector<std::size_t> frames(Bytes stream, std::size_t step, const Policy& policy) {
    std::vector<std::size_t> out;
    Framer framer{policy};
    std::size_t from = 0;
    for (auto there = std::min(step, stream.size());;) {
        const auto r = framer.next(stream.subspan(from, there - from));
        if (const auto* frame = std::get_if<Frame>(&r)) {
            require(frame->size() > 0 && frame->size() <= there - from);
            out.push_back(frame->head);
            out.push_back(frame->body);
            from += frame->size();
        } else if (std::holds_alternative<Error>(r)) {
            out.push_back(static_cast<std::size_t>(-1));
            return out;
        } else if (there == stream.size()) {
            return out;
        } else {
            there = std::min(there + step, stream.size());
        }
    }
}

void fuzz_uri(std::string_view text) {
    const auto uri = parse_uri(text);
    if (!uri) {
        return;
    }
    for (const auto part : {uri->user, uri->password, uri->host, uri->params, uri->headers}) {
        require(within(part, text));
    }
    require(same_uri(*uri, *uri));
    host_address(*uri);
    require(unescape(text).size() <= text.size());
}

void fuzz_addresses(std::string_view text) {
    std::string buffer;
    for (int i = 0; i < 1000; ++i) {
        const auto a = parse_name_addr(text);
        if (!a) {
            return;
        }
        for (const auto part : {a->display, a->uri_text, a->params, a->tag, a->rest, a->uri.host}) {
            require(within(part, text));
        }
        fuzz_uri(a->uri_text);
        unquote(a->display, buffer);
        ParamCursor params{a->params};
        for (Param p; params.next(p);) {
            require(within(p.name, text) && within(p.value, text));
        }
        if (!a->more) {
            return;
        }
        require(a->rest.size() < text.size());
        text = a->rest;
    }
}

void fuzz_vias(std::string_view text) {
    for (int i = 0; i < 1000; ++i) {
        const auto via = parse_via(text);
        if (!via) {
            return;
        }
        for (const auto part : {via->host, via->branch, via->received, via->params, via->rest}) {
            require(within(part, text));
        }
        if (!via->more) {
            return;
        }
        require(via->rest.size() < text.size());
        text = via->rest;
    }
}

void fuzz_value(const Header& header) {
    const auto value = header.value;
    std::string buffer;
    require(unfold(value, buffer).find('\n') == std::string_view::npos);
    ListCursor list{value};
    while (const auto item = list.next()) {
        require(within(*item, value) && !item->empty());
    }
    static_cast<void>(parse_cseq(value));
    static_cast<void>(parse_date(value));
    static_cast<void>(parse_dialog_id(value));
    static_cast<void>(parse_session_id(value));
    static_cast<void>(parse_event(value));
    static_cast<void>(parse_subscription_state(value));
    static_cast<void>(parse_rack(value));
    static_cast<void>(parse_reason(value));
    static_cast<void>(parse_warning(value));
    static_cast<void>(parse_session_expires(value));
    static_cast<void>(parse_content_disposition(value));
    fuzz_vias(value);
    fuzz_addresses(value);
}

// Framer and index must see the same message, or one of them can be fooled.
void compare_frame(Bytes stream) {
    const auto tolerant = Policy::tolerant();
    const auto r = frame(stream, tolerant);
    const auto* framed = std::get_if<Frame>(&r);
    if (framed == nullptr || framed->kind != Frame::Kind::Message) {
        return;
    }
    HeaderIndex headers;
    const auto bytes = as_text(stream.first(framed->size()));
    const auto message = index(bytes, headers);
    if (message && bytes.front() != '\r' && !message->has(Problem::TooManyHeaders)) {
        require(message->head().size() == framed->head);
        require(message->body().size() == framed->body);
    }
}

void fuzz_message(std::string_view text) {
    HeaderIndex headers;
    HeaderIndex again;
    const auto message = index(text, headers);
    const auto strict = parse(text, again, Policy::strict());
    const auto tolerant = parse(text, again, Policy::tolerant());
    // What strict takes, tolerant takes; what tolerant takes can be indexed.
    require(!strict || tolerant);
    require(!tolerant || message);
    if (!message) {
        return;
    }
    require(message->first_problem() || strict);
    require(within(message->bytes(), text) && within(message->body(), text));
    require(message->head().size() + message->body().size() == message->bytes().size());
    require(message->headers().size() <= HeaderIndex::max_headers);
    for (const auto& header : message->headers()) {
        require(within(header.name, message->head()) && within(header.value, message->head()));
        require(header.id == HeaderId::Other || message->find(header.id)->id == header.id);
        fuzz_value(header);
    }
    fuzz_uri(message->request_uri());
    const auto verdict = check(*message, Policy::strict());
    require(!verdict.ok || check(*message, Policy::tolerant()).ok);
    require(verdict.ok || *verdict.error.what != '\0');
    require(!verdict.ok || strict);
    LeafCursor leaves{message->body(), message->value(HeaderId::ContentType)};
    while (const auto leaf = leaves.next()) {
        require(within(leaf->part.content, text));
    }
    static_cast<void>(unsupported_option(*message, HeaderId::Require, {}));
}

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    if (input.empty()) {
        return;
    }
    const auto stream = input.subspan(1);
    const auto policy = policy_from(input[0] & 15U);
    const auto whole = frames(stream, stream.size(), policy);
    require(frames(stream, 1, policy) == whole);
    require(frames(stream, 1 + input[0] / 16U, policy) == whole);
    looks_like_sip(stream);
    require(find_message(stream, 0) <= stream.size());
    compare_frame(stream);
    fuzz_message(as_text(stream));
}
