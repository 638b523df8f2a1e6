#include "play/writer.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "dialog/draft.hpp"
#include "play/smime.hpp"
#include "play/sound.hpp"
#include "play/writing.hpp"
#include "sip/cseq.hpp"

namespace cw::play {

using sip::Method;

namespace {

std::string_view method_name(Method method) {
    return sip::to_string(method);
}

// "sip:bob@example.com" in a URI's headers [RFC 3261 §19.1.1: hvalue].
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (is_alpha(c) || is_digit(c) || std::string_view{"-_.!~*'()[]/?:+$"}.contains(c)) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

// A SUBSCRIBE with "an Expires of zero constitutes a request to unsubscribe" [RFC 6665 §4.1.2.3].
bool unsubscribes(const Exchange& subscribe) {
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{subscribe.received}, index);
    return message && message->method() == Method::Subscribe &&
           trim(message->value(sip::HeaderId::Expires)) == "0";
}

// The call as `Replaces` names it to `whom`, who takes part in it [RFC 3891 §3]; as seen by the
// others where we do not play that party.
std::optional<std::string> replaces(const State& state, CallId call, PartyId whom) {
    const auto find = [&](PartyId party) -> const dialog::Dialog* {
        const auto& sides = state.players[party].sides;
        const auto at = sides.find(call);
        return at != sides.end() && at->second.dialog ? &*at->second.dialog : nullptr;
    };
    if (const auto* own = find(whom)) {
        return fmt::format("{};to-tag={};from-tag={}", own->call_id, own->local_tag,
                           own->remote_tag);
    }
    for (PartyId party = 0; party < state.players.size(); ++party) {
        if (const auto* other = find(party)) {
            return fmt::format("{};to-tag={};from-tag={}", other->call_id, other->remote_tag,
                               other->local_tag);
        }
    }
    return std::nullopt;
}

} // namespace

Written Writer::request(const script::Request& request) {
    const auto method = request.method;
    const auto& side = s_.side(a_.from, key_);
    const bool answered = side.dialog && side.dialog->state == dialog::Dialog::State::Confirmed;
    const bool within = side.dialog && !a_.opens_call && (answered || method != Method::Invite) &&
                        method != Method::Register && key_ != 0;
    auto draft = a_.forwards && method == Method::Cancel ? cancel()
                 : a_.forwards                           ? forwarded(*a_.forwards)
                 : method == Method::Cancel              ? cancel()
                 : within                                ? in_dialog(request)
                                                         : fresh(request);
    if (!draft) {
        return std::unexpected{draft.error()};
    }
    if (method != Method::Cancel) {
        add_via(*draft);
    }
    const auto* in_call = script::find<script::InCall>(a_.facts);
    if (method == Method::Invite && in_call != nullptr && in_call->replaces != 0 && !a_.forwards) {
        const auto* party = std::get_if<PartyId>(&request.target);
        const auto named = replaces(s_, in_call->replaces, party != nullptr ? *party : a_.to);
        if (!named) {
            return std::unexpected{
                fmt::format("call {} cannot be replaced: it has no dialog", in_call->replaces)};
        }
        draft->set("Replaces", *named);
    }
    if (auto done = add_body(*draft, method, 0, &request); !done) {
        return std::unexpected{done.error()};
    }
    if (auto done = add_credentials(*draft); !done) {
        return std::unexpected{done.error()};
    }
    apply_facts(*draft);
    if (auto done = seal_body(s_, a_, *draft); !done) {
        return std::unexpected{done.error()};
    }
    auto text = draft->print();
    remember(*draft, method, text);
    return text;
}

void Writer::remember(const Draft& draft, Method method, const std::string& text) {
    auto& side = s_.side(a_.from, key_);
    if (method == Method::Invite && !a_.forwards) {
        side.invite = text;
        if (const auto cseq = sip::parse_cseq(draft.value("CSeq"))) {
            side.invite_cseq = cseq->number;
        }
    }
    if ((method == Method::Subscribe || method == Method::Refer) && !a_.forwards) {
        side.event = method == Method::Refer ? refer_event(side, draft.value("CSeq"))
                                             : std::string{draft.value("Event")};
        s_.exchanges[step_].event = side.event;
    }
}

