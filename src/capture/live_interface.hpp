// Packets of a network interface as they come, by libpcap. Not thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "capture/packet.hpp"

struct pcap;

namespace cw::capture {

struct PcapLibrary;

class LiveInterface {
  public:
    struct Options {
        std::string filter;        // of libpcap; empty: everything
        int buffer = 32 << 20;     // bytes, in the kernel: what a burst needs
        int snap_length = 262'144; // bytes of a packet
        bool promiscuous = true;   // also what is for others
    };
    struct Counts {
        std::uint64_t dropped = 0;              // by the kernel, since we were too slow
        std::uint64_t dropped_by_interface = 0; // by the network card or its driver
    };

    // Empty, or what is wrong with a filter, in libpcap's words.
    static std::string fault_of_filter(const std::string& filter);

    // "any" is all interfaces. `input` becomes Packet::input. What went wrong is a sentence with
    // the interface's name, and what to try.
    static std::expected<std::unique_ptr<LiveInterface>, std::string>
    open(const std::string& name, const Options& options, std::uint16_t input);

    // Readable when there are packets.
    [[nodiscard]] int descriptor() const { return descriptor_; }
    // Hands on what has come, `most` packets at most; a packet is valid during the call. Returns
    // how many there were, or why there will be no more ("eth0: the interface went down").
    std::expected<int, std::string> take(int most, const std::function<void(const Packet&)>& to);
    [[nodiscard]] Counts counts() const;
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::uint16_t link_type() const { return link_type_; } // LINKTYPE_ value

  private:
    struct Close {
        const PcapLibrary* library; // that opened the handle
        void operator()(pcap* handle) const;
    };
    LiveInterface() = default;

    std::string name_;
    std::unique_ptr<pcap, Close> handle_;
    int descriptor_ = -1;
    std::uint16_t link_type_ = 0;
    std::uint16_t input_ = 0;
    std::uint32_t frames_ = 0;
    bool nanoseconds_ = false; // in packet times; else microseconds
};

} // namespace cw::capture
