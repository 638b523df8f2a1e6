// SRTP and SRTCP of one source as one opens it who only listens: any of several keys may be in use,
// and the rollover counter may have any value, because the capture began late or because the sender
// began anew [RFC 3711 §3.3.1]. Both are found by trial: the authentication tag says which are
// right. The work of finding is bounded, see Budget; that of reading is one trial a packet. Replays
// are opened like any packet: a capture may hold each twice.
// One thread; keys are wiped with the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "rtp/srtp_index.hpp"
#include "rtp/srtp_suite.hpp"
#include "rtp/srtp_transform.hpp"

namespace cw::rtp {

class SrtpReader {
  public:
    static constexpr std::size_t most_keys = 24;
    // Rollover counters that are looked for: at 50 packets a second each is 22 minutes.
    static constexpr std::uint32_t most_rollovers = 256;

    // Trials that may still be made where the key or the counter is not known. Readers of one
    // capture share one, so that hostile packets cost no more than a few trials each.
    class Budget {
      public:
        // A packet came.
        void earn() { tries_ = tries_ < most ? tries_ + per_packet : tries_; }
        bool spend() { return tries_ > 0 && tries_-- > 0; }

      private:
        static constexpr std::int64_t most = 2'000'000; // about a second of work
        static constexpr std::int64_t per_packet = 4;
        std::int64_t tries_ = most;
    };

    // A key that the source may use; each of several under its MKI. `label` is the caller's, see
    // label(). One of 192 bits is tried in both ways of deriving keys. False when it is known
    // already, cannot be used, or there are too many.
    bool add_key(const SrtpParameters& parameters, std::uint32_t label);
    [[nodiscard]] std::size_t keys() const { return keys_.size(); }

    // The packet without protection, valid until the next one; nothing when no key opens it.
    // `header` is the length of the RTP header with its extension.
    std::optional<Bytes> open(Bytes rtp, std::size_t header, Budget& budget);
    std::optional<Bytes> open_rtcp(Bytes rtcp, Budget& budget);

    // Of the packet that was opened last: the key, whether its tag proved that it is genuine, and
    // whether it was encrypted at all.
    [[nodiscard]] std::uint32_t label() const { return keys_[current_].label; }
    [[nodiscard]] SrtpSuite suite() const { return keys_[current_].parameters.suite; }
    [[nodiscard]] bool is_proved() const { return keys_[current_].parameters.authenticate_rtp; }
    [[nodiscard]] bool is_encrypted() const { return keys_[current_].parameters.encrypt_rtp; }
    [[nodiscard]] std::uint32_t roc() const { return index_.roc(); }
    // A counter that did not follow from the packet before: found by search, not the first one.
    [[nodiscard]] std::uint32_t counter_jumps() const { return counter_jumps_; }

  private:
    static constexpr std::size_t none = SIZE_MAX;
    struct Key { // one master key
        SrtpParameters parameters;
        std::uint32_t label = 0;
        KeyDerivation derivation{};
        std::optional<SrtpTransform> transform; // when it was first tried
        bool unusable = false;
    };

    bool add(SrtpParameters&& alone, std::uint32_t label, KeyDerivation derivation);
    SrtpTransform* transform_of(Key& key);
    bool try_rtp(std::size_t key, Bytes rtp, std::size_t header, std::uint64_t index);
    bool try_rtcp(std::size_t key, Bytes rtcp);
    bool accept(std::size_t key, std::uint64_t index);
    bool search(Bytes rtp, std::size_t header, bool deep, Budget& budget);
    [[nodiscard]] bool search_is_due() const;

    std::vector<Key> keys_;
    std::size_t current_ = none; // in keys_
    SrtpIndex index_{ReplayWindow::most};
    bool started_ = false;     // index_ holds a packet
    std::uint32_t misses_ = 0; // in a row
    std::uint32_t counter_jumps_ = 0;
    std::vector<std::uint8_t> scratch_;
};

} // namespace cw::rtp
