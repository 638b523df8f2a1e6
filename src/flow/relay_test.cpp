#include "flow/relay.hpp"

#include <latch>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "flow/facts.hpp"

namespace cw::flow {
namespace {

// Writes down what it is told.
struct Scribe final : Listener {
    void on_sip(const SipEvent& e) override {
        said.push_back(fmt::format("sip {} {} {}", e.at.frame, e.connection, e.bytes));
    }
    void on_media(const MediaEvent& e) override {
        said.push_back(fmt::format("media {} {} {}", e.at.frame, e.missing, as_text(e.payload)));
    }
    void on_dtls(const Sighting& at) override { said.push_back(fmt::format("dtls {}", at.frame)); }
    void on_dtls_exchange(const DtlsExchange& exchange) override {
        said.push_back(fmt::format("exchange {} {}", exchange.frame, exchange.hellos));
    }
    void on_dtls_srtp(const DtlsSrtp& handshake) override {
        said.push_back(fmt::format("dtls-srtp {} {}", handshake.at.frame, handshake.cipher));
    }
    void on_connection(const Connection& c) override {
        said.push_back(fmt::format("connection {} {}", c.id, c.sni));
    }
    void finish(Instant end) override { said.push_back(fmt::format("finish {}", end.ns)); }

    std::vector<std::string> said;
};

// The same story for any listener; long enough for many batches.
void tell_story(Listener& listener) {
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        Sighting at;
        at.frame = i;
        const auto text = fmt::format("{:x<{}}", i, i % 300);
        switch (i % 5) {
        case 0:
        case 1:
            listener.on_sip({at, Transport::Tls, i, false, text});
            break;
        case 2:
            listener.on_media({at, as_bytes(text), i % 7});
            break;
        case 3: {
            listener.on_dtls(at);
            DtlsExchange exchange;
            exchange.frame = i;
            exchange.hellos = i % 3;
            listener.on_dtls_exchange(exchange);
            listener.on_dtls_srtp({.at = at, .cipher = text});
            break;
        }
        default: {
            Connection connection;
            connection.id = i;
            connection.sni = text;
            listener.on_connection(connection);
        }
        }
    }
    listener.finish({42});
}

// Starts the thread of its relay after some events.
struct Starter final : Listener {
    Starter(Relay& to, int after) : relay(to), left(after) {}
    Listener& next() {
        if (left-- == 0) {
            relay.start_thread();
        }
        return relay;
    }
    void on_sip(const SipEvent& e) override { next().on_sip(e); }
    void on_media(const MediaEvent& e) override { next().on_media(e); }
    void on_dtls(const Sighting& at) override { next().on_dtls(at); }
    void on_dtls_exchange(const DtlsExchange& e) override { next().on_dtls_exchange(e); }
    void on_dtls_srtp(const DtlsSrtp& handshake) override { next().on_dtls_srtp(handshake); }
    void on_connection(const Connection& c) override { next().on_connection(c); }
    void finish(Instant end) override { next().finish(end); }

    Relay& relay;
    int left;
};

TEST(Relay, TellsEverythingInTheSameOrder) {
    Scribe direct;
    tell_story(direct);
    for (const int after : {-1, 0, 7'777}) { // on one thread, on two, on two later
        Scribe relayed;
        Relay relay{relayed};
        Starter starter{relay, after};
        tell_story(starter);
        ASSERT_EQ(relayed.said.size(), direct.said.size()) << after;
        EXPECT_EQ(relayed.said, direct.said) << after;
    }
}

TEST(Relay, CanBeGivenUpWithoutAnEnd) {
    Scribe scribe;
    {
        Relay relay{scribe};
        Sighting at;
        relay.on_dtls(at);
    }
    EXPECT_TRUE(scribe.said.empty()) << "an unfinished batch is dropped";
}

// Holds the relay up at the first message, so that batches pile up behind it.
struct SlowReader final : Listener {
    void on_sip(const SipEvent& e) override {
        go_on.wait();
        if (e.prepared == nullptr) {
            ++unprepared;
            return;
        }
        ++prepared;
        sip::HeaderIndex headers;
        const auto expected = sip::index(e.bytes, headers);
        ASSERT_EQ(e.prepared->is_message, expected.has_value()) << e.bytes;
        if (!expected) {
            ++refused;
            return;
        }
        const auto& told = e.prepared->digest;
        EXPECT_EQ(told.call_id, std::to_string(e.at.frame));
        EXPECT_EQ(told.call_id.data(), expected->value(sip::HeaderId::CallId).data());
        EXPECT_EQ(told.body.size(), expected->body().size());
        EXPECT_EQ(told.fingerprint, hash_bytes(expected->bytes()));
        EXPECT_EQ(Facts{told.facts}.value(sip::HeaderId::Warning),
                  expected->value(sip::HeaderId::Warning));
        EXPECT_EQ(told.note.empty(), !expected->has(sip::HeaderId::Warning));
    }
    void on_media(const MediaEvent&) override {}
    void on_dtls(const Sighting&) override {}
    void on_dtls_srtp(const DtlsSrtp&) override {}
    void on_connection(const Connection&) override {}
    void finish(Instant) override {}

    std::latch go_on{1};
    std::uint32_t prepared = 0;
    std::uint32_t unprepared = 0;
    std::uint32_t refused = 0;
};

TEST(Relay, WhoIsAheadPreparesMessages) {
    SlowReader reader;
    Relay relay{reader};
    relay.start_thread();
    std::size_t told = 0;
    std::uint32_t count = 0;
    bool held = true;
    while (told < Relay::batch_bytes * Relay::most_batches * 4) {
        Sighting at;
        at.frame = count;
        const auto body = count % 3 == 0
                              ? fmt::format("v=0\r\no=- {} 1 IN IP4 192.0.2.1\r\n", count)
                              : std::string{};
        std::string more; // headers than usual
        for (int i = 0; count % 11 == 3 && i < 100; ++i) {
            more += "\r\nX: y";
        }
        if (count % 5 == 2) {
            more += fmt::format("\r\nWarning: 399 example.com \"{}\"", std::string(300, 'w'));
        }
        const auto text =
            count % 7 == 1
                ? std::string(900, 'x')
                : fmt::format("SIP/2.0 200 OK\r\nCall-ID: {}\r\nSubject: {}\r\nContent-Type: "
                              "application/sdp\r\nContent-Length: {}\r\n\r\n{}",
                              count, std::string(count % 900, 's') + more, body.size(), body);
        relay.on_sip({.at = at, .transport = Transport::Tls, .bytes = text});
        told += text.size();
        ++count;
        // Fewer than so many that the source would have to wait.
        if (held && told >= Relay::batch_bytes * Relay::most_batches) {
            held = false;
            reader.go_on.count_down();
        }
    }
    relay.finish({});
    EXPECT_EQ(reader.prepared + reader.unprepared, count);
    EXPECT_GT(reader.prepared, 100U);
    EXPECT_GT(reader.refused, 10U);
}

} // namespace
} // namespace cw::flow
