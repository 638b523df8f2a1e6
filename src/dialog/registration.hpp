// A registration as its user agent keeps it: REGISTER, refresh, 423, and what the registrar gives
// back [RFC 3261 §10.2; Path RFC 3327, Service-Route RFC 3608, outbound RFC 5626 §4.2, GRUU RFC
// 5627 §4.2]. A plain struct and functions; time is an argument, sending is the caller's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "dialog/draft.hpp"
#include "sip/message.hpp"

namespace cw::dialog {

struct RegisteredContact {
    std::string uri;
    std::string params{};         // further parameters of the header, with their semicolons
    std::uint32_t expires = 3600; // wanted
    std::string q{};              // "0.7"; empty: none
    std::uint32_t granted = 0;    // by the last 2xx; 0: not registered
    std::string pub_gruu{};
    std::string temp_gruu{};
};

struct Registration {
    std::string registrar; // the Request-URI: "sips:example.com", without a user [§10.2]
    std::string aor;       // "sips:alice@example.com"
    std::string call_id;   // the same for all [§10.2]
    std::uint32_t cseq = 0;
    std::string instance;     // "urn:uuid:…"; empty: no outbound, no GRUU
    std::uint32_t reg_id = 0; // 0: no outbound [RFC 5626 §4.2]
    bool wants_gruu = false;
    std::vector<RegisteredContact> contacts;

    enum class State : std::uint8_t { Unregistered, Registering, Registered, Failed };
    State state = State::Unregistered;
    std::uint32_t min_expires = 0;          // from a 423
    std::vector<std::string> service_route; // of the last 2xx, in order [RFC 3608 §6]
    std::vector<std::string> path;          // likewise [RFC 3327 §5.1]
    bool outbound = false; // the registrar did it: Require: outbound in the 2xx [RFC 5626 §4.2.1]
    std::uint32_t flow_timer = 0; // [RFC 5626 §4.4]; 0: none given
    Instant refresh_at;
    Instant expires_at;
    Instant retry_at;
    std::uint32_t failures = 0; // in a row

    enum class Due : std::uint8_t { Nothing, Refresh, Expired };
    [[nodiscard]] Instant next_deadline() const;
    Due advance(Instant now);
};

// The next REGISTER, but for Via. `remove`: with expires 0, so that the bindings go [§10.2.2].
Draft make_register(Registration& registration, std::string_view from_tag, bool remove = false);

enum class RegisterVerdict : std::uint8_t {
    Wait,       // a provisional response
    Registered, // or unregistered
    TryAgain,   // now, with what was learned: 423
    Challenged, // 401, 407: the caller has the credentials, or not
    Failed,     // retry_at says when another try makes sense
};
RegisterVerdict on_register_response(Registration& registration, const sip::MessageView& response,
                                     Instant now);
// No answer, or no connection: treated as a 408 or 503 [§8.1.3.1].
void on_register_unanswered(Registration& registration, Instant now);

// How long to wait after so many failures in a row, at most [RFC 5626 §4.5]: 30 s times 2 to the
// power of their number, up to half an hour.
Duration retry_pause(std::uint32_t failures);

std::string_view to_string(Registration::State state);

} // namespace cw::dialog
