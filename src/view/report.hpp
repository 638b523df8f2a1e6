// What a run of the reader brought besides its calls: what the list and the JSON say about inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace cw::view {

struct InputReport {
    std::string file; // as it was given
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    Instant first; // not known when there was no packet
    Instant last;
    std::map<std::string, std::uint64_t> ignored; // "arp" → how many packets
    std::vector<std::string> problems;
};

struct ReportCounts {
    std::uint64_t packets = 0;
    std::uint64_t sip_messages = 0;
    std::uint64_t calls = 0; // of every kind
    std::uint64_t tls_connections = 0;
    std::uint64_t tls_decrypted = 0;
    std::uint64_t rtp_streams = 0;
    std::uint64_t shown = 0; // calls that the filter let through; equal to calls without one
};

// Takes text as it gets ready, in pieces of some ten kilobytes. The view is valid during the call.
using Sink = std::function<void(std::string_view)>;

} // namespace cw::view
