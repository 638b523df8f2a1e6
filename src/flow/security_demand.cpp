#include "flow/security_demand.hpp"

#include <fmt/format.h>

namespace cw::flow {
namespace {

std::string way_of(const Hop& hop) {
    return fmt::format("{} → {}", to_string(hop.client), to_string(hop.server));
}

} // namespace

std::string unsafe_hop(const Call& call, std::string_view least) {
    for (const auto& hop : call.security.hops) {
        if (!hop.secure) {
            return fmt::format("{} went over {}", way_of(hop), to_string(hop.transport));
        }
        // "TLSv1.0" to "TLSv1.3" stand in their order, behind "SSLv3".
        if (!least.empty() && hop.version < least) {
            return fmt::format("{} used {}", way_of(hop),
                               hop.version.empty() ? "a version that is not known" : hop.version);
        }
    }
    return {};
}

std::string unverified_hop(const Call& call) {
    for (const auto& hop : call.security.hops) {
        if (!hop.secure) {
            return fmt::format("{} went over {}", way_of(hop), to_string(hop.transport));
        }
        if (!hop.verified_good) {
            return fmt::format("{}: {}", way_of(hop),
                               hop.notes.empty() ? hop.verified : hop.notes.front());
        }
    }
    return {};
}

std::string unsafe_media(const Call& call, bool dtls) {
    for (const auto& s : call.streams) {
        const auto way = fmt::format("{} → {}", to_string(s.source), to_string(s.destination));
        if (s.srtp.length == 0 || !s.opening.encrypted) {
            return way + " was RTP in clear";
        }
        if (s.opening.failed > 0) {
            return fmt::format("{}: {}", way, call.text(s.srtp_problem));
        }
        if (dtls && s.opening.by != KeyExchange::Dtls && call.text(s.srtp) != "DTLS-SRTP") {
            return way + " was SRTP with SDES keys";
        }
    }
    return {};
}

} // namespace cw::flow
