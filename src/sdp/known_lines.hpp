// Lines about codecs as they were parsed before. What one kind of device says about its codecs is
// mostly the same in all its descriptions, letter by letter: then it is compared, and not parsed
// again. For one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdp/session.hpp"

namespace cw::sdp {

class KnownLines {
  public:
    static constexpr std::size_t longest = 1024;

    // Lines of one media that follow each other: a=rtpmap, a=fmtp, a=ptime and the direction.
    struct Block {
        std::string text; // with all line ends; the views below are of it
        std::vector<Attribute> attributes;
        std::vector<Rtpmap> rtpmaps;
        std::vector<Fmtp> fmtps;
        std::optional<std::uint32_t> ptime_ms; // what the last such line said
        std::optional<Direction> direction;
    };

    KnownLines() = default;
    KnownLines(const KnownLines&) = delete; // what points to its texts would point to another's
    KnownLines& operator=(const KnownLines&) = delete;

    // That which `text` begins with; nullptr when there is none. Valid until the next remember().
    [[nodiscard]] const Block* find(std::string_view text) const {
        for (const auto& block : blocks_) {
            if (!block.text.empty() && text.starts_with(block.text)) {
                return &block;
            }
        }
        return nullptr;
    }
    // What was parsed of `text`, of at most `longest`, and what `media` is by then. Forgets the
    // oldest of the few that there are.
    void remember(std::string_view text, std::span<const Attribute> attributes,
                  std::span<const Rtpmap> rtpmaps, std::span<const Fmtp> fmtps, const Media& media);

    // The same part of another text.
    static std::string_view moved(std::string_view part, const char* from, const char* to) {
        return part.data() == nullptr ? part
                                      : std::string_view{to + (part.data() - from), part.size()};
    }

  private:
    std::array<Block, 4> blocks_;
    std::size_t next_ = 0;
};

// As parse(): uses what is known, and adds to it.
Result<void> parse(std::string_view text, Session& session, KnownLines& known);

} // namespace cw::sdp
