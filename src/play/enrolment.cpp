#include <algorithm>

#include <fmt/format.h>

#include "crypto/digest_client.hpp"
#include "dialog/draft.hpp"
#include "play/state.hpp"
#include "play/writing.hpp"

namespace cw::play {

namespace {

constexpr std::uint32_t most_tries = 3;

} // namespace

// A server of ours, or a real one, is to find a phone whose REGISTER is not drawn: then it
// registers before the flow begins, which is part of "what is not said is done properly".
std::vector<std::optional<PartyId>> registrars(const script::Plan& plan, Enrol enrol) {
    std::vector<std::optional<PartyId>> out(plan.parties.size());
    std::vector<bool> drawn(plan.parties.size(), false);
    for (const auto& step : plan.steps) {
        const auto* a = std::get_if<Arrow>(&step.what);
        const auto* request = a != nullptr ? std::get_if<script::Request>(&a->content) : nullptr;
        if (request == nullptr || enrol == Enrol::Nobody) {
            continue;
        }
        const auto& phone = plan.parties[a->to];
        const auto& server = plan.parties[a->from];
        drawn[a->from] = drawn[a->from] || request->method == sip::Method::Register;
        const bool finds = server.control == script::Control::Embedded ||
                           (enrol == Enrol::Everywhere && !server.actor &&
                            server.control == script::Control::External);
        if (finds && phone.actor && phone.control == script::Control::Played && !out[a->to]) {
            out[a->to] = a->from;
        }
    }
    for (PartyId party = 0; party < out.size(); ++party) {
        if (drawn[party]) {
            out[party].reset();
        }
    }
    return out;
}

void State::plan_enrolments() {
    const auto servers = registrars(plan, given.enrol);
    for (PartyId party = 0; party < servers.size(); ++party) {
        if (servers[party]) {
            enrolments.push_back({party, *servers[party], {}, "", 0, false});
        }
    }
}

// Then the phone registers over a connection that it closes again: as long as that is there, the
// server sends everything over it [RFC 3261 §18.2.2, RFC 5923].
bool State::server_dials(PartyId server, PartyId party) const {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        return a != nullptr && a->from == server && a->to == party && !script::is_lost(a->link) &&
               std::holds_alternative<script::Channel>(a->content);
    });
}

bool State::enrol() {
    bool all = true;
    for (auto& one : enrolments) {
        all = all && one.done;
        if (one.done || !one.sent.empty()) {
            continue;
        }
        const auto wire = find_way(one.token, one.party, one.server);
        if (!wire) {
            if (!wire.error().empty()) {
                stop(fmt::format("{} cannot register: {}", plan.parties[one.party].id,
                                 wire.error()));
            }
            continue;
        }
        const auto& self = cast.members[one.party];
        auto draft = dialog::Draft::request("REGISTER", "sip:" + self.domain);
        draft.add("Via", new_via(one.party, wire->transport))
            .add("Max-Forwards", "70")
            .add("From", fmt::format("<{}>;tag={}", self.uri, names.tag()))
            .add("To", fmt::format("<{}>", self.uri))
            .add("Call-ID", names.call_id(self.domain))
            .add("CSeq", "1 REGISTER")
            .add("Contact", fmt::format("<{}>", cast.contact(one.party, wire->transport)))
            .add("Expires", "3600");
        one.sent = draft.print();
        players[one.party].table->send(sip::Method::Register, branch_of(one.sent), one.sent, *wire,
                                       enrolment_owner + one.party, now, outbox);
    }
    return all || over;
}

void State::on_enrolled(PartyId party, const sip::MessageView& response) {
    const auto one = std::ranges::find(enrolments, party, &Enrolment::party);
    const auto status = response.status();
    if (one == enrolments.end() || status < 200) {
        return;
    }
    const auto wire = find_way(one->token, party, one->server);
    if (status < 300) {
        one->done = true;
        if (wire && wire->reliable() && server_dials(one->server, party)) {
            const auto line = std::ranges::find(lines, *wire, &Line::wire);
            line->open = false;
            wants.closes.push_back(*wire);
        }
        return;
    }
    sip::HeaderIndex index;
    const auto request = sip::index(std::string_view{one->sent}, index);
    std::vector<std::string_view> offered;
    for (const auto& header : response.headers()) {
        if (header.id == sip::HeaderId::WwwAuthenticate) {
            offered.push_back(header.value);
        }
    }
    const auto chosen = crypto::choose_challenge(offered);
    if (status != 401 || !chosen || !wire || !request || ++one->tries == most_tries) {
        stop(fmt::format("{} cannot register: {} {}", plan.parties[party].id, status,
                         response.reason()));
        return;
    }
    const auto& self = cast.members[party];
    auto draft = dialog::Draft::copy_of(*request);
    draft.set("CSeq", fmt::format("{} REGISTER", one->tries + 1));
    draft.set("Via", new_via(party, wire->transport));
    draft.set("Authorization", credentials(self, self.password, *chosen, draft, 1));
    one->sent = draft.print();
    players[party].table->send(sip::Method::Register, branch_of(one->sent), one->sent, *wire,
                               enrolment_owner + party, now, outbox);
}

} // namespace cw::play
