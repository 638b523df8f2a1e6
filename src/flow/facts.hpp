// What the rules of diagnose/ read of a message beyond what the ladder shows: some of its header
// fields, as they came but on one line and cut to a bound, kept in Message::facts. Of credentials
// only what tells why they failed is kept, never what proves them. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "flow/call.hpp"
#include "sdp/session.hpp"
#include "sip/message.hpp"

namespace cw::flow {

// Fills traits, expires, max_forwards and the tags of `m`, and returns the facts of `message`,
// which live in `buffer`. `session`: its body, when that is a session description; or nullptr.
std::string_view collect_facts(const sip::MessageView& message, const sdp::Session* session,
                               Message& m, std::string& buffer);

// Over Message::facts, which must outlive it.
class Facts {
  public:
    struct Field {
        // Other: a line of the body, the first of a sipfrag or a=fingerprint of SDP; or of SDP
        // "candidate 192.0.2.1:5000", an address that ICE may choose for RTP.
        sip::HeaderId id = sip::HeaderId::Other;
        std::string_view value;
    };

    explicit Facts(std::string_view text) : rest_(text) {}
    Facts(const Call& call, const Message& m) : rest_(call.text(m.facts)) {}

    std::optional<Field> next();
    // The first value with this id from here on; empty when there is none.
    [[nodiscard]] std::string_view value(sip::HeaderId id) const;
    [[nodiscard]] bool has(sip::HeaderId id) const { return value(id).data() != nullptr; }

  private:
    std::string_view rest_;
};

} // namespace cw::flow
