// A SIP message as views: its start line, and a flat index of its header fields {id, name, value}.
// Nothing is copied and values are not parsed: via.hpp, name_addr.hpp and the others do that when
// asked. RFC 3261 §7 and §25, RFC 4475.
// Two ways in: index() takes whatever can be a SIP message and notes what is wrong with it (the
// reader); parse() refuses what the policy does not allow (server, player). check.hpp then judges
// the values. Any thread, no shared state.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sip/header.hpp"
#include "sip/method.hpp"
#include "sip/policy.hpp"

namespace cw::sip {

struct Header {
    HeaderId id = HeaderId::Other;
    std::string_view name;  // as written, without blanks: "v", "CALL-ID"
    std::string_view value; // trimmed; folds (CRLF and blanks) still inside, see unfold()
};

// Where the header fields of one message are kept. Reusable: the next message overwrites them, and
// after a few messages it allocates nothing. Room for 64 headers inside, more on the heap.
class HeaderIndex {
  public:
    static constexpr std::size_t max_headers = 2048; // the rest of a message's headers is not kept

    HeaderIndex() = default;
    HeaderIndex(const HeaderIndex&) = delete;
    HeaderIndex& operator=(const HeaderIndex&) = delete;

    // Forgets the headers, keeps the memory.
    void clear();
    // False when the index is full.
    bool add(HeaderId id, std::string_view name, std::string_view value) {
        if (size_ == capacity_ && !grow()) {
            return false;
        }
        auto& header = data_[size_++];
        header.id = id;
        header.name = name;
        header.value = value;
        const auto n = static_cast<std::size_t>(id);
        if (first_[n] == 0) {
            first_[n] = static_cast<std::uint16_t>(size_);
        } else {
            repeated_.insert(id);
        }
        return true;
    }

    [[nodiscard]] std::span<const Header> headers() const { return {data_, size_}; }
    // The first header with this id; valid until the next add() or clear(). O(1), not for Other.
    [[nodiscard]] const Header* find(HeaderId id) const {
        const auto at = first_[static_cast<std::size_t>(id)];
        return at == 0 ? nullptr : data_ + (at - 1);
    }
    // More than one header field with this id. O(1).
    [[nodiscard]] bool repeated(HeaderId id) const { return repeated_.has(id); }
    // More than one with one of these ids.
    [[nodiscard]] bool repeated(const HeaderSet& ids) const { return repeated_.meets(ids); }

  private:
    bool grow();

    std::array<Header, 64> inline_;
    std::unique_ptr<Header[]> heap_;
    Header* data_ = inline_.data();
    std::size_t size_ = 0;
    std::size_t capacity_ = inline_.size();
    std::array<std::uint16_t, header_id_count> first_{}; // position + 1 of the first of each id
    HeaderSet repeated_;
};

// What index() can find wrong with the shape of a message. problem_text() says it in words.
enum class Problem : std::uint8_t {
    BareLf,         // a line ends with LF alone
    BareCr,         // CR without LF within a line
    NoBlankLine,    // the bytes end before the empty line that ends the headers
    StartLineSpace, // more or other white space in the start line than single SPs
    BadRequestLine, // no Request-URI, or a method that is not a token
    BadStatusLine,  // a status code that is not three digits; status() is then 0
    BadVersion,     // the version is not "SIP/" digits "." digits
    NotAHeader,     // a header line without a colon, or whose name is not a token
    TooManyHeaders, // more than the index holds; the others were dropped
    BadLength,      // Content-Length is not a number that fits 32 bits
    LengthsDiffer,  // several Content-Length that do not agree
    BodyTooShort,   // Content-Length announces more octets than there are
    TrailingOctets, // octets after the end of the body. To be ignored in a datagram, so it does not
                    // count as the message's problem [RFC 3261 §18.3]
};
const char* problem_text(Problem problem);

// Owns nothing: the bytes and the HeaderIndex that it was made from must both outlive it, and every
// view that it hands out lives as long as the bytes.
class MessageView {
  public:
    [[nodiscard]] bool is_request() const { return request_; }
    [[nodiscard]] Method method() const { return method_; } // None in a response
    [[nodiscard]] std::string_view method_text() const { return request_ ? method_text_ : ""; }
    [[nodiscard]] std::string_view request_uri() const { return uri_; } // empty in a response
    [[nodiscard]] std::string_view version() const { return version_; } // "SIP/2.0"
    [[nodiscard]] std::string_view reason() const { return reason_; }   // may be empty
    [[nodiscard]] std::string_view status_text() const { return request_ ? "" : method_text_; }
    // 0 in a request, and in a response whose code is not three digits (Problem::BadStatusLine).
    [[nodiscard]] std::uint16_t status() const { return status_; }

