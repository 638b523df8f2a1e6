// A call said message by message with times of its own, for the tests of the rules: half a minute
// costs nothing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "flow/book.hpp"
#include "flow/diagnose/diagnose.hpp"

namespace cw::flow::diagnose {

inline constexpr std::string_view alice = "192.0.2.10:5060";
inline constexpr std::string_view proxy = "203.0.113.5:5060";
inline constexpr std::string_view bob = "198.51.100.7:5060";

struct Words {
    std::string cseq = "1 INVITE";
    std::string more{}; // header fields, each with its line end
    std::string body{};
    std::string branch = "1";
    bool inside = false; // a tag in To
    std::string tag = "b";
    int vias = 1;
    Transport transport = Transport::Udp;
    std::uint32_t connection = 0;
};

class Scene {
  public:
    void say(std::int64_t ms, std::string_view from, std::string_view to, std::string_view start,
             const Words& w = {}) {
        std::string text = fmt::format("{}\r\n", start);
        for (int i = 0; i < w.vias; ++i) {
            text += fmt::format("Via: SIP/2.0/UDP host{}.example.com;branch=z9hG4bK{}.{}\r\n", i,
                                w.branch, w.vias - i);
        }
        text +=
            fmt::format("From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>{}\r\n"
                        "Call-ID: one@example.com\r\nCSeq: {}\r\n{}Content-Length: {}\r\n\r\n{}",
                        w.inside ? ";tag=" + w.tag : "", w.cseq, w.more, w.body.size(), w.body);
        const auto message = sip::index(text, index_);
        ASSERT_TRUE(message);
        end(ms);
        book_.on_message({.at = {.time = last_,
                                 .frame = ++frame_,
                                 .input = 0,
                                 .ip_id = 0,
                                 .source = *parse_endpoint(from, 5060),
                                 .destination = *parse_endpoint(to, 5060)},
                          .transport = w.transport,
                          .connection = w.connection,
                          .truncated = false,
                          .message = *message});
    }
    // The same bytes at these times.
    void repeat(std::initializer_list<std::int64_t> times, std::string_view from,
                std::string_view to, std::string_view start, const Words& w = {}) {
        for (const auto ms : times) {
            say(ms, from, to, start, w);
        }
    }
    void carry(Connection connection) { book_.on_connection(connection); }
    void shake(const DtlsExchange& exchange) { book_.on_dtls_exchange(exchange); }
    // RTP of one source, a packet each 20 ms.
    void rtp(std::int64_t ms, std::string_view from, std::string_view to, int packets) {
        std::vector<std::uint8_t> packet(172, 0xff);
        for (int i = 0; i < packets; ++i) {
            const auto ticks = static_cast<std::uint32_t>(160 * i);
            packet[0] = 0x80;
            packet[1] = 0;
            for (int byte = 0; byte < 4; ++byte) {
                packet[4 + static_cast<std::size_t>(byte)] =
                    static_cast<std::uint8_t>(ticks >> (24 - 8 * byte));
                packet[8 + static_cast<std::size_t>(byte)] =
                    static_cast<std::uint8_t>(hash_bytes(from) >> (8 * byte));
            }
            packet[2] = static_cast<std::uint8_t>(i >> 8);
            packet[3] = static_cast<std::uint8_t>(i);
            end(ms + 20 * i);
            book_.on_media({.at = {.time = last_,
                                   .frame = ++frame_,
                                   .input = 0,
                                   .ip_id = 0,
                                   .source = *parse_endpoint(from, 0),
                                   .destination = *parse_endpoint(to, 0)},
                            .payload = packet,
                            .missing = 0});
        }
    }
    // The capture goes on until then.
    void end(std::int64_t ms) { last_ = at(ms); }
    static Instant at(std::int64_t ms) {
        return Instant{seconds(1'700'000'000).ns + milliseconds(ms).ns};
    }

    std::vector<Finding> findings() {
        book_.finish(last_);
        std::vector<Finding> found;
        book_.for_each_call([&](const Call& call) {
            found.insert(found.end(), call.findings.begin(), call.findings.end());
            return true;
        });
        return found;
    }
    std::set<std::string> rules() {
        std::set<std::string> ids;
        for (const auto& finding : findings()) {
            ids.emplace(finding.rule);
        }
        return ids;
    }

  private:
    Book book_;
    sip::HeaderIndex index_;
    std::uint32_t frame_ = 0;
    Instant last_;
};

using Rules = std::set<std::string>;

inline constexpr std::string_view invite = "INVITE sip:bob@example.com SIP/2.0";
inline const std::string at_bob = "Contact: <sip:bob@198.51.100.7>\r\n";

inline void set_up(Scene& s, const std::string& more = at_bob) {
    s.say(0, alice, bob, invite, {.more = "Contact: <sip:alice@192.0.2.10>\r\n"});
    s.say(100, bob, alice, "SIP/2.0 180 Ringing", {.inside = true});
    s.say(1000, bob, alice, "SIP/2.0 200 OK", {.more = more, .inside = true});
}
inline void acknowledge(Scene& s, std::int64_t ms = 1010) {
    s.say(ms, alice, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
          {.cseq = "1 ACK", .branch = "ack", .inside = true});
}
inline void hang_up(Scene& s, std::int64_t ms, const std::string& more = {}) {
    s.say(ms, bob, alice, "BYE sip:alice@192.0.2.10 SIP/2.0",
          {.cseq = "1 BYE", .more = more, .branch = "bye", .inside = true});
    s.say(ms + 10, alice, bob, "SIP/2.0 200 OK",
          {.cseq = "1 BYE", .branch = "bye", .inside = true});
}

} // namespace cw::flow::diagnose
