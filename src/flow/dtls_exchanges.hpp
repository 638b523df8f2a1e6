// DTLS handshakes for media that were seen, kept until the calls ask for those between their ends.
// The oldest go when there are too many. Not thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"
#include "flow/dtls_exchange.hpp"

namespace cw::flow {

class DtlsExchanges {
  public:
    static constexpr std::size_t most = 16384;

    // The same one as before, when its ends and its beginning are.
    void add(const DtlsExchange& exchange);
    // Those between the ends that the session descriptions of this call name, in its time, by time.
    // With ICE, one end has to be a candidate: the other may be an address that only STUN has seen.
    [[nodiscard]] std::vector<DtlsExchange> of(const Call& call) const;

  private:
    void forget(const Endpoint& end);

    // By each of its two ends.
    boost::unordered_flat_map<Endpoint, std::vector<DtlsExchange>> by_end_;
    std::deque<std::pair<Endpoint, Endpoint>> order_; // of each that is kept, the oldest first
};

} // namespace cw::flow
