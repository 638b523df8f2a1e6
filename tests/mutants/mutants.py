"""Flows that ship, each altered in one place, and how each must fail. See run.py.

Mutant(flow, old, new, line, verdict, where):
  flow     below flows/, without .mmd
  old      the lines that are taken out, without their indentation; they stand together
  new      the lines that come in their place
  line     what stands in the altered flow where the failure is to be reported: an arrow or a note
  verdict  failed: it happened, otherwise than drawn. missing: it did not happen. unexpected: it must not, and did.
           extra: a message came that is not in the flow (`line` is empty)
  where    what differs: a header field, "status", "SDP m=" …; a part of it is enough, empty: the verdict says it all
  nth      of several places where `old` stands, from 1; nth_line likewise for `line`
"""
from dataclasses import dataclass


@dataclass
class Mutant:
    flow: str
    old: str
    new: str
    line: str
    verdict: str = "failed"
    where: str = ""
    nth: int = 1
    nth_line: int = 1


def added(flow, line, fact, where, nth=1):
    """A fact beneath `line` that does not hold."""
    return Mutant(flow, line, f"{line}\n%% {fact}", line, where=where, nth=nth, nth_line=nth)


CALL = "secure-call"
TLS = "alice<<->>proxy: TLS 1.3 (proxy.example.com)"
AT_BOB = "proxy->>bob: INVITE (SRTP offer)"
SRTP = "alice<<-->>bob: SRTP both ways (3s)"

