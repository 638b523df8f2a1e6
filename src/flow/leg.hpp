// A stretch of one leg (one Call-ID) while it is open: its messages as they come, with what a
// ladder needs of each. When it has been quiet for longer than any retransmission lasts, it is
// packed into a blob; later messages of the same Call-ID start a new stretch. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"
#include "flow/event.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

// The identities of a leg, as the first message that names them gave them.
struct LegNames {
    Text call_id;
    Text from;
    Text to;
    Text from_name;
    Text to_name;
};

struct Stretch {
    std::uint32_t slot = 0; // which leg of the Book
    LegNames names;
    TextPool pool;
    std::vector<Message> messages;           // retransmission_of and duplicate_of index this vector
    std::vector<std::uint64_t> fingerprints; // of the messages' bytes, parallel to messages
    std::vector<std::uint16_t> ip_ids;       // of their packets, parallel to messages
    std::vector<MediaLine> media_lines;

    void clear(); // keeps the capacity
};

// Adds a message. `session` is its parsed session description, or nullptr.
// Returns the message as stored; valid until the next call.
Message& append(Stretch& stretch, const MessageEvent& event, const sdp::Session* session);

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
