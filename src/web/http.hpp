// HTTP/1.1, as much as a page needs [RFC 9112]: a request taken apart, an answer written. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cw::web {

// Views of the bytes that it was read from.
struct Request {
    std::string_view method;
    std::string_view path; // "/calls", without the query
    std::string_view head; // the lines behind the request line
    std::string_view body;

    // The value of the first header of this name, whatever its case; empty when there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const;
    // One cookie; empty when there is none.
    [[nodiscard]] std::string_view cookie(std::string_view name) const;
};

inline constexpr std::size_t longest_request_head = 8192;
inline constexpr std::size_t longest_request_body = 4096;

enum class RequestFault : std::uint8_t {
    NeedMore,
    Malformed, // 400
    TooLong,   // 413, 431
};
struct ReadRequest {
    std::optional<Request> request; // or:
    RequestFault fault = RequestFault::NeedMore;
    std::size_t size = 0; // of the request
};
// The request at the beginning of `bytes`. Bodies come with Content-Length or not at all.
ReadRequest read_request(std::string_view bytes);

struct Answer {
    std::string_view status; // "200 OK"
    std::string_view type;   // of the body
    std::string_view body;
    std::string_view more; // further header lines, each with its line end
    bool head_only = false;
};
// Appends it, with what tells a browser to keep the page to itself.
void append_answer(std::string& out, const Answer& answer);

// Does not tell by its time how much of them is the same.
bool equal_secrets(std::string_view a, std::string_view b);

} // namespace cw::web
