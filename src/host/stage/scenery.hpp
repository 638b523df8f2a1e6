// What a flow needs before its first arrow, whether it is performed once or a thousand times: which
// participants are real systems and where they are, what everybody is called in handshakes, and
// whether the certificate that somebody shows is whom it should be. Free of state.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

#include "play/cast.hpp"
#include "play/wants.hpp"
#include "script/plan.hpp"

namespace cw::host {

// A participant that is a real system: `--at sbc=tls:sbc.lab:5061`.
struct RealSystem {
    std::string party;
    sip::Transport transport = sip::Transport::Tls;
    std::string host;
    std::uint16_t port = 0;
};
std::expected<RealSystem, std::string> parse_real_system(std::string_view text);

// The literal parties that --listen names are reached over its transport.
std::expected<void, std::string> mark_listeners(script::Plan& plan,
                                                const std::vector<RealSystem>& listen);
// The parties that are real systems are marked so in the plan.
std::expected<void, std::string> mark_real_systems(script::Plan& plan,
                                                   const std::vector<RealSystem>& at);
// Their addresses, from the resolver of the system, are written into the cast.
std::expected<void, std::string> find_real_systems(const script::Plan& plan, play::Cast& cast);
// By party: the names that arrows give it in handshakes.
std::vector<std::vector<std::string>> names_in_handshakes(const script::Plan& plan);

play::HandshakeFacts handshake_facts(SSL* ssl);
// Empty when the certificate at the other end is whom it should be; else a sentence.
std::string judge_server(SSL* ssl, const std::string& expected);
std::string judge_client(SSL* ssl, const play::Cast& cast);

} // namespace cw::host
