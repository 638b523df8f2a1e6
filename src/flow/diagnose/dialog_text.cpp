// The words of the rules about call set-up and dialogs.
#include <array>

#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> dialog_rules() {
    using enum Severity;
    static constexpr std::array rules{
        Rule{
            .id = "D01",
            .severity = Error,
            .title = "The 2xx to INVITE was never acknowledged",
            .rfc = "RFC 3261 §13.3.1.4",
            .means =
                "The called side said yes and repeats its 2xx at growing intervals (T1, 2·T1, … up "
                "to T2), because no ACK comes. After 64·T1, 32 seconds with the usual T1, it gives "
                "up and hangs up: the call that drops after half a minute. (Timer H is another "
                "matter: it is for responses that are no 2xx.)",
            .fix =
                "The caller sends the ACK to the Contact of the 2xx, by way of its Record-Route. "
                "Make that address reachable from the caller: the public address behind NAT, "
                "the transport that the call uses, Record-Route on every proxy in between.",
            .needs = "Three sendings of the 2xx on one hop, and no ACK on it.",
            .brings = "D28",
            .picture = "Alice->>Proxy: INVITE\nProxy->>Bob: INVITE\nBob-->>Proxy: 200 OK\n"
                       "Proxy-->>Alice: 200 OK\nBob-->>Proxy: 200 OK ×10, 0.5 s, 1 s, 2 s, 4 s … "
                       "[!]\nBob->>Proxy: BYE after 32 s"},
        Rule{.id = "D02",
             .severity = Error,
             .title = "The ACK went elsewhere than the dialog says",
             .rfc = "RFC 3261 §12.2.1.1",
             .means = "The Request-URI of a request within a dialog is the Contact of the other "
                      "side, and "
                      "the ACK of a 2xx is such a request (§13.2.2.4). This ACK asks for another "
                      "address, "
                      "so it is luck if it reaches whom it is for.",
             .fix = "In the sender of the ACK: take the remote target from the Contact of the 2xx, "
                    "not from the To or the first INVITE. A middlebox that rewrites Contact has to "
                    "undo that in the requests that come back.",
             .needs =
                 "The 2xx and its ACK on the caller's own hop, and no Record-Route in the 2xx.",
             .brings = "D01",
             .picture = "Alice->>Bob: INVITE sip:bob@example.com\nBob-->>Alice: 200 OK, Contact "
                        "sip:bob@192.0.2.9:5070\nAlice->>Bob: ACK sip:bob@example.com [!]"},
        Rule{
            .id = "D03",
            .severity = Error,
            .title = "A request within the dialog left TLS",
            .rfc = "RFC 3263 §4.1",
            .means =
                "The call was set up over TLS and this request of the same side goes over UDP or "
                "TCP. Mostly the other side's Contact or a Record-Route has neither the sips "
                "scheme "
                "nor ;transport=tls, and without them the sender takes UDP. The peer listens on "
                "TLS "
                "only, so the ACK or BYE is lost; where it arrives, it was open to all on the way.",
            .fix =
                "Write ;transport=tls (or a sips URI) into the Contact and Record-Route that the "
                "TLS side gives out.",
            .needs = "The INVITE of the same side over TLS, readable.",
            .brings = "D01 D02 D07 D05 D18 D24",
            .picture = "Alice->>Bob: INVITE (TLS)\nBob-->>Alice: 200 OK, Contact "
                       "sip:bob@192.0.2.9:5061\nAlice->>Bob: ACK (UDP) [!]\nBob-->>Alice: 200 OK "
                       "again and again"},
        Rule{
            .id = "D04",
            .severity = Error,
            .title = "A refusal is repeated: its ACK does not arrive",
            .rfc = "RFC 3261 §17.2.1",
            .means =
                "A final response of 300 and above is repeated by Timer G until the ACK comes, for "
                "32 seconds (Timer H). That ACK goes hop by hop and must carry the Via branch of "
                "the INVITE (§17.1.1.3). It is missing, or it does not fit.",
            .fix = "If no ACK is there: the response does not reach the sender of the INVITE; look "
                   "at the address and port in its top Via, at NAT and firewall. If one is there: "
                   "it must have the branch of the INVITE.",
            .needs = "Three sendings of the response on one hop over UDP.",
            .brings = "",
            .picture = "Alice->>Proxy: INVITE\nProxy-->>Alice: 486 Busy Here\nProxy-->>Alice: 486 "
                       "Busy Here ×10 [!]"},
        Rule{.id = "D05",
             .severity = Error,
             .title = "The INVITE was never answered",
             .rfc = "RFC 3261 §17.1.1.2",
             .means =
                 "Not even 100 Trying came back. Over UDP the INVITE is repeated by Timer A "
                 "until Timer B ends it after 64·T1, 32 seconds; over TCP and TLS there is one "
                 "and then silence.",
             .fix =
                 "See whether the address and port are right, whether the peer listens there with "
                 "this transport, and whether a firewall drops it.",
             .needs = "Four sendings within seven seconds, or 32 seconds of capture after it.",
             .brings = "D06",
             .picture = "Alice->>Proxy: INVITE\nAlice->>Proxy: INVITE ×6, until 32 s [!]"},
        Rule{
            .id = "D06",
            .severity = Error,
            .title = "100 Trying, and then nothing",
            .rfc = "RFC 3261 §16.6",
            .means =
                "The next hop took the INVITE over and then said nothing more: neither ringing "
                "nor a final answer. A proxy sets Timer C (item 11), more than three minutes; "
                "callers give up earlier.",
            .fix = "Look at the hop that said 100: where does it send the INVITE, and does anybody "
                   "answer there? Time-outs before the next route is tried have to be shorter than "
                   "the caller's patience.",
            .needs = "15 seconds until a CANCEL, or 31 until a time-out or the end of the capture.",
            .brings = "",
            .picture = "Alice->>Proxy: INVITE\nProxy-->>Alice: 100 Trying [!]\nAlice->>Proxy: "
                       "CANCEL after 30 s"},
        Rule{.id = "D07",
             .severity = Error,
             .title = "A request was never answered",
             .rfc = "RFC 3261 §17.1.2.2",
             .means =
                 "Over UDP a request is repeated by Timer E, up to every four seconds, until "
                 "Timer F ends it after 64·T1, 32 seconds. Within a dialog this is mostly a "
                 "route that is broken: the address was right for the INVITE, and is wrong for "
                 "what follows.",
             .fix = "Within a dialog look at Contact and Record-Route of the INVITE and its 2xx; "
                    "outside, at address, port, transport and firewall.",
             .needs = "Four sendings within seven seconds, or 32 seconds of capture after it.",
             .brings = "",
             .picture = "Alice->>Bob: BYE\nAlice->>Bob: BYE ×10, until 32 s [!]"},
        Rule{.id = "D08",
             .severity = Error,
             .title = "The call was answered while it was cancelled",
             .rfc = "RFC 3261 §9.1",
             .means = "CANCEL and 200 crossed on the way. Nobody cancelled then: the call stands, "
                      "and whoever gave it up has to acknowledge it and send BYE. Here the BYE is "
                      "missing, and the called side talks to nobody.",
             .fix = "In the caller: a 2xx that comes after CANCEL is acknowledged and ended with "
                    "BYE at once.",
             .needs = "Four seconds of capture after the 2xx.",
             .brings = "",
             .picture = "Alice->>Bob: INVITE\nAlice->>Bob: CANCEL\nBob-->>Alice: 200 OK (INVITE) "
                        "[!]\nBob-->>Alice: 200 OK (CANCEL)"},
        Rule{.id = "D09",
             .severity = Warning,
             .title = "The CANCEL does not match its INVITE",
             .rfc = "RFC 3261 §9.1",
             .means = "A CANCEL is found by the Request-URI, Call-ID, To, From, the number in CSeq "
                      "and the top Via of the INVITE, all the same. 481 says that none was found: "
                      "the phone goes on ringing.",
             .fix = "In the sender: copy these fields, the branch above all, from the INVITE as it "
                    "went out on this hop.",
             .needs = "No final answer to the INVITE before the 481.",
             .brings = "",
             .picture = "Alice->>Bob: INVITE, branch z9hG4bK1\nBob-->>Alice: 180 Ringing\nAlice->>"
                        "Bob: CANCEL, branch z9hG4bK2\nBob-->>Alice: 481 [!]"},
        Rule{.id = "D10",
             .severity = Error,
             .title = "The proxy is not in the route of the dialog",
             .rfc = "RFC 3261 §16.6",
             .means =
                 "A proxy that passes an INVITE on and wants to see the rest of the dialog writes "
                 "itself into Record-Route (item 4). This one did not, so the ends talk to each "
                 "other directly, and here they can't: NAT, another network, another transport.",
             .fix = "Switch Record-Route on in the proxy for INVITE (and SUBSCRIBE, REFER).",
             .needs = "The INVITE on both sides of the proxy, and a request past it that nobody "
                      "answered.",
             .brings = "D01 D07",
             .picture =
                 "Alice->>Proxy: INVITE\nProxy->>Bob: INVITE\nBob-->>Proxy: 200 OK\nProxy-->>"
                 "Alice: 200 OK, no Record-Route\nAlice->>Bob: ACK\nAlice->>Bob: BYE, again "
                 "and again [!]"},
        Rule{.id = "D11",
             .severity = Error,
             .title = "An address given out over TLS leads back over UDP",
             .rfc = "RFC 3261 §16.6",
             .means = "A proxy puts its address into Record-Route, a phone into Contact, and the "
                      "other side sends the later requests there. This one speaks TLS, and its "
                      "address has neither the sips scheme nor ;transport=tls: who follows it "
                      "takes UDP, and port 5060. Where the two sides of a proxy speak different "
                      "transports it needs two Record-Routes, one for each side.",
             .fix = "In the proxy: write ;transport=tls (or sips:) and the TLS port into the "
                    "Record-Route of the TLS side, and a second one for the other side "
                    "(enable_double_rr in Kamailio and OpenSIPS). In a phone: the same for its "
                    "Contact. Who answers over the connection that is there does not notice; then "
                    "it is a note.",
             .needs = "The INVITE over TLS, readable; for Record-Route, that the sender of this "
                      "hop wrote it; for Contact, that there is no Record-Route.",
             .brings = "D03 D02 D01 D07 D10",
             .picture = "Alice->>Proxy: INVITE (TLS)\nProxy->>Bob: INVITE (TLS), Record-Route "
                        "sip:192.0.2.5:5060 [!]\nBob-->>Proxy: 200 OK\nProxy-->>Alice: 200 "
                        "OK\nBob->>Proxy: BYE (UDP)"},
        Rule{
            .id = "D12",
            .severity = Error,
            .title = "The Contact is an address that cannot be reached from outside",
            .rfc = "RFC 3261 §8.1.1.8",
            .means =
                "Contact is where further requests of the dialog are to go. This one names a "
                "private or local address while the message comes from a public one: NAT. Requests "
                "to it end in the wrong network.",
            .fix =
                "In the user agent: STUN, rport (RFC 3581) or outbound (RFC 5626). In the proxy: "
                "route by the connection or the received address, and rewrite or alias Contact.",
            .needs = "A message of the user agent itself, seen with its public source address.",
            .brings = "D01 D05 D07",
            .picture = "Alice->>Proxy: INVITE, Contact sip:alice@192.168.1.5 [!]\nProxy-->>Alice: "
                       "200 OK\nProxy->>Alice: BYE sip:alice@192.168.1.5, lost"},
        Rule{.id = "D13",
             .severity = Error,
             .title = "The answers go to a port where nobody listens",
             .rfc = "RFC 3581 §4",
             .means = "Without rport a response goes to the port in the top Via, not to the one "
                      "that the request came from (RFC 3261 §18.2.2). Behind NAT these differ, and "
                      "the sender repeats its request since it hears nothing.",
             .fix = "Let the client write ;rport into its Via, or the server answer to the source "
                    "address as if it were there.",
             .needs = "Three sendings, the last one after the answer.",
             .brings = "D05 D07",
             .picture = "Alice->>Proxy: REGISTER from port 41000, Via port 5060\nProxy-->>Alice: "
                        "401 to port 5060 [!]\nAlice->>Proxy: REGISTER again"},
        Rule{.id = "D14",
             .severity = Error,
             .title = "The request goes round in a loop",
             .rfc = "RFC 3261 §16.3",
             .means = "A proxy has seen this request before (482), or Max-Forwards came down to "
                      "nothing (483). Two servers send it to each other, mostly since each holds "
                      "the other responsible for the domain or the number.",
             .fix = "Look where the hosts in the evidence repeat, and let one of them decide "
                    "itself: a route, a domain alias, a dial plan.",
             .needs = "The refusal; the way as far as it was captured.",
             .brings = "",
             .picture =
                 "Alice->>Proxy: INVITE, Max-Forwards 1\nProxy->>PBX: INVITE, Max-Forwards "
                 "0\nPBX-->>Proxy: 483 Too Many Hops [!]\nProxy-->>Alice: 483 Too Many Hops"},
        Rule{.id = "D18",
             .severity = Error,
             .title = "The other side does not know the dialog",
             .rfc = "RFC 3261 §12.2.2",
             .means =
                 "481 to a request within a dialog: tags or Call-ID fit none that the receiver "
                 "has. It restarted, ended the call already, or the request came to another "
                 "server of a group than the one that has the dialog.",
             .fix =
                 "See whether the receiver is the one that answered the INVITE. A load balancer "
                 "has to keep a dialog on one server (Record-Route, Contact), or the servers have "
                 "to share their dialogs.",
             .needs = "A request with a To tag. Two BYEs that cross are no fault.",
             .brings = "",
             .picture = "Alice->>Bob: re-INVITE\nBob-->>Alice: 481 Call/Transaction Does Not Exist "
                        "[!]"},
        Rule{.id = "D19",
             .severity = Error,
             .title = "A reliable ringing was not confirmed by PRACK",
             .rfc = "RFC 3262 §3",
             .means =
                 "A provisional response with Require: 100rel and RSeq is repeated until a PRACK "
                 "with that RSeq comes; after 64·T1 the server should refuse the call with a 5xx.",
             .fix = "See that the PRACK goes to the Contact of that response, through its "
                    "Record-Route, and that its RAck names this RSeq and the CSeq of the INVITE. "
                    "Or leave 100rel out of Supported.",
             .needs = "Three sendings of the response, and no PRACK that fits.",
             .brings = "",
             .picture = "Alice->>Bob: INVITE, Supported 100rel\nBob-->>Alice: 183, RSeq "
                        "1\nBob-->>Alice: 183, RSeq 1, again and again [!]"},
        Rule{
            .id = "D20",
            .severity = Error,
            .title = "An extension is demanded that the other side does not have",
            .rfc = "RFC 3261 §8.2.2.3",
            .means =
                "420 names in Unsupported what the request required and the server lacks; 421 "
                "names in Require what the server demands and the client did not offer (§21.4.16).",
            .fix = "Switch the extension off on one side, or on at the other: 100rel, timer, path, "
                   "replaces, sec-agree are the usual ones.",
            .needs = "The refusal.",
            .brings = "",
            .picture = "Alice->>Bob: INVITE, Require 100rel\nBob-->>Alice: 420 Bad Extension, "
                       "Unsupported 100rel [!]"},
        Rule{.id = "D21",
             .severity = Error,
             .title = "A second phone took the call, and its call was left standing",
             .rfc = "RFC 3261 §13.2.2.4",
             .means = "The INVITE was forked, and two phones answered. Each 2xx is a dialog that "
                      "has to be acknowledged, and the one that is not wanted ended by BYE. Here "
                      "it was not: somebody holds a receiver to the ear and hears nothing.",
             .fix = "In the caller: an ACK for every 2xx, and BYE for each but one.",
             .needs = "Two 2xx with different tags in To on the caller's own hop, and four seconds "
                      "after.",
             .brings = "D01",
             .picture = "Alice->>Proxy: INVITE\nProxy-->>Alice: 200 OK from Bob's "
                        "desk\nAlice->>Proxy: ACK\nProxy-->>Alice: 200 OK from Bob's mobile [!]"},
        Rule{.id = "D22",
             .severity = Note,
             .title = "Several early dialogs with media",
             .rfc = "RFC 3960 §3.1",
             .means = "The INVITE was forked, and more than one phone has answered the offer "
                      "before the call was taken. The caller can play one of them and mutes the "
                      "rest, so that ringing or an announcement is cut, and so is the beginning of "
                      "the call if the muted one takes it. Each of them is a dialog of its own: a "
                      "PRACK or UPDATE goes to the one whose tag it has.",
             .fix = "If callers hear the wrong sound: let the phones that ring send 180 without a "
                    "description, or let the forking proxy ring one after the other. In the "
                    "caller: keep a dialog for each tag in To.",
             .needs = "Two provisional responses with different tags in To and a description each, "
                      "on the caller's own hop.",
             .brings = "D19 D21",
             .picture =
                 "Alice->>Proxy: INVITE\nProxy->>Desk: INVITE\nProxy->>Mobile: "
                 "INVITE\nDesk-->>Alice: 183, tag d, SDP\nMobile-->>Alice: 183, tag m, SDP [!]"},
        Rule{.id = "D23",
             .severity = Error,
             .title = "The session timer ran out: nobody refreshed",
             .rfc = "RFC 4028 §10",
             .means =
                 "With Session-Expires, one side (refresher=) has to send a re-INVITE or UPDATE at "
                 "half the interval. It did not come, so the other side sends BYE shortly before "
                 "the "
                 "end: the interval less 32 seconds or a third, whichever is less. 1800 gives a "
                 "call "
                 "that drops after 1768 seconds.",
             .fix = "Find out why the side that refresher= names does not refresh: it may not "
                    "support timers though it said so, or its refresh is lost on the way.",
             .needs = "The 2xx with Session-Expires, and the BYE at the very moment.",
             .brings = "D28",
             .picture = "Alice->>Bob: INVITE, Session-Expires 1800\nBob-->>Alice: 200 OK, "
                        "refresher=uac\nAlice->>Bob: ACK\nBob->>Alice: BYE after 1768 s [!]"},
        Rule{.id = "D24",
             .severity = Error,
             .title = "The session could not be refreshed",
             .rfc = "RFC 4028 §10",
             .means = "A re-INVITE or UPDATE that was to keep the session alive was refused or "
                      "lost, and the call was ended. Often the way within the dialog is broken, "
                      "and the first to notice is the refresh.",
             .fix = "Look at the answer that the refresh got. 481: the other side lost the dialog. "
                    "488: it can't take the same session description twice. No answer: Contact and "
                    "Record-Route.",
             .needs = "The refresh with Session-Expires, its answer or four sendings, and the BYE.",
             .brings = "D28",
             .picture = "Alice->>Bob: UPDATE, Session-Expires 1800\nBob-->>Alice: 481 "
                        "[!]\nAlice->>Bob: BYE"},
        Rule{.id = "D25",
             .severity = Error,
             .title = "Session-Expires is too small, and the caller does not raise it",
             .rfc = "RFC 4028 §7.3",
             .means = "422 says in Min-SE how long the interval has to be at least. The next "
                      "attempt has to ask for that much; here it does not, or there is none.",
             .fix = "Raise Session-Expires in the caller to the Min-SE of the 422, or lower Min-SE "
                    "at the server.",
             .needs = "Two seconds of capture after the 422.",
             .brings = "",
             .picture =
                 "Alice->>Bob: INVITE, Session-Expires 90\nBob-->>Alice: 422, Min-SE 1800 [!]"},
        Rule{.id = "D28",
             .severity = Note,
             .title = "Who hung up, and why",
             .rfc = "RFC 3326 §2",
             .means =
                 "The BYE or CANCEL carries a Reason that is not the usual clearing of a call.",
             .fix =
                 "Look the cause up: Q.850 causes come from the telephone network, SIP causes are "
                 "response codes.",
             .needs = "The request on the hop of the side that made it.",
             .brings = "",
             .picture = "Alice->>Bob: INVITE\nBob-->>Alice: 200 OK\nAlice->>Bob: ACK\nBob->>Alice: "
                        "BYE, Reason: Q.850 ;cause=41 [!]"},
        Rule{.id = "D29",
             .severity = Error,
             .title = "The transfer failed",
             .rfc = "RFC 3515 §2.4.5",
             .means = "A REFER was refused, or a NOTIFY reports in its body that the call to the "
                      "target did not come about; or REFER was accepted and no NOTIFY says what "
                      "became of it (§2.4.4).",
             .fix = "Look at the new call: was it made at all, and what did it get? If it got 481, "
                    "the Replaces in Refer-To names a dialog that the target does not have, as "
                    "happens when a B2BUA renames calls.",
             .needs = "The refusal, or the body of the NOTIFY; or ten seconds after the 2xx to "
                      "REFER without any NOTIFY.",
             .brings = "",
             .picture = "Alice->>Bob: REFER to Carol\nBob-->>Alice: 202 Accepted\nBob->>Alice: "
                        "NOTIFY, SIP/2.0 486 Busy Here [!]"},
        Rule{.id = "D31",
             .severity = Error,
             .title = "The server has no capacity, and it was asked again too soon",
             .rfc = "RFC 3261 §21.5.4",
             .means = "503 says that this server can't serve now; Retry-After says for how long it "
                      "should be left alone. Another server of the domain should be tried (RFC "
                      "3263 §4.3).",
             .fix = "Let the client wait for Retry-After, and give it another server: more than "
                    "one SRV record, or a second outbound proxy.",
             .needs = "The 503; no other server took the request.",
             .brings = "",
             .picture = "Alice->>Proxy: INVITE\nProxy-->>Alice: 503, Retry-After 30 "
                        "[!]\nAlice->>Proxy: INVITE after 1 s"},
        Rule{.id = "D32",
             .severity = Warning,
             .title = "It takes long until it rings",
             .rfc = "",
             .means = "More than eight seconds passed between the INVITE and the first sign of the "
                      "other side. A caller takes that for a dead line.",
             .fix = "Look at the hop that is named: a database, a DNS time-out, a first route that "
                    "does not answer before the second is tried.",
             .needs = "INVITE and first ringing or answer on the caller's own hop.",
             .brings = "",
             .picture = "Alice->>Proxy: INVITE\nProxy-->>Alice: 100 Trying\nProxy-->>Alice: 180 "
                        "Ringing after 12 s [!]"},
        Rule{.id = "D34",
             .severity = Warning,
             .title = "A message is malformed",
             .rfc = "RFC 3261 §8.1.1",
             .means = "A header field that every message needs is missing or cannot be read, a "
                      "Content-Length is wrong, a 2xx to INVITE lacks Contact (§12.1.1) or a final "
                      "response the tag in To (§8.2.6.2). Some receivers forgive it, some drop it.",
             .fix =
                 "Mend it in the program that wrote the message; a middlebox that edits messages "
                 "has to write a new Content-Length.",
             .needs = "The whole message; one that the capture cut is not judged.",
             .brings = "D05 D07 D01",
             .picture = "Alice->>Bob: INVITE\nBob-->>Alice: 200 OK without Contact [!]"},
        Rule{.id = "D35",
             .severity = Warning,
             .title = "A request is repeated over a connection that loses nothing",
             .rfc = "RFC 3261 §17.1.1.2",
             .means = "Over TCP and TLS nothing is lost, so requests are not repeated by Timer A "
                      "or E. Here one is: the sender takes the connection for UDP, or an "
                      "application above it repeats.",
             .fix = "In the sender: no retransmission over reliable transports.",
             .needs = "The same bytes twice on one connection.",
             .brings = "",
             .picture =
                 "Alice->>Proxy: INVITE (TLS)\nAlice->>Proxy: INVITE (TLS), the same again [!]"},
    };
    return rules;
}

} // namespace cw::flow::diagnose
