#include "dialog/draft.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "sip/host.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"

namespace cw::dialog {
namespace {

bool same_name(std::string_view a, std::string_view b) {
    const auto id = sip::header_id(a);
    return id != sip::HeaderId::Other ? id == sip::header_id(b) : iequals(a, b);
}

void append_line(std::string& out, std::string_view text) {
    static constexpr std::string_view breaks{"\r\n\0", 3};
    for (;;) {
        const auto at = text.find_first_of(breaks);
        out += text.substr(0, at);
        if (at == std::string_view::npos) {
            return;
        }
        out += ' ';
        text.remove_prefix(at + 1);
    }
}

template <class T>
void append_number(std::string& out, T number) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

bool makes_dialog(const sip::MessageView& request, std::uint16_t status) {
    const auto method = request.method();
    return status > 100 && status < 300 &&
           (method == sip::Method::Invite || method == sip::Method::Subscribe ||
            method == sip::Method::Refer || method == sip::Method::Notify);
}

} // namespace

Draft Draft::request(std::string_view method, std::string_view uri) {
    Draft out;
    out.method_ = method;
    out.uri_ = uri;
    return out;
}

Draft Draft::response(std::uint16_t status, std::string_view reason) {
    Draft out;
    out.status_ = status;
    out.method_ = reason;
    return out;
}

Draft Draft::copy_of(const sip::MessageView& message) {
    auto out = message.is_request() ? request(message.method_text(), message.request_uri())
                                    : response(message.status(), message.reason());
    for (const auto& header : message.headers()) {
        if (header.id != sip::HeaderId::ContentLength) {
            out.fields_.push_back({std::string{header.name}, std::string{header.value}});
        }
    }
    out.body_ = message.body();
    return out;
}

Draft& Draft::set(std::string_view name, std::string_view value) {
    const auto is = [&](const Field& f) { return same_name(f.name, name); };
    const auto at = std::ranges::find_if(fields_, is);
    if (at == fields_.end()) {
        fields_.push_back({std::string{name}, std::string{value}});
        return *this;
    }
    *at = {std::string{name}, std::string{value}};
    fields_.erase(std::remove_if(at + 1, fields_.end(), is), fields_.end());
    return *this;
}

Draft& Draft::add(std::string_view name, std::string_view value) {
    const auto last = std::find_if(fields_.rbegin(), fields_.rend(),
                                   [&](const Field& f) { return same_name(f.name, name); });
    fields_.insert(last == fields_.rend() ? fields_.end() : last.base(),
                   {std::string{name}, std::string{value}});
    return *this;
}

Draft& Draft::add_first(std::string_view name, std::string_view value) {
    fields_.insert(fields_.begin(), {std::string{name}, std::string{value}});
    return *this;
}

Draft& Draft::set_default(std::string_view name, std::string_view value) {
    return has(name) ? *this : set(name, value);
}

Draft& Draft::remove(std::string_view name) {
    length_removed_ = length_removed_ || same_name(name, "Content-Length");
    std::erase_if(fields_, [&](const Field& f) { return same_name(f.name, name); });
    return *this;
}

Draft& Draft::set_body(std::string_view content_type, std::string_view body) {
    body_ = body;
    if (body.empty() && content_type.empty()) {
        return remove("Content-Type");
    }
    return content_type.empty() ? *this : set("Content-Type", content_type);
}

Draft& Draft::apply(const Changes& changes) {
    method_ = is_request() ? changes.method.value_or(method_) : method_;
    uri_ = changes.uri.value_or(uri_);
    if (!is_request()) {
        status_ = changes.status.value_or(status_);
        method_ =
            changes.reason.value_or(changes.status ? std::string{reason_phrase(status_)} : method_);
    }
    if (changes.body) {
        set_body(changes.content_type, *changes.body);
    }
    for (const auto& name : changes.remove) {
        remove(name);
    }
    for (const auto& field : changes.set) {
        set(field.name, field.value);
    }
    for (const auto& field : changes.add) {
        add(field.name, field.value);
    }
    return *this;
}

bool Draft::has(std::string_view name) const {
    return std::ranges::any_of(fields_, [&](const Field& f) { return same_name(f.name, name); });
}

std::string_view Draft::value(std::string_view name) const {
    const auto at =
        std::ranges::find_if(fields_, [&](const Field& f) { return same_name(f.name, name); });
    return at != fields_.end() ? std::string_view{at->value} : std::string_view{};
}

std::string Draft::print() const {
    std::string out;
    out.reserve(512 + body_.size());
    if (is_request()) {
        append_line(out, method_);
        out += ' ';
        append_line(out, uri_);
        out += " SIP/2.0\r\n";
    } else {
        out += "SIP/2.0 ";
        append_number(out, status_);
        out += ' ';
        append_line(out, method_);
        out += "\r\n";
    }
    for (const auto& field : fields_) {
        append_line(out, field.name);
        out += ": ";
        append_line(out, field.value);
        out += "\r\n";
    }
    if (!length_removed_ && !has("Content-Length")) {
        out += "Content-Length: ";
        append_number(out, body_.size());
        out += "\r\n";
    }
    out += "\r\n";
    out += body_;
    return out;
}

std::string_view reason_phrase(std::uint16_t status) {
    struct Phrase {
        std::uint16_t status;
        std::string_view text;
    };
    // [RFC 3261 §21, RFC 3262, RFC 3265, RFC 3329, RFC 4028, RFC 4474, RFC 5626, RFC 5839, RFC
    // 6228]
    static constexpr auto phrases = std::to_array<Phrase>({
        {100, "Trying"},
        {180, "Ringing"},
        {181, "Call Is Being Forwarded"},
        {182, "Queued"},
        {183, "Session Progress"},
        {199, "Early Dialog Terminated"},
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Notification"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Moved Temporarily"},
        {305, "Use Proxy"},
        {380, "Alternative Service"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {410, "Gone"},
        {412, "Conditional Request Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request-URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Unsupported URI Scheme"},
        {420, "Bad Extension"},
        {421, "Extension Required"},
        {422, "Session Interval Too Small"},
        {423, "Interval Too Brief"},
        {428, "Use Identity Header"},
        {430, "Flow Failed"},
        {433, "Anonymity Disallowed"},
        {439, "First Hop Lacks Outbound Support"},
        {440, "Max-Breadth Exceeded"},
        {469, "Bad Info Package"},
        {480, "Temporarily Unavailable"},
        {481, "Call/Transaction Does Not Exist"},
        {482, "Loop Detected"},
        {483, "Too Many Hops"},
        {484, "Address Incomplete"},
        {485, "Ambiguous"},
        {486, "Busy Here"},
        {487, "Request Terminated"},
        {488, "Not Acceptable Here"},
        {489, "Bad Event"},
        {491, "Request Pending"},
        {493, "Undecipherable"},
        {494, "Security Agreement Required"},
        {500, "Server Internal Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Server Time-out"},
        {505, "Version Not Supported"},
        {513, "Message Too Large"},
        {580, "Precondition Failure"},
        {600, "Busy Everywhere"},
        {603, "Decline"},
        {604, "Does Not Exist Anywhere"},
        {606, "Not Acceptable"},
    });
    const auto at = std::ranges::lower_bound(phrases, status, {}, &Phrase::status);
    return at != phrases.end() && at->status == status ? at->text : "Unknown";
}

Draft response_to(const sip::MessageView& request, std::uint16_t status, std::string_view to_tag,
                  std::string_view via) {
    auto out = Draft::response(status, reason_phrase(status));
    sip::ValueCursor vias{request, sip::HeaderId::Via};
    vias.next();
    out.add("Via", via);
    while (const auto value = vias.next()) {
        out.add("Via", *value);
    }
    if (makes_dialog(request, status)) {
        // "the UAS MUST copy all Record-Route header field values" [RFC 3261 §12.1.1]
        sip::ValueCursor routes{request, sip::HeaderId::RecordRoute};
        while (const auto value = routes.next()) {
            out.add("Record-Route", *value);
        }
    }
    out.add("From", request.value(sip::HeaderId::From));
    std::string to{request.value(sip::HeaderId::To)};
    const auto name = sip::parse_name_addr(to);
    // "the UAS MUST add a tag to the To header field in the response (with the exception of the 100
    // (Trying) response, in which a tag MAY be present)" [RFC 3261 §8.2.6.2]
    if (status > 100 && !to_tag.empty() && (!name || name->tag.empty())) {
        to += ";tag=";
        to += to_tag;
    }
    out.add("To", to);
    out.add("Call-ID", request.value(sip::HeaderId::CallId));
    out.add("CSeq", request.value(sip::HeaderId::CSeq));
    if (status == 100 && request.has(sip::HeaderId::Timestamp)) {
        out.add("Timestamp", request.value(sip::HeaderId::Timestamp)); // [RFC 3261 §8.2.6.1]
    }
    return out;
}

std::string received_via(std::string_view via_value, const transaction::Wire& wire) {
    const auto via = sip::parse_via(via_value);
    if (!via) {
        return std::string{via_value};
    }
    std::string out{via_value};
    const auto sent_by = sip::host_to_address(via->host);
    // "If the host portion of the "sent-by" parameter contains a domain name, or if it contains an
    // IP address that differs from the packet source address, the server MUST add a "received"
    // parameter" [RFC 3261 §18.2.1]; with rport always [RFC 3581 §4].
    const bool differs = !sent_by || *sent_by != wire.remote.address;
    if (via->received.empty() && (differs || via->has_rport)) {
        out += ";received=" + to_string(wire.remote.address);
    }
    if (via->has_rport && via->rport == 0) {
        const auto at = std::ranges::search(out, std::string_view{";rport"}, {}, ascii_lower);
        if (!at.empty()) {
            const auto end = static_cast<std::size_t>(at.end() - out.begin());
            const auto rest = out.find_first_of("=;", end);
            if (rest == std::string::npos || out[rest] != '=') {
                out.insert(end, "=" + std::to_string(wire.remote.port));
            }
        }
    }
    return out;
}

transaction::Wire reply_wire(const sip::Via& via, const transaction::Wire& wire) {
    auto out = wire;
    if (!wire.reliable() && !via.has_rport) {
        out.remote.port = via.port != 0 ? via.port : std::uint16_t{5060};
    }
    return out;
}

} // namespace cw::dialog
