// Which endpoints of a call are one box: the columns of its ladder. A box is a program, not a
// port. Usually that is one IP address; but where both ends of a hop have the same address (a lab
// on 127.0.0.1) or several hosts hide behind one (NAT), the address is split by what the messages
// say: the top Via names their sender, a Contact and a media address the user agent that wrote
// them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flow/call.hpp"

namespace cw::flow {

struct Box {
    std::string name;                 // as it came from the wire: not fit for a terminal
    Endpoint at;                      // what to show as its address
    bool show_port = false;           // its address alone does not tell it from the others
    bool user_agent = false;          // an end of the call: it makes or finally takes a request
    std::vector<IpAddress> addresses; // all that it was seen with
};

inline constexpr std::uint16_t no_box = 0xffff;

// Names for addresses that the capture brought (Name Resolution Blocks) or a person gave.
using KnownNames = std::span<const std::pair<IpAddress, std::string>>;

class Boxes {
  public:
    // At most this many; further endpoints share the last box.
    static constexpr std::size_t limit = 128;

    // Programs: what the messages tell is used to find which endpoints are one. Endpoints: each
    // address with its port is a box, for who wants to see the ports.
    enum class Of : std::uint8_t { Programs, Endpoints };
    // In the order in which they first appear in the messages. `call` is not kept.
    explicit Boxes(const Call& call, KnownNames names = {}, Of what = Of::Programs);

    [[nodiscard]] const std::vector<Box>& all() const { return boxes_; }
    // The box of an endpoint of the call, by port or else by address; no_box if it has none.
    [[nodiscard]] std::uint16_t of(const Endpoint& endpoint) const;

  private:
    std::vector<Box> boxes_;
    std::unordered_map<Endpoint, std::uint16_t> by_endpoint_;
    std::unordered_map<IpAddress, std::uint16_t> by_address_;
};

} // namespace cw::flow
