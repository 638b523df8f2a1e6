// How streams fared over time, for charts: in each period how many packets came, how many were
// missing, and the highest jitter. Told by the Book (tap_media()), so of streams in clear and of
// those that a key has opened. Not thread-safe.
//
// Memory is bounded: a period of a stream that lasts grows with it, and there are charts of so many
// streams only.
#pragma once

#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"
#include "flow/media_tap.hpp"
#include "flow/srtp_keys.hpp"
#include "rtp/stream.hpp"

namespace cw::flow {

class MediaCourse final : public MediaTap {
  public:
    static constexpr Duration first_period = seconds(1);
    static constexpr std::size_t most_periods = 120;
    static constexpr std::size_t most_streams = 20'000;

    struct Period {
        std::uint32_t packets = 0;
        std::uint32_t missing = 0; // found to be so in this period; a late packet is taken off
        double jitter_ms = 0;      // the highest estimate [RFC 3550 §6.4.1]
    };
    struct Course {
        Instant begin;
        Duration period; // how long each is; the last one may have gone on for less
        std::vector<Period> periods;
    };

    void on_media_packet(const MediaPacket& packet) override;
    // Null when nothing is known of it. Valid until the next packet.
    [[nodiscard]] const Course* of(const MediaStream& stream) const;

  private:
    struct Name {
        MediaFlow flow;
        std::uint32_t ssrc = 0;
        bool operator==(const Name&) const = default;
        friend std::size_t hash_value(const Name& n) {
            return mix_hash(hash_value(n.flow), n.ssrc);
        }
    };
    struct Track {
        Course course;
        Instant last;
        rtp::StreamStats stats;
    };
    Track* track_of(const MediaPacket& packet);
    static Period& period_of(Course& course, Instant time);

    // The same ends and the same SSRC may serve a later call.
    boost::unordered_flat_map<Name, std::vector<Track>> tracks_;
    std::size_t count_ = 0;
};

} // namespace cw::flow
