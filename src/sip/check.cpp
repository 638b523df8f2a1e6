#include "sip/check.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "sip/content_type.hpp"
#include "sip/cseq.hpp"
#include "sip/cursor.hpp"
#include "sip/date.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/via.hpp"

namespace cw::sip {
namespace {

// Headers that "MUST NOT" be there twice: no list, and no exception either [RFC 3261 §7.3.1]. Those
// that decide about routing, matching or framing; a doubled Subject harms nobody.
constexpr std::array single_headers{
    HeaderId::From,           HeaderId::To,        HeaderId::CallId,
    HeaderId::CSeq,           HeaderId::Date,      HeaderId::MaxForwards,
    HeaderId::ContentLength,  HeaderId::Expires,   HeaderId::ContentType,
    HeaderId::Event,          HeaderId::RAck,      HeaderId::RSeq,
    HeaderId::SessionExpires, HeaderId::MinSe,     HeaderId::ReferTo,
    HeaderId::ReferredBy,     HeaderId::Replaces,  HeaderId::Join,
    HeaderId::TargetDialog,   HeaderId::SipETag,   HeaderId::SipIfMatch,
    HeaderId::SessionId,      HeaderId::Timestamp, HeaderId::SubscriptionState,
};

class Checker {
  public:
    Checker(const MessageView& message, const Via* top, Values& values, const Policy& policy)
        : message_(message), top_(top), policy_(policy), values_(values) {}

    Verdict run();

  private:
    // Each returns false when it refused.
    bool shape();
    bool start_line();
    bool request_uri();
    bool singles();
    bool vias();
    bool via(const Via& via);
    bool party(HeaderId id, std::optional<NameAddr>& value);
    bool addresses(HeaderId id);
    bool cseq();
    bool others();
    bool scheme();

    bool uri_quirk(HeaderId id, const Uri& uri);
    bool address_quirk(HeaderId id, const NameAddr& address);
    // Is there a value behind the comma? `text` then becomes it. Refuses a comma with nothing
    // behind.
    bool goes_on(HeaderId id, bool more, std::string_view rest, std::string_view& text);
    // Refuses; the offset is that of the header, or of `where`.
    bool refuse(HeaderId id, const char* what, std::uint16_t status = 400);

