// Connections that we open, and which of those that are open may be used again: by transport,
// address and the name that the peer has proved [RFC 5923 §5, §9]. An address alone is never
// enough, as somebody else may have it by now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "net/loop.hpp"
#include "server/host_side.hpp"

namespace cw::host {

// A connection on its way, and what is to be sent when the peer has proved who it is.
struct Dialing {
    struct Waiting {
        std::uint64_t token = 0;
        std::string bytes;
    };
    server::Hop hop;
    std::vector<Waiting> waiting;
};

// The table of one shard. Not thread-safe.
class Dialings {
  public:
    static constexpr std::size_t most_waiting = 10'000; // for one connection
    static constexpr std::size_t most_names = 8;        // by which one connection is found

    // The open connection for this hop.
    [[nodiscard]] std::optional<net::Key> open_to(const server::Hop& hop) const;
    // The one that is on its way to this hop; valid until the next change.
    Dialing* on_its_way(const server::Hop& hop);
    void begin(net::Key key, Dialing dialing);
    // Takes the one that has ended, well or not; nothing when `key` is none of ours.
    std::optional<Dialing> end(net::Key key);
    // From now on `key` is what open_to() finds for this way, where its peer has proved `name`.
    void opened(net::Key key, sip::Transport transport, const Endpoint& endpoint,
                std::string_view name);
    // The connection is gone.
    void closed(net::Key key);

  private:
    struct Place {
        sip::Transport transport = sip::Transport::Tcp;
        Endpoint endpoint;
        std::string name; // proved or to be proved, in lower case; empty without TLS
        bool operator==(const Place&) const = default;
    };
    struct HashPlace {
        std::size_t operator()(const Place& place) const;
    };
    static Place make_place(sip::Transport transport, const Endpoint& endpoint,
                            std::string_view name);
    static Place goal_of(const server::Hop& hop);

    boost::unordered_flat_map<Place, net::Key, HashPlace> open_;
    boost::unordered_flat_map<Place, net::Key, HashPlace> coming_;
    boost::unordered_flat_map<std::uint32_t, Dialing> dialings_;         // by key.index
    boost::unordered_flat_map<std::uint32_t, std::vector<Place>> names_; // of what is open
};

} // namespace cw::host
