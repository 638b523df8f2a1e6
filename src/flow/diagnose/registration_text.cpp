// The words of the rules about registration, authentication and NAT.
#include <array>

#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> registration_rules() {
    using enum Severity;
    static constexpr std::array rules{
        Rule{.id = "D36",
             .severity = Error,
             .title = "Credentials are refused again and again",
             .rfc = "RFC 3261 §22.1",
             .means =
                 "Each request carries credentials, and each is challenged again without "
                 "stale=true: the password, the user name or the realm is wrong, or something "
                 "between changes what the digest covers. A client that gets the same challenge "
                 "again should stop and ask its user.",
             .fix =
                 "Compare user name, realm and password on both sides, letter by letter; some "
                 "phones have an authentication user of their own. If they are right, see whether "
                 "the uri in the credentials is the Request-URI that the server got.",
             .needs = "Two refusals in a row of credentials for the realm of the challenge.",
             .brings = "",
             .picture = "Alice->>Registrar: REGISTER\nRegistrar-->>Alice: 401\nAlice->>Registrar: "
                        "REGISTER, credentials\nRegistrar-->>Alice: 401 [!]\nAlice->>Registrar: "
                        "REGISTER, credentials\nRegistrar-->>Alice: 401"},
        Rule{
            .id = "D37",
            .severity = Error,
            .title = "A challenge, and no credentials in return",
            .rfc = "RFC 3261 §22.2",
            .means = "The server asked who this is, and the client did not try again. It has no "
                     "password for this realm, or it can't compute what is asked for: an algorithm "
                     "(SHA-256, RFC 8760) or a qop that it does not know.",
            .fix = "Give the client credentials for this realm, or let the server offer MD5 beside "
                   "SHA-256, in a challenge of its own, until the client can do better.",
            .needs = "Five seconds of capture after the challenge.",
            .brings = "",
            .picture = "Alice->>Registrar: REGISTER\nRegistrar-->>Alice: 401, "
                       "algorithm=SHA-256 [!]"},
    };
    return rules;
}

} // namespace cw::flow::diagnose
