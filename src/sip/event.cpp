#include "sip/event.hpp"

#include "base/text.hpp"
#include "sip/cursor.hpp"
#include "sip/params.hpp"

namespace cw::sip {

Result<Event> parse_event(std::string_view value) {
    Event out;
    Cursor cursor{trim(value)};
    out.package = cursor.take(chars::Token);
    out.params = trim(cursor.rest());
    if (out.package.empty() || (!out.params.empty() && out.params.front() != ';')) {
        return fail(Code::Malformed, 0, "Event without a package");
    }
    out.id = find_param(out.params, "id").value_or(std::string_view{});
    return out;
}

Result<SubscriptionState> parse_subscription_state(std::string_view value) {
    using State = SubscriptionState::State;
    SubscriptionState out;
    Cursor cursor{trim(value)};
    out.text = cursor.take(chars::Token);
    const auto tail = trim(cursor.rest());
    if (out.text.empty() || (!tail.empty() && tail.front() != ';')) {
        return fail(Code::Malformed, 0, "Subscription-State without a state");
    }
    out.state = iequals(out.text, "active")       ? State::Active
                : iequals(out.text, "pending")    ? State::Pending
                : iequals(out.text, "terminated") ? State::Terminated
                                                  : State::Other;
    ParamCursor params{tail};
    for (Param param; params.next(param);) {
        if (iequals(param.name, "reason")) {
            out.reason = param.value;
        } else if (iequals(param.name, "expires")) {
            out.expires = parse_number<std::uint32_t>(param.value);
        } else if (iequals(param.name, "retry-after")) {
            out.retry_after = parse_number<std::uint32_t>(param.value);
        }
    }
    return out;
}

} // namespace cw::sip
