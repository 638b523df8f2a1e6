// The handshakes of newcomers that are in progress: how many, from whom, and which is the oldest,
// in all and of one address. Every step is O(1).
#pragma once

#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/address.hpp"

namespace cw::net {

class Handshakes {
  public:
    static constexpr std::uint32_t nowhere = 0xffff'ffff;

    // The place by which it leaves.
    std::uint32_t enter(std::uint32_t connection, const IpAddress& source);
    void leave(std::uint32_t place);

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t size_of(const IpAddress& source) const;
    // The connection that began first. Not to be called when there is none.
    [[nodiscard]] std::uint32_t oldest() const;
    [[nodiscard]] std::uint32_t oldest_of(const IpAddress& source) const;

  private:
    struct Ends {
        std::uint32_t oldest = nowhere;
        std::uint32_t newest = nowhere;
        std::uint32_t count = 0;
    };
    struct Links {
        std::uint32_t older = nowhere;
        std::uint32_t newer = nowhere;
    };
    struct Entry {
        std::uint32_t connection = 0;
        IpAddress source;
        Links all;
        Links own; // of the same source
    };
    void append(Ends& ends, Links Entry::* links, std::uint32_t place);
    void take_out(Ends& ends, Links Entry::* links, std::uint32_t place);

    std::vector<Entry> entries_;
    std::vector<std::uint32_t> free_;
    Ends all_;
    boost::unordered_flat_map<IpAddress, Ends, std::hash<IpAddress>> sources_;
    std::size_t size_ = 0;
};

} // namespace cw::net
