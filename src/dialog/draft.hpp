// A message being written: complete and correct as it comes from request() or response_to(), and
// then every part of it open to change, also for the worse, because a test tool must be able to
// send a wrong thing on purpose. RFC 3261 §8.1.1, §8.2.6. No I/O, no state; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/message.hpp"
#include "sip/via.hpp"
#include "transaction/wire.hpp"

namespace cw::dialog {

struct Field {
    std::string name;
    std::string value;
};

// What a sender wants otherwise than a Draft has it. Names in any case, long or compact. Applied in
// this order: remove, set, add.
struct Changes {
    std::optional<std::string> method; // in the request line; CSeq is a field of its own
    std::optional<std::string> uri;
    std::optional<std::uint16_t> status;
    std::optional<std::string> reason;
    std::vector<std::string> remove;
    std::vector<Field> set; // in the place of all fields of that name
    std::vector<Field> add; // one more, behind the others of that name
    std::optional<std::string> body;
    std::string content_type;            // of `body`
    std::optional<transaction::Wire> to; // where to send it, whatever its route says
    bool force = false;                  // send it now, also where the rules forbid it

    Changes& with(std::string name, std::string value) {
        set.push_back({std::move(name), std::move(value)});
        return *this;
    }
    Changes& with_body(std::string type, std::string text) {
        content_type = std::move(type);
        body = std::move(text);
        return *this;
    }
    Changes& without(std::string name) {
        remove.push_back(std::move(name));
        return *this;
    }
};

class Draft {
  public:
    static Draft request(std::string_view method, std::string_view uri);
    static Draft response(std::uint16_t status, std::string_view reason);

    // A message that is there, but for its Content-Length, which print() counts.
    static Draft copy_of(const sip::MessageView& message);

    // In the place of all fields of that name, where the first of them stood; else at the end.
    Draft& set(std::string_view name, std::string_view value);
    // Behind the last field of that name; else at the end.
    Draft& add(std::string_view name, std::string_view value);
    Draft& add_first(std::string_view name, std::string_view value);   // before all others
    Draft& set_default(std::string_view name, std::string_view value); // unless it is there
    Draft& remove(std::string_view name);
    Draft& set_body(std::string_view content_type, std::string_view body);
    Draft& apply(const Changes& changes);

    [[nodiscard]] bool has(std::string_view name) const;
    [[nodiscard]] std::string_view value(std::string_view name) const; // empty when not there
    [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
    [[nodiscard]] bool is_request() const { return status_ == 0; }
    [[nodiscard]] std::uint16_t status() const { return status_; }
    [[nodiscard]] const std::string& method() const { return method_; }
    [[nodiscard]] const std::string& uri() const { return uri_; }
    [[nodiscard]] const std::string& body() const { return body_; }

    // The bytes. Content-Length comes by itself as the last field, unless it was set or removed. A
    // line break in a field becomes a space: no value from outside makes a field of its own.
    [[nodiscard]] std::string print() const;

  private:
    std::string method_; // or, in a response, the reason phrase
    std::string uri_;
    std::uint16_t status_ = 0;
    bool length_removed_ = false;
    std::vector<Field> fields_;
    std::string body_;
};

// The phrase that the RFC has for a status; "Unknown" for others.
std::string_view reason_phrase(std::uint16_t status);

// A response with what §8.2.6.2 wants: Via, From, To, Call-ID and CSeq of the request, `to_tag` if
// the request had none and the status is above 100; Record-Route where it makes a dialog; Timestamp
// in a 100. `via` is the topmost Via as the receiver completed it, see received_via().
Draft response_to(const sip::MessageView& request, std::uint16_t status, std::string_view to_tag,
                  std::string_view via);

// The topmost Via with what the receiver must note in it: where the request really came from
// [RFC 3261 §18.2.1, RFC 3581 §4].
std::string received_via(std::string_view via_value, const transaction::Wire& wire);
// Where a response goes: back on the connection, or for UDP to the port of rport or of the Via
// [RFC 3261 §18.2.2, RFC 3581 §4].
transaction::Wire reply_wire(const sip::Via& via, const transaction::Wire& wire);

} // namespace cw::dialog
