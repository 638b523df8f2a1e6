// What a shard counts besides its Server. Plain values of its own thread.
#pragma once

#include <cstdint>

namespace cw::host {

struct TransportCounters {
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
    std::uint64_t connections_now = 0;
    std::uint64_t connections = 0;
    std::uint64_t connections_failed = 0; // handshakes that were not finished, both ways
    std::uint64_t pings = 0;
    std::uint64_t handed_over = 0; // to another shard
    std::uint64_t commits = 0;     // batches of location changes
    std::uint64_t commits_failed = 0;
};

} // namespace cw::host
