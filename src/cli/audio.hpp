// read --audio DIR: what was said, as WAV files: one a stream, and one a call with what the caller
// said on the left and what it heard on the right. Nothing is overwritten; each file written, and
// each stream that could not be, is told on stderr.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/call.hpp"
#include "flow/media_tape.hpp"
#include "rtp/audio_track.hpp"

namespace cw::cli {

class AudioFiles {
  public:
    // `tape` must outlive this.
    AudioFiles(std::string directory, flow::MediaTape& tape)
        : directory_(std::move(directory)), tape_(tape) {}

    // Makes the directory if it is not there; what went wrong, or nothing.
    std::optional<std::string> prepare() const;
    void call(const flow::Call& call);
    void stray(const flow::MediaStream& stream, const flow::TextPool& texts);
    // A line that sums up. False when a file could not be written.
    bool finish();

  private:
    struct Side { // a channel
        std::vector<rtp::AudioTrack> tracks;
    };
    // Empty, and why, when there is nothing to hear.
    rtp::AudioTrack track_of(const flow::MediaStream& stream, std::string& why);
    void stream(const std::string& name, const flow::MediaStream& stream,
                const flow::TextPool& texts);
    void two_sided(const flow::Call& call);
    bool write(const std::string& name, std::vector<Side>& sides, const std::string& what);
    void tell(const std::string& line);

    std::string directory_;
    flow::MediaTape& tape_;
    std::uint64_t written_ = 0;
    std::uint64_t silent_ = 0; // streams that could not be written
    std::uint64_t told_ = 0;   // lines
    std::uint32_t strays_ = 0;
    bool failed_ = false;
};

} // namespace cw::cli
