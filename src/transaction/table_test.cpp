#include "transaction/table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <queue>
#include <random>

#include <fmt/format.h>

namespace cw::transaction {
namespace {

const Instant start{1'777'629'601'000'000'000};

std::string request(std::string_view method, std::string_view branch, int cseq = 1) {
    return fmt::format(
        "{0} sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP a.example;branch={1}\r\n"
        "Max-Forwards: 70\r\nRoute: <sip:p.example;lr>\r\nFrom: <sip:a@a.example>;tag=1\r\n"
        "To: <sip:b@b.example>\r\nCall-ID: c1\r\nCSeq: {2} {0}\r\nContent-Length: 0\r\n\r\n",
        method, branch, cseq);
}

std::string response(int status, std::string_view method, std::string_view branch, int cseq = 1) {
    return fmt::format(
        "SIP/2.0 {} X\r\nVia: SIP/2.0/UDP a.example;branch={}\r\nFrom: <sip:a@a.example>;tag=1\r\n"
        "To: <sip:b@b.example>;tag=2\r\nCall-ID: c1\r\nCSeq: {} {}\r\nContent-Length: 0\r\n\r\n",
        status, branch, cseq, method);
}

// A table with its outbox, fed with texts.
struct Side {
    explicit Side(sip::Transport transport, std::uint64_t seed = 1) : table(seed) {
        wire.transport = transport;
        wire.connection = 7;
    }
    Table::Request receive(const std::string& text, Instant now) {
        const auto message = sip::index(std::string_view{text}, index);
        const auto via = sip::parse_via(message->value(sip::HeaderId::Via));
        return table.on_request(*message, *via, wire, now, outbox);
    }
    Table::Response answer(const std::string& text, Instant now) {
        const auto message = sip::index(std::string_view{text}, index);
        const auto via = sip::parse_via(message->value(sip::HeaderId::Via));
        return table.on_response(*message, *via, now, outbox);
    }
    Handle send(std::string_view method, std::string_view branch, Instant now) {
        return table.send(sip::method_of(method), branch, request(method, branch), wire, 42, now,
                          outbox);
    }
    std::vector<std::string> sent() {
        std::vector<std::string> texts;
        for (const auto& s : outbox.sends()) {
            texts.emplace_back(outbox.bytes(s));
        }
        outbox.clear();
        return texts;
    }
    // Runs the clock until nothing is armed, or `end`; the times of what was sent, in ms.
    std::vector<std::int64_t> run(Instant end) {
        std::vector<std::int64_t> times;
        while (table.next_deadline().known() && table.next_deadline() <= end) {
            const auto now = table.next_deadline();
            table.advance(now, outbox);
            for (std::size_t i = sent().size(); i > 0; --i) {
                times.push_back((now - start).ns / 1'000'000);
            }
        }
        return times;
    }
    bool happened(Table::Happened what) const {
        return std::ranges::any_of(table.occurrences(),
                                   [&](const auto& o) { return o.what == what; });
    }

