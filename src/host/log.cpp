#include "host/log.hpp"

#include <unistd.h>

#include <chrono>

#include "base/time.hpp"

namespace cw::host {
namespace {

constexpr std::size_t longest_value = 512;

std::string_view word(LogLevel level) {
    switch (level) {
    case LogLevel::Error:
        return "error";
    case LogLevel::Warning:
        return "warning";
    case LogLevel::Info:
        return "info";
    case LogLevel::Debug:
        return "debug";
    }
    return "";
}

bool is_plain(std::string_view value) {
    for (const char c : value) {
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == '\x7f') {
            return false; // the signed char of a byte beyond ASCII is negative, so quoted too
        }
    }
    return !value.empty();
}

} // namespace

std::string field(std::string_view name, std::string_view value) {
    std::string text{" "};
    text.append(name) += '=';
    value = value.substr(0, longest_value);
    if (is_plain(value)) {
        return text.append(value);
    }
    constexpr std::string_view digits = "0123456789abcdef";
    text += '"';
    for (const char c : value) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet >= 0x7f) {
            text += "\\x";
            text += digits[octet >> 4];
            text += digits[octet & 15];
        } else {
            if (c == '"' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
    }
    return text += '"';
}

void Log::line(LogLevel level, std::string_view what, std::string_view fields) const {
    if (!takes(level)) {
        return;
    }
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    const Instant now{std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
    std::string text = to_rfc3339(now);
    text += " level=";
    text.append(word(level)).append(field("event", what));
    if (!fields.empty() && fields.front() != ' ') {
        text += ' ';
    }
    text.append(fields) += '\n';
    // A log that cannot be written to must not stop the calls.
    [[maybe_unused]] const auto wrote = ::write(fd_, text.data(), text.size());
}

} // namespace cw::host
