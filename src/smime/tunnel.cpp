#include "smime/tunnel.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "sip/content_type.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri.hpp"

namespace cw::smime {

namespace {

using sip::HeaderId;

constexpr std::size_t most_told = 32;

// [RFC 3261 §23.4.1.1] "Header fields that can be legitimately modified by proxy servers are:
// Request-URI, Via, Record-Route, Route, Max-Forwards, and Proxy-Authorization." Extensions have
// added those that stand behind: what a trust domain asserts or withholds, and what is agreed on
// hop by hop.
bool may_change_on_the_way(HeaderId id) {
    constexpr std::array free{HeaderId::Via,
                              HeaderId::RecordRoute,
                              HeaderId::Route,
                              HeaderId::MaxForwards,
                              HeaderId::ProxyAuthorization,
                              HeaderId::Diversion,
                              HeaderId::FeatureCaps,
                              HeaderId::FlowTimer,
                              HeaderId::HistoryInfo,
                              HeaderId::Identity,
                              HeaderId::IdentityInfo,
                              HeaderId::MaxBreadth,
                              HeaderId::MinSe,
                              HeaderId::PAccessNetworkInfo,
                              HeaderId::PAssertedIdentity,
                              HeaderId::PAssertedService,
                              HeaderId::PAssociatedUri,
                              HeaderId::PCalledPartyId,
                              HeaderId::PChargeInfo,
                              HeaderId::PChargingFunctionAddresses,
                              HeaderId::PChargingVector,
                              HeaderId::PEarlyMedia,
                              HeaderId::PPreferredIdentity,
                              HeaderId::PPreferredService,
                              HeaderId::PServedUser,
                              HeaderId::PUserDatabase,
                              HeaderId::PVisitedNetworkId,
                              HeaderId::Path,
                              HeaderId::Privacy,
                              HeaderId::RemotePartyId,
                              HeaderId::SecurityClient,
                              HeaderId::SecurityServer,
                              HeaderId::SecurityVerify,
                              HeaderId::ServiceRoute,
                              HeaderId::SessionExpires};
    return std::ranges::find(free, id) != free.end();
}

// [RFC 3261 §23.4.1.2] What is encrypted may say otherwise, and is then what counts, but for what
// names the dialog and, in so many words, Date.
bool has_to_agree_when_encrypted(HeaderId id) {
    return id == HeaderId::CallId || id == HeaderId::CSeq || id == HeaderId::Contact ||
           id == HeaderId::Date;
}

// [RFC 3261 §23.4.1.2] "If a SIP UA encounters an unknown header field with an integrity violation,
// it MUST ignore the header field": that field, not the message.
bool is_compared(HeaderId id, bool encrypted) {
    return id != HeaderId::Other && !may_change_on_the_way(id) &&
           (!encrypted || has_to_agree_when_encrypted(id));
}

// [RFC 3261 §23.4.1.2] The outer message has "the proper MIME header fields for S/MIME bodies".
bool is_of_the_body(std::string_view name) {
    return istarts_with(name, "Content-") || iequals(name, "MIME-Version");
}

// [RFC 3261 §7.3.1, §25.1] Runs of white space, folds too, are one blank, and none beside a
// separator; within quotes all of it counts.
std::string tightened(std::string_view text) {
    constexpr std::string_view separators = ",;=<>";
    std::string out;
    bool quoted = false;
    bool blank = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (!quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
            blank = true;
            continue;
        }
        const bool beside =
            out.empty() || separators.contains(out.back()) || separators.contains(c);
        if (blank && !beside) {
            out += ' ';
        }
        blank = false;
        out += c;
        if (quoted && c == '\\' && i + 1 < text.size()) {
            out += text[++i];
        } else if (c == '"') {
            quoted = !quoted;
        }
    }
    return out;
}

bool is_address(HeaderId id) {
    return id == HeaderId::From || id == HeaderId::To || id == HeaderId::Contact;
}

bool mean_the_same(HeaderId id, std::string_view inner, std::string_view outer) {
    const auto a = tightened(inner);
    const auto b = tightened(outer);
    if (a == b) {
        return true;
    }
    if (!is_address(id)) {
        return false;
    }
    const auto one = sip::parse_name_addr(a);
    const auto two = sip::parse_name_addr(b);
    if (!one || !two) {
        return false;
    }
    // A request has no tag in To where its copy was made of the same request: tags count.
    const auto uri = sip::parse_uri(one->uri_text);
    const auto other = sip::parse_uri(two->uri_text);
    return one->tag == two->tag && uri && other && sip::same_uri(*uri, *other);
}

// Header fields of one name, put together: "a, b".
std::string all_of(const sip::MessageView& message, const sip::Header& like) {
    std::string out;
    for (const auto& header : message.headers()) {
        if (header.id == like.id) {
            out += (out.empty() ? "" : ", ") + std::string{header.value};
        }
    }
    return out;
}

} // namespace

