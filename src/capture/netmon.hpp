// Captures of Microsoft Network Monitor 2 (versions 2.0 to 2.3), as far as their frames stand one
// after the other before the frame table, which is how the program writes them.
#pragma once

#include "capture/byte_source.hpp"
#include "capture/container.hpp"

namespace cw::capture {

class NetmonReader final : public Container {
  public:
    static bool recognises(Bytes start); // wants 4 bytes
    // Both must outlive the reader.
    NetmonReader(ByteSource& source, FileNotes& notes);
    bool next(Packet& packet) override;

  private:
    ByteSource& source_;
    FileNotes& notes_;
    Instant start_; // of the capture, in local time of the machine: taken for UTC
    std::uint32_t link_type_ = 0;
    std::uint32_t trailer_ = 0;  // bytes after each frame, newer versions only
    std::uint32_t table_at_ = 0; // offset of the frame table, where the frames end
    std::uint32_t packets_ = 0;
    std::uint32_t frames_ = 0; // as many as the frame table has entries
};

} // namespace cw::capture