    [[nodiscard]] std::span<const Header> headers() const { return index_->headers(); }
    // The first header field with this id; nullptr if none. O(1).
    [[nodiscard]] const Header* find(HeaderId id) const { return index_->find(id); }
    // Its value; empty if none.
    [[nodiscard]] std::string_view value(HeaderId id) const {
        const auto* header = find(id);
        return header != nullptr ? header->value : std::string_view{};
    }
    [[nodiscard]] bool has(HeaderId id) const { return find(id) != nullptr; }
    [[nodiscard]] bool repeated(HeaderId id) const { return index_->repeated(id); }
    [[nodiscard]] bool repeated(const HeaderSet& ids) const { return index_->repeated(ids); }
    // The first header field with this name, in any case; for those without an id. O(headers).
    [[nodiscard]] const Header* find_by_name(std::string_view name) const;

    [[nodiscard]] std::string_view body() const { return body_; } // clipped to what is there
    // From the start line to the end of the body, without what came before or after.
    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    // Start line and headers, with the empty line that ends them.
    [[nodiscard]] std::string_view head() const {
        return bytes_.substr(0, bytes_.size() - body_.size());
    }

    // Every header field is on one line, without a blank before its colon.
    [[nodiscard]] bool is_plain() const { return plain_; }
    [[nodiscard]] bool has(Problem p) const { return (problems_ >> static_cast<int>(p) & 1U) != 0; }
    // What is wrong with the shape of the message, if anything; its offset is from bytes().begin().
    [[nodiscard]] std::optional<Error> first_problem() const {
        return first_problem_.what != nullptr ? std::optional{first_problem_} : std::nullopt;
    }

  private:
    friend class Indexer;

    std::string_view bytes_;
    const HeaderIndex* index_ = nullptr;
    std::string_view method_text_; // or the status code as written
    std::string_view uri_;
    std::string_view version_;
    std::string_view reason_;
    std::string_view body_;
    Error first_problem_{Code::Malformed, 0, nullptr};
    std::uint32_t problems_ = 0;
    std::uint16_t status_ = 0;
    Method method_ = Method::None;
    bool request_ = false;
    bool plain_ = true;
};

// Tolerant: fails only when there is no start line that can belong to a SIP message (Malformed), or
// when the bytes end within it (Truncated). CR and LF before the start line are skipped. All else
// that is wrong is noted in the view. One pass; `bytes` is one message as a datagram or a frame
// carries it, at most 4 GiB. `index` is cleared first.
Result<MessageView> index(std::string_view bytes, HeaderIndex& index);

// The same, but what `policy` does not allow is an error.
Result<MessageView> parse(std::string_view bytes, HeaderIndex& index,
                          const Policy& policy = Policy::strict());

// The first problem of `message` that `policy` does not allow, in words; nullptr if none.
const char* refused_problem(const MessageView& message, const Policy& policy);

// A view into a string that is about to die is always a mistake.
template <class S>
    requires std::same_as<S, std::string>
Result<MessageView> index(S&&, HeaderIndex&) = delete;
template <class S>
    requires std::same_as<S, std::string>
Result<MessageView> parse(S&&, HeaderIndex&, const Policy& = Policy::strict()) = delete;

// `value` on one line: each fold becomes a single space [RFC 3261 §7.3.1]. Returns `value` itself
// when it has no line break, otherwise a view of `buffer`, which is overwritten.
std::string_view unfold(std::string_view value, std::string& buffer);

} // namespace cw::sip
