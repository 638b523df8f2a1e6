// Texts with gaps, for rote.hpp: a message that was sent becomes a Form, whose gaps are filled with
// names that were drawn and values that came; one that was received becomes a Shape that others are
// held against. Values that own what they hold.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "play/cast.hpp"
#include "sip/message.hpp"

namespace cw::play {

// What a gap is filled with: names and values of one call, in the order in which they came up.
class Gaps {
  public:
    enum class Kind : std::uint8_t {
        Branch,
        Tag,
        CallId,
        Number, // of CSeq
        Route,  // a whole Record-Route
        Contact,
        Target, // its URI
        RSeq,
        Session,
        Octets,    // in base64
        Challenge, // its nonce and its opaque are gaps
        Nonce,
        Opaque,
        Own, // a value of the call's row
        Other,
    };
    void add(Kind kind, std::string_view text) {
        places_.push_back({static_cast<std::uint32_t>(text_.size()),
                           static_cast<std::uint32_t>(text.size()), kind});
        text_.append(text);
    }
    void clear() {
        places_.clear();
        text_.clear();
    }
    // Back to the first `count`.
    void cut(std::size_t count) {
        if (count < places_.size()) {
            text_.resize(places_[count].begin);
            places_.resize(count);
        }
    }
    [[nodiscard]] std::size_t size() const { return places_.size(); }
    [[nodiscard]] Kind kind(std::size_t i) const { return places_[i].kind; }
    // Valid until the next add().
    [[nodiscard]] std::string_view text(std::size_t i) const {
        return std::string_view{text_}.substr(places_[i].begin, places_[i].length);
    }

  private:
    struct Place {
        std::uint32_t begin = 0;
        std::uint32_t length = 0;
        Kind kind = Kind::Other;
    };
    std::vector<Place> places_;
    std::string text_;
};

// A value that is known already: a gap's, or a number so much higher.
struct Known {
    std::int32_t gap = -1; // -1: it is not known
    std::uint32_t plus = 0;
};

// A text with values of the call's row in it.
class Text {
  public:
    Text() = default;
    Text(std::string_view text, const Gaps& gaps);
    // Takes itself off the beginning, or the end, of `value`. False: it does not stand there.
    bool take_front(std::string_view& value, const Gaps& gaps) const;
    bool take_back(std::string_view& value, const Gaps& gaps) const;

  private:
    struct Piece {
        std::uint32_t begin = 0, length = 0; // of fixed text, which goes first
        std::int32_t gap = -1;
    };
    std::string fixed_;
    std::vector<Piece> pieces_; // none: all is fixed
};

// A message of ours.
class Form {
  public:
    Form() = default;
    Form(std::string_view text, const Gaps& gaps);
    void print(const Gaps& gaps, std::string& out) const;

  private:
    struct Piece {
        std::uint32_t begin = 0, length = 0; // of fixed text, which goes first
        Known known;
        bool body_length = false; // the value of Content-Length follows the fixed text
    };
    std::string fixed_;
    std::vector<Piece> pieces_;
    std::size_t body_ = 0; // the first piece of the body
};

// A message that came.
class Shape {
  public:
    Shape() = default;
    // What is new in `message` is added to `gaps`.
    Shape(const sip::MessageView& message, Gaps& gaps);

    // Does `message` look the same, and does it name what is known? Then `gaps` has what is new in
    // it, else `gaps` is as before.
    [[nodiscard]] bool fits(const sip::MessageView& message, Gaps& gaps) const;

  private:
    struct Line { // a header field: text, perhaps with one value in it that differs from call to
                  // call; of a challenge, the whole of one
        sip::HeaderId id = sip::HeaderId::Other;
        Text before, after;
        std::string challenge;
        bool has_gap = false;
        Known known;
    };
    bool request_ = false;
    sip::Method method_ = sip::Method::None;
    std::uint16_t status_ = 0;
    Text start_; // the Request-URI, or the reason
    std::vector<Line> lines_;
    std::string body_;
};

// Are there credentials in the head of a message of ours?
bool has_credentials(std::string_view text);
// Computes the response of each digest in it anew [RFC 7616 §3.4.1], by the password of the member
// of the cast who has that login. False where it is not like that: the text is as before.
bool sign(std::string& text, const Cast& cast, crypto::Digester& digester);

// Do two session descriptions say the same, but for the names of sessions, ports, and keys?
bool same_but_for_names(std::string_view a, std::string_view b);

} // namespace cw::play
