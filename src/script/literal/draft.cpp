#include "script/literal/draft.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::script::literal {
namespace {

constexpr std::string_view type_of_description = "Content-Type: application/sdp";

std::string value_in(const std::vector<std::string>& headers, std::string_view name) {
    for (const auto& line : headers) {
        const auto found = name_of(line);
        if (iequals(found, name) && line.size() > found.size() && line[found.size()] == ':') {
            return std::string{trim(std::string_view{line}.substr(found.size() + 1))};
        }
    }
    return {};
}

std::string line_in(const std::vector<std::string>& headers, std::string_view name) {
    const auto found = std::ranges::find_if(
        headers, [&](const std::string& line) { return iequals(name_of(line), name); });
    return found == headers.end() ? std::string{} : *found;
}

std::string target_of(std::string_view start) {
    const auto first = start.find(' ');
    const auto last = start.rfind(' ');
    return first == std::string_view::npos || last <= first
               ? std::string{}
               : std::string{trim(start.substr(first + 1, last - first - 1))};
}

std::string method_of_line(std::string_view start) {
    return std::string{start.substr(0, start.find(' '))};
}

// "7 INVITE" → 7; 0 where it is no number.
std::uint32_t number_of(std::string_view cseq) {
    return parse_number<std::uint32_t>(cseq.substr(0, cseq.find_first_of(" \t"))).value_or(0);
}

void replace(Draft& draft, const std::vector<std::string>& lines) {
    std::vector<std::string> names;
    for (const auto& line : lines) {
        const auto name = name_of(line);
        if (std::ranges::none_of(names, [&](const auto& n) { return iequals(n, name); })) {
            names.emplace_back(name);
        }
    }
    for (const auto& name : names) {
        auto at = std::ranges::find_if(
            draft.headers, [&](const std::string& line) { return iequals(name_of(line), name); });
        auto place = at - draft.headers.begin();
        std::erase_if(draft.headers,
                      [&](const std::string& line) { return iequals(name_of(line), name); });
        place = std::min<std::ptrdiff_t>(place, std::ssize(draft.headers));
        for (const auto& line : lines) {
            if (iequals(name_of(line), name)) {
                draft.headers.insert(draft.headers.begin() + place++, line);
            }
        }
    }
}

Draft whole(const std::vector<std::string>& lines) {
    Draft out;
    out.whole = true;
    out.start = lines.front();
    std::size_t at = 1;
    for (; at < lines.size() && !lines[at].empty(); ++at) {
        out.headers.push_back(lines[at]);
    }
    for (++at; at < lines.size(); ++at) {
        out.body.push_back(lines[at]);
    }
    return out;
}

} // namespace

bool Draft::described() const {
    return line_in(headers, "Content-Type") == type_of_description && !body.empty();
}

std::string_view name_of(std::string_view line) {
    if (line.starts_with("[last_") && line.ends_with(']')) {
        const auto name = line.substr(6, line.size() - 7);
        return name.substr(0, name.find(':'));
    }
    if (line.starts_with('[')) {
        return line;
    }
    return trim(line.substr(0, line.find(':')));
}

bool is_start_line(std::string_view line) {
    return line.starts_with("SIP/") || line.ends_with(" SIP/2.0");
}

Draft Habits::request(std::string_view method) const {
    Draft out;
    if (!last_request_) {
        out.start = fmt::format("{} sip:[service]@[remote_ip]:[remote_port] SIP/2.0", method);
        out.headers = {
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
            "From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]",
            "To: [service] <sip:[service]@[remote_ip]:[remote_port]>",
            "Call-ID: [call_id]",
            fmt::format("CSeq: 1 {}", method),
            "Contact: sip:sipp@[local_ip]:[local_port]",
            "Max-Forwards: 70",
            "Content-Length: [len]",
        };
        return out;
    }
    const auto& last = *last_request_;
    out.start = fmt::format("{} {} SIP/2.0", method, target_of(last.start));
    const bool same_number = method == "ACK" || method == "CANCEL";
    for (const std::string_view name :
         {"Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards"}) {
        auto line = line_in(last.headers, name);
        if (line.empty()) {
            continue;
        }
        if (name == "CSeq" && last_number_ > 0) {
            line = fmt::format("CSeq: {} {}", last_number_ + (same_number ? 0 : 1), method);
        } else if (name == "CSeq") {
            line = fmt::format("CSeq: [cseq] {}", method);
        } else if (name == "To" && method != "CANCEL" && !line.ends_with("[peer_tag_param]") &&
                   !line.starts_with('[')) {
            line += "[peer_tag_param]";
        }
        out.headers.push_back(std::move(line));
    }
    out.headers.emplace_back("Content-Length: [len]");
    return out;
}

