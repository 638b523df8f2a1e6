#include "web/http.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace cw::web {
namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               others.contains(c);
    });
}

std::string_view without_blanks(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

// Every line of the head has a name, and no octet that could hide another line.
bool is_sound(std::string_view head) {
    while (!head.empty()) {
        const auto end = head.find("\r\n");
        const auto line = head.substr(0, end);
        const auto colon = line.find(':');
        if (end == std::string_view::npos || colon == std::string_view::npos ||
            !is_token(line.substr(0, colon)) || std::ranges::any_of(line, [](char c) {
                return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f;
            })) {
            return false;
        }
        head.remove_prefix(end + 2);
    }
    return true;
}

} // namespace

std::string_view Request::header(std::string_view name) const {
    for (auto rest = head; !rest.empty();) {
        const auto end = std::min(rest.find("\r\n"), rest.size());
        const auto line = rest.substr(0, end);
        const auto colon = line.find(':');
        if (colon == name.size() && iequals(line.substr(0, colon), name)) {
            return without_blanks(line.substr(colon + 1));
        }
        rest.remove_prefix(std::min(end + 2, rest.size()));
    }
    return {};
}

std::string_view Request::cookie(std::string_view name) const {
    for (auto rest = header("Cookie"); !rest.empty();) {
        const auto end = std::min(rest.find(';'), rest.size());
        const auto pair = without_blanks(rest.substr(0, end));
        if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
            return pair.substr(name.size() + 1);
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {};
}

ReadRequest read_request(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        return {.request = {},
                .fault = bytes.size() > longest_request_head ? RequestFault::TooLong
                                                             : RequestFault::NeedMore};
    }
    if (end > longest_request_head) {
        return {.request = {}, .fault = RequestFault::TooLong};
    }
    const ReadRequest malformed{.request = {}, .fault = RequestFault::Malformed};
    const auto line = bytes.substr(0, bytes.find("\r\n"));
    const auto head = bytes.substr(line.size() + 2, end + 2 - std::min(line.size() + 2, end + 2));
    const auto first = line.find(' ');
    const auto second = line.find(' ', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos ||
        line.substr(second + 1) != "HTTP/1.1" || !is_sound(head)) {
        return malformed;
    }
    Request request{.method = line.substr(0, first),
                    .path = line.substr(first + 1, second - first - 1),
                    .head = head,
                    .body = {}};
    request.path = request.path.substr(0, request.path.find('?'));
    if (!is_token(request.method) || !request.path.starts_with('/') ||
        !request.header("Transfer-Encoding").empty()) {
        return malformed;
    }
    std::size_t length = 0;
    if (const auto said = request.header("Content-Length"); !said.empty()) {
        const auto number = parse_number<std::uint32_t>(said);
        if (!number) {
            return malformed;
        }
        length = *number;
    }
    if (length > longest_request_body) {
        return {.request = {}, .fault = RequestFault::TooLong};
    }
    if (bytes.size() - end - 4 < length) {
        return {};
    }
    request.body = bytes.substr(end + 4, length);
    return {.request = request, .fault = {}, .size = end + 4 + length};
}

void append_answer(std::string& out, const Answer& answer) {
    out.append("HTTP/1.1 ").append(answer.status);
    out.append("\r\nContent-Type: ").append(answer.type);
    out.append("\r\nContent-Length: ").append(std::to_string(answer.body.size()));
    out += "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
           "\r\nReferrer-Policy: same-origin\r\nX-Frame-Options: DENY"
           "\r\nCross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: "
           "same-origin\r\n";
    out.append(answer.more).append("\r\n");
    if (!answer.head_only) {
        out += answer.body;
    }
}

bool equal_secrets(std::string_view a, std::string_view b) {
    if (a.size() != b.size() || a.empty()) { // how long ours are is no secret
        return false;
    }
    unsigned char differs = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        differs |= static_cast<unsigned char>(a[i] ^ b[i]);
    }
    return differs == 0;
}

} // namespace cw::web
