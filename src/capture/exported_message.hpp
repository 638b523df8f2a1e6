// A SIP message as a packet of a capture, whatever it was carried over: Wireshark's "Exported PDU",
// which Wireshark, and we, read as SIP between these ends. So what was decrypted is seen without
// keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "sip/transport.hpp"

namespace cw::capture {

constexpr std::uint16_t exported_pdu_link = 252; // LINKTYPE_WIRESHARK_UPPER_PDU

// "SIP/TLS": what Wireshark is told to show as the protocol, and what tells us the transport, for
// which there is no tag. Empty where the kind of port says it.
std::string_view exported_column(sip::Transport transport);

void append_exported_message(std::string& out, const Endpoint& source, const Endpoint& destination,
                             sip::Transport transport, std::string_view message);

} // namespace cw::capture
