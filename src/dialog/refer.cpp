#include "dialog/refer.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;

bool is_plain(char c) {
    return is_alpha(c) || is_digit(c) ||
           std::string_view{"-_.!~*'()[]/?:+$"}.find(c) != std::string_view::npos;
}

// Headers of a URI that would change who we are, what we can or where we go are not taken over
// [RFC 3261 §19.1.5].
constexpr auto refused_headers = std::to_array<HeaderId>({
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::Via,
    HeaderId::RecordRoute,
    HeaderId::Route,
    HeaderId::Contact,
    HeaderId::MaxForwards,
    HeaderId::Accept,
    HeaderId::AcceptEncoding,
    HeaderId::AcceptLanguage,
    HeaderId::Allow,
    HeaderId::Organization,
    HeaderId::Supported,
    HeaderId::UserAgent,
    HeaderId::Require,
    HeaderId::ContentType,
    HeaderId::ContentLength,
    HeaderId::Authorization,
    HeaderId::ProxyAuthorization,
});

bool may_follow(std::string_view name) {
    return std::ranges::find(refused_headers, sip::header_id(name)) == refused_headers.end();
}

void read_headers(std::string_view headers, Reference& out) {
    while (!headers.empty() && out.headers.size() < max_reference_headers) {
        const auto end = std::min(headers.find('&'), headers.size());
        const auto one = headers.substr(0, end);
        headers.remove_prefix(std::min(end + 1, headers.size()));
        const auto equals = one.find('=');
        const auto name = sip::unescape(one.substr(0, equals));
        const auto value = equals == std::string_view::npos ? std::string{}
                                                            : sip::unescape(one.substr(equals + 1));
        if (sip::header_id(name) == HeaderId::Replaces) {
            out.replaces = value;
        } else if (sip::chars::is_token(name) && !iequals(name, "body") && may_follow(name)) {
            out.headers.push_back({name, value});
        }
    }
}

} // namespace

Result<Reference> parse_refer_to(std::string_view value) {
    const auto name = sip::parse_name_addr(value);
    if (!name) {
        return std::unexpected(name.error());
    }
    const auto& uri = name->uri;
    if (name->more || (uri.scheme != sip::Scheme::Sip && uri.scheme != sip::Scheme::Sips)) {
        return fail(Code::Malformed, 0, "Refer-To is not one SIP URI");
    }
    Reference out;
    const auto tail = uri.params.size() + (uri.headers.empty() ? 0 : uri.headers.size() + 1);
    out.uri = uri.text.substr(0, uri.text.size() - tail);
    sip::ParamCursor params{uri.params};
    for (sip::Param param; params.next(param);) {
        if (iequals(param.name, "method")) {
            out.method = sip::unescape(param.value);
            continue;
        }
        out.uri += ';';
        out.uri += param.name;
        out.uri += param.has_value ? "=" : "";
        out.uri += param.value;
    }
    if (!sip::chars::is_token(out.method)) {
        return fail(Code::Malformed, 0, "Refer-To with a method that is none");
    }
    read_headers(uri.headers, out);
    return out;
}

std::uint16_t read_refer(const sip::MessageView& refer, Reference& reference) {
    // "MUST return a 400 (Bad Request) if the request contained zero or more than one Refer-To
    // header field values" [RFC 3515 §2.4.2]
    if (!refer.has(HeaderId::ReferTo) || refer.repeated(HeaderId::ReferTo)) {
        return 400;
    }
    const auto value = refer.value(HeaderId::ReferTo);
    auto parsed = parse_refer_to(value);
    if (!parsed) {
        const auto name = sip::parse_name_addr(value);
        const bool other_scheme =
            name && !name->more &&
            (name->uri.scheme == sip::Scheme::Tel || name->uri.scheme == sip::Scheme::Other);
        return other_scheme ? 416 : 400;
    }
    reference = std::move(*parsed);
    reference.referred_by = refer.value(HeaderId::ReferredBy);
    reference.wants_subscription = !istarts_with(trim(refer.value(HeaderId::ReferSub)), "false");
    return 0;
}

std::string escape_uri_header(std::string_view text) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const auto c : text) {
        if (is_plain(c)) {
            out += c;
        } else {
            const auto byte = static_cast<std::uint8_t>(c);
            out += '%';
            out += hex[byte >> 4];
            out += hex[byte & 15];
        }
    }
    return out;
}

std::string refer_to(std::string_view uri, std::string_view replaces, std::string_view method) {
    std::string out{"<"};
    out += uri;
    if (!method.empty()) {
        out += ";method=";
        out += method;
    }
    if (!replaces.empty()) {
        out += "?Replaces=";
        out += escape_uri_header(replaces);
    }
    return out + ">";
}

void follow(const Reference& reference, Changes& changes) {
    if (!reference.replaces.empty()) {
        changes.with("Replaces", reference.replaces);
    }
    if (!reference.referred_by.empty()) {
        // "MUST copy any Referred-By header field value" into the referenced request [RFC 3892
        // §2.2]
        changes.with("Referred-By", reference.referred_by);
    }
    for (const auto& header : reference.headers) {
        changes.with(header.name, header.value);
    }
}

std::string sipfrag(std::uint16_t status, std::string_view reason) {
    std::string out{"SIP/2.0 "};
    out += std::to_string(status);
    out += ' ';
    out += reason.empty() ? reason_phrase(status) : reason;
    return out + "\r\n";
}

std::optional<std::uint16_t> sipfrag_status(std::string_view body) {
    if (!istarts_with(body, "SIP/2.0 ") || body.size() < 11) {
        return std::nullopt;
    }
    const auto status = parse_number<std::uint16_t>(body.substr(8, 3));
    return status && *status >= 100 && *status < 700 ? status : std::nullopt;
}

} // namespace cw::dialog
