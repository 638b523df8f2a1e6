// JSON, written into a buffer of its own. Commas are put where they belong; the caller keeps
// objects and arrays balanced. Strings may hold any bytes: what is no UTF-8 becomes U+FFFD,
// controls are escaped, so the result is always valid JSON [RFC 8259].
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "view/figures.hpp"

namespace cw::view {

// Puts a literal at `at`; returns its end.
template <std::size_t N>
char* put(char* at, const char (&text)[N]) {
    std::memcpy(at, text, N - 1);
    return at + N - 1;
}
// No byte becomes longer than "\u001b".
constexpr std::size_t longest_escape = 6;
// Puts `text` as a string, quoted and escaped: at most longest_escape × its size + 2 + 8
// characters.
char* put_string(char* at, std::string_view text);
// The same, but null for an empty one.
inline char* put_string_or_null(char* at, std::string_view text) {
    return text.empty() ? put(at, "null") : put_string(at, text);
}

// One of our own words, quoted; it needs no escaping.
inline char* put_word(char* at, std::string_view word) {
    *at++ = '"';
    std::memcpy(at, word.data(), word.size());
    at += word.size();
    *at++ = '"';
    return at;
}
inline char* put_bool(char* at, bool b) {
    return b ? put(at, "true") : put(at, "false");
}
// At most TimeWriter::most and 2 characters; null when it is not known.
inline char* put_time(char* at, TimeWriter& times, Instant t) {
    if (!t.known()) {
        return put(at, "null");
    }
    *at++ = '"';
    at = times.write_rfc3339(at, t);
    *at++ = '"';
    return at;
}
// At most most_endpoint and 2 characters.
inline char* put_endpoint(char* at, const Endpoint& e) {
    *at++ = '"';
    at = write_endpoint(at, e);
    *at++ = '"';
    return at;
}

class JsonWriter {
  public:
    // Room for so much at once, for who knows how much it will become.
    void reserve(std::size_t size) {
        if (size > capacity_) {
            grow(size - size_);
        }
    }
    // What was written since the last clear(); valid until the next write.
    [[nodiscard]] std::string_view text() const { return {data_.get(), size_}; }
    void clear() { size_ = 0; }
    // Forgets all but its memory. What follows stands on a line of its own behind another value.
    void restart_behind_value() {
        size_ = 0;
        comma_ = line_ = true;
    }

    void open_object() { open('{'); }
    void close_object() { close('}'); }
    void open_array() { open('['); }
    void close_array() { close(']'); }

    // `name` must need no escaping.
    template <std::size_t N>
    void key(const char (&name)[N]) {
        auto* at = separate(N + 3);
        *at++ = '"';
        std::memcpy(at, name, N - 1);
        at += N - 1;
        *at++ = '"';
        *at++ = ':';
        end(at);
        comma_ = false;
    }
    // A key that may hold anything.
    void any_key(std::string_view name);

    // A key has been written by raw(): its value follows.
    void begin_value() { comma_ = false; }
    // A value, or several with their keys, put together by `write`: at most `most` characters at
    // the pointer that it is given; returns their end.
    template <class Write>
    void raw(std::size_t most, Write&& write) {
        end(write(separate(most)));
    }

    void value(std::string_view text);
    void value(const char* text) { value(std::string_view{text}); }
    void value(bool b) { b ? literal("true") : literal("false"); }
    void value(std::uint64_t n);
    void value(std::int64_t n);
    void value(std::uint32_t n) { value(std::uint64_t{n}); }
    void value(double d, int places);
    void null() { literal("null"); }
    // A string that needs no escaping and no checking, such as an address: `write` puts at most
    // `most` characters at the pointer that it is given and returns their end.
    template <class Write>
    void quoted(std::size_t most, Write&& write) {
        auto* at = separate(most + 2);
        *at++ = '"';
        at = write(at);
        *at++ = '"';
        end(at);
    }

    template <std::size_t N, class T>
    void member(const char (&name)[N], T v) {
        key(name);
        value(v);
    }
    // null when it is empty.
    template <std::size_t N>
    void member_or_null(const char (&name)[N], std::string_view text) {
        key(name);
        text.empty() ? null() : value(text);
    }
    // A line end before the next value, for people who look into the file.
    void line() { line_ = true; }

  private:
    // Room for `most` characters and what must stand before a value.
    char* separate(std::size_t most) {
        if (capacity_ - size_ < most + 2) {
            grow(most + 2);
        }
        auto* at = data_.get() + size_;
        if (comma_) {
            *at++ = ',';
        }
        if (line_) {
            *at++ = '\n';
            line_ = false;
        }
        return at;
    }
    void end(const char* at) {
        size_ = static_cast<std::size_t>(at - data_.get());
        comma_ = true;
    }
    template <std::size_t N>
    void literal(const char (&text)[N]) {
        auto* at = separate(N);
        std::memcpy(at, text, N - 1);
        end(at + N - 1);
    }
    void open(char bracket) {
        auto* at = separate(1);
        *at++ = bracket;
        end(at);
        comma_ = false;
    }
    void close(char bracket) {
        comma_ = false;
        auto* at = separate(1);
        *at++ = bracket;
        end(at);
    }
    void grow(std::size_t more);

    std::unique_ptr<char[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    bool comma_ = false; // the next value or key needs one before it
    bool line_ = false;
};

} // namespace cw::view
