// The words of the rules about session descriptions and media.
#include <array>

#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> media_rules() {
    using enum Severity;
    static constexpr std::array rules{
        Rule{.id = "D67",
             .severity = Error,
             .title = "The offer was not acceptable: no codec, or not this security",
             .rfc = "RFC 3261 §21.4.26",
             .means = "488 or 606: nothing in the session description suits the other side. The "
                      "Warning says more, when there is one: 305 means incompatible media format, "
                      "304 media type.",
             .fix = "Compare the codecs in the evidence with what the other side knows; look at "
                    "the profile too: RTP/SAVP demands SRTP, RTP/AVP forbids it.",
             .needs = "The refusal, on the hop of the side that offered.",
             .brings = "",
             .picture =
                 "Alice->>Bob: INVITE, RTP/SAVP G729\nBob-->>Alice: 488 Not Acceptable Here [!]"},
        Rule{.id = "D68",
             .severity = Error,
             .title = "SRTP on one side, RTP on the other",
             .rfc = "RFC 3264 §6",
             .means =
                 "The profile of an answer is that of the offer. RTP/SAVP answered by RTP/AVP "
                 "(or the reverse) leaves each side with another idea of what the packets "
                 "are: noise, or silence. Who takes no SRTP may also refuse the line with port "
                 "0: then the call is up without it.",
             .fix = "Set SRTP to the same on both sides: required, optional or off.",
             .needs = "Offer and answer on one hop.",
             .brings = "D73 D75",
             .picture = "Alice->>Bob: INVITE, RTP/SAVP\nBob-->>Alice: 200 OK, RTP/AVP [!]"},
        Rule{.id = "D69",
             .severity = Error,
             .title = "The media key crossed a clear hop",
             .rfc = "RFC 4568 §8.3",
             .means = "a=crypto carries the master key of SRTP in plain text, so the signalling "
                      "that carries it has to be encrypted on every hop. Here it was not: whoever "
                      "saw the message can listen in.",
             .fix = "Use TLS on this hop too, or DTLS-SRTP (RFC 5763), which puts no key into the "
                    "signalling.",
             .needs = "The transport of the hop.",
             .brings = "",
             .picture =
                 "Alice->>Proxy: INVITE, a=crypto (TLS)\nProxy->>Bob: INVITE, a=crypto (UDP) [!]"},
        Rule{
            .id = "D70",
            .severity = Error,
            .title = "The SRTP keys of the answer do not fit the offer",
            .rfc = "RFC 4568 §5.1.2",
            .means =
                "The answer to an offer with a=crypto takes exactly one of the attributes that "
                "were offered: its tag and its suite, with a key of its own. Here the tag or suite "
                "was not offered, or there are several, or a key has the wrong length (§6.1); then "
                "one side cannot decrypt the other, and nothing or noise is heard. The same key "
                "for both directions is a warning: master keys have to be unique (§6.1, §6.4).",
            .fix = "In the answering side: repeat tag and suite of one offered line, and make a "
                   "new key. A B2BUA has to do that for each leg by itself.",
            .needs = "Offer and answer with a=crypto, both readable.",
            .brings = "D73",
            .picture = "Alice->>Bob: INVITE, crypto:1 AES_CM_128_HMAC_SHA1_80\nBob-->>Alice: 200 "
                       "OK, crypto:7 AES_CM_128_HMAC_SHA1_80 [!]"},
        Rule{.id = "D71",
             .severity = Error,
             .title = "SRTP packets that are not authentic",
             .rfc = "RFC 3711 §3.3",
             .means = "Packets of a stream do not pass the authentication with the key that was "
                      "agreed, though others of the stream did. So the receiver throws them away, "
                      "and hears silence from there on. Mostly the sender has changed its key or "
                      "its SSRC, or begun its sequence numbers anew, and one of the two did not "
                      "follow; or something between has altered the packets.",
             .fix = "Look at what was signalled just before the first of them: a re-INVITE with a "
                    "new key has to take effect on both sides, and a sender that starts again "
                    "needs a new SSRC or a new key, so that the rollover counter (§3.3.1) begins "
                    "at nothing on both sides. A relay must not change RTP headers.",
             .needs = "The keys of the stream in what was captured, packets that they open, and "
                      "five that they do not.",
             .brings = "D73",
             .picture = "Alice->>Bob: INVITE, a=crypto\nBob-->>Alice: 200 OK, "
                        "a=crypto\nAlice->>Bob: SRTP\nAlice->>Bob: SRTP that does not pass [!]"},
        Rule{.id = "D72",
             .severity = Error,
             .title = "DTLS-SRTP is not set up",
             .rfc = "RFC 5763 §5",
             .means =
                 "The keys of the media come from a DTLS handshake between the two ends, and there "
                 "was none that succeeded, so there is no sound. The offer says a=setup:actpass, "
                 "and the answer has to say active or passive: who is active sends the "
                 "ClientHello. Where both say the same, both begin or nobody does. Else a "
                 "ClientHello stays without an answer, the handshake breaks off, or a side shows a "
                 "certificate other than the one whose a=fingerprint it sent, and has to be "
                 "refused.",
             .fix = "Roles: answer setup:active (recommended) or setup:passive; a B2BUA must not "
                    "copy the attribute from the other leg. No answer to ClientHello: the address "
                    "in c= and m= does not lead to the other end (NAT, firewall, ICE that has not "
                    "finished). Fingerprint: send that of the certificate in use, on each leg; who "
                    "relays media without ending DTLS has to pass a=fingerprint and a=setup on as "
                    "they are.",
             .needs = "Offer and answer with a fingerprint, both readable; then a=setup that does "
                      "not fit, or of the handshake: three ClientHellos without an answer, an "
                      "alert, a certificate (DTLS 1.2 shows it), or its end for three seconds.",
             .brings = "D73",
             .picture =
                 "Alice->>Bob: INVITE, setup:actpass\nBob-->>Alice: 200 OK, setup:actpass [!]"},
        Rule{.id = "D73",
             .severity = Error,
             .title = "Audio in one direction only",
             .rfc = "RFC 3264 §5.1",
             .means = "Both directions were agreed, and media was seen in one. Mostly the other "
                      "side's address in c= is private, so what is sent to it ends in the wrong "
                      "network; or a firewall lets only one direction in.",
             .fix =
                 "Let the side that is not reached write its public address (STUN, ICE), or put a "
                 "media relay between. Both ends should send from the port that they receive on.",
             .needs = "Four seconds of an answered call, and media in the other direction.",
             .brings = "",
             .picture = "Alice->>Bob: INVITE, c=192.168.1.5\nBob-->>Alice: 200 OK\nAlice->>Bob: "
                        "RTP\nBob->>Alice: RTP to 192.168.1.5, lost [!]"},
        Rule{
            .id = "D74",
            .severity = Warning,
            .title = "Media goes elsewhere than the SDP says",
            .rfc = "RFC 3264 §5.1",
            .means = "The stream comes from the address that its sender named, and goes to another "
                     "one than the receiver named. A relay that sends back to where media comes "
                     "from does so on purpose (latching), and behind NAT that is right. Otherwise "
                     "the receiver does not get it.",
            .fix =
                "In the sender: take address and port from the latest answer or offer of the other "
                "side, from a re-INVITE too. In a relay: latch only for those who are behind NAT.",
            .needs = "The session descriptions of both, and the stream from an address that one of "
                     "them names.",
            .brings = "D73",
            .picture = "Alice->>Bob: INVITE, audio at port 4000\nBob-->>Alice: 200 OK, audio at "
                       "port 5000\nAlice->>Bob: RTP to port 6000 [!]"},
        Rule{.id = "D75",
             .severity = Error,
             .title = "No media at all",
             .rfc = "RFC 3264 §5.1",
             .means = "A session was agreed and not one packet came, in neither direction, though "
                      "other media of the call was seen.",
             .fix = "Look at the addresses in c= and at what stands between: a firewall that knows "
                    "nothing of these ports.",
             .needs =
                 "Four seconds of an answered call, and media of the call at one of these hosts.",
             .brings = "",
             .picture = "Alice->>Bob: INVITE, RTP offer\nBob-->>Alice: 200 OK, RTP answer [!]"},
        Rule{.id = "D78",
             .severity = Warning,
             .title = "On hold, and never taken back",
             .rfc = "RFC 3264 §8.4",
             .means =
                 "The last session description says sendonly, inactive or 0.0.0.0, and the call "
                 "went on like that for more than a minute until its end. Somebody pressed hold "
                 "and forgot, or the re-INVITE that was to take it back was lost. As a note: the "
                 "other side answers sendonly or inactive with more than that allows (§6.1), so it "
                 "does not know that it is on hold.",
             .fix = "Look whether a later re-INVITE was refused or changed on the way: some B2BUAs "
                    "keep sendonly.",
             .needs = "The re-INVITE, and a minute after it; or offer and answer.",
             .brings = "",
             .picture = "Alice->>Bob: re-INVITE, a=sendonly [!]\nBob-->>Alice: 200 OK, "
                        "a=recvonly\nAlice->>Bob: BYE after 5 min"},
        Rule{.id = "D80",
             .severity = Error,
             .title = "Digits are not taken",
             .rfc = "RFC 4733 §2.5.1.2",
             .means = "A key press does not arrive as one. It was sent in an INFO that the other "
                      "side refused (RFC 6086 §4.2.2); or as telephone events of a payload type "
                      "that the receiver has not named, so that it drops them; or no packet with "
                      "the end bit came, so that the key stays pressed until a time-out; or it was "
                      "sent both in INFO and in RTP, so that it may count twice.",
             .fix = "Set the DTMF mode of both sides to RFC 4733 alone, and offer telephone-event "
                    "in the session description. Send events with the payload type that the other "
                    "side's description gives it. End packets are sent three times: where all are "
                    "lost, look at the loss, or at a gateway that drops them.",
             .needs = "The INFO with a digit, and its answer; or RTP that is clear or could be "
                      "opened, and the receiver's session description.",
             .brings = "",
             .picture =
                 "Alice->>Bob: INFO, Signal=5\nBob-->>Alice: 415 Unsupported Media Type [!]"},
        Rule{.id = "D81",
             .severity = Warning,
             .title = "Packets are lost, or come unevenly",
             .rfc = "RFC 3550 §6.4.1",
             .means = "More than two of a hundred packets are missing from a stream, or they come "
                      "more than 30 ms unevenly on the average: that is heard.",
             .fix = "Compare with the receiver's own report (RTCP): more loss there means that the "
                    "fault lies behind the place of the capture, less loss that the capture itself "
                    "lost packets.",
             .needs = "A hundred packets of one stream.",
             .brings = "",
             .picture = "Alice->>Bob: RTP, 3.1 % lost [!]"},
    };
    return rules;
}

} // namespace cw::flow::diagnose
