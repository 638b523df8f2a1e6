// A DTLS handshake for media as far as it can be read without keys: who began, who answered, whose
// certificate was shown, who refused. Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/time.hpp"

namespace cw::flow {

struct DtlsExchange {
    Instant first; // ClientHello
    Instant last;  // the latest of its datagrams that said something new
    Endpoint client;
    Endpoint server;
    std::uint32_t frame = 0;     // of the first ClientHello
    std::uint32_t hellos = 0;    // ClientHellos: more than one, when no answer came or got there
    bool answered = false;       // by HelloVerifyRequest or ServerHello
    bool agreed = false;         // ServerHello
    bool no_profile = false;     // ServerHello without a profile for SRTP, where it would be seen
    bool client_went_on = false; // it has sent encrypted records, so it has keys
    bool server_went_on = false;
    bool modern = false;    // DTLS 1.3: what follows the hellos is encrypted, alerts as well
    bool confirmed = false; // of DTLS 1.3, a record by keys that only a finished handshake gives
    bool alert_from_client = false;
    std::uint8_t alert = 0;           // fatal, in clear; 0: none
    std::string_view alert_name = {}; // static text
    // Their digests, "sha-1 4A:AD… sha-256 …"; empty: not seen, which is so in DTLS 1.3.
    std::string client_certificate = {};
    std::string server_certificate = {};
};

} // namespace cw::flow
