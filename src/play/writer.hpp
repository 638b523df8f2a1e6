// What writes one message of a party of ours; the parts of it stand in writer*.cpp: requests,
// responses, what is passed on, credentials, and what the facts of the arrow change. Internal to
// play; a local of writing.hpp's functions, so the State, the arrow and the wire outlive it.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/digest_fields.hpp"
#include "dialog/draft.hpp"
#include "play/writing.hpp"

namespace cw::play {

using dialog::Draft;

constexpr bool makes_dialog(sip::Method method) {
    using sip::Method;
    return method == Method::Invite || method == Method::Subscribe || method == Method::Refer ||
           method == Method::Notify || method == Method::Update;
}

inline constexpr std::string_view allowed_methods =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, MESSAGE";

inline bool is_v6(const Wire& wire) {
    return wire.remote.port != 0 && !wire.remote.address.is_v4();
}

struct Target {
    std::string uri;
    std::optional<PartyId> party;
};

class Writer {
  public:
    Writer(State& state, StepId step, const Arrow& arrow, SideKey key, const Wire& wire);

    Written request(const script::Request& request);
    Written response(const script::Response& response);
    Written ack();
    // What is passed on without being drawn.
    Written silently(std::string_view request, const Wire& came);

  private:
    std::expected<Draft, std::string> fresh(const script::Request& request);
    std::expected<Draft, std::string> in_dialog(const script::Request& request);
    std::expected<Draft, std::string> forwarded(StepId received);
    std::expected<Draft, std::string> passed_on(std::string_view text, const Wire& came);
    std::expected<Draft, std::string> cancel();
    std::expected<Draft, std::string> answer(const script::Response& response);
    Draft passed_back(StepId received);
    std::expected<Target, std::string> target(const script::Request& request);
    std::expected<void, std::string> add_method_fields(Draft& draft, sip::Method method,
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
    std::expected<void, std::string> add_body(Draft& draft, sip::Method method,
                                              std::uint16_t status, const script::Request* request);
    void apply_facts(Draft& draft);
    void change_sdp(Draft& draft, const script::SdpLine& line);
    static void drop_param(Draft& draft, const std::string& name, const std::string& param);
    void remember(const Draft& draft, sip::Method method, const std::string& text);
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

} // namespace cw::play
