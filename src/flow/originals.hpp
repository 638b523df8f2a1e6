// The messages themselves, byte by byte, for painters that show them: a Call keeps only what a
// ladder needs. Stands between a source and its listener and keeps a copy of each message that
// passes, in memory first and then in a file without a name (spool.hpp).
//
// Single-threaded: told by the source's thread, asked after finish().
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"
#include "flow/event.hpp"
#include "flow/spool.hpp"

namespace cw::flow {

class Originals final : public Listener {
  public:
    // Tells everything on to `next`, which must outlive the events.
    explicit Originals(Listener& next) : next_(&next) {}

    void on_sip(const SipEvent& event) override;
    void on_media(const MediaEvent& event) override { next_->on_media(event); }
    void on_dtls(const Sighting& at) override { next_->on_dtls(at); }
    void on_dtls_srtp(const DtlsSrtp& handshake) override { next_->on_dtls_srtp(handshake); }
    void on_connection(const Connection& connection) override { next_->on_connection(connection); }
    void finish(Instant end) override { next_->finish(end); }

    // The bytes of a message of `call`; empty when they are not known. Valid until the next of().
    std::string_view of(const Call& call, const Message& message);

  private:
    struct Kept {
        BlobRef blob;
        std::uint32_t next = none; // of the same packet
    };
    static std::uint64_t key(std::uint16_t input, std::uint32_t frame) {
        return std::uint64_t{input} << 32 | frame;
    }

    Listener* next_;
    Spool spool_;
    std::vector<Kept> kept_;
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> first_; // by packet
};

} // namespace cw::flow
