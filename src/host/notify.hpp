// Tells systemd how the service is, by its socket protocol (sd_notify(3)): one datagram of
// KEY=VALUE lines to the socket in NOTIFY_SOCKET. Does nothing where there is none.
#pragma once

#include <string_view>

namespace cw::host {

void notify_systemd(
    std::string_view lines); // "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=…"

} // namespace cw::host
