// What went wrong, read off the model alone: so the same rules serve captures, live calls, flows
// that were performed and a server's trace. A rule says what was seen and what the RFC says about
// it, and is silent where the capture could not have shown the contrary. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "flow/call.hpp"
#include "flow/diagnose/case.hpp"

namespace cw::flow::diagnose {

// What was found at connections, kept for the next call over the same one: a trunk may carry a
// hundred thousand. Not thread-safe.
class ConnectionFindings {
  public:
    // Valid until the next call.
    const std::vector<Finding>& of(const Connection& connection, const Window& window);

  private:
    struct Known {
        std::uint64_t records = 0; // as many as there were when it was judged
        bool closed = false;
        std::vector<Finding> findings;
    };
    std::unordered_map<std::uint32_t, Known> known_; // by Connection::id
    std::vector<Finding> passing_;                   // of one that is not kept
};

// Fills call.findings. The call must be complete, security and connections included. `dtls`:
// handshakes for its media, by time.
void judge(Call& call, const Window& window, ConnectionFindings& connections,
           std::span<const DtlsExchange> dtls = {});
void judge(Call& call, const Window& window);

// Of a connection that carried no message, so that no call has it.
std::vector<Finding> judge_connection(const Connection& connection, const Window& window);

// What the connections of many calls show together: D54. Not thread-safe.
class ConnectionCrowd {
  public:
    void add(const Connection& connection); // each once
    // The worst pair of a client and a server.
    [[nodiscard]] std::vector<Finding> judge() const;

  private:
    struct Brief {
        IpAddress client;
        Endpoint server;
        Instant opened;
        Duration lasted;
        std::uint32_t id = 0;
    };
    std::vector<Brief> brief_; // full handshakes that served for less than a minute
};

// What a file brought besides its packets.
struct InputFacts {
    std::string_view name;
    const std::map<std::string, std::uint64_t>& ignored; // kinds of packets that were not used
    std::span<const std::string> problems;
};
std::vector<Finding> judge_input(const InputFacts& input);

} // namespace cw::flow::diagnose
