#include "play/writer.hpp"

#include <fmt/format.h>

#include "dialog/draft.hpp"
#include "play/dialog_info.hpp"
#include "play/sound.hpp"
#include "play/writing.hpp"
#include "sip/uri.hpp"

namespace cw::play {

using sip::Method;

Writer::Writer(State& state, StepId step, const Arrow& arrow, SideKey key, const Wire& wire)
    : s_(state), step_(step), a_(arrow), key_(key), wire_(wire),
      calls_([&state, party = arrow.from](CallId call) { return state.call_facts(party, call); }),
      where_{arrow.call, wire.transport, &calls_} {}

Written Writer::silently(std::string_view request, const Wire& came) {
    auto draft = passed_on(request, came);
    if (!draft) {
        return std::unexpected{draft.error()};
    }
    add_via(*draft);
    return draft->print();
}

void Writer::add_via(Draft& draft) {
    draft.add_first("Via", s_.new_via(a_.from, wire_.transport, is_v6(wire_)));
}

void Writer::add_contact(Draft& draft) {
    draft.set("Contact",
              "<" + s_.cast.contact(a_.from, wire_.transport, sips_, is_v6(wire_)) + ">");
}

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
    if (request != nullptr && request->subscription && method == Method::Notify &&
        draft.value("Event").starts_with("dialog")) {
        draft.set_body("application/dialog-info+xml",
                       dialog_info(s_, a_.from, s_.exchanges[*request->subscription].told++));
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