Written Writer::ack() {
    script::Request request;
    request.method = Method::Ack;
    auto draft = in_dialog(request);
    if (!draft) {
        return std::unexpected{draft.error()};
    }
    add_via(*draft);
    if (auto sdp = s_.sound->describe(a_.from, a_.call,
                                      {Method::Ack, 0, sip::is_secure(wire_.transport)}, a_.facts);
        !sdp.empty()) {
        draft->set_body("application/sdp", sdp);
    }
    return draft->print();
}

std::expected<Target, std::string> Writer::target(const script::Request& request) {
    // "A server […] acts as the final recipient" of an OPTIONS for its own name [RFC 3261 §11].
    const auto* named = std::get_if<PartyId>(&request.target);
    const auto& server = s_.cast.members[a_.to];
    const bool own_name =
        !server.actor && !script::find<script::PartyUri>(s_.plan.parties[a_.to].facts);
    if (request.method == Method::Options && own_name &&
        (named != nullptr ? *named == a_.to
                          : !std::holds_alternative<script::Template>(request.target))) {
        return Target{"sip:" + server.name, a_.to};
    }
    if (const auto* party = std::get_if<PartyId>(&request.target)) {
        return Target{s_.cast.members[*party].uri, *party};
    }
    if (const auto* text = std::get_if<script::Template>(&request.target)) {
        std::string missing;
        auto uri = s_.values.fill(*text, where_, &missing);
        if (!uri) {
            return std::unexpected{missing + " has no value yet"};
        }
        return Target{std::move(*uri), std::nullopt};
    }
    return Target{s_.cast.members[a_.to].uri, a_.to};
}

std::expected<Draft, std::string> Writer::fresh(const script::Request& request) {
    const auto method = request.method;
    auto whom = target(request);
    if (!whom) {
        return std::unexpected{whom.error()};
    }
    // "The Refer-To header field [names] the third party": the request itself goes to the one who
    // is to call [RFC 3515 §2.1].
    const Target referred = *whom;
    if (method == Method::Refer) {
        *whom = Target{s_.cast.members[a_.to].uri, a_.to};
    }
    const auto& self = s_.cast.members[a_.from];
    auto& player = s_.players[a_.from];
    const bool registers = method == Method::Register;
    const auto own = "<" + self.uri + ">";
    Side apart;
    auto& side = registers   ? player.registrations[self.uri]
                 : key_ != 0 ? player.sides[key_]
                             : apart;
    if (side.call_id.empty()) {
        side.call_id = s_.names.call_id(self.domain);
        side.local_tag = s_.names.tag();
        side.cseq = s_.names.cseq();
    }
    ++side.cseq;
    const auto uri = registers ? "sip:" + self.domain : whom->uri;
    sips_ = istarts_with(uri, "sips:");
    auto draft = Draft::request(method_name(method), uri);
    draft.add("Max-Forwards", "70")
        .add("From", own + ";tag=" + side.local_tag)
        .add("To", registers ? own : "<" + whom->uri + ">")
        .add("Call-ID", side.call_id)
        .add("CSeq", fmt::format("{} {}", side.cseq, method_name(method)));
    if (auto done = add_method_fields(draft, method, referred); !done) {
        return std::unexpected{done.error()};
    }
    return draft;
}

std::expected<Draft, std::string> Writer::in_dialog(const script::Request& request) {
    auto& side = s_.side(a_.from, key_);
    const auto method = request.method;
    std::optional<std::uint32_t> cseq;
    if (method == Method::Ack) {
        cseq = side.invite_cseq;
    }
    auto draft = dialog::request_in(*side.dialog, method_name(method), cseq);
    side.cseq = side.dialog->local_cseq.value_or(side.cseq);
    sips_ = istarts_with(draft.uri(), "sips:");
    const auto whom = target(request);
    if (!whom) {
        return std::unexpected{whom.error()};
    }
    if (std::holds_alternative<script::Template>(request.target) && method != Method::Refer) {
        dialog::Changes changes;
        changes.uri = whom->uri;
        draft.apply(changes);
    }
    if (auto done = add_method_fields(draft, method, *whom); !done) {
        return std::unexpected{done.error()};
    }
    return draft;
}

