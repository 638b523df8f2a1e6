// How instants, durations, sizes, counts and endpoints are written. All append, none allocates
// beyond the growth of `out`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/time.hpp"
#include "flow/call.hpp"

namespace cw::view {

// "2026-05-01T10:00:01.120000Z", what cw::to_rfc3339 gives, in a few nanoseconds once the minute is
// known: the texts of the day and of the minute are kept between calls.
class TimeWriter {
  public:
    static constexpr std::size_t most = 40;
    // Writes at most `most` characters; returns their end.
    char* write_rfc3339(char* at, Instant t);
    void append_rfc3339(std::string& out, Instant t);
    void append_date(std::string& out, Instant t); // "2026-05-01"

  private:
    void learn_day(std::int64_t day);
    void learn_minute(Instant t);
    std::int64_t day_ = INT64_MIN;
    std::int64_t minute_ns_ = 0; // its beginning
    char date_[16] = {};
    char date_and_minute_[32] = "1970-01-01T00:00:";
    std::uint8_t date_size_ = 0;
    std::uint8_t date_and_minute_size_ = 17;
};

void append_time_of_day(std::string& out, Instant t, bool milliseconds = true); // "10:00:01.120"
void append_address(std::string& out, const IpAddress& a);                      // "192.0.2.1"
void append_endpoint(std::string& out, const Endpoint& e);                      // "192.0.2.1:5061"
constexpr std::size_t most_endpoint = 64;
char* write_endpoint(char* at, const Endpoint& e);     // at most that many; returns their end
char* write_long_number(char* at, std::uint64_t n);    // at most 20
inline char* write_number(char* at, std::uint64_t n) { // the same; most have one digit
    if (n < 10) {
        *at = static_cast<char>('0' + n);
        return at + 1;
    }
    return write_long_number(at, n);
}
void append_number(std::string& out, std::uint64_t n);
void append_signed(std::string& out, std::int64_t n);
void append_grouped(std::string& out, std::uint64_t n);          // "1,400,000"
void append_decimal(std::string& out, double value, int places); // "0.1"; "0" when not finite
char* write_decimal(char* at, double value, int places); // the same, at most 64; returns its end

// With three figures and the unit that suits: "120 µs", "31 ms", "3.5 s", "12 min", "3 h".
void append_duration(std::string& out, Duration d);
void append_size(std::string& out, std::uint64_t bytes); // "90 B", "12 kB", "3.4 MB"

// "TLS_AES_256_GCM_SHA384" → "AES-256-GCM"; what is not understood stays as it is.
std::string short_cipher(std::string_view cipher);
std::string short_version(std::string_view version);    // "TLSv1.3" → "TLS 1.3"
std::string_view upper_name(flow::Transport transport); // "UDP"

// "sip:alice@example.com;x=y" → "alice@example.com": what a person calls it, cut from the text.
std::string_view address_of_record(std::string_view uri);

} // namespace cw::view
