// Parameters of a header field: ";name=value;flag;name="quoted"" [RFC 3261 §25.1 generic-param].
// Read without allocation and never refused: what breaks the grammar is kept as far as it makes
// sense, and said in Params::quirk() or in the quirk of the value that has them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sip/cursor.hpp"

namespace cw::sip {

struct Param {
    std::string_view name;
    std::string_view value; // of a quoted one the inside, escapes untouched: see unquote()
    bool has_value = false; // there is a "="
    bool is_quoted = false;
};

// Takes the parameters off the front of a text one by one.
class ParamCursor {
  public:
    // `text` begins with ';', white space before it allowed, or is empty.
    explicit ParamCursor(std::string_view text) : cursor_(text) {}

    // False when no parameter follows: at the end of the text, or at a ',' outside of quotes.
    bool next(Param& param);
    // What follows the last parameter read.
    [[nodiscard]] std::string_view rest() const { return cursor_.rest(); }
    // The first thing that broke the grammar; nullptr if none. Static text.
    [[nodiscard]] const char* quirk() const { return quirk_; }

  private:
    void read_value(Param& param);
    void skip_stray(Param& param);
    bool skip_empty(Param& param);
    void note(const char* quirk) { quirk_ = quirk_ != nullptr ? quirk_ : quirk; }

    Cursor cursor_;
    const char* quirk_ = nullptr;
};

// The value of the first parameter with this name, in any case; empty when it has none, nothing
// when it is not there. `params` as ParamCursor takes it; the answer lives as long.
std::optional<std::string_view> find_param(std::string_view params, std::string_view name);

// `inside` of a quoted string without its backslashes. Returns `inside` itself when it has none,
// otherwise a view of `buffer`, which is overwritten.
std::string_view unquote(std::string_view inside, std::string& buffer);

} // namespace cw::sip
