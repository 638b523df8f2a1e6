#include "dialog/dialog.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;

std::string tag_of(const sip::MessageView& message, HeaderId id) {
    const auto name = sip::parse_name_addr(message.value(id));
    return name ? std::string{name->tag} : std::string{};
}

// The URI of the only Contact; nothing when there is none that can be called.
std::optional<std::string> contact_of(const sip::MessageView& message) {
    sip::ValueCursor values{message, HeaderId::Contact};
    const auto value = values.next();
    const auto name = value ? sip::parse_name_addr(*value) : fail(Code::Malformed, 0, "");
    if (!name || name->star ||
        (name->uri.scheme != sip::Scheme::Sip && name->uri.scheme != sip::Scheme::Sips)) {
        return std::nullopt;
    }
    return std::string{name->uri_text};
}

std::vector<std::string> record_routes(const sip::MessageView& message) {
    std::vector<std::string> out;
    sip::ValueCursor values{message, HeaderId::RecordRoute};
    for (auto value = values.next(); value && out.size() < max_routes; value = values.next()) {
        out.emplace_back(*value);
    }
    return out;
}

// "taken in reverse order and preserving all URI parameters" [RFC 3261 §12.1.2]
std::vector<std::string> reversed_routes(const sip::MessageView& response) {
    auto out = record_routes(response);
    std::ranges::reverse(out);
    return out;
}

std::string_view route_uri(std::string_view route) {
    const auto name = sip::parse_name_addr(route);
    return name ? name->uri_text : route;
}

bool is_loose(std::string_view route) {
    const auto name = sip::parse_name_addr(route);
    return name && sip::find_param(name->uri.params, "lr").has_value();
}

bool is_sips(std::string_view uri) {
    return istarts_with(uri, "sips:");
}

// A URI as a Request-URI may have it: without "method" and headers [RFC 3261 §19.1.1 table 1].
std::string as_request_uri(std::string_view text) {
    const auto uri = sip::parse_uri(text);
    if (!uri) {
        return std::string{text};
    }
    const auto tail = uri->params.size() + (uri->headers.empty() ? 0 : uri->headers.size() + 1);
    std::string out{text.substr(0, text.size() - tail)};
    sip::ParamCursor params{uri->params};
    for (sip::Param param; params.next(param);) {
        if (!iequals(param.name, "method")) {
            out += ';';
            out += param.name;
            if (param.has_value) {
                out += '=';
                out += param.value;
            }
        }
    }
    return out;
}

std::string with_tag(const std::string& value, const std::string& tag) {
    return tag.empty() ? value : value + ";tag=" + tag;
}

} // namespace

std::string without_tag(std::string_view value) {
    const auto name = sip::parse_name_addr(value);
    if (!name || name->tag.empty()) {
        return std::string{value};
    }
    std::string out{value.substr(0, static_cast<std::size_t>(name->params.data() - value.data()))};
    sip::ParamCursor params{name->params};
    for (sip::Param param; params.next(param);) {
        if (!iequals(param.name, "tag")) {
            out += ';';
            out += param.name;
            out += param.has_value ? (param.is_quoted ? "=\"" : "=") : "";
            out += param.value;
            out += param.is_quoted ? "\"" : "";
        }
    }
    return std::string{trim(out)};
}

Result<Dialog> uac_dialog(const sip::MessageView& request, const sip::MessageView& response,
                          bool over_tls) {
    const auto status = response.status();
    if (status <= 100 || status >= 300) {
        return fail(Code::Malformed, 0, "this response makes no dialog");
    }
    Dialog out;
    out.role = Dialog::Role::Uac;
    out.state = status < 200 ? Dialog::State::Early : Dialog::State::Confirmed;
    out.call_id = request.value(HeaderId::CallId);
    out.local_tag = tag_of(request, HeaderId::From);
    out.remote_tag = tag_of(response, HeaderId::To);
    // "A UAC MUST be prepared to receive a response without a tag in the To field" [RFC 3261
    // §12.1.2], which only a 2xx does that makes a dialog.
    if (out.remote_tag.empty() && status < 200) {
        return fail(Code::Malformed, 0, "a provisional response without a To tag");
    }
    out.local = without_tag(request.value(HeaderId::From));
    out.remote = without_tag(request.value(HeaderId::To));
    const auto target = contact_of(response);
    if (!target && status >= 200) {
        return fail(Code::Malformed, 0, "a 2xx without a Contact that can be called");
    }
    out.remote_target = target.value_or(std::string{request.request_uri()});
    out.route_set = reversed_routes(response);
    if (const auto cseq = sip::parse_cseq(request.value(HeaderId::CSeq))) {
        out.local_cseq = cseq->number;
    }
    out.secure = over_tls && is_sips(request.request_uri());
    return out;
}

