// Blocks of a pcapng file (draft-ietf-opsawg-pcapng), appended to a buffer: what `read` and
// Wireshark open. Little-endian, times in nanoseconds. The order in a file is: a section, its
// interfaces, and then packets and secrets, these before the packets that need them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace cw::capture {

void put_section(std::string& out);
// Interfaces of a section are numbered from 0 in their order. `name` may be empty.
void put_interface(std::string& out, std::uint16_t link_type, std::string_view name = {});
// `original_length`: on the wire; `packet` may be cut.
void put_packet(std::string& out, std::uint32_t interface, Instant time, Bytes packet,
                std::size_t original_length);
// Lines of the NSS key log format.
void put_secrets(std::string& out, std::string_view lines);

} // namespace cw::capture