    const MessageView& message_;
    const Via* top_; // not to be read again; nullptr: not read yet
    const Policy& policy_;
    Values& values_;
    Verdict verdict_;
};

bool Checker::refuse(HeaderId id, const char* what, std::uint16_t status) {
    std::size_t offset = 0;
    if (const auto* header = message_.find(id); header != nullptr && id != HeaderId::Other) {
        offset = static_cast<std::size_t>(header->name.data() - message_.bytes().data());
    }
    verdict_ = {.ok = false,
                .status = message_.is_request() ? status : std::uint16_t{0},
                .header = id,
                .error = {Code::Malformed, static_cast<std::uint32_t>(offset), what}};
    return false;
}

bool Checker::start_line() {
    if (!message_.has(Problem::BadVersion) && !iequals(message_.version(), "SIP/2.0")) {
        return refuse(HeaderId::Other, "a version of SIP that is not 2.0", 505);
    }
    if (!message_.is_request()) {
        // "drop response" [RFC 4475 §3.1.2.19]
        return (message_.status() >= 100 && message_.status() <= 699) ||
               refuse(HeaderId::Other, "a status code that is not from 100 to 699");
    }
    return true;
}

bool Checker::shape() {
    if (message_.head().size() > policy_.max_head || message_.body().size() > policy_.max_body) {
        return refuse(HeaderId::Other, "larger than the limit", 513);
    }
    if (const auto* wrong = refused_problem(message_, policy_)) {
        refuse(HeaderId::Other, wrong);
        verdict_.error.offset = message_.first_problem()->offset;
        return false;
    }
    return true;
}

bool Checker::request_uri() {
    auto text = message_.request_uri();
    if (text.starts_with('<') || text.ends_with('>')) {
        if (!policy_.allow_bracketed_request_uri) {
            return refuse(HeaderId::Other, "the Request-URI is in <>");
        }
        text.remove_prefix(text.starts_with('<') ? 1 : 0);
        text.remove_suffix(text.ends_with('>') ? 1 : 0);
    }
    if (!policy_.allow_space_in_request_uri && has_any<' ', '\t'>(text)) {
        return refuse(HeaderId::Other, "white space in the Request-URI");
    }
    auto& uri = values_.request_uri.emplace();
    if (const auto r = parse_uri(text, uri); !r) {
        values_.request_uri.reset();
        return refuse(HeaderId::Other, r.error().what);
    }
    if (!uri.headers.empty() && !policy_.allow_headers_in_request_uri) {
        return refuse(HeaderId::Other, "header fields in the Request-URI");
    }
    return uri_quirk(HeaderId::Other, uri);
}

bool Checker::uri_quirk(HeaderId id, const Uri& uri) {
    return uri.quirk == nullptr || policy_.allow_unescaped_uri || refuse(id, uri.quirk);
}

bool Checker::address_quirk(HeaderId id, const NameAddr& address) {
    bool allowed = false;
    switch (address.quirk) {
    case AddrQuirk::None:
        allowed = true;
        break;
    case AddrQuirk::OpenQuote:
    case AddrQuirk::LooseDisplay:
        allowed = policy_.allow_sloppy_display_name;
        break;
    case AddrQuirk::Spaces:
        allowed = policy_.allow_spaces_in_addr_spec;
        break;
    case AddrQuirk::Unbracketed:
        allowed = policy_.allow_unbracketed_uri;
        break;
    case AddrQuirk::BadUri:
        break;
    case AddrQuirk::BadParam:
        allowed = policy_.allow_bad_params;
        break;
    }
    return (allowed || refuse(id, quirk_text(address.quirk))) && uri_quirk(id, address.uri);
}

bool Checker::singles() {
    static constexpr HeaderSet singles{single_headers};
    if (message_.repeated(singles)) {
        const auto* id = std::ranges::find_if(
            single_headers, [this](HeaderId one) { return message_.repeated(one); });
        return refuse(*id, "a header that may be there only once");
    }
    for (const auto id :
         {HeaderId::Via, HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq}) {
        if (!message_.has(id)) {
            return refuse(id, "a header that every message must have is not there");
        }
    }
    return true;
}

bool Checker::goes_on(HeaderId id, bool more, std::string_view rest, std::string_view& text) {
    if (more && trim(rest).empty()) {
        if (!policy_.allow_bad_params) {
            refuse(id, "a comma with nothing behind it");
        }
        return false;
    }
    text = rest;
    return more;
}

bool Checker::via(const Via& via) {
    if (via.quirk != nullptr && !policy_.allow_bad_params) {
        return refuse(HeaderId::Via, via.quirk);
    }
    if (via.branch.size() == 7 && via.has_cookie()) {
        // [RFC 4475 §3.2.1]: the magic cookie alone identifies no transaction
        return refuse(HeaderId::Via, "a branch without an identifier");
    }
    return policy_.allow_rfc2543 || via.has_cookie() ||
           refuse(HeaderId::Via, "a branch without the magic cookie");
}

bool Checker::vias() {
    const auto* read = top_;
    for (const auto& header : message_.headers()) {
        if (header.id != HeaderId::Via) {
            continue;
        }
        for (auto text = header.value; verdict_.ok;) {
            const auto parsed = read != nullptr ? Result<Via>{*read} : parse_via(text);
            read = nullptr;
            if (!parsed) {
                return refuse(HeaderId::Via, parsed.error().what);
            }
            if (!via(*parsed) || !goes_on(HeaderId::Via, parsed->more, parsed->rest, text)) {
                break;
            }
        }
    }
    return verdict_.ok;
}

// From, To: exactly one address.
bool Checker::party(HeaderId id, std::optional<NameAddr>& value) {
    const auto address = parse_name_addr(message_.value(id));
    if (!address) {
        return refuse(id, address.error().what);
    }
    value = *address;
    if (address->star || address->more) {
        return refuse(id, "more or other than one address");
    }
    if (id == HeaderId::From && address->tag.empty() && !policy_.allow_rfc2543) {
        return refuse(id, "From without a tag");
    }
    return address_quirk(id, *address);
}

// Contact, Route, Record-Route: lists of addresses.
bool Checker::addresses(HeaderId id) {
    if (!message_.has(id)) {
        return true;
    }
    for (const auto& header : message_.headers()) {
        if (header.id != id) {
            continue;
        }
        for (auto text = header.value; verdict_.ok;) {
            const auto address = parse_name_addr(text);
            if (!address) {
                return refuse(id, address.error().what);
            }
            if (address->star) {
                // "the "*" [...] applies to all registrations" and stands alone [RFC 3261 §10.2.2]
                return (id == HeaderId::Contact && !message_.repeated(id) &&
                        header.value.data() == text.data()) ||
                       refuse(id, "a * that does not stand alone");
            }
            if (!address_quirk(id, *address)) {
                return false;
            }
            if (id != HeaderId::Contact && !address->bracketed && !policy_.allow_unbracketed_uri) {
                return refuse(id, "a route that is not inside <>");
            }
            if (!goes_on(id, address->more, address->rest, text)) {
                break;
            }
        }
    }
    return verdict_.ok;
}

bool Checker::cseq() {
    const auto cseq = parse_cseq(message_.value(HeaderId::CSeq));
    if (!cseq) {
        return refuse(HeaderId::CSeq, cseq.error().what);
    }
    // "The sequence number value MUST be expressible as a 32-bit unsigned integer and MUST be less
    // than 2**31." [RFC 3261 §8.1.1.5]
    if (cseq->number >= 0x8000'0000U) {
        return refuse(HeaderId::CSeq, "a CSeq number of 2^31 or more");
    }
    if (message_.is_request() && cseq->method_text != message_.method_text()) {
        return refuse(HeaderId::CSeq, "CSeq names another method than the request line");
    }
    return true;
}

bool Checker::others() {
    const auto call_id = message_.value(HeaderId::CallId);
    if (call_id.empty() || has_any<' ', '\t', '\r', '\n'>(call_id)) {
        return refuse(HeaderId::CallId, "Call-ID is empty, or more than one word");
    }
    if (message_.is_request()) {
        const auto* hops = message_.find(HeaderId::MaxForwards);
        if (hops == nullptr && !policy_.allow_rfc2543) {
            return refuse(HeaderId::MaxForwards, "a request without Max-Forwards");
        }
        // "an integer in the range 0-255" [RFC 3261 §20.22]
        if (hops != nullptr && !parse_number<std::uint8_t>(hops->value)) {
            return refuse(HeaderId::MaxForwards, "Max-Forwards is not a number from 0 to 255");
        }
    }
    if (const auto* date = message_.find(HeaderId::Date);
        date != nullptr && !policy_.allow_bad_date && !parse_date(date->value)) {
        return refuse(HeaderId::Date, "Date is not a date in GMT");
    }
    const auto* type = message_.find(HeaderId::ContentType);
    if (type != nullptr && !message_.body().empty() && !parse_content_type(type->value)) {
        return refuse(HeaderId::ContentType, "Content-Type is malformed");
    }
    return true;
}

// "If the Request-URI uses a scheme not supported by the server, it SHOULD reject the request with
// a 416 (Unsupported URI Scheme) response." [RFC 3261 §8.2.2.1]
bool Checker::scheme() {
    return values_.request_uri->scheme != Scheme::Other ||
           refuse(HeaderId::Other, "the scheme of the Request-URI is not known", 416);
}

Verdict Checker::run() {
    const bool fit = start_line() && shape() && (!message_.is_request() || request_uri()) &&
                     singles() && vias() && party(HeaderId::From, values_.from) &&
                     party(HeaderId::To, values_.to) && cseq() && addresses(HeaderId::Contact) &&
                     addresses(HeaderId::Route) && addresses(HeaderId::RecordRoute) && others() &&
                     (!message_.is_request() || scheme());
    verdict_.ok = fit;
    return verdict_;
}

} // namespace

Values read_values(const MessageView& message) {
    Values values;
    if (const auto uri = parse_uri(message.request_uri())) {
        values.request_uri = *uri;
    }
    if (const auto from = parse_name_addr(message.value(HeaderId::From))) {
        values.from = *from;
    }
    if (const auto to = parse_name_addr(message.value(HeaderId::To))) {
        values.to = *to;
    }
    return values;
}

Verdict check(const MessageView& message, const Policy& policy) {
    Values values;
    return Checker{message, nullptr, values, policy}.run();
}

Verdict check(const MessageView& message, const Via& top, Values& values, const Policy& policy) {
    return Checker{message, &top, values, policy}.run();
}

std::string_view unsupported_option(const MessageView& message, HeaderId id,
                                    std::span<const std::string_view> supported) {
    ValueCursor values{message, id};
    while (const auto option = values.next()) {
        const auto known = [&option](std::string_view s) { return iequals(s, *option); };
        if (std::ranges::none_of(supported, known)) {
            return *option;
        }
    }
    return {};
}

} // namespace cw::sip
