#include "view/runnable_fields.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::view {

using sip::HeaderId;
using sip::Method;

namespace {

constexpr std::size_t shortest_value = 6;
constexpr std::size_t longest_line = 1000;

// Those whose value is a part of the scenario, not of the message's way.
constexpr std::array kept{
    HeaderId::Require,
    HeaderId::ProxyRequire,
    HeaderId::Supported,
    HeaderId::Unsupported,
    HeaderId::Replaces,
    HeaderId::Join,
    HeaderId::TargetDialog,
    HeaderId::ReferSub,
    HeaderId::ReferredBy,
    HeaderId::InReplyTo,
    HeaderId::Reason,
    HeaderId::RetryAfter,
    HeaderId::Warning,
    HeaderId::MinExpires,
    HeaderId::MinSe,
    HeaderId::SessionExpires,
    HeaderId::Event,
    HeaderId::AllowEvents,
    HeaderId::SubscriptionState,
    HeaderId::Expires,
    HeaderId::Subject,
    HeaderId::Priority,
    HeaderId::Privacy,
    HeaderId::Organization,
    HeaderId::AlertInfo,
    HeaderId::CallInfo,
    HeaderId::ErrorInfo,
    HeaderId::HistoryInfo,
    HeaderId::Diversion,
    HeaderId::PAssertedIdentity,
    HeaderId::PPreferredIdentity,
    HeaderId::PAccessNetworkInfo,
    HeaderId::PVisitedNetworkId,
    HeaderId::PAssociatedUri,
    HeaderId::PCalledPartyId,
    HeaderId::PServedUser,
    HeaderId::PEarlyMedia,
    HeaderId::RemotePartyId,
    HeaderId::AcceptContact,
    HeaderId::RejectContact,
    HeaderId::RequestDisposition,
    HeaderId::ResourcePriority,
    HeaderId::AnswerMode,
    HeaderId::InfoPackage,
    HeaderId::RecvInfo,
    HeaderId::UserToUser,
    HeaderId::SipIfMatch,
};

// What play writes by itself there.
bool goes_without_saying(const sip::MessageView& message, Method method,
                         const sip::Header& header) {
    const auto value = header.value;
    if (header.id == HeaderId::Event) {
        return !message.is_request() ||
               (method == Method::Notify ? istarts_with(value, "refer") : value == "presence");
    }
    if (header.id == HeaderId::Expires) {
        return !message.is_request() || (method != Method::Invite && value == "3600");
    }
    if (header.id == HeaderId::SubscriptionState) {
        const auto status = reported_status(message.body());
        return value == (status.empty()            ? "active;expires=3600"
                         : status.starts_with('1') ? "active;expires=60"
                                                   : "terminated;reason=noresource");
    }
    return header.id == HeaderId::ReferredBy && method == Method::Refer &&
           message.value(HeaderId::From).starts_with(value);
}

// "127.0.0.1:40000", "[::1]:5061": where somebody was in this capture, and is not the next time.
bool has_endpoint(std::string_view text) {
    for (auto at = text.find(':'); at != std::string_view::npos; at = text.find(':', at + 1)) {
        const bool before = at > 0 && (is_digit(text[at - 1]) || text[at - 1] == ']');
        if (before && at + 1 < text.size() && is_digit(text[at + 1]) &&
            (text[at - 1] == ']' || text.substr(0, at).contains('.'))) {
            return true;
        }
    }
    return false;
}

} // namespace

void RunnableNames::add(std::string_view value, std::string_view variable) {
    if (value.size() < shortest_value || value.size() > longest_line ||
        std::ranges::find(known_, value, &std::pair<std::string, std::string>::first) !=
            known_.end()) {
        return;
    }
    const auto at = std::ranges::find_if(
        known_, [&](const auto& other) { return other.first.size() < value.size(); });
    known_.insert(at, {std::string{value}, std::string{variable}});
}

std::optional<std::string> RunnableNames::rewrite(std::string_view text) const {
    const bool fit = text.size() <= longest_line && std::ranges::all_of(text, [](char c) {
                         return c >= ' ' && c <= '~' && c != '{' && c != '}' && c != '*';
                     });
    if (!fit || text.contains(", no ")) {
        return std::nullopt;
    }
    std::string out;
    std::string own; // what is left as it stands
    for (std::size_t at = 0; at < text.size();) {
        const auto rest = text.substr(at);
        const auto found = std::ranges::find_if(
            known_, [&](const auto& one) { return rest.starts_with(one.first); });
        if (found == known_.end()) {
            out += text[at];
            own += text[at++];
        } else {
            out += '{' + found->second + '}';
            own += ' ';
            at += found->first.size();
        }
    }
    return has_endpoint(own) ? std::nullopt : std::optional{std::move(out)};
}

FieldLines field_lines(const sip::MessageView& message, Method method, const RunnableNames& names) {
    FieldLines out;
    const auto keep = [&](const sip::Header& header) {
        if (const auto value = names.rewrite(header.value); value && !value->empty()) {
            out.lines.push_back(fmt::format("{}: {}", sip::to_string(header.id), *value));
        } else {
            out.lost.emplace_back(sip::to_string(header.id));
        }
    };
    for (const auto& header : message.headers()) {
        if (std::ranges::find(kept, header.id) != kept.end() &&
            !goes_without_saying(message, method, header)) {
            keep(header);
        } else if (header.id == HeaderId::Contact && message.is_request() &&
                   method == Method::Register && header.value == "*") {
            out.lines.emplace_back("Contact: *");
        } else if (header.id == HeaderId::Contact && message.status() / 100 == 3) {
            keep(header);
        } else if (header.id == HeaderId::Contact && method != Method::Register) {
            // Its own address goes without saying, what it says of itself (isfocus) does not.
            const auto value = names.rewrite(header.value);
            if (value && value->contains(".contact}") && !value->ends_with(".contact}>")) {
                out.lines.push_back("Contact: " + *value);
            }
        }
    }
    if (message.is_request() && method == Method::Register && !message.has(HeaderId::Contact)) {
        out.lines.emplace_back("no Contact");
    }
    return out;
}

std::vector<std::string> changed_lines(const std::vector<std::string>& before,
                                       const std::vector<std::string>& now) {
    const auto name = [](std::string_view line) { return line.substr(0, line.find(':')); };
    std::vector<std::string> out;
    for (const auto& line : now) {
        if (std::ranges::find(before, line) == before.end()) {
            out.push_back(line);
        }
    }
    for (const auto& line : before) {
        const auto gone = "no " + std::string{name(line)};
        if (line.contains(':') && std::ranges::find(out, gone) == out.end() &&
            std::ranges::none_of(now, [&](const auto& one) { return name(one) == name(line); })) {
            out.push_back(gone);
        }
    }
    return out;
}

std::string reported_status(std::string_view body) {
    if (!body.starts_with("SIP/2.0 ") || body.size() < 11) {
        return {};
    }
    auto line = trim(body.substr(8, body.find_first_of("\r\n") - 8));
    std::string out{line.substr(0, 40)};
    std::erase_if(out, [](char c) { return !is_alpha(c) && !is_digit(c) && c != ' '; });
    const bool status = out.size() >= 3 && std::ranges::all_of(out.substr(0, 3), is_digit) &&
                        (out.size() == 3 || out[3] == ' ');
    return status ? out : std::string{};
}

} // namespace cw::view
