"""Findings of severity error that are right, each with the reason: in flows that ship, and in captures of others."""
REFUSED = "the flow shows a certificate that is refused, and the alert with which it is"
TRANSFER = "the flow shows a transfer that fails"
CYBERCITY = {
    "D36": "the server does not take credentials with the nonce that it gave 17 s before, and does not say that it is stale: "
           "refused four times, once with success between",
    "D06": "the server says 100 and then nothing; 408 after 32 s",
}
TWO_ADDRESSES = {
    "D73": "no session description names the address 192.168.105.172, to which all media goes: to those that are named goes none",
}
SIGNED = {
    "D65": "the flow shows a body that was altered after it was signed",
    "D64": "and is refused with 493",
}
FLOWS = {
    "rfc6216/6-signatures-refused": SIGNED,
    "security/smime-not-accepted": {"D64": "the flow shows a signed body that is refused with 415"},
    "security/smime-recipients": {"D64": "the flow shows a body that one of two cannot read"},
    "security/smime-undecipherable": {"D64": "the flow shows a body that cannot be read"},
    "security/smime-wrong": SIGNED,
    "rfc5589/6.3.1-target-busy": {"D29": TRANSFER},
    "rfc5589/6.3.2-target-silent": {"D29": TRANSFER},
    "rfc5589/7.4-recovery-no-refer": {"D29": TRANSFER},
    "rfc5589/7.5-second-attempt": {"D29": TRANSFER},
    "rfc5589/7.7-fallback-420": {"D20": "the flow shows an extension that is refused, and what then"},
    "security/certificate-expired": {"D49": REFUSED},
    "security/certificate-none": {"D51": REFUSED},
    "security/certificate-unknown-ca": {"D48": REFUSED},
    "security/federation": {"D48": REFUSED, "D49": REFUSED, "D51": REFUSED},
    "session-timer-expiry": {"D23": "the flow shows a session that nobody refreshes"},
}
CAPTURES = {
    "hep-wireshark/hep.pcap": {"D37": "407, and none of the requests in the six seconds after it has credentials"},
    "lab/tcp_sdes.pcap": {"D69": "SRTP keys over TCP, as the name says"},
    "nDPI/sip.pcap": CYBERCITY,
    "sipnab/tests/pcap-samples/SIP_DTMF2.cap": TWO_ADDRESSES,
    "sngrep/aaa.pcap": CYBERCITY,
    "suricata-verify/sip-method__sip.pcap": CYBERCITY,
    "wireshark-wiki/SIP_DTMF2.cap": TWO_ADDRESSES,
    "wireshark-wiki/aaa.pcap": CYBERCITY,
    "zeek/sip__wireshark.pcap": CYBERCITY,
    "zeek/tls__certificate-request-failed.pcap": {"D47": "the server sends the alert handshake_failure"},
}
# Rules whose flow stands elsewhere.
FOUND_ELSEWHERE = {}
