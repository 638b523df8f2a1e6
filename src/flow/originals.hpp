// The messages themselves, byte by byte, for painters that show them: a Call keeps only what a
// ladder needs. Stands between a source and its listener and keeps a copy of each message that
// passes, in memory first and then in a file without a name (spool.hpp).
//
// Where nothing ends, as in a live capture, they are forgotten with the calls that they belong to.
//
// Single-threaded.
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
    void on_dtls_exchange(const DtlsExchange& exchange) override {
        next_->on_dtls_exchange(exchange);
    }
    void on_connection(const Connection& connection) override { next_->on_connection(connection); }
    void finish(Instant end) override { next_->finish(end); }

    // The bytes of a message of `call`; empty when they are not known. Valid until the next of().
    std::string_view of(const Call& call, const Message& message);

    // Nobody will ask for the messages of this call any more.
    void forget(const Call& call);
    // Nor for any that came before: those that became part of no call.
    void forget_before(Instant time);
    [[nodiscard]] std::size_t size() const { return kept_.size() - free_.size(); }

  private:
    struct Kept {
        BlobRef blob;              // empty: this place is free
        std::uint32_t next = none; // of the same packet
        std::uint32_t name = 0;    // hash of its Call-ID and CSeq; known where it is shared
        Instant time;
        std::uint64_t packet = 0;
        bool shared = false; // there were others in its packet
    };
    // Its place in kept_, or none.
    std::uint32_t find(const Call& call, const Message& message);
    void drop(std::uint32_t index);
    static std::uint64_t key(std::uint16_t input, std::uint32_t frame) {
        return std::uint64_t{input} << 32 | frame;
    }

    Listener* next_;
    Spool spool_;
    std::vector<Kept> kept_;
    std::vector<std::uint32_t> free_;                               // places in it
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> first_; // by packet
};

} // namespace cw::flow
