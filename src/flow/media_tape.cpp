#include "flow/media_tape.hpp"

#include <algorithm>
#include <cstring>

namespace cw::flow {
namespace {

constexpr std::size_t most_codecs = 1000; // names come from session descriptions

} // namespace

std::uint16_t MediaTape::codec_of(const MediaPacket& packet) {
    const auto at = std::ranges::find_if(codecs_, [&](const Codec& c) {
        return c.clock == packet.clock && c.encoding == packet.encoding;
    });
    if (at == codecs_.end() && codecs_.size() < most_codecs) {
        codecs_.push_back({std::string{packet.encoding}, packet.clock});
        return static_cast<std::uint16_t>(codecs_.size() - 1);
    }
    return static_cast<std::uint16_t>(at - codecs_.begin());
}

void MediaTape::on_media_packet(const MediaPacket& packet) {
    auto& track = tracks_[{{packet.source, packet.destination}, packet.ssrc}];
    Record record;
    std::memset(static_cast<void*>(&record), 0, sizeof record);
    record.time = packet.time;
    record.timestamp = packet.timestamp;
    record.size = static_cast<std::uint32_t>(packet.payload.size());
    record.sequence = packet.sequence;
    record.codec = codec_of(packet);
    record.payload_type = packet.payload_type;
    record.marker = packet.marker;
    const auto before = track.open.size();
    track.open.append(reinterpret_cast<const char*>(&record), sizeof record);
    track.open.append(as_text(packet.payload));
    waiting_ += track.open.size() - before;
    if (track.open.size() >= block) {
        put_away(track);
    }
    if (waiting_ > most_waiting) {
        for (auto& [name, other] : tracks_) {
            put_away(other);
        }
    }
}

// A block begins with where the one before it is.
void MediaTape::put_away(Track& track) {
    if (track.open.empty()) {
        return;
    }
    scratch_.assign(reinterpret_cast<const char*>(&track.latest), sizeof track.latest);
    scratch_ += track.open;
    waiting_ -= track.open.size();
    track.latest = spool_.put(scratch_);
    track.open = {};
}

void MediaTape::play_block(std::string_view block, const MediaStream& stream,
                           const std::vector<Codec>& codecs,
                           const std::function<void(const MediaPacket&)>& each) {
    while (block.size() >= sizeof(Record)) {
        Record record;
        std::memcpy(static_cast<void*>(&record), block.data(), sizeof record);
        block.remove_prefix(sizeof record);
        if (record.size > block.size()) {
            return;
        }
        const auto payload = block.substr(0, record.size);
        block.remove_prefix(record.size);
        // The same ends and the same SSRC may have served another call.
        if (record.time < stream.first || record.time > stream.last ||
            record.codec >= codecs.size()) {
            continue;
        }
        each({.time = record.time,
              .source = stream.source,
              .destination = stream.destination,
              .ssrc = stream.ssrc,
              .timestamp = record.timestamp,
              .clock = codecs[record.codec].clock,
              .sequence = record.sequence,
              .payload_type = record.payload_type,
              .marker = record.marker,
              .encoding = codecs[record.codec].encoding,
              .payload = as_bytes(payload)});
    }
}

void MediaTape::play(const MediaStream& stream,
                     const std::function<void(const MediaPacket&)>& each) {
    const auto at = tracks_.find({{stream.source, stream.destination}, stream.ssrc});
    if (at == tracks_.end()) {
        return;
    }
    auto& track = at->second;
    put_away(track);
    std::vector<BlobRef> chain;
    for (auto ref = track.latest; !ref.empty();) {
        chain.push_back(ref);
        const auto blob = spool_.get(ref);
        ref = {};
        if (blob.size() >= sizeof ref) {
            std::memcpy(&ref, blob.data(), sizeof ref);
        }
    }
    for (auto ref = chain.rbegin(); ref != chain.rend(); ++ref) {
        const auto blob = spool_.get(*ref);
        if (blob.size() > sizeof(BlobRef)) {
            play_block(blob.substr(sizeof(BlobRef)), stream, codecs_, each);
        }
    }
}

} // namespace cw::flow
