#include "sip/transport.hpp"

namespace cw::sip {

std::string_view to_string(Transport t) {
    switch (t) {
    case Transport::Udp:
        return "udp";
    case Transport::Tcp:
        return "tcp";
    case Transport::Tls:
        return "tls";
    case Transport::Ws:
        return "ws";
    case Transport::Wss:
        return "wss";
    case Transport::Sctp:
        return "sctp";
    case Transport::Hep:
        return "hep";
    }
    return "";
}

} // namespace cw::sip