bool is_tunnelled(const sip::MessageView& outer, std::string_view content_type) {
    const auto type = sip::parse_content_type(content_type);
    return type && (type->is("message", "sip") ||
                    (type->is("message", "sipfrag") && outer.method() != sip::Method::Notify));
}

std::string describe(const Discrepancy& one) {
    return one.outer.empty()
               ? fmt::format("{} within is {}, and outside there is none", one.header, one.inner)
               : fmt::format("{} within is {}", one.header, one.inner);
}

std::vector<Discrepancy> compare_tunnelled(const sip::MessageView& outer,
                                           const sip::MessageView& inner, bool encrypted) {
    std::vector<Discrepancy> out;
    if (inner.is_request() && outer.is_request() && inner.method_text() != outer.method_text()) {
        out.push_back(
            {"method", std::string{inner.method_text()}, std::string{outer.method_text()}});
    }
    for (const auto& header : inner.headers()) {
        if (out.size() == most_told) {
            break;
        }
        const std::string name{sip::to_string(header.id)};
        if (!is_compared(header.id, encrypted) || is_of_the_body(name) ||
            std::ranges::find(out, name, &Discrepancy::header) != out.end()) {
            continue;
        }
        auto mine = all_of(inner, header);
        auto theirs = all_of(outer, header);
        if (encrypted && theirs.empty()) {
            continue;
        }
        if (theirs.empty() || !mean_the_same(header.id, mine, theirs)) {
            out.push_back({name, std::move(mine), std::move(theirs)});
        }
    }
    return out;
}

namespace {

// A message/sip or message/sipfrag part as a message of its own.
std::string whole_message(const sip::MessageView& outer, std::string_view inner) {
    // [RFC 3420 §2.2] The start line may be missing: then the outer one's stands for it.
    const auto line = inner.substr(0, inner.find('\n'));
    std::string whole;
    if (!line.contains("SIP/2.0")) {
        whole = outer.is_request() ? std::string{outer.method_text()} + " sip:a.invalid SIP/2.0\r\n"
                                   : "SIP/2.0 200 OK\r\n";
    }
    whole += inner;
    if (!whole.contains("\r\n\r\n")) {
        whole += whole.ends_with("\r\n") ? "\r\n" : "\r\n\r\n";
    }
    return whole;
}

} // namespace

std::vector<Discrepancy> compare_tunnelled(const sip::MessageView& outer, std::string_view inner,
                                           bool encrypted) {
    const auto whole = whole_message(outer, inner);
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{whole}, index);
    if (!message) {
        return {{"the message within", "cannot be read", ""}};
    }
    return compare_tunnelled(outer, *message, encrypted);
}

std::vector<std::string> only_outside(const sip::MessageView& outer, std::string_view inner) {
    const auto whole = whole_message(outer, inner);
    sip::HeaderIndex index;
    const auto within = sip::index(std::string_view{whole}, index);
    std::vector<std::string> out;
    if (!within) {
        return out;
    }
    for (const auto& header : outer.headers()) {
        const std::string name{sip::to_string(header.id)};
        if (out.size() < most_told && is_compared(header.id, false) && !is_of_the_body(name) &&
            std::ranges::find(within->headers(), header.id, &sip::Header::id) ==
                within->headers().end() &&
            std::ranges::find(out, name) == out.end()) {
            out.push_back(name);
        }
    }
    return out;
}

std::string tunnelled_copy(const sip::MessageView& message, std::string_view content_type,
                           std::string_view body) {
    const auto text = message.bytes();
    std::string out{text.substr(0, text.find("\r\n") + 2)};
    for (const auto& header : message.headers()) {
        const auto name = header.id == HeaderId::Other ? std::string{header.name}
                                                       : std::string{sip::to_string(header.id)};
        if (!is_of_the_body(name)) {
            out += name + ": " + std::string{header.value} + "\r\n";
        }
    }
    if (!content_type.empty()) {
        out += "Content-Type: " + std::string{content_type} + "\r\n";
    }
    return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

} // namespace cw::smime
