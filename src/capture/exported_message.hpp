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

void append_exported_message(std::string& out, const Endpoint& source, const Endpoint& destination,
                             sip::Transport transport, std::string_view message);

} // namespace cw::capture
