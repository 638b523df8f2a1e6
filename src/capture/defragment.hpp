// Puts IP fragments together, v4 [RFC 791 §3.2] and v6 [RFC 8200 §4.5], in any order of arrival.
//
// What an attacker may choose is bounded: 64 KiB a datagram, 16 MiB and 4,096 datagrams in all,
// 60 seconds of capture time. Fragments that overlap with different content spoil their datagram
// for good [RFC 5722 §4]; exact copies do no harm. Not thread-safe.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "capture/ignored.hpp"

namespace cw::capture {

struct FragmentKey {
    IpAddress source;
    IpAddress destination;
    std::uint32_t id = 0;
    std::uint32_t place = 0;   // input and interface: two taps of one wire do not mix
    std::uint8_t protocol = 0; // of IPv4; 0 in IPv6, where only the first fragment knows

    bool operator==(const FragmentKey&) const = default;
};

struct Fragment {
    FragmentKey key;
    Instant time;
    std::uint32_t frame = 0;
    std::uint16_t input = 0;
    std::uint8_t protocol = 0; // what follows, believed of the first fragment
    bool more = false;
    std::uint32_t offset = 0; // in bytes
    std::uint32_t cut = 0;    // bytes of it that the capture does not hold
    Bytes data;               // copied
};

struct Reassembled {
    std::vector<std::uint8_t> bytes;
    FragmentKey key;
    Instant time; // of the first fragment that came
    std::uint32_t frame = 0;
    std::uint16_t input = 0;
    std::uint8_t protocol = 0;
    std::uint32_t missing = 0; // bytes at the end that are not there; 0 when not known
};

class Defragmenter {
  public:
    // Counts "incomplete fragments", "overlapping fragments" and "fragments captured twice" a
    // datagram, "malformed fragments" each. `ignored` must outlive it.
    explicit Defragmenter(Ignored& ignored);

    // The whole datagram when this was its last missing fragment. Its end is missing when the
    // capture cut a fragment.
    std::optional<Reassembled> add(const Fragment& fragment);
    // Gives up one datagram that is older than 60 seconds at `now`, or whose room was needed: what
    // stood at its start, when that is there. Nothing when there is none such; ask until then.
    std::optional<Reassembled> expire(Instant now);
    // The same for all that wait, at the end of the capture.
    std::optional<Reassembled> flush();

    [[nodiscard]] bool idle() const { return waiting_.empty() && given_up_.empty(); }

  private:
    struct Waiting {
        Reassembled made;
        std::bitset<8192> seen; // by units of eight bytes
        std::uint32_t units = 0;
        std::uint32_t total = 0;             // in bytes; 0: the last fragment did not come yet
        std::uint32_t held_to = 0xffff'ffff; // the capture lacks bytes from here on
        bool spoilt = false;
        bool again = false; // its datagram was whole just before: these are copies of fragments
    };
    struct KeyHash {
        std::uint64_t seed;
        std::size_t operator()(const FragmentKey& k) const;
    };
    using List = std::list<Waiting>;

    Waiting& entry_for(const Fragment& fragment);
    void spoil(Waiting& entry);
    bool copy(Waiting& entry, const Fragment& fragment);
    Reassembled finish(List::iterator at);
    void remember_finished(const FragmentKey& key, Instant now);
    void give_up_oldest();
    [[nodiscard]] static std::size_t cost(const Waiting& w);

    List waiting_; // oldest first
    std::unordered_map<FragmentKey, List::iterator, KeyHash> index_;
    std::list<Reassembled> given_up_;
    // When the latest whole datagrams were whole, at most as many as may wait.
    std::unordered_map<FragmentKey, Instant, KeyHash> finished_;
    std::deque<FragmentKey> finished_order_;
    std::size_t bytes_ = 0;
    Ignored& ignored_;
};

} // namespace cw::capture
