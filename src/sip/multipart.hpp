// Multipart bodies: multipart/mixed, signed, alternative and related [RFC 2046 §5.1, RFC 5621], as
// views. LeafCursor opens multiparts within multiparts, down to a bounded depth.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "sip/content_type.hpp"
#include "sip/header.hpp"

namespace cw::sip {

// Every view lives as long as the body that was parsed.
struct BodyPart {
    std::string_view bytes;   // headers, empty line and content: what a signature covers [RFC 1847]
    std::string_view headers; // without the empty line; may be empty
    std::string_view content;

    // A MIME entity as it stands in another body: its headers, an empty line, its content.
    static BodyPart of(std::string_view bytes);

    // The value of a header of this part, folds still inside; empty when it is not there.
    [[nodiscard]] std::string_view value(HeaderId id) const;
    // The same by its name, for those that SIP does not know: Content-Transfer-Encoding.
    [[nodiscard]] std::string_view value(std::string_view name) const;
    // Its Content-Type; "text/plain" when it has none [RFC 2046 §5.1], nothing when it is
    // malformed.
    [[nodiscard]] std::optional<ContentType> content_type() const;
};

class Multipart {
  public:
    // `body` of a message or part whose Content-Type is `type`; both must outlive the parts. Fails
    // (Malformed) when the type is not multipart or has no boundary of 1 to 70 characters,
    // or the boundary is nowhere in the body.
    static Result<Multipart> open(std::string_view body, const ContentType& type);

    // The next part. Nothing after the last: at the closing delimiter, or at the end of the body;
    // closed() tells which. LF alone as a line end is understood.
    std::optional<BodyPart> next();
    [[nodiscard]] bool closed() const { return closed_; }

  private:
    struct Delimiter {
        std::size_t begin; // of the line end before it, which belongs to it
        std::size_t end;   // behind its dashes and boundary, and its own line end
        bool last;
    };
    [[nodiscard]] std::optional<Delimiter> find_delimiter() const;

    std::string_view body_;
    std::string_view boundary_;
    std::size_t at_ = 0; // start of the next part
    bool closed_ = false;
};

// Every part of a body that is no multipart itself, in order. A body that is no multipart is itself
// the one part. No recursion; multiparts deeper than max_depth are handed out unopened, and after
// max_parts parts it ends.
class LeafCursor {
  public:
    static constexpr std::size_t max_depth = 8;
    static constexpr int max_parts = 256;

    // `body` and `type`, the value of Content-Type, must outlive the leaves.
    LeafCursor(std::string_view body, std::string_view type);

    struct Leaf {
        BodyPart part;
        ContentType type; // empty when the part's Content-Type is malformed
    };
    std::optional<Leaf> next();

  private:
    bool open(const BodyPart& part, const ContentType& type);

    std::array<std::optional<Multipart>, max_depth> stack_;
    std::size_t depth_ = 0;
    int parts_ = 0;
    std::optional<Leaf> single_; // the body, when it is no multipart
};

} // namespace cw::sip
