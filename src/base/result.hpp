// Errors are values. A function that can fail returns Result<T>; the error says which rule was
// broken, at which byte, and in a few words what was wrong. Nothing below cli/ throws for bad
// input.
#pragma once

#include <cstdint>
#include <expected>

namespace cw {

// What kind of thing went wrong. The text that a person reads is Error::what.
enum class Code : std::uint8_t {
    NotFound,      // a file or resource is not there
    CannotRead,    // it is there, but reading it failed
    NotACapture,   // its bytes are not of a kind that we know
    Truncated,     // it ends in the middle of something
    Malformed,     // a field breaks the grammar or the limits of its format
    Unsupported,   // well-formed, but of a kind that we do not handle
    LimitExceeded, // larger than the bound that we set for hostile input
    CryptoFailed,  // a key does not fit, or an integrity check failed
    Usage,         // the person or the file asked for something impossible
};

// Sixteen bytes, trivially copyable. `what` points to static storage.
struct Error {
    Code code = Code::Malformed;
    std::uint32_t offset =
        0; // byte offset in the input that was parsed, where that means something
    const char* what = "";
};

// std::expected that warns when it is discarded (the bare one does not, in g++ 12).
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
  public:
    using std::expected<T, Error>::expected;
};

// `return fail(Code::Truncated, at, "header ends before its blank line");`
[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::size_t offset, const char* what) {
    return std::unexpected(Error{code, static_cast<std::uint32_t>(offset), what});
}

} // namespace cw
