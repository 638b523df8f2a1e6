#include "smime/tunnel.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri.hpp"

namespace cw::smime {

namespace {

using sip::HeaderId;

constexpr std::size_t most_told = 32;

// [RFC 3261 §23.4.1.1] "Header fields that can be legitimately modified by proxy servers are:
// Request-URI, Via, Record-Route, Route, Max-Forwards, and Proxy-Authorization."
bool may_change_on_the_way(HeaderId id) {
    constexpr std::array free{HeaderId::Via, HeaderId::RecordRoute, HeaderId::Route,
                              HeaderId::MaxForwards, HeaderId::ProxyAuthorization};
    return std::ranges::find(free, id) != free.end();
}

// [RFC 3261 §23.4.1.2] The outer message has "the proper MIME header fields for S/MIME bodies".
bool is_of_the_body(std::string_view name) {
    return istarts_with(name, "Content-") || iequals(name, "MIME-Version");
}

// Runs of white space are one blank; folds too.
std::string tightened(std::string_view text) {
    std::string out;
    for (const char c : trim(text)) {
        const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (!blank) {
            out += c;
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
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
        const bool same =
            like.id == HeaderId::Other ? iequals(header.name, like.name) : header.id == like.id;
        if (same) {
            out += (out.empty() ? "" : ", ") + std::string{header.value};
        }
    }
    return out;
}

} // namespace

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
        const auto name = header.id == HeaderId::Other ? std::string{header.name}
                                                       : std::string{sip::to_string(header.id)};
        if (may_change_on_the_way(header.id) || is_of_the_body(name) ||
            std::ranges::find(out, name, &Discrepancy::header) != out.end()) {
            continue;
        }
        if (encrypted && (header.id == HeaderId::From || header.id == HeaderId::To)) {
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

std::vector<Discrepancy> compare_tunnelled(const sip::MessageView& outer, std::string_view inner,
                                           bool encrypted) {
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
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{whole}, index);
    if (!message) {
        return {{"the message within", "cannot be read", ""}};
    }
    return compare_tunnelled(outer, *message, encrypted);
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
