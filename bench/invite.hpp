// The INVITE that every parser bench reads: 1,178 bytes, what a phone behind a proxy sends over
// TLS.
#pragma once

#include <string_view>

inline constexpr std::string_view bench_invite =
    "INVITE sip:carol@chicago.example.org;transport=tls SIP/2.0\r\n"
    "Via: SIP/2.0/TLS edge3.dallas.example.org:5061;branch=z9hG4bK81c2a70f.0;alias\r\n"
    "Via: SIP/2.0/TLS 198.51.100.23:50312;branch=z9hG4bK0d3fe61b7;rport=50312;"
    "received=198.51.100.23\r\n"
    "Record-Route: <sip:edge3.dallas.example.org:5061;transport=tls;lr>\r\n"
    "Max-Forwards: 69\r\n"
    "From: \"Dave Bowman\" <sip:dave@dallas.example.org>;tag=5c81f0e2a9\r\n"
    "To: \"Carol\" <sip:carol@chicago.example.org>\r\n"
    "Call-ID: 7719920043512870664@dallas.example.org\r\n"
    "CSeq: 271828 INVITE\r\n"
    "Contact: <sip:dave@198.51.100.23:50312;transport=tls;ob>;"
    "+sip.instance=\"<urn:uuid:0f5d8a52-31c6-4b7e-9a44-6d1f2b3c7e80>\"\r\n"
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, REFER, NOTIFY\r\n"
    "Supported: replaces, timer, outbound, path\r\n"
    "Session-Expires: 1800;refresher=uac\r\n"
    "User-Agent: DeskPhone/7.0.3.1\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 316\r\n"
    "\r\n"
    "v=0\r\n"
    "o=dave 1680394211 1680394211 IN IP4 198.51.100.23\r\n"
    "s=-\r\n"
    "c=IN IP4 198.51.100.23\r\n"
    "t=0 0\r\n"
    "m=audio 41520 RTP/SAVP 0 8 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-16\r\n"
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR\r\n"
    "a=sendrecv\r\n";
