// The words on a ladder: what an arrow, a pill, a bar says. Part of the layout; all texts that come
// back are printable.
#pragma once

#include <string>

#include "flow/call.hpp"
#include "view/ladder.hpp"

namespace cw::view {

// "INVITE SRTP", "re-INVITE hold", "180 Ringing", "200 OK (PRACK)". `open_request` is the method
// that a reader has in mind at this point; an answer to another one names its request.
std::string message_label(const flow::Call& call, const flow::Message& m, sip::Method open_request);
// Without what its body carries: "200 OK".
std::string message_name(const flow::Call& call, const flow::Message& m);
Tone message_tone(const flow::Message& m);
// What is wrong with it or else worth a line under the arrow; empty when there is nothing.
std::string message_note(const flow::Call& call, const flow::Message& m);
// "✓ signed by alice@example.com · “Hello!”", of a signed or encrypted body; else empty.
std::string body_note(const flow::Call& call, const flow::Message& m);
bool is_body_good(const flow::Message& m);

// "TLS 1.3 mutual resumed", and as detail its name and cipher.
std::string handshake_label(const flow::Connection& c);
std::string handshake_detail(const flow::Connection& c);
// "ClientHello · TLS 1.3 1.2 for example.com".
std::string handshake_message_label(const flow::HandshakeStep& step);
// "✓ it speaks for example.com"; empty when nobody judged the certificate.
std::string verdict_note(const flow::Connection& c);
// "TLS 1.3, 41 records, 12 kB"; the reason is c.reason.
std::string undecrypted_label(const flow::Connection& c);
// All there is to say about a connection in one line, for the list below a ladder.
// "1,380 bytes missing here"
std::string lost_label(const flow::LostBytes& place);
std::string connection_line(const flow::Connection& c);

// "SRTP PCMU", and as detail "35 s  loss 0.1 %  MOS 4.4", and "not opened" where no key
// opened its SRTP, with the reason as a note.
std::string media_note(const flow::Call& call, const flow::MediaStream& s);
std::string media_label(const flow::Call& call, const flow::MediaStream& s);
std::string media_detail(const flow::MediaStream& s);
// The kind of media that a description asks for: "SRTP", "DTLS-SRTP", "RTP", "T.38"; of what is no
// RTP otherwise its protocol, "TCP/MSRP".
std::string media_kind(const flow::Call& call, const flow::MediaLine& line);

// "Call 1 of 1", "Registration 3".
std::string title_of(const flow::Call& call, std::uint64_t calls_in_all);
// "2 legs · 24 messages · TLS 1.3 · SRTP".
std::string summary_of(const flow::Call& call);

} // namespace cw::view
