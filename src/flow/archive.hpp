// Finished things as blobs for the spool, and back. A blob never leaves the process that made it,
// so its records are copied as they lie in memory.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "flow/call.hpp"
#include "flow/spool.hpp"

namespace cw::flow {

// The identities of a leg, as the first message that names them gave them.
struct LegNames {
    Text call_id;
    Text from;
    Text to;
    Text from_name;
    Text to_name;
};

// The blob of a stretch of a leg, written message by message: a header, then a record each, which
// is the texts that the message brought, and those words in which it differs from the one before.
// A Text counts from the beginning of the blob.
class StretchWriter {
  public:
    StretchWriter();

    // Begins the record of a message; its texts are then added, to texts() too if need be.
    void begin_message();
    Text add(std::string_view text);
    std::string& texts() { return bytes_; }
    void end_message(const Message& message, std::span<const MediaLine> lines);
    // The latest, as it is written: the sent_by of a response is that of the request before it.
    [[nodiscard]] const Message& last() const { return last_; }

    [[nodiscard]] std::string_view text(Text t) const { return TextPool::view(bytes_, t); }
    [[nodiscard]] std::uint32_t count() const { return header_.messages; }
    [[nodiscard]] std::uint32_t media_lines() const { return header_.media_lines; }
    [[nodiscard]] const LegNames& names() const { return header_.names; }
    LegNames& names() { return header_.names; }

    // Where the next record will begin; to be fetched, not to be read.
    [[nodiscard]] const char* end() const { return bytes_.data() + bytes_.size(); }

    // Valid until the next change.
    std::string_view blob(BlobRef previous);
    void clear(); // keeps the memory

  private:
    friend BlobRef previous_of(std::string_view blob);
    friend bool unpack(std::string_view blob, Call& call, LegNames& names);
    struct Header {
        BlobRef previous;
        LegNames names;
        std::uint32_t messages = 0;
        std::uint32_t media_lines = 0;
    };

    Header header_;
    std::string bytes_; // with room for the header
    std::size_t record_ = 0;
    Message last_;
};

// The blob before the one in `blob`.
BlobRef previous_of(std::string_view blob);
// Appends messages, media lines and texts of the stretch in `blob` to those of `call`. False when
// the spool could not read it back.
bool unpack(std::string_view blob, Call& call, LegNames& names);

void pack(const Connection& connection, std::string& out);
bool unpack(std::string_view blob, Connection& out);

// A stream with the pool that its texts are in.
void pack(const MediaStream& stream, std::string_view texts, std::string& out);
// Adds the texts to `pool` and returns the stream that refers to them.
MediaStream unpack_stream(std::string_view blob, TextPool& pool);

} // namespace cw::flow
