#include "play/dialog_info.hpp"

#include <fmt/format.h>

namespace cw::play {
namespace {

// The value of an attribute; what a peer has written may be in it.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
            out += fmt::format("&#{};", static_cast<int>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

} // namespace

std::string dialog_info(const State& state, PartyId party, std::uint32_t version) {
    using Known = dialog::Dialog;
    auto out = fmt::format("<?xml version=\"1.0\"?>\r\n"
                           "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" "
                           "version=\"{}\" state=\"full\" entity={}>\r\n",
                           version, quoted(state.cast.members[party].uri));
    for (const auto& [key, side] : state.players[party].sides) {
        if (key == 0 || key >= first_subscription || !side.dialog) {
            continue;
        }
        const auto& one = *side.dialog;
        out += fmt::format("  <dialog id=\"call{}\" call-id={} local-tag={} remote-tag={} "
                           "direction=\"{}\">\r\n    <state>{}</state>\r\n  </dialog>\r\n",
                           key, quoted(one.call_id), quoted(one.local_tag), quoted(one.remote_tag),
                           one.role == Known::Role::Uac ? "initiator" : "recipient",
                           one.state == Known::State::Early       ? "early"
                           : one.state == Known::State::Confirmed ? "confirmed"
                                                                  : "terminated");
    }
    return out + "</dialog-info>\r\n";
}

} // namespace cw::play