    Wire wire;
    Table table;
    Outbox outbox;
    sip::HeaderIndex index;
};

TEST(InviteClient, SendsSevenTimesOverUdpAndGivesUpAfter32Seconds) {
    Side side{sip::Transport::Udp};
    side.send("INVITE", "z9hG4bK1", start);
    EXPECT_EQ(side.sent().size(), 1U);
    EXPECT_EQ(side.run(start + seconds(100)),
              (std::vector<std::int64_t>{500, 1500, 3500, 7500, 15'500, 31'500}));
    EXPECT_TRUE(side.happened(Table::Happened::Timeout));
    EXPECT_EQ(side.table.size(), 0U);
}

TEST(InviteClient, SendsOnceOverTls) {
    Side side{sip::Transport::Tls};
    side.send("INVITE", "z9hG4bK1", start);
    EXPECT_EQ(side.sent().size(), 1U);
    EXPECT_TRUE(side.run(start + seconds(31)).empty());
    EXPECT_FALSE(side.happened(Table::Happened::Timeout));
    side.run(start + seconds(33));
    EXPECT_TRUE(side.happened(Table::Happened::Timeout));
}

TEST(NonInviteClient, RetransmitsUpToT2AndThenEveryT2) {
    Side side{sip::Transport::Udp};
    side.send("OPTIONS", "z9hG4bK1", start);
    side.sent();
    EXPECT_EQ(side.run(start + seconds(100)),
              (std::vector<std::int64_t>{500, 1500, 3500, 7500, 11'500, 15'500, 19'500, 23'500,
                                         27'500, 31'500}));
}

TEST(InviteClient, AcknowledgesAFailureEachTimeButDeliversItOnce) {
    Side side{sip::Transport::Udp};
    side.send("INVITE", "z9hG4bK1", start);
    side.sent();
    EXPECT_TRUE(side.answer(response(486, "INVITE", "z9hG4bK1"), start).deliver);
    EXPECT_FALSE(side.answer(response(486, "INVITE", "z9hG4bK1"), start).deliver);
    const auto acks = side.sent();
    ASSERT_EQ(acks.size(), 2U);
    EXPECT_EQ(acks[0], acks[1]);
    // "The ACK MUST contain a single Via header field, and this MUST be equal to the top Via header
    // field of the original request"; To equals that of the response [RFC 3261 §17.1.1.3].
    EXPECT_TRUE(acks[0].starts_with(
        "ACK sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1\r\n"));
    EXPECT_NE(acks[0].find("To: <sip:b@b.example>;tag=2\r\n"), std::string::npos);
    EXPECT_NE(acks[0].find("Route: <sip:p.example;lr>\r\n"), std::string::npos);
    EXPECT_NE(acks[0].find("CSeq: 1 ACK\r\n"), std::string::npos);
}

TEST(InviteClient, DeliversEvery2xxOfAForkUntilTimerM) {
    Side side{sip::Transport::Udp};
    side.send("INVITE", "z9hG4bK1", start);
    EXPECT_TRUE(side.answer(response(200, "INVITE", "z9hG4bK1"), start).deliver);
    EXPECT_TRUE(side.answer(response(200, "INVITE", "z9hG4bK1"), start + seconds(31)).deliver);
    side.run(start + seconds(33));
    EXPECT_FALSE(side.answer(response(200, "INVITE", "z9hG4bK1"), start + seconds(33)).deliver);
}

TEST(InviteServer, AnswersRetransmissionsAndRetransmitsAFailureUntilItsAck) {
    Side side{sip::Transport::Udp};
    const auto got = side.receive(request("INVITE", "z9hG4bK1"), start);
    ASSERT_EQ(got.arrived, Table::Arrived::New);
    EXPECT_TRUE(side.table.respond(got.transaction, 180, "ringing", start, side.outbox));
    EXPECT_EQ(side.receive(request("INVITE", "z9hG4bK1"), start).arrived,
              Table::Arrived::Retransmission);
    EXPECT_EQ(side.sent(), (std::vector<std::string>{"ringing", "ringing"}));
    EXPECT_TRUE(side.table.respond(got.transaction, 486, "busy", start, side.outbox));
    EXPECT_FALSE(side.table.respond(got.transaction, 200, "too late", start, side.outbox));
    EXPECT_EQ(side.sent(), std::vector<std::string>{"busy"});
    EXPECT_EQ(side.run(start + seconds(4)), (std::vector<std::int64_t>{500, 1500, 3500}));
    EXPECT_EQ(side.receive(request("ACK", "z9hG4bK1"), start + seconds(4)).arrived,
              Table::Arrived::AckOfFailure);
    EXPECT_TRUE(side.run(start + seconds(100)).empty());
    EXPECT_EQ(side.table.size(), 0U);
    EXPECT_FALSE(side.happened(Table::Happened::Timeout));
}

TEST(InviteServer, PassesTheAckOfA2xxOn) {
    Side side{sip::Transport::Tls};
    const auto got = side.receive(request("INVITE", "z9hG4bK1"), start);
    side.table.respond(got.transaction, 200, "ok", start, side.outbox);
    EXPECT_EQ(side.receive(request("ACK", "z9hG4bK1"), start).arrived, Table::Arrived::Ack);
    EXPECT_EQ(side.receive(request("ACK", "z9hG4bKother"), start).arrived, Table::Arrived::Ack);
}

TEST(Table, FindsTheInviteThatACancelMeans) {
    Side side{sip::Transport::Udp};
    const auto invite = side.receive(request("INVITE", "z9hG4bK1"), start);
    const auto cancel = side.receive(request("CANCEL", "z9hG4bK1"), start);
    EXPECT_EQ(cancel.arrived, Table::Arrived::New);
    EXPECT_EQ(cancel.invite, invite.transaction);
    EXPECT_FALSE(side.receive(request("CANCEL", "z9hG4bK2"), start).invite);
    EXPECT_NE(make_cancel(request("INVITE", "z9hG4bK1")).find("CSeq: 1 CANCEL"), std::string::npos);
}

TEST(Table, TellsTransactionsOfRfc2543Apart) {
    Side side{sip::Transport::Udp};
    const auto first = side.receive(request("INVITE", "1", 1), start);
    EXPECT_EQ(side.receive(request("INVITE", "1", 1), start).arrived,
              Table::Arrived::Retransmission);
    EXPECT_EQ(side.receive(request("INVITE", "1", 2), start).arrived, Table::Arrived::New);
    side.table.respond(first.transaction, 486, "busy", start, side.outbox);
    EXPECT_EQ(side.receive(request("ACK", "1", 1), start).arrived, Table::Arrived::AckOfFailure);
}

TEST(Table, ForgetsATransactionThatIsAbandoned) {
    Side side{sip::Transport::Udp};
    const auto invite = side.send("INVITE", "z9hG4bK1", start);
    side.answer(response(180, "INVITE", "z9hG4bK1"), start);
    EXPECT_FALSE(side.table.next_deadline().known()); // nothing else would end it
    side.table.abandon(invite);
    side.table.abandon(invite);
    EXPECT_EQ(side.table.state_of(invite), State::Terminated);
    EXPECT_TRUE(side.happened(Table::Happened::Over));
    EXPECT_EQ(side.table.size(), 0U);
    EXPECT_FALSE(side.answer(response(200, "INVITE", "z9hG4bK1"), start).transaction);
}

TEST(Table, ReportsTheTransactionsOfAClosedConnectionAndOfNoOther) {
    Side side{sip::Transport::Tls};
    const auto one = side.send("INVITE", "z9hG4bK1", start);
    const auto two = side.send("MESSAGE", "z9hG4bK2", start);
    side.wire.connection = 8;
    const auto other = side.send("MESSAGE", "z9hG4bK3", start);
    side.wire.connection = 7;
    side.wire.shard = 1;
    const auto elsewhere = side.send("MESSAGE", "z9hG4bK4", start);
    side.wire.shard = 0;
    side.table.on_wire_closed(side.wire, start, side.outbox);
    EXPECT_EQ(side.table.state_of(elsewhere), State::Trying) << "the same number on another shard";
    EXPECT_EQ(side.table.state_of(one), State::Terminated);
    EXPECT_EQ(side.table.state_of(two), State::Terminated);
    EXPECT_EQ(side.table.state_of(other), State::Trying);
    EXPECT_TRUE(side.happened(Table::Happened::TransportError));
}

// Two tables over a network that loses, delays, reorders and duplicates. However bad it is: every
// request is seen once, every final response is delivered once, and nothing is left.
class Network {
  public:
    explicit Network(unsigned seed) : random_(seed) {}

