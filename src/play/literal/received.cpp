#include "play/literal/received.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "sip/header.hpp"

namespace cw::play::literal {
namespace {

using script::literal::Take;

std::string_view head_of(std::string_view message) {
    const auto end = message.find("\r\n\r\n");
    const auto other = message.find("\n\n");
    return message.substr(0, std::min(end, other));
}

bool same_name(std::string_view a, std::string_view b) {
    if (iequals(a, b)) {
        return true;
    }
    const auto id = sip::header_id(a);
    return id != sip::HeaderId::Other && id == sip::header_id(b);
}

} // namespace

Opening opening_of(std::string_view message) {
    const auto line = message.substr(0, message.find_first_of("\r\n"));
    Opening out;
    const auto first = line.find(' ');
    if (line.starts_with("SIP/")) {
        const auto rest = line.substr(std::min(first, line.size() - 1) + 1);
        out.status = parse_number<std::uint16_t>(rest.substr(0, 3)).value_or(0);
        return out;
    }
    out.method = line.substr(0, first);
    if (first != std::string_view::npos) {
        const auto rest = line.substr(first + 1);
        out.uri = rest.substr(0, rest.find(' '));
    }
    return out;
}

std::vector<std::string_view> lines_of_header(std::string_view message, std::string_view name) {
    std::vector<std::string_view> out;
    const auto head = head_of(message);
    std::size_t at = head.find('\n');
    while (at != std::string_view::npos && at + 1 < head.size()) {
        const auto begin = at + 1;
        at = head.find('\n', begin);
        while (at != std::string_view::npos && at + 1 < head.size() && is_blank(head[at + 1])) {
            at = head.find('\n', at + 1); // it is folded
        }
        auto line = head.substr(begin, at == std::string_view::npos ? at : at - begin);
        while (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (same_name(trim(line.substr(0, line.find(':'))), name)) {
            out.push_back(line);
        }
    }
    return out;
}

std::string_view value_of_header(std::string_view message, std::string_view name) {
    const auto lines = lines_of_header(message, name);
    if (lines.empty()) {
        return {};
    }
    const auto colon = lines.front().find(':');
    return colon == std::string_view::npos ? std::string_view{}
                                           : trim(lines.front().substr(colon + 1));
}

std::string_view body_of(std::string_view message) {
    const auto end = message.find("\r\n\r\n");
    return end == std::string_view::npos ? std::string_view{} : message.substr(end + 4);
}

namespace {
std::string_view parameter(std::string_view value, std::string_view name) {
    auto at = value.find(name);
    if (at == std::string_view::npos) {
        return {};
    }
    value.remove_prefix(at + name.size());
    return value.substr(0, value.find_first_of(";,> \t\r\n"));
}
} // namespace

std::string_view tag_in(std::string_view value) {
    // One within the brackets is a parameter of the address.
    const auto close = value.rfind('>');
    return parameter(close == std::string_view::npos ? value : value.substr(close), ";tag=");
}

std::string_view parameter_in(std::string_view value, std::string_view name) {
    const auto close = value.rfind('>');
    return parameter(close == std::string_view::npos ? value : value.substr(close),
                     ";" + std::string{name} + "=");
}

std::string_view branch_in(std::string_view via) {
    return parameter(via, ";branch=");
}

std::string_view uri_in(std::string_view value) {
    const auto open = value.find('<');
    if (open == std::string_view::npos) {
        return trim(value.substr(0, value.find_first_of(";,")));
    }
    return value.substr(open + 1, value.find('>', open) - open - 1);
}

std::string_view method_in(std::string_view cseq) {
    const auto space = cseq.find_first_of(" \t");
    return space == std::string_view::npos ? std::string_view{} : trim(cseq.substr(space));
}

std::string_view part_of(std::string_view message, const Take& take) {
    if (take.from == Take::From::Body) {
        return body_of(message);
    }
    if (take.from != Take::From::Header) {
        return message;
    }
    const std::string_view name = take.name;
    std::size_t at = 0;
    for (std::uint32_t seen = 0; at < message.size();) {
        const auto found = std::ranges::search(message.substr(at), name, [&](char a, char b) {
            return take.ignore_case ? ascii_lower(a) == ascii_lower(b) : a == b;
        });
        if (found.empty()) {
            return {};
        }
        const auto begin = static_cast<std::size_t>(found.data() - message.data());
        at = begin + name.size();
        if (take.line_start && begin > 0 && message[begin - 1] != '\n') {
            continue;
        }
        if (++seen == take.occurrence) {
            const auto rest = message.substr(at);
            return rest.substr(0, rest.find_first_of("\r\n"));
        }
    }
    return {};
}

} // namespace cw::play::literal
