// Takes the headers off a frame: link layer, VLAN tags, labels, tunnels, IP with its fragments, and
// UDP, TCP or SCTP; what is inside goes to a sink. What is not understood is counted by name.
//
// Not thread-safe. Checksums are not looked at: on the sender's machine they are often not there
// yet. Nesting is followed 16 levels deep.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "capture/defragment.hpp"
#include "capture/ignored.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

class DatagramSink {
  public:
    // The datagram and its payload are valid during the call.
    virtual void on_datagram(const Datagram& datagram) = 0;

  protected:
    ~DatagramSink() = default;
};

class Decapsulator {
  public:
    Decapsulator() = default;
    Decapsulator(const Decapsulator&) = delete;
    Decapsulator& operator=(const Decapsulator&) = delete;

    // Calls the sink once for a transport payload found in the frame, and before that for each
    // datagram given up whose other fragments never came: these are truncated, and carry the time
    // and frame number of their first fragment.
    void unwrap(const Packet& packet, DatagramSink& sink);
    // At the end: the same for all fragments that still wait.
    void finish(DatagramSink& sink);
    [[nodiscard]] const Ignored& ignored() const { return ignored_; }

  private:
    // One frame on its way down. `cut`: bytes that were on the wire after the end of the view in
    // hand and are not in the capture.
    struct Frame {
        DatagramSink& sink;
        Datagram out;
        std::uint32_t cut = 0;
        std::uint32_t place = 0; // input and interface
        int depth = 0;
    };

    // decapsulate.cpp
    bool enter(Frame& frame);
    void give_up(std::optional<Reassembled> incomplete, DatagramSink& sink);

    // link.cpp
    void link(Frame& frame, std::uint32_t link_type, Bytes bytes);
    void ethernet(Frame& frame, Bytes bytes);
    void ethertype(Frame& frame, std::uint16_t type, Bytes bytes);
    void length_field(Frame& frame, std::uint16_t length, Bytes bytes);
    void llc(Frame& frame, Bytes bytes);
    void mpls(Frame& frame, Bytes bytes);
    void pppoe(Frame& frame, Bytes bytes);
    void ppp(Frame& frame, Bytes bytes);
    void ppp_with_direction(Frame& frame, Bytes bytes);
    void cisco_hdlc(Frame& frame, Bytes bytes);
    void linux_cooked(Frame& frame, Bytes bytes);
    void linux_cooked_2(Frame& frame, Bytes bytes);
    void cooked_protocol(Frame& frame, std::uint16_t protocol, Bytes bytes);
    void bsd_loopback(Frame& frame, Bytes bytes);
    void nflog(Frame& frame, Bytes bytes);

    // exported_pdu.cpp
    void exported_pdu(Frame& frame, Bytes bytes);

    // ip.cpp
    void raw_ip(Frame& frame, Bytes bytes);
    void ipv4(Frame& frame, Bytes bytes);
    void ipv6(Frame& frame, Bytes bytes);
    void fragment(Frame& frame, Fragment part);
    void ip_payload(Frame& frame, std::uint8_t protocol, Bytes bytes);
    void udp(Frame& frame, Bytes bytes);
    void tcp(Frame& frame, Bytes bytes);
    void sctp(Frame& frame, Bytes bytes);
    void emit(Frame& frame, Protocol protocol, Bytes payload);

    // tunnel.cpp
    bool udp_tunnel(Frame& frame, Bytes payload);
    bool vxlan(Frame& frame, Bytes payload);
    bool geneve(Frame& frame, Bytes payload);
    bool gtp_user(Frame& frame, Bytes payload);
    bool tzsp(Frame& frame, Bytes payload);
    bool hep(Frame& frame, Bytes payload);
    void gre(Frame& frame, Bytes bytes);
    void erspan(Frame& frame, std::uint16_t type, bool sequenced, Bytes bytes);

    Ignored ignored_;
    Defragmenter fragments_{ignored_};
};

} // namespace cw::capture
