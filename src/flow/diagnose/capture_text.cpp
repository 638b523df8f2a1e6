// The words of the rules about the capture itself.
#include <array>

#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> capture_rules() {
    using enum Severity;
    static constexpr std::array rules{
        Rule{.id = "C1",
             .severity = Warning,
             .title = "The capture has one direction only",
             .rfc = "",
             .means = "The messages of one side are there and those of the other are not, though "
                      "they must have been: an ACK answers something. What seems unanswered may "
                      "well have been answered.",
             .fix = "Capture where both directions pass, or on both paths, and give both files to "
                    "`callwright read`.",
             .needs = "An ACK whose response is missing, or answers without any request.",
             .brings = "",
             .picture = "Alice->>Bob: INVITE\nAlice->>Bob: ACK of what? [!]\nAlice->>Bob: BYE"},
        Rule{.id = "C2",
             .severity = Warning,
             .title = "Bytes of a connection are missing",
             .rfc = "",
             .means = "Packets of a TCP connection were not captured: the interface or the kernel "
                      "dropped them. Messages may be lost with them.",
             .fix = "Capture with a larger buffer (tcpdump -B 65536) and a filter, and write to a "
                    "fast disk.",
             .needs = "A gap in the sequence numbers that nothing filled.",
             .brings = "",
             .picture = "Alice->>Proxy: TLS, 1448 bytes not in the capture [!]"},
        Rule{.id = "C3",
             .severity = Warning,
             .title = "IP fragments are missing",
             .rfc = "",
             .means = "Packets lack some of their fragments. A filter by port sees the first "
                      "fragment alone, since only that has the port.",
             .fix = "Add 'or (ip[6:2] & 0x1fff != 0)' to the filter.",
             .needs = "A fragment whose packet was never complete.",
             .brings = "",
             .picture = "Alice->>Proxy: first fragment of an INVITE [!]"},
        Rule{.id = "C4",
             .severity = Note,
             .title = "Each packet is there twice",
             .rfc = "",
             .means = "The same packet was captured on two interfaces (any) or by a mirror port "
                      "that copies both directions. Copies are folded; nothing else is wrong.",
             .fix = "Capture on one interface, or let it be.",
             .needs = "A third of the messages twice on the same way.",
             .brings = "",
             .picture = "Alice->>Proxy: INVITE\nAlice->>Proxy: INVITE, the same packet [!]"},
        Rule{.id = "C5",
             .severity = Warning,
             .title = "Packets are cut",
             .rfc = "",
             .means = "Only the beginning of packets was captured (snaplen), or the file ends "
                      "within one. Messages that are cut are not judged.",
             .fix = "Capture whole packets: tcpdump -s 0.",
             .needs = "A message shorter than its packet.",
             .brings = "",
             .picture = "Alice->>Proxy: INVITE, 96 bytes of 1200 [!]"},
        Rule{.id = "C6",
             .severity = Warning,
             .title = "The order of time is wrong",
             .rfc = "",
             .means =
                 "An answer stands before its request, or packets stand behind others that came "
                 "a second later: a clock was set back, two files of hosts with different "
                 "clocks were merged, or one file was put behind another.",
             .fix = "Run NTP on both hosts, or shift one file before merging (editcap -t); merge "
                    "by time (mergecap), or give all files to `callwright read`.",
             .needs = "Request and answer of one transaction on one hop; or a file whose time goes "
                      "back by a second.",
             .brings = "",
             .picture = "Proxy-->>Alice: 200 OK [!]\nAlice->>Proxy: OPTIONS"},
        Rule{.id = "C7",
             .severity = Warning,
             .title = "The beginning of a TLS connection is missing",
             .rfc = "",
             .means = "The capture began after the handshake, and without it the connection can't "
                      "be decrypted, whatever keys there are.",
             .fix = "Begin to capture, then restart the client or the connection.",
             .needs = "A TLS connection whose handshake was not seen.",
             .brings = "",
             .picture = "Alice->>Proxy: TLS application data, no handshake [!]"},
        Rule{.id = "C8",
             .severity = Warning,
             .title = "A TLS connection could not be decrypted",
             .rfc = "",
             .means =
                 "The handshake is there and the key is not: no key log line for it, or an RSA key "
                 "for a cipher that is ephemeral. What happened on that connection is not known.",
             .fix = "Give the key log with --keys. `callwright keys -- COMMAND` writes one for "
                    "programs that use OpenSSL or GnuTLS.",
             .needs = "A finished handshake without a key that fits.",
             .brings = "",
             .picture = "Alice->>Proxy: TLS, no key [!]"},
        Rule{.id = "C9",
             .severity = Note,
             .title = "Packets of unknown kinds",
             .rfc = "",
             .means = "Some packets have a link type, protocol or tunnel that is not understood; "
                      "SIP in them is not seen.",
             .fix = "Capture inside the tunnel, or on another interface.",
             .needs = "Packets that were counted as ignored.",
             .brings = "",
             .picture = "Alice->>Proxy: ESP [!]"},
        Rule{.id = "C10",
             .severity = Warning,
             .title = "A limit was reached",
             .rfc = "",
             .means =
                 "Packets within packets within packets, deeper than any network has them, or a "
                 "file that claims to be larger than it can be: some of it was left out.",
             .fix = "If the network is really like that, capture further inside, where the tunnels "
                    "have ended.",
             .needs = "A limit that the reader names.",
             .brings = "",
             .picture = "Alice->>Proxy: more than fits [!]"},
    };
    return rules;
}

} // namespace cw::flow::diagnose
