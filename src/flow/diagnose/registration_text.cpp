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
            .needs =
                "Five seconds of capture after the challenge; of an INVITE also its ACK, which "
                "scanners do not send.",
            .brings = "",
            .picture = "Alice->>Registrar: REGISTER\nRegistrar-->>Alice: 401, "
                       "algorithm=SHA-256 [!]"},
        Rule{.id = "D38",
             .severity = Warning,
             .title = "The credentials do not fit what they answer",
             .rfc = "RFC 3261 §22.4",
             .means = "The uri in the credentials is what the digest covers, and a server that "
                      "compares it with the Request-URI refuses when they differ (item 6). The "
                      "realm in them has to be that of the challenge whose nonce they repeat: it "
                      "says which password is meant.",
             .fix = "In the client: digest the Request-URI as it is sent, and take the realm from "
                    "the challenge, not from a setting. A proxy that rewrites the Request-URI on "
                    "the way must not ask for credentials behind that.",
             .needs = "The request on the client's own hop, refused; for the realm the challenge.",
             .brings = "D36",
             .picture = "Alice->>Registrar: REGISTER sip:example.com, uri=sip:example.org "
                        "[!]\nRegistrar-->>Alice: 401"},
        Rule{.id = "D39",
             .severity = Error,
             .title = "The registration is too short for the registrar",
             .rfc = "RFC 3261 §10.2.8",
             .means = "423 says in Min-Expires how long a registration has to be at least. The "
                      "client has to ask again for that much; here it does not.",
             .fix =
                 "Raise the interval in the client, or lower the least interval at the registrar.",
             .needs = "Two seconds of capture after the 423.",
             .brings = "",
             .picture = "Alice->>Registrar: REGISTER, Expires 30\nRegistrar-->>Alice: 423, "
                        "Min-Expires 60 [!]"},
        Rule{.id = "D40",
             .severity = Warning,
             .title = "One registration after the other",
             .rfc = "RFC 3261 §10.2.4",
             .means = "The same phone registers again and again within a minute, and each time is "
                      "accepted. Its connection breaks, or it does not see that it succeeded: a "
                      "Contact in the 200 that it takes for another's.",
             .fix = "See what stands between: a connection that is closed, an interval of a few "
                    "seconds, a Contact that a middlebox rewrites.",
             .needs = "Six accepted registrations of one Call-ID within a minute.",
             .brings = "",
             .picture = "Alice->>Registrar: REGISTER\nRegistrar-->>Alice: 200 "
                        "OK\nAlice->>Registrar: REGISTER, and again [!]"},
        Rule{.id = "D41",
             .severity = Warning,
             .title = "A phone is called at the port it once called from",
             .rfc = "RFC 5626 §5.3",
             .means = "A phone registers over TCP or TLS from a port that its system chose for "
                      "this connection. Nobody listens there. Who opens a new connection to that "
                      "port, instead of using the one that is there, is refused, and the phone "
                      "cannot be called though it is registered.",
             .fix = "In the registrar and proxy: send requests for the phone over the connection "
                    "on which it registered (outbound, or connection reuse and aliases: RFC 5923). "
                    "In the phone: register with the port on which it listens, or with reg-id and "
                    "+sip.instance.",
             .needs = "The connection from that port, with SIP on it, and an attempt to connect to "
                      "it that was refused or not answered.",
             .brings = "D05 D07",
             .picture = "Phone->>Server: REGISTER from port 51234 (TLS)\nServer-->>Phone: 200 "
                        "OK\nServer->>Phone: connects to port 51234 [!]\nPhone-->>Server: refused"},
        Rule{.id = "D42",
             .severity = Warning,
             .title = "A device between has rewritten an address",
             .rfc = "",
             .means = "The same request, with the same Via, was captured at two points of its way, "
                      "and an address in its Contact or its session description is another one at "
                      "the second. A proxy that may do so names itself in a Via. This is what a "
                      "router with a SIP ALG does, and it mostly goes wrong: it forgets some of "
                      "the addresses, or the lengths, or to undo the change in the answers.",
             .fix = "Switch the SIP ALG (helper, inspection, fixup) of the router or firewall off, "
                    "and let phones handle NAT themselves: rport, outbound, ICE. Over TLS no ALG "
                    "can do it.",
             .needs = "The request at both points, in one reading.",
             .brings = "D12 D01 D02",
             .picture = "Alice->>Router: INVITE, Contact 192.168.1.20\nRouter->>Bob: INVITE, same "
                        "Via, Contact 203.0.113.7 [!]"},
    };
    return rules;
}

} // namespace cw::flow::diagnose
