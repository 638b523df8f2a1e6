// A stretch of one leg (one Call-ID) while it is open: what a ladder needs of its messages, written
// down as each comes, in one piece of memory that is the blob for the spool when the leg has been
// quiet for longer than any retransmission lasts. Later messages of the same Call-ID start a new
// stretch. Not thread-safe.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "flow/archive.hpp"
#include "flow/call.hpp"
#include "flow/event.hpp"
#include "flow/message_digest.hpp"
#include "flow/secured_body.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

class Stretch {
  public:
    // Adds a message, of whose event the bytes are not asked. `digest` is of it; `session` is its
    // parsed session description, or nullptr; `body` what was found in a signed or encrypted body,
    // or nullptr. Returns it as it is stored, see StretchWriter::last(); valid until the next call.
    const Message& append(const SipEvent& event, const MessageDigest& digest,
                          const sdp::Session* session, const SecuredBody* body = nullptr);

    [[nodiscard]] bool has_one_message() const { return record_.count() == 1; }
    [[nodiscard]] const Message& last() const { return record_.last(); }
    [[nodiscard]] std::string_view text(Text t) const { return record_.text(t); }
    [[nodiscard]] const LegNames& names() const { return record_.names(); }

    // All of it as a blob, after `previous`, the leg's stretch before it. Valid until the next
    // call.
    std::string_view blob(BlobRef previous) { return record_.blob(previous); }
    void clear(); // keeps the memory

    // Asks for the memory that append() will write to, once this object itself is at hand.
    void fetch() const;

  private:
    // What tells a copy of an earlier message.
    struct Seen {
        std::uint64_t fingerprint = 0; // of its bytes
        std::uint64_t path = 0;        // of its two ends
        Instant time;
        std::uint32_t original = 0; // the message that it was a copy of, or itself
        std::uint16_t ip_id = 0;    // of its packet
    };

    void name_leg(const MessageDigest& digest);
    void add_texts(Message& m, const MessageDigest& digest);
    void add_media_lines(Message& m, const sdp::Session& session);
    void find_original(Message& m, const SipEvent& event, std::uint64_t fingerprint);

    StretchWriter record_;
    MediaLine last_line_;
    Text body_type_; // the latest, which most bodies of a leg share
    std::vector<MediaLine> lines_;
    std::vector<Seen> seen_;
};

// The AoR of a From or To value: scheme:user@host without port and parameters, and its display
// name.
struct Identity {
    std::string_view scheme;
    std::string_view user;
    std::string_view host;
    std::string_view display_name;
};
Identity identity_of(std::string_view name_addr);

} // namespace cw::flow