Result<Dialog> uas_dialog(const sip::MessageView& request, std::string_view local_tag,
                          Dialog::State state, bool over_tls) {
    const auto cseq = sip::parse_cseq(request.value(HeaderId::CSeq));
    const auto target = contact_of(request);
    if (!cseq || !target) {
        return fail(Code::Malformed, 0, "a request without a Contact that can be called");
    }
    Dialog out;
    out.role = Dialog::Role::Uas;
    out.state = state;
    out.call_id = request.value(HeaderId::CallId);
    out.local_tag = local_tag;
    out.remote_tag = tag_of(request, HeaderId::From);
    out.local = without_tag(request.value(HeaderId::To));
    out.remote = without_tag(request.value(HeaderId::From));
    out.remote_target = *target;
    out.route_set = record_routes(request);
    out.remote_cseq = cseq->number;
    out.secure = over_tls && is_sips(request.request_uri());
    return out;
}

void confirm(Dialog& dialog, const sip::MessageView& response) {
    dialog.state = Dialog::State::Confirmed;
    dialog.route_set = reversed_routes(response);
    refresh_target(dialog, response);
}

bool matches(const Dialog& dialog, const sip::MessageView& message) {
    // In a request from the peer To is us; in a response to us From is.
    const auto ours = message.is_request() ? HeaderId::To : HeaderId::From;
    const auto theirs = message.is_request() ? HeaderId::From : HeaderId::To;
    return message.value(HeaderId::CallId) == dialog.call_id &&
           tag_of(message, ours) == dialog.local_tag &&
           tag_of(message, theirs) == dialog.remote_tag;
}

std::uint16_t accept_sequence(Dialog& dialog, const sip::MessageView& request) {
    const auto cseq = sip::parse_cseq(request.value(HeaderId::CSeq));
    if (!cseq) {
        return 400;
    }
    // Note: an equal number in a new transaction is an error too; RFC 3261 §12.2.2 is silent.
    if (dialog.remote_cseq && cseq->number <= *dialog.remote_cseq) {
        return 500;
    }
    dialog.remote_cseq = cseq->number;
    return 0;
}

bool is_target_refresh(sip::Method method) {
    using enum sip::Method;
    return method == Invite || method == Update || method == Subscribe || method == Notify ||
           method == Refer;
}

void refresh_target(Dialog& dialog, const sip::MessageView& message) {
    if (auto target = contact_of(message)) {
        dialog.remote_target = std::move(*target);
    }
}

Draft request_in(Dialog& dialog, std::string_view method, std::optional<std::uint32_t> cseq) {
    if (!cseq) {
        dialog.local_cseq = dialog.local_cseq.value_or(0) + 1;
    }
    const bool strict = !dialog.route_set.empty() && !is_loose(dialog.route_set.front());
    // [RFC 3261 §12.2.1.1]
    auto out = Draft::request(method, strict ? as_request_uri(route_uri(dialog.route_set.front()))
                                             : dialog.remote_target);
    for (std::size_t i = strict ? 1 : 0; i < dialog.route_set.size(); ++i) {
        out.add("Route", dialog.route_set[i]);
    }
    if (strict) {
        out.add("Route", "<" + dialog.remote_target + ">");
    }
    out.add("Max-Forwards", "70");
    out.add("From", with_tag(dialog.local, dialog.local_tag));
    out.add("To", with_tag(dialog.remote, dialog.remote_tag));
    out.add("Call-ID", dialog.call_id);
    const auto number = cseq ? *cseq : *dialog.local_cseq;
    out.add("CSeq", std::to_string(number) + " " + std::string{method});
    return out;
}

std::string_view next_hop(const Dialog& dialog) {
    return dialog.route_set.empty() ? std::string_view{dialog.remote_target}
                                    : route_uri(dialog.route_set.front());
}

std::string_view to_string(Dialog::State state) {
    switch (state) {
    case Dialog::State::Early:
        return "early";
    case Dialog::State::Confirmed:
        return "confirmed";
    case Dialog::State::Terminated:
        return "terminated";
    }
    return "";
}

void describe(const Dialog& dialog, std::string& out) {
    out += "dialog ";
    out += dialog.call_id;
    out += ' ';
    out += dialog.local_tag;
    out += '/';
    out += dialog.remote_tag;
    out += ' ';
    out += to_string(dialog.state);
    out += dialog.role == Dialog::Role::Uac ? " uac" : " uas";
    out += dialog.secure ? " secure" : "";
}

} // namespace cw::dialog