std::expected<void, std::string> Writer::add_method_fields(Draft& draft, Method method,
                                                           const Target& target) {
    if (makes_dialog(method) || method == Method::Register) {
        add_contact(draft);
    }
    switch (method) {
    case Method::Register:
        draft.add("Expires", "3600");
        break;
    case Method::Invite:
        draft.add("Allow", allowed_methods);
        break;
    case Method::Subscribe:
    case Method::Publish:
        draft.add("Event", "presence").add("Expires", "3600");
        break;
    case Method::Notify:
        add_notify(draft);
        break;
    case Method::Prack:
        add_rack(draft);
        break;
    case Method::Refer:
        return add_refer(draft, target);
    case Method::Options:
        draft.add("Accept", "application/sdp");
        break;
    case Method::None:
    case Method::Ack:
    case Method::Bye:
    case Method::Cancel:
    case Method::Info:
    case Method::Message:
    case Method::Update:
    case Method::Other:
        break;
    }
    return {};
}

// Whom the referee is to call; and with "call 2 replaces call 1" in the place of which call
// [RFC 3515 §2.1, RFC 3891 §6].
std::expected<void, std::string> Writer::add_refer(Draft& draft, const Target& target) {
    auto uri = target.uri;
    const auto* in_call = script::find<script::InCall>(a_.facts);
    if (in_call != nullptr && in_call->replaces != 0) {
        const auto named = replaces(s_, in_call->replaces, target.party.value_or(a_.to));
        if (!named) {
            return std::unexpected{
                fmt::format("call {} cannot be replaced: it has no dialog", in_call->replaces)};
        }
        uri += "?Replaces=" + escaped(*named);
    }
    draft.set("Refer-To", "<" + uri + ">");
    draft.set_default("Referred-By", "<" + s_.cast.members[a_.from].uri + ">");
    return {};
}

void Writer::add_notify(Draft& draft) {
    const auto& side = s_.side(a_.from, key_);
    const auto* report = script::find<script::Sipfrag>(a_.facts);
    const auto* request = std::get_if<script::Request>(&a_.content);
    const auto subscription = request != nullptr ? request->subscription : std::nullopt;
    const auto& event = subscription ? s_.exchanges[*subscription].event : side.event;
    draft.set("Event", event.empty() ? "refer" : event);
    if (report != nullptr) { // [RFC 3515 §2.4.4]
        draft.set("Subscription-State",
                  report->status < 200 ? "active;expires=60" : "terminated;reason=noresource");
    } else {
        draft.set("Subscription-State", subscription && unsubscribes(s_.exchanges[*subscription])
                                            ? "terminated;reason=timeout"
                                            : "active;expires=3600");
    }
}

void Writer::add_rack(Draft& draft) {
    const auto& side = s_.side(a_.from, key_);
    if (!side.reliable.empty()) { // [RFC 3262 §7.2]
        draft.set("RAck", fmt::format("{} {} INVITE", side.reliable, side.invite_cseq));
    }
}

std::expected<Draft, std::string> Writer::cancel() {
    // The INVITE that went the same way, the latest.
    for (StepId i = step_; i-- > 0;) {
        const auto* earlier = std::get_if<Arrow>(&s_.plan.steps[i].what);
        const auto* request =
            earlier != nullptr ? std::get_if<script::Request>(&earlier->content) : nullptr;
        if (request != nullptr && request->method == Method::Invite && earlier->from == a_.from &&
            earlier->to == a_.to && earlier->call == a_.call && !s_.exchanges[i].sent.empty()) {
            const auto text = transaction::make_cancel(s_.exchanges[i].sent);
            sip::HeaderIndex index;
            if (const auto message = sip::index(std::string_view{text}, index)) {
                return Draft::copy_of(*message);
            }
        }
    }
    return std::unexpected{"there is no INVITE to cancel"};
}

} // namespace cw::play
