// The words of the rules about connections, TLS, sips and S/MIME.
#include <array>

#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> tls_rules() {
    using enum Severity;
    static constexpr std::array rules{
        Rule{.id = "D45",
             .severity = Error,
             .title = "A connection to a SIP server does not come about",
             .rfc = "RFC 3261 §18.4",
             .means = "The client wants a connection to the port of SIP (5060) or of SIP over TLS "
                      "(5061), or to where a message has told it to (a Contact or Route), and is "
                      "refused (RST), or nothing comes back. So the transport is "
                      "not there: the server does not listen on it, or a firewall is between. The "
                      "request that was to go over it never left.",
             .fix = "Look whether the server listens on TCP or TLS at that address and port "
                    "(callwright probe tells), and whether a firewall lets it through: refused at "
                    "once means a closed port, silence means a filter. If the server knows UDP "
                    "alone, say so to the client (transport=udp, or no SRV record _sips._tcp).",
             .needs = "The SYN and the RST, or a SYN and three seconds without an answer.",
             .brings = "D05 D07",
             .picture = "Alice->>Server: SYN to port 5061\nServer-->>Alice: RST [!]"},
        Rule{.id = "D46",
             .severity = Error,
             .title = "One side speaks TLS, the other does not",
             .rfc = "RFC 3261 §19.1.2",
             .means = "A ClientHello has gone to port 5060, where SIP is spoken without TLS, or a "
                      "request in clear to port 5061, where TLS is. The server takes it for "
                      "garbage and closes the connection.",
             .fix =
                 "Set transport and port to what the server listens on: 5060 with UDP or TCP, 5061 "
                 "with TLS. A port that is given with a name (sip:example.com:5060;transport=tls) "
                 "switches the look-up of the right one off.",
             .needs = "The beginning of the connection, and its end without an answer.",
             .brings = "D53 D05 D07 D57",
             .picture = "Alice->>Server: ClientHello to port 5060 [!]\nServer-->>Alice: closes the "
                        "connection"},
        Rule{.id = "D47",
             .severity = Error,
             .title = "The TLS handshake failed: nothing in common",
             .rfc = "RFC 8446 §6.2",
             .means = "handshake_failure, protocol_version or insufficient_security: the two ends "
                      "share no version, cipher suite, group or signature that both accept.",
             .fix = "Compare the versions and ciphers of both sides; an old phone that knows TLS "
                    "1.0 alone needs new firmware. An RSA-only client can't use a server that has "
                    "an ECDSA certificate alone.",
             .needs = "The alert, in clear or decrypted.",
             .brings = "",
             .picture =
                 "Alice->>Proxy: ClientHello, TLS 1.0\nProxy-->>Alice: alert protocol_version [!]"},
        Rule{.id = "D48",
             .severity = Error,
             .title = "A certificate was refused",
             .rfc = "RFC 8446 §6.2",
             .means =
                 "unknown_ca, bad_certificate, certificate_unknown or unsupported_certificate. The "
                 "side that sends the alert refuses the certificate of the other.",
             .fix = "If a client refuses: install the CA there, or let the server send its "
                    "intermediate certificates too. If a server refuses: it wants a client "
                    "certificate from a CA that it knows.",
             .needs = "The alert, in clear or decrypted.",
             .brings = "",
             .picture = "Alice->>Proxy: ClientHello\nProxy-->>Alice: ServerHello, "
                        "Certificate\nAlice->>Proxy: alert unknown_ca [!]"},
        Rule{.id = "D49",
             .severity = Error,
             .title = "A certificate has expired, or is not valid yet",
             .rfc = "RFC 5280 §4.1.2.5",
             .means = "The time of the handshake lies outside of notBefore and notAfter, or an "
                      "alert says so. A certificate that ends within two weeks is a warning.",
             .fix = "Renew it, and see that the server reads the new one. If the dates are right, "
                    "a clock is wrong: phones without NTP begin in 1970.",
             .needs = "The certificate in clear or decrypted, or the alert.",
             .brings = "",
             .picture = "Alice->>Proxy: ClientHello\nProxy-->>Alice: Certificate, until "
                        "yesterday\nAlice->>Proxy: alert certificate_expired [!]"},
        Rule{.id = "D50",
             .severity = Error,
             .title = "The certificate is for another name",
             .rfc = "RFC 5922 §7.2",
             .means = "The client asked for a domain that is not among the subjectAltNames. Names "
                      "match as a whole, and wildcards match nothing in SIP. Mostly the "
                      "certificate has the name of the host while the client asks for the domain.",
             .fix = "Issue a certificate with DNS (or URI sip:) names of the domain that clients "
                    "ask for; `callwright certs check FILE --for sip:DOMAIN` tells.",
             .needs = "The server's certificate, and the name that the client asked for (SNI).",
             .brings = "D48",
             .picture = "Alice->>Proxy: ClientHello for example.com\nProxy-->>Alice: Certificate "
                        "of sbc1.example.net [!]\nAlice->>Proxy: alert bad_certificate"},
        Rule{
            .id = "D51",
            .severity = Error,
            .title = "The server demands a client certificate, and got none",
            .rfc = "RFC 8446 §4.4.2.4",
            .means =
                "certificate_required: mutual TLS is on, and the client sent an empty certificate. "
                "In TLS 1.3 this comes after the client thinks that the connection is up.",
            .fix = "Give the client a certificate and key, or switch the demand off at the server.",
            .needs = "The alert.",
            .brings = "",
            .picture =
                "Alice->>Proxy: ClientHello\nProxy-->>Alice: CertificateRequest\nAlice->>Proxy: "
                "Certificate, empty\nProxy-->>Alice: alert certificate_required [!]"},
        Rule{.id = "D52",
             .severity = Error,
             .title = "The server does not know the name that it was asked for",
             .rfc = "RFC 8446 §6.2",
             .means = "unrecognized_name: the SNI of the ClientHello is none of the server's.",
             .fix = "Configure the domain at the server, or the client's idea of it.",
             .needs = "The alert.",
             .brings = "",
             .picture = "Alice->>Proxy: ClientHello for example.org\nProxy-->>Alice: alert "
                        "unrecognized_name [!]"},
        Rule{.id = "D53",
             .severity = Error,
             .title = "A ClientHello, and no answer",
             .rfc = "RFC 8446 §4.1.3",
             .means =
                 "The TCP connection stands and the handshake got no ServerHello: another service "
                 "listens there, a middlebox swallows it, or the packet is too large for the path.",
             .fix = "See what listens on that port, and try a ClientHello from the server's own "
                    "network. A port without TLS closes at once.",
             .needs = "The whole beginning of the connection, and three seconds or its end.",
             .brings = "D05 D07",
             .picture = "Alice->>Proxy: ClientHello\nProxy-->>Alice: closed after 10 s [!]"},
        Rule{.id = "D54",
             .severity = Warning,
             .title = "A full handshake for each request",
             .rfc = "RFC 5923 §4",
             .means =
                 "The same client opens a connection to the same server again and again within a "
                 "minute, and each begins with a full handshake. A handshake costs the server many "
                 "times what a request costs, and the client several round trips.",
             .fix = "Keep the connection open and use it for all requests (RFC 5923, and "
                    "keep-alive by RFC 5626 §4.4); if it must be closed, resume the session (RFC "
                    "8446 §2.2): session tickets on the server, a session cache in the client.",
             .needs =
                 "Four connections between the two with their beginnings, each with a message; "
                 "of several calls it is said once, of the capture.",
             .brings = "",
             .picture = "Alice->>Server: ClientHello, full handshake\nAlice->>Server: REGISTER, "
                        "closes\nAlice->>Server: ClientHello, full handshake\nAlice->>Server: "
                        "REGISTER, closes\nAlice->>Server: ClientHello, full handshake [!]"},
        Rule{.id = "D55",
             .severity = Note,
             .title = "A TLS connection ended without close_notify",
             .rfc = "RFC 8446 §6.1",
             .means = "Each side should say close_notify before it closes; without it, nobody can "
                      "tell an end from a cut. SIP knows the length of its messages, so it is "
                      "mostly harmless.",
             .fix = "Nothing, unless messages are lost at the same time.",
             .needs = "The whole connection, decrypted.",
             .brings = "",
             .picture = "Alice->>Proxy: TLS\nProxy-->>Alice: FIN [!]"},
        Rule{.id = "D56",
             .severity = Error,
             .title = "The connection was closed during the call",
             .rfc = "RFC 5626 §4.4.1",
             .means = "The TCP or TLS connection that carried the call was closed or reset after "
                      "some silence, and the next request of the call had to find another way. "
                      "Behind NAT there is none.",
             .fix = "Send keep-alives (CRLF, RFC 5626) more often than the silence in the "
                    "evidence, or raise the idle time-out of the server or the firewall between.",
             .needs = "The end of the connection, and a request of the call after it.",
             .brings = "D07 D05 D18",
             .picture = "Alice->>Proxy: INVITE (TLS)\nProxy-->>Alice: 200 OK\nProxy-->>Alice: FIN "
                        "after 30 s of silence\nProxy->>Alice: BYE over a new connection [!]"},
        Rule{.id = "D57",
             .severity = Error,
             .title = "The connection was gone before the answer",
             .rfc = "RFC 3261 §18.2.2",
             .means = "A response goes over the connection on which its request came. It was "
                      "closed or reset before; the server should then connect to the address in "
                      "the Via, where a phone behind NAT does not listen. So the response is lost "
                      "and the request looks unanswered.",
             .fix = "See who closed the connection, and why: an idle time-out shorter than the "
                    "time it rings, a middlebox, a server that restarts. Keep-alives (RFC 5626 "
                    "§4.4.1) hold it open; the client should treat a lost connection as 503 at "
                    "once (RFC 3261 §8.1.3.1) and try again.",
             .needs = "The connection of the request, its end before a final response, and another "
                      "second without one.",
             .brings = "D05 D07 D56",
             .picture = "Alice->>Server: INVITE (TLS)\nServer-->>Alice: closes the connection "
                        "[!]\nServer-->>Nobody: 200 OK"},
        Rule{.id = "D58",
             .severity = Warning,
             .title = "A message on a stream does not say its length, or says it wrongly",
             .rfc = "RFC 3261 §18.3",
             .means =
                 "On TCP and TLS the Content-Length is the only sign where a message ends. Without "
                 "it the next one is taken for its body, or the connection is given up. Where it "
                 "announces more than there is, the receiver waits for the rest, and takes what "
                 "comes next for it; where it announces less, it takes the rest for a message.",
             .fix = "Write Content-Length, also when it is 0: the bytes of the body, counted after "
                    "the last change to it. Who changes a body on the way has to count again.",
             .needs = "The whole message; or its end missing, on a connection of which the capture "
                      "lacks nothing, when that was closed or five seconds went by; or bytes "
                      "behind it that begin no message.",
             .brings = "D05 D07",
             .picture = "Alice->>Proxy: OPTIONS without Content-Length (TCP) [!]"},
        Rule{.id = "D59",
             .severity = Warning,
             .title = "A keep-alive was not answered",
             .rfc = "RFC 5626 §4.4.1",
             .means = "The client sends CRLF CRLF over the connection and expects CRLF within ten "
                      "seconds. None came, so that it has to treat the connection as failed. If "
                      "nothing at all came back, the connection is dead, mostly because a NAT or "
                      "firewall has forgotten it. If other messages came, the server only does not "
                      "know this keep-alive.",
             .fix = "Dead: shorten the keep-alive interval below the idle time-out of whatever is "
                    "between. Alive: switch the CRLF keep-alive on in the server, or let the "
                    "client use it only where outbound was agreed.",
             .needs =
                 "The connection readable, CRLF CRLF between messages, and ten seconds after it.",
             .brings = "D57 D56",
             .picture = "Phone->>Server: CRLF CRLF [!]\nPhone->>Server: CRLF CRLF\nPhone->>Server: "
                        "REGISTER over a new connection"},
        Rule{.id = "D60",
             .severity = Error,
             .title = "A request larger than 1300 bytes over UDP",
             .rfc = "RFC 3261 §18.1.1",
             .means = "A request that is larger than 1300 bytes, or within 200 of the path MTU, "
                      "has to go over TCP or another transport with congestion control: as UDP it "
                      "becomes IP fragments, which many firewalls drop.",
             .fix = "Use TCP or TLS, or make it smaller: fewer codecs, no needless headers, "
                    "compact forms.",
             .needs = "The request; without an answer it is an error, else a note.",
             .brings = "D05 D07",
             .picture = "Alice->>Proxy: INVITE of 1800 bytes (UDP) [!]\nAlice->>Proxy: INVITE "
                        "again and again"},
        Rule{.id = "D61",
             .severity = Error,
             .title = "sips was not kept",
             .rfc = "RFC 3261 §26.2.2",
             .means = "A sips Request-URI promises TLS on every hop, and here the request went "
                      "over UDP or TCP; or one of the two gave a sip Contact (§8.1.1.8, "
                      "§12.1.1), so that the requests that come back need no TLS.",
             .fix = "In the sender of that hop: TLS, or refuse the request. In the user agent: a "
                    "sips Contact where the Request-URI is sips.",
             .needs = "The request, or its 2xx.",
             .brings = "D03",
             .picture = "Alice->>Proxy: INVITE sips:bob@example.com (TLS)\nProxy->>Bob: INVITE "
                        "sips:bob@example.com (UDP) [!]"},
        Rule{.id = "D62",
             .severity = Warning,
             .title = "Weak TLS",
             .rfc = "RFC 9325 §3.1.1",
             .means = "The connection uses a version or cipher that must not be negotiated any "
                      "more: SSL 3, TLS 1.0 or 1.1, RC4, 3DES, NULL, export or anonymous suites "
                      "(§4.1); or a certificate has an RSA key below 2048 bits or a signature by "
                      "SHA-1 or MD5 (§4.5). RSA key exchange without forward secrecy is a note.",
             .fix = "Upgrade the older side, and switch the old versions off at the other. "
                    "Renew the certificate: an RSA key of 2048 bits or more, or P-256, signed with "
                    "SHA-256.",
             .needs = "The ServerHello; for its certificate TLS 1.2, or the keys.",
             .brings = "",
             .picture =
                 "Alice->>Proxy: ClientHello, TLS 1.0\nProxy-->>Alice: ServerHello, TLS 1.0 [!]"},
        Rule{.id = "D64",
             .severity = Error,
             .title = "An S/MIME body could not be opened",
             .rfc = "RFC 3261 §23.2",
             .means = "493 Undecipherable: the body was encrypted for a key that the receiver does "
                      "not have; 415: it does not take S/MIME at all. Without a refusal: the body "
                      "is S/MIME by its type, and what stands there is none, or was damaged.",
             .fix = "Encrypt for the receiver's certificate. A 493 may carry it in its body "
                    "(§21.4.28). Damaged: look for what treats the binary body as text (line ends, "
                    "character sets), or send it in base64.",
             .needs = "The refusal, or the body.",
             .brings = "",
             .picture = "Alice->>Bob: MESSAGE, application/pkcs7-mime\nBob-->>Alice: 493 "
                        "Undecipherable [!]"},
        Rule{.id = "D65",
             .severity = Error,
             .title = "A signature is not good",
             .rfc = "RFC 3261 §23.4",
             .means = "The body is signed, and the signature does not hold: what was signed has "
                      "been changed on the way, or the header fields within the signed body are "
                      "not those around it, or it was signed by somebody else than the sender, or "
                      "with a certificate that had expired, was revoked or is for something "
                      "else. One whose issuer is merely not known here is no finding.",
             .fix =
                 "Changed: look for the proxy or ALG that rewrites bodies or header fields; "
                 "signed parts have to stay as they are. The certificate: callwright certs check "
                 "FILE --policy smime says more.",
             .needs = "The signed body in clear, or the key with which it was encrypted.",
             .brings = "",
             .picture = "Alice->>Proxy: MESSAGE, signed\nProxy->>Bob: MESSAGE, signed, and the "
                        "text is another one [!]"},
    };
    return rules;
}

} // namespace cw::flow::diagnose
