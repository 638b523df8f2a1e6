#include "play/writing.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/aka.hpp"
#include "crypto/digest_client.hpp"
#include "dialog/draft.hpp"
#include "play/sound.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/via.hpp"

namespace cw::play {

using dialog::Draft;
using script::Facts;
using sip::HeaderId;
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

std::string hex(const crypto::Block128& octets) {
    std::string out;
    for (const auto octet : octets) {
        out += fmt::format("{:02x}", octet);
    }
    return out;
}

bool makes_dialog(Method method) {
    return method == Method::Invite || method == Method::Subscribe || method == Method::Refer ||
           method == Method::Notify || method == Method::Update;
}

bool is_v6(const Wire& wire) {
    return wire.remote.port != 0 && !wire.remote.address.is_v4();
}

Values::CallFinder finder(const State& state, PartyId party) {
    return [&state, party](CallId call) { return state.call_facts(party, call); };
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

struct Target {
    std::string uri;
    std::optional<PartyId> party;
};

class Writer {
  public:
    Writer(State& state, StepId step, const Arrow& arrow, SideKey key, const Wire& wire)
        : s_(state), step_(step), a_(arrow), key_(key), wire_(wire),
          calls_(finder(state, arrow.from)), where_{arrow.call, wire.transport, &calls_} {}

    Written request(const script::Request& request);
    Written response(const script::Response& response);
    Written ack();
    Written silently(std::string_view request, const Wire& came) {
        auto draft = passed_on(request, came);
        if (!draft) {
            return std::unexpected{draft.error()};
        }
        add_via(*draft);
        return draft->print();
    }

  private:
    std::expected<Draft, std::string> fresh(const script::Request& request);
    std::expected<Draft, std::string> in_dialog(const script::Request& request);
    std::expected<Draft, std::string> forwarded(StepId received);
    std::expected<Draft, std::string> passed_on(std::string_view text, const Wire& came);
    std::expected<Draft, std::string> cancel();
    std::expected<Draft, std::string> answer(const script::Response& response);
    Draft passed_back(StepId received);
    std::expected<Target, std::string> target(const script::Request& request);
    std::expected<void, std::string> add_method_fields(Draft& draft, Method method,
                                                       const Target& target);
    std::expected<void, std::string> add_refer(Draft& draft, const Target& target);
    void add_notify(Draft& draft);
    void add_rack(Draft& draft);
    void add_via(Draft& draft);
    void add_contact(Draft& draft);
    void add_challenge_of(Draft& draft, PartyId server, std::uint16_t status);
    struct Opened {
        crypto::DigestChallenge challenge;
        std::string password;
    };
    std::expected<Opened, std::string> open_card(std::span<const std::string_view> values);
    std::expected<void, std::string> add_credentials(Draft& draft);
    std::expected<void, std::string> add_body(Draft& draft, Method method, std::uint16_t status,
                                              const script::Request* request);
    void apply_facts(Draft& draft);
    void change_sdp(Draft& draft, const script::SdpLine& line);
    static void drop_param(Draft& draft, const std::string& name, const std::string& param);
    void remember(const Draft& draft, Method method, const std::string& text);
    [[nodiscard]] bool stays_on_path() const;
    [[nodiscard]] std::string sent_by() const {
        return s_.cast.sent_by(a_.from, wire_.transport, is_v6(wire_));
    }

    State& s_;
    StepId step_;
    const Arrow& a_;
    SideKey key_;
    Wire wire_;
    bool sips_ = false; // the request is for a sips URI, and so are our addresses [RFC 5630 §5.1.1]
    Values::CallFinder calls_;
    Values::Where where_;
};

// ---- requests

std::expected<Target, std::string> Writer::target(const script::Request& request) {
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
    if (auto done = add_method_fields(draft, method, *whom); !done) {
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
        draft.add("Allow",
                  "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, MESSAGE");
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
        draft.set("Subscription-State", "active;expires=3600");
    }
}

void Writer::add_rack(Draft& draft) {
    const auto& side = s_.side(a_.from, key_);
    if (!side.reliable.empty()) { // [RFC 3262 §7.2]
        draft.set("RAck", fmt::format("{} {} INVITE", side.reliable, side.invite_cseq));
    }
}

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

void Writer::add_via(Draft& draft) {
    draft.add_first("Via", s_.new_via(a_.from, wire_.transport, is_v6(wire_)));
}

void Writer::add_contact(Draft& draft) {
    draft.set("Contact",
              "<" + s_.cast.contact(a_.from, wire_.transport, sips_, is_v6(wire_)) + ">");
}

std::expected<void, std::string> Writer::add_credentials(Draft& draft) {
    const bool wrong = script::says(a_.facts, script::Word::WrongPassword);
    const bool aka = script::says(a_.facts, script::Word::Aka);
    if (!wrong && !aka && !script::says(a_.facts, script::Word::Digest)) {
        return {};
    }
    auto& challenges = s_.players[a_.from].challenges;
    if (challenges.empty()) {
        if (!s_.ours(a_.to)) {
            return {}; // its challenge will be answered when it comes
        }
        // From an earlier registration, so to speak.
        sip::HeaderIndex index;
        Draft response = Draft::response(401, "");
        add_challenge_of(response, a_.to, 401);
        const auto text = response.print();
        if (const auto message = sip::index(std::string_view{text}, index)) {
            s_.note_challenge(a_.from, step_, *message);
        }
    }
    const auto& self = s_.cast.members[a_.from];
    for (auto& challenge : challenges) {
        if (challenge.key != key_) {
            continue;
        }
        std::vector<std::string_view> values{challenge.values.begin(), challenge.values.end()};
        auto password = wrong ? self.password + "x" : self.password;
        auto chosen = crypto::choose_challenge(values);
        if (aka) {
            auto opened = open_card(values);
            if (!opened) {
                return std::unexpected{opened.error()};
            }
            chosen = opened->challenge;
            password = wrong ? opened->password + "x" : opened->password;
        }
        if (!chosen) {
            return std::unexpected{"the challenge asks for an algorithm that we do not have"};
        }
        draft.add(challenge.proxy ? "Proxy-Authorization" : "Authorization",
                  s_.credentials(self, password, *chosen, draft, ++challenge.count));
    }
    return {};
}

// The card opens the network's nonce: RES is the password [RFC 3310 §3.3].
std::expected<Writer::Opened, std::string>
Writer::open_card(std::span<const std::string_view> values) {
    auto& player = s_.players[a_.from];
    for (const auto value : values) {
        const auto challenge = crypto::parse_challenge(value);
        const auto algorithm =
            challenge ? crypto::parse_aka_algorithm(challenge->algorithm) : std::nullopt;
        if (!algorithm) {
            continue;
        }
        const auto opened = crypto::open_aka_nonce(State::card_of(s_.cast.members[a_.from]),
                                                   challenge->nonce, player.sqn);
        if (opened.verdict != crypto::AkaOpened::Verdict::Good) {
            return std::unexpected{"AUTN does not prove that the network knows the card"};
        }
        player.sqn = opened.sqn;
        return Opened{*challenge,
                      crypto::aka_password(*algorithm, opened.res, opened.ik, opened.ck)};
    }
    return std::unexpected{"the challenge is not one of AKA"};
}

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

// ---- responses

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

std::expected<Draft, std::string> Writer::answer(const script::Response& response) {
    const auto& exchange = s_.exchanges[s_.first_of(response.answers)];
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{exchange.received}, index);
    if (!message) {
        return std::unexpected{"there is nothing to answer: the request was not received"};
    }
    auto& side = s_.side(a_.from, key_);
    if (side.local_tag.empty()) {
        side.local_tag = s_.names.tag();
    }
    const auto via = sip::ValueCursor{*message, HeaderId::Via}.next().value_or("");
    auto draft = dialog::response_to(*message, response.status, side.local_tag,
                                     dialog::received_via(via, exchange.received_on));
    const auto method = message->method();
    sips_ = istarts_with(message->request_uri(), "sips:");
    const bool success = response.status >= 200 && response.status < 300;
    if (response.status > 100 && response.status < 300 && makes_dialog(method)) {
        add_contact(draft);
    }
    if (method == Method::Register && success) {
        for (const auto& header : message->headers()) {
            if (header.id == HeaderId::Contact && header.value != "*") {
                draft.add("Contact",
                          std::string{header.value} +
                              (header.value.contains("expires=") ? "" : ";expires=3600"));
            }
        }
    }
    if (method == Method::Subscribe && success) {
        draft.add("Expires", message->has(HeaderId::Expires) ? message->value(HeaderId::Expires)
                                                             : std::string_view{"3600"});
    }
    if (response.status == 401 || response.status == 407) {
        add_challenge_of(draft, a_.from, response.status);
    }
    if (method == Method::Invite && response.status > 100 && response.status < 300) {
        const bool confirmed =
            side.dialog && side.dialog->state == dialog::Dialog::State::Confirmed;
        if (!confirmed) {
            if (auto made = dialog::uas_dialog(*message, side.local_tag,
                                               success ? dialog::Dialog::State::Confirmed
                                                       : dialog::Dialog::State::Early,
                                               sip::is_secure(wire_.transport))) {
                if (side.dialog) { // requests of ours in the early dialog have counted already
                    made->local_cseq = side.dialog->local_cseq;
                    made->remote_cseq = side.dialog->remote_cseq;
                }
                side.dialog = std::move(*made);
            }
        } else if (success) {
            dialog::refresh_target(*side.dialog, *message);
        }
    } else if ((method == Method::Subscribe || method == Method::Refer) && success &&
               !side.dialog) {
        if (auto made =
                dialog::uas_dialog(*message, side.local_tag, dialog::Dialog::State::Confirmed,
                                   sip::is_secure(wire_.transport))) {
            side.dialog = std::move(*made);
        }
    }
    return draft;
}

// `server` asks.
void Writer::add_challenge_of(Draft& draft, PartyId server, std::uint16_t status) {
    auto& player = s_.players[server];
    const auto* const name = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
    const auto realm =
        status == 401 ? s_.cast.members[server].domain : s_.cast.members[server].name;
    if (script::says(a_.facts, script::Word::Aka)) {
        // Whose card it has to be stands in To.
        const auto to = sip::parse_name_addr(draft.value("To"));
        const auto user = to ? to->uri.user : std::string_view{};
        const auto card = std::ranges::find(s_.cast.members, user, &Member::user);
        if (card != s_.cast.members.end()) {
            crypto::Block128 rand{};
            for (auto& octet : rand) {
                octet = static_cast<std::uint8_t>(s_.names.next() >> 24);
            }
            player.sqn += 32; // the low five bits are an index [TS 33.102 C.1]
            const auto vector = crypto::make_aka_vector(State::card_of(*card), rand, player.sqn);
            player.nonce = vector.nonce;
            player.aka_password = crypto::aka_password({}, vector.res, vector.ik, vector.ck);
            // [TS 24.229 §5.4.1.2.1]: with the keys for the P-CSCF.
            draft.set(name,
                      fmt::format(R"(Digest realm="{}", nonce="{}", algorithm={}, qop="auth", )"
                                  R"(ik="{}", ck="{}")",
                                  realm, player.nonce, crypto::aka_algorithm, hex(vector.ik),
                                  hex(vector.ck)));
            return;
        }
    }
    player.nonce = s_.names.tag() + s_.names.tag();
    player.aka_password.clear();
    const auto* said = script::find<script::Algorithm>(a_.facts);
    const auto hash = said != nullptr ? said->hash : script::Hash::Sha256;
    const auto algorithm = hash == script::Hash::Md5      ? crypto::DigestAlgorithm::Md5
                           : hash == script::Hash::Sha256 ? crypto::DigestAlgorithm::Sha256
                                                          : crypto::DigestAlgorithm::Sha512_256;
    draft.set(name, fmt::format(R"(Digest realm="{}", nonce="{}", algorithm={}, qop="auth")", realm,
                                player.nonce, crypto::to_string(algorithm)));
}

Written Writer::response(const script::Response& response) {
    auto draft = a_.forwards ? std::expected<Draft, std::string>{passed_back(*a_.forwards)}
                             : answer(response);
    if (!draft) {
        return std::unexpected{draft.error()};
    }
    if (!response.phrase.empty()) {
        dialog::Changes changes;
        changes.reason = response.phrase;
        draft->apply(changes);
    }
    if (auto done = add_body(*draft, response.method, response.status, nullptr); !done) {
        return std::unexpected{done.error()};
    }
    apply_facts(*draft);
    auto& side = s_.side(a_.from, key_);
    if (response.status > 100 && response.status < 200 && !a_.forwards &&
        draft->value("Require").contains("100rel") && !draft->has("RSeq")) {
        side.rseq = side.rseq == 0 ? s_.names.rseq() : side.rseq + 1; // [RFC 3262 §3]
        draft->set("RSeq", std::to_string(side.rseq));
    }
    return draft->print();
}

// ---- what both have

std::expected<void, std::string> Writer::add_body(Draft& draft, Method method, std::uint16_t status,
                                                  const script::Request* request) {
    if (const auto* file = script::find<script::Body>(a_.facts)) {
        const auto at = s_.given.files.find(file->file);
        if (at == s_.given.files.end()) {
            return std::unexpected{file->file + " cannot be read"};
        }
        draft.set_body(draft.has("Content-Type") ? "" : "application/octet-stream", at->second);
        return {};
    }
    if (request != nullptr && request->text) {
        std::string missing;
        const auto text = s_.values.fill(*request->text, where_, &missing);
        if (!text) {
            return std::unexpected{missing + " has no value yet"};
        }
        draft.set_body("text/plain", *text);
        return {};
    }
    if (const auto* report = script::find<script::Sipfrag>(a_.facts);
        report != nullptr && status == 0) {
        draft.set_body("message/sipfrag;version=2.0",
                       fmt::format("SIP/2.0 {} {}\r\n", report->status, report->phrase));
        return {};
    }
    const bool said = script::find<script::Description>(a_.facts) != nullptr;
    if (a_.forwards && !said) {
        return {};
    }
    // Who passes a call on with media of its own has two streams: one towards each side.
    const bool onward = a_.forwards && status == 0;
    const auto sdp =
        s_.sound->describe(a_.from, onward ? inner_leg(a_.call) : a_.call,
                           {method, status, sip::is_secure(wire_.transport)}, a_.facts);
    if (!sdp.empty()) {
        draft.set_body("application/sdp", sdp);
    } else if (script::says(a_.facts, script::Word::NoSdp)) {
        draft.set_body("", "");
    }
    return {};
}

void Writer::apply_facts(Draft& draft) {
    std::vector<std::string> set;
    for (const auto& fact : a_.facts) {
        if (const auto* line = std::get_if<script::SdpLine>(&fact.value)) {
            change_sdp(draft, *line);
        }
        const auto* header = std::get_if<script::Header>(&fact.value);
        if (header == nullptr) {
            continue;
        }
        if (header->absent) {
            draft.remove(header->name);
            continue;
        }
        const bool star = header->id == HeaderId::Contact && header->value.pieces.size() == 1 &&
                          std::holds_alternative<script::Any>(header->value.pieces[0]) &&
                          draft.method() == "REGISTER";
        const auto value =
            star ? std::optional<std::string>{"*"} : s_.values.fill(header->value, where_);
        for (const auto& param : header->without) {
            drop_param(draft, header->name, param);
        }
        if (!value) {
            continue; // with a `*`, or to be captured from what others write: compared only
        }
        // The same name twice: two fields.
        if (std::ranges::find(set, header->name) != set.end()) {
            draft.add(header->name, *value);
        } else {
            draft.set(header->name, *value);
            set.push_back(header->name);
        }
    }
}

// `;ck=…` or `, ck="…"` is taken out of the field.
void Writer::drop_param(Draft& draft, const std::string& name, const std::string& param) {
    std::string value{draft.value(name)};
    for (const char divider : {',', ';'}) {
        std::size_t begin = 0;
        bool quoted = false;
        for (std::size_t i = 0; i <= value.size(); ++i) {
            const bool end = i == value.size();
            quoted = !end && value[i] == '"' ? !quoted : quoted;
            if (!end && (quoted || value[i] != divider)) {
                continue;
            }
            const auto one = trim(std::string_view{value}.substr(begin, i - begin));
            if (begin != 0 && iequals(one.substr(0, one.find('=')), param)) {
                value.erase(begin - 1, i - begin + 1);
                draft.set(name, value);
                return;
            }
            begin = i + 1;
        }
    }
}

// The line of the same letter and attribute takes the new value; else it goes to the end.
void Writer::change_sdp(Draft& draft, const script::SdpLine& line) {
    if (draft.body().empty()) {
        return;
    }
    std::string value;
    if (!line.absent) {
        const auto filled = s_.values.fill(line.value, where_);
        if (!filled) {
            return;
        }
        value = *filled;
    } else if (const auto name = s_.values.fill(line.value, where_)) {
        value = *name;
    }
    const auto name = line.letter == 'a' || line.absent ? value.substr(0, value.find_first_of(": "))
                                                        : std::string{};
    std::string out;
    bool done = false;
    std::string_view rest = draft.body();
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size() - 1);
        const auto whole = rest.substr(0, end + 1);
        rest.remove_prefix(end + 1);
        const auto text = trim(whole);
        const bool same = text.size() > 1 && text[0] == line.letter && text[1] == '=' &&
                          (name.empty() || text.substr(2, text.find(':') - 2) == name);
        if (!same) {
            out += whole;
        } else if (!line.absent && !done) {
            out += fmt::format("{}={}\r\n", line.letter, value);
            done = true;
        }
    }
    if (!done && !line.absent) {
        out += fmt::format("{}={}\r\n", line.letter, value);
    }
    draft.set_body("", out);
}

} // namespace

