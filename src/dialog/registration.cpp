#include "dialog/registration.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/session_expires.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;

constexpr std::size_t max_kept = 32; // routes from outside

std::string contact_value(const Registration& r, const RegisteredContact& contact, bool remove) {
    auto out = "<" + contact.uri + ">";
    if (!contact.q.empty()) {
        out += ";q=" + contact.q;
    }
    if (!r.instance.empty()) {
        out += ";+sip.instance=\"<" + r.instance + ">\"";
        if (r.reg_id != 0) {
            out += ";reg-id=" + std::to_string(r.reg_id);
        }
    }
    const auto expires = remove ? 0 : std::max(contact.expires, r.min_expires);
    return out + contact.params + ";expires=" + std::to_string(expires);
}

std::vector<std::string> values_of(const sip::MessageView& message, HeaderId id) {
    std::vector<std::string> out;
    sip::ValueCursor values{message, id};
    for (auto value = values.next(); value && out.size() < max_kept; value = values.next()) {
        out.emplace_back(*value);
    }
    return out;
}

std::string param(std::string_view params, std::string_view name) {
    return std::string{sip::find_param(params, name).value_or(std::string_view{})};
}

// "The 200 (OK) response […] MUST contain Contact header field values enumerating all current
// bindings" [RFC 3261 §10.3]: ours among them, with what was granted.
void take_bindings(Registration& r, const sip::MessageView& response) {
    const auto general = sip::parse_seconds(response.value(HeaderId::Expires));
    for (auto& contact : r.contacts) {
        contact.granted = 0;
        const auto own = sip::parse_uri(contact.uri);
        sip::ValueCursor values{response, HeaderId::Contact};
        while (const auto value = values.next()) {
            const auto name = sip::parse_name_addr(*value);
            if (!own || !name || name->star || !same_uri(*own, name->uri)) {
                continue;
            }
            const auto expires = parse_number<std::uint32_t>(param(name->params, "expires"));
            contact.granted = expires.value_or(general ? general->seconds : contact.expires);
            contact.pub_gruu = param(name->params, "pub-gruu");
            contact.temp_gruu = param(name->params, "temp-gruu");
            break;
        }
    }
}

void take_success(Registration& r, const sip::MessageView& response, Instant now) {
    take_bindings(r, response);
    r.service_route = values_of(response, HeaderId::ServiceRoute);
    r.path = values_of(response, HeaderId::Path);
    r.outbound = sip::list_has(response, HeaderId::Require, "outbound");
    const auto flow_timer = sip::parse_seconds(response.value(HeaderId::FlowTimer));
    r.flow_timer = flow_timer ? flow_timer->seconds : 0;
    r.failures = 0;
    r.retry_at = r.refresh_at = r.expires_at = {};
    std::uint32_t shortest = 0;
    for (const auto& contact : r.contacts) {
        if (contact.granted != 0 && (shortest == 0 || contact.granted < shortest)) {
            shortest = contact.granted;
        }
    }
    if (shortest == 0) {
        r.state = Registration::State::Unregistered;
        return;
    }
    r.state = Registration::State::Registered;
    const auto whole = seconds(shortest);
    r.expires_at = now + whole;
    // Note: in time for a REGISTER that is lost some times, at nine tenths of a long time and half
    // of a short one.
    r.refresh_at = now + std::max(whole - std::max(seconds(32), Duration{whole.ns / 10}),
                                  Duration{whole.ns / 2});
}

void fail_and_wait(Registration& r, Duration pause, Instant now) {
    ++r.failures;
    r.retry_at = now + pause;
    r.refresh_at = {};
    // A registration that still runs is not lost by a refresh that failed.
    if (!r.expires_at.known() || r.expires_at <= now) {
        r.state = Registration::State::Failed;
    }
}

} // namespace

Instant Registration::next_deadline() const {
    Instant next;
    for (const auto at : {refresh_at, expires_at, retry_at}) {
        if (at.known() && (!next.known() || at < next)) {
            next = at;
        }
    }
    return next;
}

Registration::Due Registration::advance(Instant now) {
    if (expires_at.known() && expires_at <= now) {
        expires_at = {};
        state = State::Failed;
        for (auto& contact : contacts) {
            contact.granted = 0;
        }
        return Due::Expired;
    }
    for (auto* at : {&refresh_at, &retry_at}) {
        if (at->known() && *at <= now) {
            *at = {};
            return Due::Refresh;
        }
    }
    return Due::Nothing;
}

Draft make_register(Registration& r, std::string_view from_tag, bool remove) {
    ++r.cseq; // "MUST increment the CSeq value by one for each REGISTER" [RFC 3261 §10.2]
    if (r.state != Registration::State::Registered) {
        r.state = Registration::State::Registering;
    }
    r.refresh_at = r.retry_at = {};
    auto out = Draft::request("REGISTER", r.registrar);
    out.add("Max-Forwards", "70");
    out.add("From", "<" + r.aor + ">;tag=" + std::string{from_tag});
    out.add("To", "<" + r.aor + ">");
    out.add("Call-ID", r.call_id);
    out.add("CSeq", std::to_string(r.cseq) + " REGISTER");
    for (const auto& contact : r.contacts) {
        out.add("Contact", contact_value(r, contact, remove));
    }
    out.add("Supported", "path"); // [RFC 3327 §5.1]
    if (r.reg_id != 0) {
        out.add("Supported", "outbound"); // [RFC 5626 §4.2.1]
    }
    if (r.wants_gruu) {
        out.add("Supported", "gruu"); // [RFC 5627 §4.1]
    }
    return out;
}

RegisterVerdict on_register_response(Registration& r, const sip::MessageView& response,
                                     Instant now) {
    const auto status = response.status();
    if (status < 200) {
        return RegisterVerdict::Wait;
    }
    if (status < 300) {
        take_success(r, response, now);
        return RegisterVerdict::Registered;
    }
    if (status == 401 || status == 407) {
        return RegisterVerdict::Challenged;
    }
    const auto min = sip::parse_seconds(response.value(HeaderId::MinExpires));
    // "the UA MAY retry the registration after making the expiration interval […] equal to or
    // greater than the expiration interval within the Min-Expires header field" [RFC 3261 §10.2.8]
    if (status == 423 && min && min->seconds > r.min_expires) {
        r.min_expires = min->seconds;
        return RegisterVerdict::TryAgain;
    }
    const auto retry_after = sip::parse_seconds(response.value(HeaderId::RetryAfter));
    fail_and_wait(r, retry_after ? seconds(retry_after->seconds) : retry_pause(r.failures + 1),
                  now);
    return RegisterVerdict::Failed;
}

void on_register_unanswered(Registration& r, Instant now) {
    fail_and_wait(r, retry_pause(r.failures + 1), now);
}

Duration retry_pause(std::uint32_t failures) {
    constexpr std::int64_t base = 30;
    constexpr std::int64_t most = 1800;
    return seconds(failures >= 6 ? most : std::min(most, base << failures));
}

std::string_view to_string(Registration::State state) {
    constexpr std::array<std::string_view, 4> names{"unregistered", "registering", "registered",
                                                    "failed"};
    return names[static_cast<std::size_t>(state)];
}

} // namespace cw::dialog