    void run(int calls) {
        for (int i = 0; i < calls; ++i) {
            const bool invite = i % 2 == 0;
            const auto method = invite ? "INVITE" : "MESSAGE";
            const auto branch = fmt::format("z9hG4bK{}", i);
            a_.table.send(sip::method_of(method), branch, request(method, branch), a_.wire,
                          static_cast<std::uint64_t>(i), now_, a_.outbox);
            carry(a_, true);
        }
        while (step()) {
        }
    }
    std::map<std::string, int> requests; // by branch, as the server's user saw them
    std::map<std::uint64_t, int> finals; // by owner, as the client's user saw them
    std::map<std::uint64_t, int> timeouts;
    [[nodiscard]] std::size_t left() const { return a_.table.size() + b_.table.size(); }

  private:
    struct Packet {
        Instant when;
        bool to_b;
        std::string text;
        bool operator<(const Packet& other) const { return when > other.when; }
    };

    void carry(Side& from, bool to_b) {
        for (auto& text : from.sent()) {
            for (int copies = chance(10) ? 2 : 1; copies > 0; --copies) {
                if (!chance(30)) {
                    flying_.push(
                        {now_ + milliseconds(1 + static_cast<int>(random_() % 700)), to_b, text});
                }
            }
        }
    }
    bool chance(unsigned percent) { return random_() % 100 < percent; }

