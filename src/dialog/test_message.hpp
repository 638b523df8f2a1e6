// For the tests of this folder: a message with all that its view needs to live.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "sip/message.hpp"

namespace cw::dialog::test {

inline constexpr Instant start{1'777'629'601'000'000'000};

// Line feeds become CRLF; what is indexed lives as long as this.
class Message {
  public:
    explicit Message(std::string_view text) {
        for (const auto c : text) {
            text_ +=
                c == '\n' && (text_.empty() || text_.back() != '\r') ? "\r\n" : std::string(1, c);
        }
        if (text_.find("\r\n\r\n") == std::string::npos) {
            text_ += "\r\n";
        }
        const auto view = sip::index(std::string_view{text_}, *index_);
        EXPECT_TRUE(view.has_value()) << text_;
        view_ = view.value_or(sip::MessageView{});
    }
    const sip::MessageView& operator*() const { return view_; }
    const sip::MessageView* operator->() const { return &view_; }
    [[nodiscard]] std::string_view value(sip::HeaderId id) const { return view_.value(id); }

  private:
    std::string text_;
    std::unique_ptr<sip::HeaderIndex> index_ = std::make_unique<sip::HeaderIndex>();
    sip::MessageView view_;
};

inline std::string invite_text(std::string_view more = {}) {
    return "INVITE sips:bob@b.example SIP/2.0\n"
           "Via: SIP/2.0/TLS a.example;branch=z9hG4bKa\n"
           "Max-Forwards: 70\n"
           "From: \"Alice\" <sips:alice@a.example>;tag=at\n"
           "To: <sips:bob@b.example>\n"
           "Call-ID: c1\n"
           "CSeq: 7 INVITE\n"
           "Contact: <sips:alice@192.0.2.1:5061>\n" +
           std::string{more} + "\n";
}

inline std::string response_text(int status, std::string_view more = {},
                                 std::string_view tag = "bt") {
    return "SIP/2.0 " + std::to_string(status) +
           " X\n"
           "Via: SIP/2.0/TLS a.example;branch=z9hG4bKa\n"
           "From: \"Alice\" <sips:alice@a.example>;tag=at\n"
           "To: <sips:bob@b.example>" +
           (tag.empty() ? std::string{} : ";tag=" + std::string{tag}) +
           "\nCall-ID: c1\nCSeq: 7 INVITE\n" + std::string{more} + "\n";
}

} // namespace cw::dialog::test
