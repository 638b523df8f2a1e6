// JSON, appended to a string. Commas are put where they belong; the caller keeps objects and arrays
// balanced. Strings may hold any bytes: what is no UTF-8 becomes U+FFFD, controls are escaped, so
// the result is always valid JSON [RFC 8259].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cw::view {

void append_json_string(std::string& out, std::string_view text);

class JsonWriter {
  public:
    // `out` must outlive the writer. It may be emptied between calls.
    explicit JsonWriter(std::string& out) : out_(out) {}

    void open_object() { open('{'); }
    void close_object() { close('}'); }
    void open_array() { open('['); }
    void close_array() { close(']'); }
    // `name` must need no escaping.
    void key(std::string_view name);
    // A key that may hold anything.
    void any_key(std::string_view name);

    void value(std::string_view text);
    void value(const char* text) { value(std::string_view{text}); }
    void value(bool b) { raw(b ? "true" : "false"); }
    void value(std::uint64_t n);
    void value(std::int64_t n);
    void value(std::uint32_t n) { value(std::uint64_t{n}); }
    void value(double d, int places);
    void null() { raw("null"); }
    // Text that is JSON already.
    void raw(std::string_view json);
    // A string that needs no escaping and no checking, such as a number or an address: `write`
    // appends it to the string that it is given.
    template <class Write>
    void quoted(Write&& write) {
        separate();
        out_ += '"';
        write(out_);
        out_ += '"';
        comma_ = true;
    }

    template <class T>
    void member(std::string_view name, T v) {
        key(name);
        value(v);
    }
    // null when it is empty.
    void member_or_null(std::string_view name, std::string_view text);
    // A line end before the next value, for people who look into the file.
    void line() { line_ = true; }

  private:
    void separate();
    void open(char bracket);
    void close(char bracket);

    std::string& out_;
    bool comma_ = false; // the next value or key needs one before it
    bool line_ = false;
};

} // namespace cw::view
