// For the tests of this folder: user agents on a virtual clock over a network that loses, delays,
// reorders and duplicates, all by a seed. Nothing waits: the clock jumps to what comes next.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "dialog/session_description.hpp"
#include "dialog/user_agent.hpp"
#include "sip/cseq.hpp"

namespace cw::dialog::test {

struct Conditions {
    unsigned loss = 0;      // per cent
    unsigned duplicate = 0; // per cent
    int delay_ms = 5;       // each packet takes 1 to so many
    sip::Transport transport = sip::Transport::Udp;
};
inline constexpr Conditions bad{.loss = 20, .duplicate = 5, .delay_ms = 400};

inline constexpr Instant first_instant{1'777'629'601'000'000'000};

class Network;

// One party: a user agent, or a function that gets the bytes (a proxy).
struct Party {
    Network* network = nullptr;
    std::string name;
    Endpoint at;
    std::unique_ptr<UserAgent> ua;
    std::function<void(const Report&)> on_report;
    std::function<void(const std::string&, const transaction::Wire&)> on_bytes;
    bool cut_off = false;
    std::vector<Report> history;

    [[nodiscard]] std::string uri() const { return "sip:" + name + "@" + to_string(at); }
    [[nodiscard]] std::string sdp(int version = 1) const {
        return "v=0\r\no=" + name + " 1 " + std::to_string(version) +
               " IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
               "m=audio 4000 RTP/AVP 0\r\n";
    }
    [[nodiscard]] Changes with_sdp(int version = 1) const {
        Changes c;
        c.with_body("application/sdp", sdp(version));
        return c;
    }
    [[nodiscard]] int count(What what) const {
        int n = 0;
        for (const auto& r : history) {
            n += r.what == what ? 1 : 0;
        }
        return n;
    }
    [[nodiscard]] int responses(sip::Method method, std::uint16_t status) const {
        int n = 0;
        for (const auto& r : history) {
            n += r.what == What::Response && r.method == method && r.status == status ? 1 : 0;
        }
        return n;
    }
};

class Network {
  public:
    explicit Network(unsigned seed, Conditions conditions = {})
        : conditions_(conditions), random_(seed) {}

    Party& add(std::string name, std::function<void(UserAgentSettings&)> change = {}) {
        auto& party = add_bare(name);
        UserAgentSettings settings;
        settings.aor = "sip:" + name + "@example.com";
        settings.contact = party.uri();
        settings.session_timer.supported = false;
        if (change) {
            change(settings);
        }
        party.ua = std::make_unique<UserAgent>(std::move(settings), random_());
        for (auto& other : parties_) {
            introduce(party, *other);
            introduce(*other, party);
        }
        return party;
    }
    Party& add_bare(const std::string& name) {
        parties_.push_back(std::make_unique<Party>());
        auto& party = *parties_.back();
        party.network = this;
        party.name = name;
        party.at = *parse_endpoint("192.0.2." + std::to_string(parties_.size()) + ":5060", 0);
        return party;
    }
    [[nodiscard]] transaction::Wire wire(const Party& from, const Endpoint& to) const {
        transaction::Wire w;
        w.transport = conditions_.transport;
        w.connection = w.reliable() ? to.address.octets[15] : 0;
        w.local = from.at;
        w.remote = to;
        return w;
    }
    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] Conditions& conditions() { return conditions_; }
    [[nodiscard]] std::vector<std::unique_ptr<Party>>& parties() { return parties_; }
    unsigned random(unsigned n) { return static_cast<unsigned>(random_() % n); }
    // In so many milliseconds.
    void after(int ms, std::function<void()> what) {
        agenda_.push({now_ + milliseconds(ms), ++serial_, {}, {}, {}, std::move(what)});
    }
    void send(const Party& from, const transaction::Wire& to, std::string_view bytes) {
        const bool reliable = to.reliable();
        for (int copies = !reliable && chance(conditions_.duplicate) ? 2 : 1; copies > 0;
             --copies) {
            if (!from.cut_off && (reliable || !chance(conditions_.loss))) {
                const auto delay =
                    reliable ? 1U : 1 + random(static_cast<unsigned>(conditions_.delay_ms));
                agenda_.push({now_ + milliseconds(delay),
                              ++serial_,
                              from.at,
                              to.remote,
                              std::string{bytes},
                              {}});
            }
        }
        if (trace) {
            texts.push_back(from.name + " " + std::string{bytes.substr(0, bytes.find('\r'))});
        }
    }
    // Until nothing is to be done any more, or for so long.
    void run(Duration most = seconds(24 * 3600)) {
        drain();
        const auto end = now_ + most;
        for (int steps = 0; steps < 200'000; ++steps) {
            auto next = agenda_.empty() ? Instant{} : agenda_.top().when;
            for (const auto& p : parties_) {
                const auto at = p->ua ? p->ua->next_deadline() : Instant{};
                next = at.known() && (!next.known() || at < next) ? at : next;
            }
            if (!next.known() || next > end) {
                now_ = next.known() ? end : now_;
                return;
            }
            now_ = std::max(now_, next);
            turn();
        }
        ADD_FAILURE() << "it never ends";
    }
    // Nothing is left of anything.
    void expect_quiet() const {
        for (const auto& p : parties_) {
            if (p->ua) {
                const auto left = p->ua->sizes();
                EXPECT_EQ(left.transactions, 0U) << p->name;
                EXPECT_EQ(left.requests, 0U) << p->name;
                EXPECT_EQ(left.legs, 0U) << p->name;
                EXPECT_EQ(left.subscriptions, 0U) << p->name;
                expect_acknowledged(*p);
            }
        }
    }