Draft Habits::response(std::uint16_t status, std::string_view phrase) const {
    Draft out;
    out.start = fmt::format("SIP/2.0 {} {}", status, phrase);
    out.headers = {
        "[last_Via:]",
        "[last_From:]",
        "[last_To:];tag=[pid]SIPpTag01[call_number]",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:[local_ip]:[local_port];transport=[transport]>",
        "Content-Length: [len]",
    };
    if (last_response_) {
        for (auto& line : out.headers) {
            for (const std::string_view name : {"To", "Contact"}) {
                const auto before = line_in(last_response_->headers, name);
                if (!before.empty() && iequals(name_of(line), name)) {
                    line = before;
                }
            }
        }
    }
    return out;
}

std::vector<std::string> Habits::description() const {
    if (!last_description_.empty()) {
        return last_description_;
    }
    return {
        "v=0",
        "o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]",
        "s=-",
        "c=IN IP[media_ip_type] [media_ip]",
        "t=0 0",
        "m=audio [media_port] RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
    };
}

void Habits::sent(const Draft& draft) {
    if (draft.start.starts_with("SIP/")) {
        last_response_ = draft;
    } else {
        last_request_ = draft;
        last_method_ = method_of_line(draft.start);
        last_number_ = number_of(value_in(draft.headers, "CSeq"));
    }
    if (draft.described()) {
        last_description_ = draft.body;
    }
}

Draft apply(const Habits& habits, Draft draft, const Facts& facts) {
    std::vector<std::string> lines;
    for (const auto& fact : facts) {
        const auto* said = std::get_if<Said>(&fact.value);
        if (said != nullptr && said->about == Said::About::Line) {
            lines.push_back(said->text);
        }
    }
    if (!lines.empty() && is_start_line(lines.front())) {
        return whole(lines);
    }
    const bool described = find<Description>(facts) != nullptr;
    if (described) {
        draft.headers.insert(draft.headers.end() - 1, std::string{type_of_description});
        draft.body = habits.description();
    }
    const auto blank = std::ranges::find(lines, std::string{});
    if (blank != lines.end()) {
        draft.body.assign(blank + 1, lines.end());
        lines.erase(blank, lines.end());
    }
    for (const auto& fact : facts) {
        if (const auto* header = std::get_if<Header>(&fact.value); header && header->absent) {
            std::erase_if(draft.headers, [&](const std::string& line) {
                return iequals(name_of(line), header->name);
            });
        }
        const auto* said = std::get_if<Said>(&fact.value);
        if (said != nullptr && said->about == Said::About::To) {
            draft.start = fmt::format("{} {} SIP/2.0", method_of_line(draft.start), said->text);
        }
    }
    // What has no place by default stands before the length, which comes last.
    const auto length = std::ranges::find_if(draft.headers, [](const std::string& line) {
        return iequals(name_of(line), "Content-Length");
    });
    std::optional<std::string> last;
    if (length != draft.headers.end()) {
        last = *length;
        draft.headers.erase(length);
    }
    if (last && std::ranges::any_of(lines, [](const std::string& line) {
            return iequals(name_of(line), "Content-Length");
        })) {
        last.reset();
    }
    replace(draft, lines);
    if (last) {
        draft.headers.push_back(*last);
    }
    return draft;
}

} // namespace cw::script::literal
