#include "server/reply.hpp"

#include <charconv>

namespace cw::server {
namespace {

// What the request lacks the response lacks too.
void append_line(std::string& out, std::string_view name, std::string_view value) {
    if (value.empty()) {
        return;
    }
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
}

void append_to(std::string& out, const Incoming& in, const Seal& seal, bool tagged) {
    const auto value = in.message.value(sip::HeaderId::To);
    if (value.empty()) {
        return;
    }
    out += "To: ";
    out += value;
    const auto& to = in.values.to;
    if (tagged && to && to->tag.empty()) {
        out += ";tag=";
        seal.append_tag(out, in.call_id());
    }
    out += "\r\n";
}

// All Via in their order, the topmost one stamped.
void append_vias(std::string& out, const Incoming& in) {
    bool top = true;
    for (const auto& header : in.message.headers()) {
        if (header.id != sip::HeaderId::Via) {
            continue;
        }
        if (!top) {
            append_line(out, "Via", header.value);
            continue;
        }
        top = false;
        append_line(out, "Via", in.via_value);
        if (in.via.more) {
            append_line(out, "Via", in.via.rest);
        }
    }
}

} // namespace

std::string_view reason_phrase(std::uint16_t status) {
    switch (status) {
    case 100:
        return "Trying";
    case 200:
        return "OK";
    case 302:
        return "Moved Temporarily";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 407:
        return "Proxy Authentication Required";
    case 408:
        return "Request Timeout";
    case 416:
        return "Unsupported URI Scheme";
    case 420:
        return "Bad Extension";
    case 421:
        return "Extension Required";
    case 423:
        return "Interval Too Brief";
    case 430:
        return "Flow Failed";
    case 439:
        return "First Hop Lacks Outbound Support";
    case 440:
        return "Max-Breadth Exceeded";
    case 480:
        return "Temporarily Unavailable";
    case 481:
        return "Call/Transaction Does Not Exist";
    case 482:
        return "Loop Detected";
    case 483:
        return "Too Many Hops";
    case 487:
        return "Request Terminated";
    case 500:
        return "Server Internal Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Server Time-out";
    case 505:
        return "Version Not Supported";
    case 513:
        return "Message Too Large";
    default:
        return status < 400 ? "Unknown" : "Rejected";
    }
}

void append_reply(std::string& out, const Incoming& in, const Seal& seal, const Reply& reply) {
    out += "SIP/2.0 ";
    char digits[8];
    const auto end = std::to_chars(digits, digits + sizeof digits, reply.status).ptr;
    out.append(digits, end);
    out += ' ';
    out += reply.reason.empty() ? reason_phrase(reply.status) : reply.reason;
    out += "\r\n";
    append_vias(out, in);
    append_line(out, "From", in.message.value(sip::HeaderId::From));
    append_to(out, in, seal, reply.status > 100);
    append_line(out, "Call-ID", in.call_id());
    append_line(out, "CSeq", in.message.value(sip::HeaderId::CSeq));
    if (const auto* timestamp = in.message.find(sip::HeaderId::Timestamp);
        timestamp != nullptr && reply.status == 100) {
        append_line(out, "Timestamp", timestamp->value); // [RFC 3261 §8.2.6.1]
    }
    out += reply.headers;
    out += "Content-Length: 0\r\n\r\n";
}

} // namespace cw::server