MUTANTS = [
    # Connections: versions, names, keys, sessions
    Mutant(CALL, TLS, TLS.replace("1.3", "1.1"), TLS.replace("1.3", "1.1")),
    Mutant("security/message-over-tls", "fluffy<<->>server: TLS 1.3 (server.example.com)",
           "fluffy<<->>server: TLS 1.3 (wrong name of server, server.example.com)",
           "fluffy<<->>server: TLS 1.3 (wrong name of server, server.example.com)", where="speaks for"),
    Mutant(CALL, TLS, TLS.replace(")", ", Ed25519)"), TLS.replace(")", ", Ed25519)")),
    Mutant(CALL, TLS, TLS.replace(")", ", resumed)"), TLS.replace(")", ", resumed)"), where="resum"),
    # A session of TLS 1.3 is none of TLS 1.2; who has no earlier connection has nothing to resume.
    Mutant("security/tls-resumption", "alice<<->>server: TLS 1.2 (server.example.com)",
           "alice<<->>server: TLS 1.3 (server.example.com)", "alice<<->>server: TLS 1.2 (server.example.com, resumed)",
           where="resum"),
    Mutant("security/tls-resumption", "alice<<->>server: TLS 1.2 (server.example.com)",
           "alice<<->>server: TLS 1.2 (server.example.com, resumed)", "alice<<->>server: TLS 1.2 (server.example.com, resumed)",
           where="resum"),
    Mutant("security/certificate-keys", "%% certificate: Ed25519", "%% certificate: expired", "alice<<->>edwards: TLS 1.3 (Ed25519)",
           where="certificate"),
    Mutant(CALL, TLS, TLS.replace(")", ", cipher TLS_AES_128_CCM_SHA256)"), TLS.replace(")", ", cipher TLS_AES_128_CCM_SHA256)")),
    Mutant(CALL, TLS, "alice-xproxy: TLS 1.3 (proxy.example.com)", "alice-xproxy: TLS 1.3 (proxy.example.com)", "unexpected"),
    # Registration
    added(CALL, "proxy-->>alice: 401 Unauthorized (SHA-256)", "no WWW-Authenticate", "WWW-Authenticate"),
    Mutant(CALL, "proxy-->>alice: 401 Unauthorized (SHA-256)", "proxy-->>alice: 403 Forbidden",
           "proxy-->>alice: 403 Forbidden", where="status"),
    Mutant(CALL, "proxy-->>bob: 401 Unauthorized (SHA-256)", "proxy-->>bob: 407 Proxy Authentication Required",
           "proxy-->>bob: 407 Proxy Authentication Required", where="status"),
    Mutant(CALL, "alice->>proxy: REGISTER (digest)", "alice->>proxy: REGISTER (wrong password)", "proxy-->>alice: 200 OK",
           where="status"),
    Mutant(CALL, "bob->>proxy: REGISTER (digest)", "bob->>proxy: REGISTER (wrong password)", "proxy-->>bob: 200 OK",
           where="status"),
    added(CALL, "proxy-->>alice: 401 Unauthorized (SHA-256)", 'WWW-Authenticate: *realm="elsewhere"*', "WWW-Authenticate"),
    added(CALL, "proxy-->>alice: 200 OK", "Contact: <sip:mallory@example.com>", "Contact"),
    Mutant("rfc3665/2.1-new-registration", "%% Contact: <{bob.contact}>", "%% Contact: <sip:mallory@example.com>",
           "server-->>bob: 200 OK", where="Contact"),
    Mutant("rfc3665/2.1-new-registration", "server-->>bob: 401 Unauthorized", "server-->>bob: 423 Interval Too Brief",
           "server-->>bob: 423 Interval Too Brief", where="status"),
    Mutant("rfc3665/2.2-update-contacts", "server-->>bob: 200 OK\n%% Contact: <{bob.contact}>\n%% Contact: <mailto:bob@example.com>",
           "server-->>bob: 200 OK\n%% Contact: <{bob.contact}>\n%% Contact: <mailto:bob@example.org>", "server-->>bob: 200 OK",
           where="Contact", nth_line=2),
    Mutant("rfc3665/2.3-query-contacts", "%% Contact: <{bob.contact}>", "%% no Contact", "server-->>bob: 200 OK", where="Contact",
           nth_line=2),
    Mutant("rfc3665/2.4-cancel-registration", "%% Expires: 0", "%% Expires: 60", "server-->>bob: 200 OK", where="status",
           nth_line=2),
    Mutant("rfc3665/2.4-cancel-registration", "%% no Contact", "%% Contact: <{bob.contact}>", "server-->>bob: 200 OK",
           where="Contact", nth_line=2),
    Mutant("rfc3665/2.5-wrong-password", "bob->>server: REGISTER (wrong password)", "bob->>server: REGISTER (digest)",
           "server-->>bob: 401 Unauthorized", where="status", nth_line=2),
    Mutant("cancel", "bob->>proxy: REGISTER", "bob->>proxy: REGISTER\n%% To: <sip:alice@example.com>", "proxy-->>bob: 200 OK", where="status"),
    # Requests and responses that pass a proxy
    Mutant(CALL, "alice->>proxy: INVITE bob (SRTP offer)", "alice->>proxy: INVITE bob (RTP offer)", AT_BOB, where="protection"),
    Mutant(CALL, "alice->>proxy: INVITE bob (SRTP offer)", "alice->>proxy: INVITE sip:nobody@example.com (SRTP offer)",
           "proxy-->>alice: 200 OK (SRTP answer)", where="404"),
    Mutant(CALL, "bob-->>proxy: 180 Ringing\n", "", "proxy-->>alice: 180 Ringing", "missing"),
    Mutant(CALL, "proxy-->>alice: 180 Ringing\n", "", "", "extra", "180"),
    Mutant(CALL, "bob-->>proxy: 180 Ringing", "bob-->>proxy: 183 Session Progress", "proxy-->>alice: 180 Ringing", "missing"),
    Mutant(CALL, "proxy-->>alice: 180 Ringing", "proxy-->>alice: 181 Call Is Being Forwarded",
           "proxy-->>alice: 181 Call Is Being Forwarded", "missing"),
    Mutant(CALL, "bob-->>proxy: 200 OK (SRTP answer)", "bob-->>proxy: 486 Busy Here", "proxy-->>alice: 200 OK (SRTP answer)",
           where="status"),
    Mutant(CALL, "proxy-->>alice: 200 OK (SRTP answer)", "proxy-->>alice: 200 OK (RTP answer)",
           "proxy-->>alice: 200 OK (RTP answer)", where="protection"),
    Mutant(CALL, "proxy-->>alice: 200 OK (SRTP answer)", "proxy-->>alice: 202 Accepted (SRTP answer)",
           "proxy-->>alice: 202 Accepted (SRTP answer)", where="status"),
    Mutant(CALL, "proxy->>alice: BYE", "proxy->>alice: INFO", "", "extra", "BYE"),
    Mutant(CALL, "alice-->>proxy: 200 OK\nproxy-->>bob: 200 OK", "alice-->>proxy: 481 No Such Call\nproxy-->>bob: 200 OK",
           "proxy-->>bob: 200 OK", where="status", nth_line=2),
    Mutant(CALL, "proxy-->>alice: 180 Ringing\nNote over bob: rings for 1s\nbob-->>proxy: 200 OK (SRTP answer)\n"
           "proxy-->>alice: 200 OK (SRTP answer)",
           "Note over bob: rings for 1s\nbob-->>proxy: 200 OK (SRTP answer)\nproxy-->>alice: 200 OK (SRTP answer)\n"
           "proxy-->>alice: 180 Ringing (INVITE)", "proxy-->>alice: 200 OK (SRTP answer)", where="180 Ringing came before"),
    added(CALL, AT_BOB, "Max-Forwards: 70", "Max-Forwards"),
    added(CALL, AT_BOB, "no Record-Route", "Record-Route"),
    added(CALL, AT_BOB, "Via: SIP/2.0/UDP *", "Via"),
    added(CALL, AT_BOB, "Content-Type: text/plain", "Content-Type"),
    added(CALL, AT_BOB, "From: <sip:mallory@example.com>", "From"),
    added(CALL, AT_BOB, "m=audio * RTP/AVP *", "m="),
    added(CALL, AT_BOB, "no a=crypto", "a="),
    added(CALL, "proxy-->>alice: 180 Ringing", "Require: 100rel", "Require"),
    added(CALL, "proxy->>alice: BYE", "Call-ID: {n}@example.com", "Call-ID"),
    Mutant("cancel", "proxy-->>alice: 487 Request Terminated", "proxy-->>alice: 486 Busy Here", "proxy-->>alice: 486 Busy Here",
           where="status"),
    Mutant("cancel", "bob-->>proxy: 487 Request Terminated", "bob-->>proxy: 480 Temporarily Unavailable",
           "proxy-->>alice: 487 Request Terminated", where="status"),
    Mutant("cancel", "proxy-->>alice: 180 Ringing\n", "", "", "extra", "180"),
    Mutant("cancel", "proxy-->>alice: 200 OK (CANCEL)", "proxy-->>alice: 481 No Such Call (CANCEL)",
           "proxy-->>alice: 481 No Such Call (CANCEL)", where="status"),
    Mutant("forking", "proxy->>desk: CANCEL\ndesk-->>proxy: 200 OK (CANCEL)\n", "", "", "extra", "CANCEL"),
    Mutant("forking", "alice<<-->>mobile: SRTP both ways (500ms)", "alice<<-->>desk: SRTP both ways (500ms)",
           "alice<<-->>desk: SRTP both ways (500ms)", "missing"),
    Mutant("rfc5359/2.1-hold", "proxy-->>alice: 100 Trying", "proxy-->>alice: 182 Queued", "proxy-->>alice: 182 Queued",
           "missing"),
    Mutant("rfc5359/2.1-hold", '%% Contact: *;+sip.rendering="no"', '%% Contact: *;+sip.rendering="yes"', "proxy->>alice: INVITE",
           where="Contact"),
    Mutant("rfc5359/2.1-hold", "proxy->>bob: BYE", "proxy->>bob: BYE\n%% Reason: *", "proxy->>bob: BYE", where="Reason"),
    Mutant("rfc5359/2.2-consultation-hold", "proxy-->>bob: 180 Ringing", "proxy-->>bob: 183 Session Progress",
           "proxy-->>bob: 183 Session Progress", "missing"),
    Mutant("rfc3665/3.2-two-proxies", "%% Record-Route: *", "%% Route: *", "p2->>bob: INVITE", where="Route"),
    Mutant("rfc3665/3.7-re-invite", "%% c=IN IP4 *", "%% c=IN IP6 *", "bob->>alice: INVITE (SRTP offer)", where="c="),
    Mutant("rfc5589/7.5-second-attempt", "%% Refer-To: <{carol.contact}?Replaces=*", "%% Refer-To: <{bob.contact}?Replaces=*",
           "alice->>bob: REFER to {carol.contact} (replaces call 2)", where="Refer-To"),
    Mutant("rfc5589/6.2-dialog-reuse", "%% no Target-Dialog", "%% Target-Dialog: *", "alice->>bob: REFER to carol",
           where="Target-Dialog"),
    Mutant("rfc5359/2.4-unattended-transfer", "%% Subscription-State: terminated;reason=noresource",
           "%% Subscription-State: active*", "bob->>alice: NOTIFY (200 OK)", where="Subscription-State"),
    # Audio
    Mutant(CALL, SRTP, SRTP.replace("SRTP", "RTP"), SRTP.replace("SRTP", "RTP")),
    Mutant(CALL, SRTP, SRTP.replace("3s", "3s, PCMA"), SRTP.replace("3s", "3s, PCMA"), where="codec"),
    Mutant(CALL, SRTP, SRTP.replace("3s", "3s, AEAD_AES_256_GCM"), SRTP.replace("3s", "3s, AEAD_AES_256_GCM"), where="suite"),
    Mutant(CALL, SRTP, SRTP.replace("3s", "3s, MOS > 5"), SRTP.replace("3s", "3s, MOS > 5"), where="MOS"),
    Mutant(CALL, "Note over alice: hears bob for 1s", "Note over alice: hears alice for 1s", "Note over alice: hears alice for 1s"),
    Mutant(CALL, "Note over bob: hears alice for 1s", "Note over bob: hears silence for 1s", "Note over bob: hears silence for 1s"),
    Mutant("rfc3665/3.1-session", "alice<<-->>bob: SRTP both ways (1s)", "alice<<-->>bob: RTP both ways (1s)",
           "alice<<-->>bob: RTP both ways (1s)"),
    Mutant("rfc3665/3.5-alg", "alice<<-->>alg: RTP both ways (1s)", "alice<<-->>bob: RTP both ways (1s)",
           "alice<<-->>bob: RTP both ways (1s)", "missing"),
    Mutant("rfc5359/2.1-hold", "Note over alice: hears silence for 500ms", "Note over alice: hears bob for 500ms",
           "Note over alice: hears bob for 500ms"),
    Mutant("rfc5359/2.1-hold", "bob->>proxy: INVITE (hold)", "bob->>proxy: INVITE (SRTP offer)",
           "Note over alice: hears silence for 500ms"),
    Mutant("rfc5359/2.1-hold", "bob->>proxy: INVITE (resume)", "bob->>proxy: INVITE (hold)",
           "alice<<-->>bob: SRTP both ways (500ms)", nth_line=2),
    Mutant("rfc5359/2.2-consultation-hold", "bob<<-->>carol: SRTP both ways (500ms)", "alice<<-->>carol: SRTP both ways (500ms)",
           "alice<<-->>carol: SRTP both ways (500ms)", "missing"),
    Mutant("rfc5359/2.3-music-on-hold", "Note over alice: hears music for 500ms", "Note over alice: hears bob for 500ms",
           "Note over alice: hears bob for 500ms"),
    Mutant("rfc5359/2.5-attended-transfer", "alice<<-->>carol: SRTP both ways (500ms)", "bob<<-->>carol: SRTP both ways (500ms)",
           "bob<<-->>carol: SRTP both ways (500ms)", nth_line=2),
    Mutant("rfc5359/2.10-conference-added", "bob<<-->>carol: SRTP both ways (500ms)", "alice<<-->>carol: SRTP both ways (500ms)",
           "alice<<-->>carol: SRTP both ways (500ms)", "missing"),
    Mutant("rfc5359/2.15-call-park", "Note over alice: hears park for 500ms", "Note over alice: hears carol for 500ms",
           "Note over alice: hears carol for 500ms"),
    Mutant("rfc5589/6.3.1-target-busy", "alice->>bob: INVITE (call 1, resume)", "alice->>bob: INVITE (call 1, hold)",
           "alice<<-->>bob: SRTP both ways (500ms)", nth_line=2),
    Mutant("rfc5589/7.6-semi-attended", "Note over carol: hears alice for 500ms", "Note over carol: hears bob for 500ms",
           "Note over carol: hears bob for 500ms"),
    Mutant("busy-announcement", "Note over alice: presses 1 #35;", "Note over alice: presses 2 #35;",
           "Note over ivr: gets 1 #35; within 3s", where="pressed"),
    Mutant("busy-announcement", "Note over alice: hears music for 500ms", "Note over alice: hears bob for 500ms",
           "Note over alice: hears bob for 500ms"),
    Mutant("contact-centre", "Note over portal: gets 2 within 3s", "Note over portal: gets 3 within 3s",
           "Note over portal: gets 3 within 3s", where="pressed"),
    Mutant("srtp-meets-rtp", "gw<<-->>bob: RTP both ways (1s)", "gw<<-->>bob: SRTP both ways (1s)",
           "gw<<-->>bob: SRTP both ways (1s)"),
    Mutant("srtp-meets-rtp", "%% no a=crypto", "%% a=crypto:*", "gw->>bob: INVITE (RTP offer)", where="a="),
    Mutant("srtp-meets-rtp", "%% m=audio * RTP/SAVP *", "%% m=audio * RTP/AVP *", "alice->>gw: INVITE bob (SRTP offer)",
           where="m="),
    Mutant("ipv6-calls-ipv4", "%% c=IN IP6 *", "%% c=IN IP4 *", "alice->>gw: INVITE bob (SRTP offer)", where="c="),
    # Certificates and keys
    Mutant("security/federation", "atlanta-xbiloxi: TLS (mutual, expired certificate)", "atlanta-xbiloxi: TLS (mutual)",
           "atlanta-xbiloxi: TLS (mutual)", "unexpected"),
    Mutant("security/federation", "atlanta-xbiloxi: TLS (wrong name of biloxi, biloxi.example.com)",
           "atlanta-xbiloxi: TLS (biloxi.example.com)", "atlanta-xbiloxi: TLS (biloxi.example.com)", "unexpected"),
    Mutant("security/federation", "atlanta-xbiloxi: TLS (mutual, untrusted certificate)", "atlanta-xbiloxi: TLS (mutual, ECDSA)",
           "atlanta-xbiloxi: TLS (mutual, ECDSA)", "unexpected"),
    Mutant("security/federation", "atlanta-xbiloxi: TLS (mutual, no certificate)", "atlanta-xbiloxi: TLS 1.3 (mutual)",
           "atlanta-xbiloxi: TLS 1.3 (mutual)", "unexpected"),
    Mutant("security/federation", "atlanta<<->>biloxi: TLS 1.3 (mutual, ECDSA)",
           "atlanta<<->>biloxi: TLS 1.3 (mutual, untrusted certificate)",
           "atlanta<<->>biloxi: TLS 1.3 (mutual, untrusted certificate)", where="unknown CA"),
    Mutant("security/certificate-expired", "atlanta-xbiloxi: TLS 1.3 (mutual, expired certificate, alert certificate_expired)",
           "atlanta-xbiloxi: TLS 1.3 (mutual, expired certificate, alert unknown_ca)",
           "atlanta-xbiloxi: TLS 1.3 (mutual, expired certificate, alert unknown_ca)", where="alert"),
    Mutant("security/certificate-expired", "atlanta<<->>biloxi: TLS 1.3 (mutual)",
           "atlanta<<->>biloxi: TLS 1.3 (mutual, expired certificate)", "atlanta<<->>biloxi: TLS 1.3 (mutual, expired certificate)", where="certificate expired"),
    Mutant("security/certificate-wrong-name", "atlanta<<->>biloxi: TLS 1.3 (biloxi.example.com)",
           "atlanta<<->>biloxi: TLS 1.3 (wrong name of biloxi, biloxi.example.com)",
           "atlanta<<->>biloxi: TLS 1.3 (wrong name of biloxi, biloxi.example.com)"),
    Mutant("security/certificate-unknown-ca", "atlanta-xbiloxi: TLS 1.3 (mutual, untrusted certificate, alert unknown_ca)",
           "atlanta-xbiloxi: TLS 1.3 (mutual, untrusted certificate, alert bad_certificate)",
           "atlanta-xbiloxi: TLS 1.3 (mutual, untrusted certificate, alert bad_certificate)", where="alert"),
    Mutant("security/certificate-none", "atlanta-xbiloxi: TLS 1.3 (mutual, no certificate, alert certificate_required)",
           "atlanta-xbiloxi: TLS 1.3 (mutual, no certificate, alert bad_certificate)",
           "atlanta-xbiloxi: TLS 1.3 (mutual, no certificate, alert bad_certificate)", where="alert"),
    Mutant("security/certificate-none", "atlanta<<->>biloxi: TLS 1.3 (mutual)",
           "atlanta<<->>biloxi: TLS 1.3 (mutual, no certificate)", "atlanta<<->>biloxi: TLS 1.3 (mutual, no certificate)", where="alert"),
    Mutant("security/message-over-tls", 'Note over kumiko: reads "Hello!"', 'Note over kumiko: reads "Goodbye!"',
           'Note over kumiko: reads "Goodbye!"'),
    Mutant("security/message-over-tls", "%% Via: SIP/2.0/TLS *", "%% Via: SIP/2.0/TCP *", "server->>kumiko: MESSAGE", where="Via"),
    Mutant("security/sips", "%% Record-Route: <sips:*>", "%% Record-Route: <sip:*>", "p2->>bob: INVITE", where="Record-Route"),
    Mutant("security/srtp-sdes-suites", "alice<<-->>bob: SRTP both ways (500ms, AEAD_AES_128_GCM)",
           "alice<<-->>bob: SRTP both ways (500ms, AES_CM_128_HMAC_SHA1_32)",
           "alice<<-->>bob: SRTP both ways (500ms, AES_CM_128_HMAC_SHA1_32)", where="suite", nth_line=2),
    Mutant("security/srtp-sdes-suites", "%% a=crypto:* AEAD_AES_128_GCM *", "%% a=crypto:* AEAD_AES_256_GCM *",
           "bob-->>alice: 200 OK (SRTP answer, AEAD_AES_128_GCM)", where="a="),
    Mutant("security/srtp-dtls", "%% m=audio * UDP/TLS/RTP/SAVP *", "%% m=audio * RTP/SAVP *",
           "alice->>bob: INVITE (DTLS-SRTP offer)", where="m="),
    Mutant("security/srtp-dtls", "alice<<-->>bob: SRTP both ways (1s)", "alice<<-->>bob: RTP both ways (1s)",
           "alice<<-->>bob: RTP both ways (1s)"),
    Mutant("security/srtp-opportunistic", "alice<<-->>carol: RTP both ways (1s)", "alice<<-->>carol: SRTP both ways (1s)",
           "alice<<-->>carol: SRTP both ways (1s)"),
    Mutant("security/srtp-opportunistic", "alice<<-->>bob: SRTP both ways (1s)", "alice<<-->>bob: RTP both ways (1s)",
           "alice<<-->>bob: RTP both ways (1s)"),
    Mutant("security/srtp-rekey", "Note over bob: hears alice for 500ms", "Note over bob: hears silence for 500ms",
           "Note over bob: hears silence for 500ms"),
]
