// Changes to a message that is passed on: what is removed, replaced and inserted, spliced into the
// original bytes in one pass, so that everything else leaves exactly as it came. Keeps its memory:
// one object edits one message after the other without allocating.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sip/message.hpp"

namespace cw::sip {

class Edits {
  public:
    // Begins anew, on `message`, which must live until apply().
    void begin(const MessageView& message);

    // `part` is a view of the message's bytes. Where two edits meet, the one that was asked for
    // first comes first; what lies within something removed is left out.
    void replace(std::string_view part, std::string_view text);
    void insert(const char* at, std::string_view text);
    void remove(std::string_view part) { replace(part, {}); }
    // Whole header lines, above all others.
    void insert_on_top(std::string_view lines);
    // Whole header lines, below all others.
    void insert_below(std::string_view lines);
    void remove_line(const Header& header);
    // The first `count` values of all header fields with this id, in order.
    void remove_first_values(HeaderId id, std::size_t count);
    // One way to write what may be written in many: no blank before a colon, no folds [RFC 3261
    // §7.3.1]. The next reader may understand those differently than we did.
    void normalise();

    // Appends the edited message.
    void apply(std::string& out);

  private:
    struct Edit {
        std::uint32_t begin;
        std::uint32_t end;
        std::uint32_t text;
        std::uint32_t text_size;
    };
    [[nodiscard]] std::uint32_t offset(const char* p) const;

    const MessageView* message_ = nullptr;
    std::vector<Edit> edits_;
    std::string texts_;
};

// The whole line of a header field, with its folds and the CRLF behind it.
std::string_view line_of(const MessageView& message, const Header& header);

} // namespace cw::sip