    bool step() {
        const auto earlier = [](Instant a, Instant b) {
            return !a.known() ? b : !b.known() ? a : std::min(a, b);
        };
        const auto timer = earlier(a_.table.next_deadline(), b_.table.next_deadline());
        const auto packet = flying_.empty() ? Instant{} : flying_.top().when;
        now_ = earlier(timer, packet);
        if (!now_.known()) {
            return false;
        }
        if (packet == now_) {
            const auto p = flying_.top();
            flying_.pop();
            p.to_b ? serve(p.text) : take(p.text);
        }
        a_.table.advance(now_, a_.outbox);
        b_.table.advance(now_, b_.outbox);
        carry(a_, true);
        carry(b_, false);
        for (const auto& o : a_.table.occurrences()) {
            timeouts[o.owner] += o.what == Table::Happened::Timeout ? 1 : 0;
        }
        a_.table.clear_occurrences();
        b_.table.clear_occurrences();
        return true;
    }
    void serve(const std::string& text) {
        const auto got = b_.receive(text, now_);
        const auto method = text.substr(0, text.find(' '));
        if (got.arrived != Table::Arrived::New) {
            return;
        }
        const auto at = text.find("branch=") + 7;
        const auto branch = text.substr(at, text.find('\r', at) - at);
        ++requests[branch];
        const auto status = method == "INVITE" ? 486 : 200;
        b_.table.respond(got.transaction, static_cast<std::uint16_t>(status),
                         response(status, method, branch), now_, b_.outbox);
    }
    void take(const std::string& text) {
        const auto got = a_.answer(text, now_);
        finals[got.owner] += got.deliver ? 1 : 0;
    }

    std::mt19937 random_;
    Instant now_ = start;
    Side a_{sip::Transport::Udp, 1};
    Side b_{sip::Transport::Udp, 2};
    std::priority_queue<Packet> flying_;
};

TEST(Table, SurvivesALossyNetwork) {
    constexpr int calls = 2000;
    for (unsigned seed = 1; seed <= 3; ++seed) {
        Network network{seed};
        network.run(calls);
        EXPECT_EQ(network.left(), 0U);
        std::size_t answered = 0;
        for (std::uint64_t i = 0; i < calls; ++i) {
            EXPECT_LE(network.finals[i], 1);
            EXPECT_EQ(network.finals[i] + network.timeouts[i], 1) << i;
            answered += static_cast<std::size_t>(network.finals[i]);
        }
        EXPECT_GT(answered, calls * 99U / 100);
        for (const auto& [branch, seen] : network.requests) {
            EXPECT_EQ(seen, 1) << branch;
        }
    }
}

} // namespace
} // namespace cw::transaction
