// What was said, kept until it is known whether anybody wants to hear it: the payloads of media
// streams as they came, in memory first and then in a file without a name (spool.hpp). Told by the
// Book, asked after its finish(). Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"
#include "flow/media_tap.hpp"
#include "flow/spool.hpp"
#include "flow/srtp_keys.hpp"

namespace cw::flow {

class MediaTape final : public MediaTap {
  public:
    void on_media_packet(const MediaPacket& packet) override;

    // The packets of this stream, in the order of the capture. Their `encoding` lives as long as
    // the tape, the payload until the next one.
    void play(const MediaStream& stream, const std::function<void(const MediaPacket&)>& each);

  private:
    static constexpr std::size_t block = std::size_t{16} << 10;
    static constexpr std::size_t most_waiting = std::size_t{32} << 20; // in blocks not full yet

    struct Name {
        MediaFlow flow;
        std::uint32_t ssrc = 0;
        bool operator==(const Name&) const = default;
        friend std::size_t hash_value(const Name& n) {
            return mix_hash(hash_value(n.flow), n.ssrc);
        }
    };
    struct Codec {
        std::string encoding;
        std::uint32_t clock = 0;
    };
    struct Record { // before each payload
        Instant time;
        std::uint32_t timestamp = 0;
        std::uint32_t size = 0;
        std::uint16_t sequence = 0;
        std::uint16_t codec = 0;
        std::uint8_t payload_type = 0;
        bool marker = false;
    };
    struct Track {
        BlobRef latest; // a chain, backwards
        std::string open;
    };

    std::uint16_t codec_of(const MediaPacket& packet);
    void put_away(Track& track);
    static void play_block(std::string_view block, const MediaStream& stream,
                           const std::vector<Codec>& codecs,
                           const std::function<void(const MediaPacket&)>& each);

    Spool spool_;
    boost::unordered_flat_map<Name, Track> tracks_;
    std::vector<Codec> codecs_; // few
    std::size_t waiting_ = 0;   // octets in open blocks
    std::string scratch_;
};

} // namespace cw::flow