Written write_request(State& state, StepId step, const Arrow& arrow, const script::Request& request,
                      const Wire& wire) {
    return Writer{state, step, arrow, state.key_of(step), wire}.request(request);
}

Written write_response(State& state, StepId step, const Arrow& arrow,
                       const script::Response& response) {
    const auto& exchange = state.exchanges[state.first_of(response.answers)];
    return Writer{state, step, arrow, state.key_of(step), exchange.received_on}.response(response);
}

Written write_ack(State& state, PartyId party, CallId call, const Wire& wire) {
    Arrow arrow;
    arrow.from = party;
    arrow.call = call;
    return Writer{state, 0, arrow, call, wire}.ack();
}

Written write_passed_on(State& state, StepId step, const Arrow& arrow, std::string_view request,
                        const Wire& came, const Wire& wire) {
    return Writer{state, step, arrow, arrow.call, wire}.silently(request, came);
}

std::optional<PartyId> next_hop_of(const State& state, PartyId party, SideKey key) {
    const auto& sides = state.players[party].sides;
    const auto at = sides.find(key);
    if (at == sides.end() || !at->second.dialog) {
        return std::nullopt;
    }
    const auto uri = sip::parse_uri(dialog::next_hop(*at->second.dialog));
    if (!uri) {
        return std::nullopt;
    }
    const auto address = sip::host_address(*uri);
    return address ? state.cast.find({*address, uri->port}) : std::nullopt;
}

} // namespace cw::play
