#include "play/writer.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "dialog/draft.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"

namespace cw::play {

using sip::HeaderId;
using sip::Method;

// The request that this party received, sent on as a proxy does it [RFC 3261 §16.6].
std::expected<Draft, std::string> Writer::forwarded(StepId received) {
    const auto& came = s_.exchanges[received];
    return passed_on(came.received, came.received_on);
}

std::expected<Draft, std::string> Writer::passed_on(std::string_view text, const Wire& came) {
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    if (!message) {
        return std::unexpected{"there is nothing to pass on: the request was not received"};
    }
    auto draft = Draft::copy_of(*message);
    sips_ = istarts_with(message->request_uri(), "sips:");
    sip::ValueCursor vias{*message, HeaderId::Via};
    draft.remove("Via");
    if (const auto top = vias.next()) {
        draft.add("Via", dialog::received_via(*top, came));
    }
    while (const auto more = vias.next()) {
        draft.add("Via", *more);
    }
    const auto forwards = parse_number<std::uint32_t>(message->value(HeaderId::MaxForwards));
    draft.set("Max-Forwards", std::to_string(forwards.value_or(70) - (forwards == 0U ? 0 : 1)));
    // A Route that names us has done its work [RFC 3261 §16.4].
    const auto own = s_.cast.sent_by(a_.from, came.transport);
    sip::ValueCursor routes{*message, HeaderId::Route};
    std::vector<std::string> left;
    while (const auto route = routes.next()) {
        left.emplace_back(*route);
    }
    if (!left.empty() && (left.front().contains(own) || left.front().contains(sent_by()) ||
                          left.front().contains(s_.cast.members[a_.from].name))) {
        left.erase(left.begin());
    }
    draft.remove("Route");
    for (const auto& route : left) {
        draft.add("Route", route);
    }
    if (makes_dialog(message->method()) && stays_on_path()) {
        draft.add_first(
            "Record-Route",
            fmt::format("<{}:{};{}lr>", sips_ ? "sips" : "sip", sent_by(),
                        wire_.transport == sip::Transport::Udp || sips_
                            ? ""
                            : fmt::format("transport={};", uri_transport(wire_.transport))));
    }
    // The last hop: the address where the phone is [RFC 3261 §16.5].
    const auto to = sip::parse_name_addr(message->value(HeaderId::To));
    const bool outside = !to || to->tag.empty();
    if (s_.cast.members[a_.to].actor && outside && message->method() != Method::Cancel) {
        dialog::Changes changes;
        changes.uri = s_.cast.contact(a_.to, wire_.transport, sips_);
        draft.apply(changes);
    }
    return draft;
}

// Does a later request of this call pass through here? Then the proxy has to ask for it.
bool Writer::stays_on_path() const {
    for (StepId i = step_ + 1; i < s_.plan.steps.size(); ++i) {
        const auto* later = std::get_if<Arrow>(&s_.plan.steps[i].what);
        const auto* request =
            later != nullptr ? std::get_if<script::Request>(&later->content) : nullptr;
        if (request == nullptr || later->call != a_.call || a_.call == 0 || later->opens_call) {
            continue;
        }
        const auto method = request->method;
        // The ACK to a refusal is the transaction's own, and so is CANCEL: neither needs a route.
        const bool own = method == Method::Cancel || method == Method::Invite ||
                         (method == Method::Ack && !later->forwards);
        if (!own && (later->from == a_.from || later->to == a_.from)) {
            return true;
        }
    }
    return false;
}

Draft Writer::passed_back(StepId received) {
    const auto& came = s_.exchanges[received];
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{came.received}, index);
    auto draft = message ? Draft::copy_of(*message) : Draft::response(500, "");
    if (message) { // without our own Via [RFC 3261 §16.7]
        sip::ValueCursor vias{*message, HeaderId::Via};
        vias.next();
        std::vector<std::string> left;
        while (const auto via = vias.next()) {
            left.emplace_back(*via);
        }
        draft.remove("Via");
        for (auto i = left.size(); i-- > 0;) {
            draft.add_first("Via", left[i]);
        }
    }
    return draft;
}

} // namespace cw::play