    bool trace = false;
    std::vector<std::string> texts; // start lines, when traced

  private:
    struct Item {
        Instant when;
        std::uint64_t serial;
        Endpoint from;
        Endpoint to;
        std::string bytes;
        std::function<void()> what;
        bool operator<(const Item& other) const {
            return when != other.when ? when > other.when : serial > other.serial;
        }
    };

    // "every INVITE answered is ACKed or BYEd": each 2xx of ours has seen its ACK, or the call was
    // ended.
    static void expect_acknowledged(const Party& p) {
        std::map<Ref, int> open;
        for (const auto& r : p.history) {
            if (r.what == What::Confirmed) {
                open[r.leg] = 1;
            } else if (r.what == What::Ended) {
                open.erase(r.leg);
            }
        }
        EXPECT_TRUE(open.empty()) << p.name << " has a call that never ended";
    }
    bool chance(unsigned percent) { return random_() % 100 < percent; }
    void introduce(Party& one, const Party& other) const {
        if (one.ua) {
            one.ua->learn(to_string(other.at), wire(one, other.at));
        }
    }
    void turn() {
        while (!agenda_.empty() && agenda_.top().when <= now_) {
            const auto item = agenda_.top();
            agenda_.pop();
            item.what ? item.what() : deliver(item);
            drain();
        }
        for (auto& p : parties_) {
            if (p->ua && p->ua->next_deadline().known() && p->ua->next_deadline() <= now_) {
                p->ua->advance(now_);
            }
        }
        drain();
    }
    void deliver(const Item& item) {
        for (auto& p : parties_) {
            if (p->at == item.to && !p->cut_off) {
                const auto on = wire(*p, item.from);
                p->ua ? p->ua->receive(item.bytes, on, now_) : p->on_bytes(item.bytes, on);
                return;
            }
        }
    }
    void drain() {
        for (bool more = true; more;) {
            more = false;
            for (auto& p : parties_) {
                if (!p->ua) {
                    continue;
                }
                auto& out = p->ua->outbox();
                for (const auto& s : out.sends()) {
                    send(*p, s.wire, out.bytes(s));
                }
                out.clear();
                const std::vector<Report> reports{p->ua->reports().begin(), p->ua->reports().end()};
                p->ua->clear_reports();
                for (const auto& r : reports) {
                    more = true;
                    p->history.push_back(r);
                    if (p->on_report) {
                        p->on_report(r);
                    }
                }
                more = more || !out.empty();
            }
        }
    }

    Conditions conditions_;
    std::mt19937 random_;
    Instant now_ = first_instant;
    std::vector<std::unique_ptr<Party>> parties_;
    std::priority_queue<Item> agenda_;
    std::uint64_t serial_ = 0;
};

// Answers calls: rings, and after so many milliseconds (never: < 0) answers. Re-INVITEs and UPDATEs
// with an offer at once.
inline void answer_calls(Party& party, int answer_ms, bool ring = true) {
    party.on_report = [&party, answer_ms, ring](const Report& r) {
        auto& n = *party.network;
        if (r.what != What::Request || r.status != 0) {
            return;
        }
        const auto answer = r.description == Meaning::Offer || r.method == sip::Method::Invite
                                ? party.with_sdp()
                                : Changes{};
        if (r.method != sip::Method::Invite || r.leg != 0) {
            party.ua->respond(r.request, 200, answer, n.now());
            return;
        }
        if (ring) {
            party.ua->respond(r.request, 180, {}, n.now());
        }
        if (answer_ms >= 0) {
            n.after(answer_ms, [&party, answer, ref = r.request] {
                party.ua->respond(ref, 200, answer, party.network->now());
            });
        }
    };
}

} // namespace cw::dialog::test
