// For the tests of this folder: a server between scripted phones on a virtual clock. The network
// may lose, delay and repeat what goes over UDP; connections keep order and lose nothing. Nothing
// here waits: time moves to the next thing that happens.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "crypto/digest_client.hpp"
#include "server/server.hpp"
#include "sip/list.hpp"
#include "sip/message.hpp"
#include "sip/uri.hpp"

namespace cw::server::test {

inline const Instant start{1'777'629'601'000'000'000};

inline IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

inline User make_user(std::string_view name, std::string_view realm, std::string_view password) {
    crypto::Digester d;
    using enum crypto::DigestAlgorithm;
    return {std::string{name}, std::string{d.ha1(Md5, name, realm, password).text()},
            std::string{d.ha1(Sha256, name, realm, password).text()},
            std::string{d.ha1(Sha512_256, name, realm, password).text()}};
}

// example.com with alice, bob and carol, password "secret"; UDP, TCP and TLS.
inline Settings plain_settings() {
    Settings s;
    for (const auto transport : {sip::Transport::Udp, sip::Transport::Tcp, sip::Transport::Tls}) {
        const std::uint16_t port = transport == sip::Transport::Tls ? 5061 : 5060;
        s.listeners.push_back({transport, {ip("192.0.2.1"), port}, "proxy.example.com"});
    }
    Domain domain;
    domain.name = "example.com";
    for (const auto name : {"alice", "bob", "carol"}) {
        domain.users.push_back(make_user(name, "example.com", "secret"));
    }
    s.domains.push_back(std::move(domain));
    s.trying = {}; // as the ladders of the RFCs have it
    return s;
}

// A message as a phone sees it.
class Message {
  public:
    explicit Message(std::string bytes) : text(std::move(bytes)) {
        const auto parsed = sip::index(std::string_view{text}, index_);
        if (parsed) {
            view = *parsed;
            ok = true;
        }
    }
    Message(const Message&) = delete;
    [[nodiscard]] int status() const { return ok ? view.status() : 0; }
    [[nodiscard]] std::string method() const {
        return ok && view.is_request() ? std::string{view.method_text()} : std::string{};
    }
    [[nodiscard]] std::string value(sip::HeaderId id) const { return std::string{view.value(id)}; }
    [[nodiscard]] std::vector<std::string> values(sip::HeaderId id) const {
        std::vector<std::string> out;
        for (const auto& header : view.headers()) {
            if (header.id == id) {
                out.emplace_back(header.value);
            }
        }
        return out;
    }
    // Its values one by one, of a list.
    [[nodiscard]] std::vector<std::string> list(sip::HeaderId id) const {
        std::vector<std::string> out;
        sip::ValueCursor cursor{view, id};
        while (const auto one = cursor.next()) {
            out.emplace_back(*one);
        }
        return out;
    }

    std::string text;
    sip::MessageView view;
    bool ok = false;

  private:
    sip::HeaderIndex index_;
};
using MessagePtr = std::shared_ptr<const Message>;

class Network;

// One end of a wire that is not the server's. What it receives waits in `inbox`.
class Phone {
  public:
    Phone(Network& network, std::string its_name, transaction::Wire its_wire)
        : name(std::move(its_name)), wire(its_wire), network_(&network) {}

    void send(std::string bytes);
    // "SIP/2.0/TLS 192.0.2.10:40000" and the URI of a Contact.
    [[nodiscard]] std::string sent_by() const;
    [[nodiscard]] std::string contact() const;
    std::string new_branch() { return fmt::format("z9hG4bK{}{}", name, ++branches_); }

    struct Request {
        std::string method = "INVITE";
        std::string uri = "sip:bob@example.com";
        std::string to = "<sip:bob@example.com>";
        std::string from{}; // empty: of this phone
        std::string call_id = "call";
        int cseq = 1;
        std::string headers{}; // more lines
        std::string body{};
        std::string branch{}; // empty: a new one
        int max_forwards = 70;
    };
    std::string make(const Request& r);
    // The same request with an answer to the challenge in `response`.
    std::string make_with_credentials(Request r, const Message& response, int nc = 1,
                                      std::string_view password = "secret");
    // A response to a request that this phone received.
    std::string reply(const Message& request, int status, std::string_view headers = {},
                      std::string_view tag = {}) const;
    // The ACK of a failure of the request that was made last.
    std::string ack_of_failure(const Message& response, Request r) {
        r.method = "ACK";
        r.to = response.value(sip::HeaderId::To);
        r.branch = r.branch.empty() ? fmt::format("z9hG4bK{}{}", name, branches_) : r.branch;
        r.body.clear();
        return make(r);
    }
    // What a phone sends in the dialog that `response` (to its own request) made.
    std::string in_dialog(std::string_view method, const Message& response, int cseq,
                          std::string_view headers = {});
    // …and in one that it was called in.
    std::string in_dialog_called(std::string_view method, const Message& invite, int cseq);

    // The first message in the inbox; an empty one when nothing is there.
    MessagePtr take();
    // Drops all up to the first that fits; null when none does.
    MessagePtr take_response(int status);
    MessagePtr take_request(std::string_view method);
    // Registers with digest, and takes what comes back.
    MessagePtr register_now(std::string_view contact_params = {}, std::string_view headers = {},
                            int cseq = 1);

    std::string name;
    transaction::Wire wire;
    std::vector<std::string> peer_domains;
    std::vector<MessagePtr> inbox;
    std::function<void(Phone&, const MessagePtr&)> script; // called for what arrives

  private:
    Network* network_;
    int branches_ = 0;
};

class Network {
  public:
    explicit Network(Settings settings = plain_settings(), std::uint64_t seed = 1)
        : server(std::make_shared<const Settings>(std::move(settings)),
                 ShardIdentity{0, 7, std::string(32, 's'), seed}),
          random_(seed) {}

    Phone& add_phone(std::string name, sip::Transport transport = sip::Transport::Tls) {
        transaction::Wire wire;
        wire.transport = transport;
        const auto n = static_cast<std::uint8_t>(phones_.size() + 10);
        wire.remote = {
            ip(fmt::format("192.0.2.{}", n)),
            static_cast<std::uint16_t>(transport == sip::Transport::Udp ? 5060 : 40'000 + n)};
        wire.local = {ip("192.0.2.1"),
                      static_cast<std::uint16_t>(transport == sip::Transport::Tls ? 5061 : 5060)};
        wire.connection = transport == sip::Transport::Udp ? 0 : n;
        wire.generation = transport == sip::Transport::Udp ? 0 : 1;
        phones_.push_back(std::make_unique<Phone>(*this, std::move(name), wire));
        return *phones_.back();
    }

    // From a phone to the server.
    void submit(Phone& phone, std::string bytes) {
        Phone* from = &phone;
        travel(phone.wire, [this, from, bytes = std::move(bytes)] {
            sip::HeaderIndex index;
            const auto message = sip::parse(std::string_view{bytes}, index);
            if (message) {
                server.on_message({*message, from->wire, from->peer_domains}, now, out_);
            } else {
                server.on_malformed(bytes, from->wire, message.error(), now, out_);
            }
            perform();
        });
    }
    void close(Phone& phone) {
        server.on_wire_closed(phone.wire, now, out_);
        perform();
    }
    // Lets everything happen that happens within `d`.
    void run(Duration d = milliseconds(100)) {
        const auto end = now + d;
        while (step(end)) {
        }
        now = end;
    }
    // Where SendTo finds somebody, and what Resolve answers.
    std::map<std::string, std::vector<Hop>> dns;       // by URI
    std::map<std::string, std::vector<Hop>> dns_names; // else by host
    Duration dns_takes = milliseconds(1);
    std::map<Endpoint, Phone*> listening;
    std::set<Endpoint> refuses_streams;

    Server server;
    Instant now = start;
    double loss = 0;      // of datagrams
    double duplicate = 0; // too
    Duration delay_most = milliseconds(2);
    std::vector<LocationChange> changes;
    std::vector<Resolve> resolved;
    std::vector<LogLine> log;

  private:
    struct Event {
        Instant when;
        std::uint64_t number;
        std::function<void()> act;
        bool operator<(const Event& o) const {
            return when != o.when ? when > o.when : number > o.number;
        }
    };

    bool step(Instant end) {
        const auto timer = server.next_deadline();
        const bool fires = timer.known() && timer <= end;
        const bool arrives = !events_.empty() && events_.top().when <= end;
        if (arrives && (!fires || events_.top().when <= timer)) {
            auto event = events_.top();
            events_.pop();
            now = std::max(now, event.when);
            event.act();
            return true;
        }
        if (fires) {
            now = std::max(now, timer);
            server.advance(now, out_);
            perform();
            return true;
        }
        return false;
    }
    void at(Instant when, std::function<void()> act) {
        events_.push({when, ++numbers_, std::move(act)});
    }
    bool chance(double p) { return std::uniform_real_distribution<>{}(random_) < p; }
    void travel(const transaction::Wire& wire, std::function<void()> act) {
        if (wire.reliable()) {
            at(now + milliseconds(1), std::move(act));
            return;
        }
        for (int copies = chance(duplicate) ? 2 : 1; copies > 0; --copies) {
            if (!chance(loss)) {
                const auto most = std::max<std::int64_t>(delay_most.ns, 2'000'000);
                at(now + Duration{std::uniform_int_distribution<std::int64_t>{1'000'000,
                                                                              most}(random_)},
                   act);
            }
        }
    }
    void deliver(const transaction::Wire& wire, std::string bytes) {
        for (auto& phone : phones_) {
            if (phone->wire.transport == wire.transport && phone->wire.remote == wire.remote &&
                phone->wire.connection == wire.connection) {
                arrive(wire, *phone, std::move(bytes));
                return;
            }
        }
        // A wire that a token gave back knows its connection alone.
        for (auto& phone : phones_) {
            if (wire.reliable() && phone->wire.transport == wire.transport &&
                phone->wire.connection == wire.connection &&
                phone->wire.generation == wire.generation) {
                arrive(wire, *phone, std::move(bytes));
                return;
            }
        }
    }
    void arrive(const transaction::Wire& wire, Phone& phone, std::string bytes) {
        Phone* to = &phone;
        travel(wire, [to, bytes = std::move(bytes)] {
            to->inbox.push_back(std::make_shared<Message>(bytes));
            const auto got = to->inbox.back();
            if (to->script) {
                to->script(*to, got);
            }
        });
    }
    void perform() {
        Requests todo;
        std::swap(todo, out_);
        changes.insert(changes.end(), todo.location.begin(), todo.location.end());
        log.insert(log.end(), todo.log.begin(), todo.log.end());
        for (const auto& send : todo.outbox.sends()) {
            deliver(send.wire, std::string{todo.outbox.bytes(send)});
        }
        for (const auto& resolve : todo.resolve) {
            resolved.push_back(resolve);
            at(now + dns_takes, [this, resolve] {
                auto hops = dns[resolve.uri];
                const auto uri = sip::parse_uri(resolve.uri);
                if (hops.empty() && uri) {
                    hops = dns_names[std::string{uri->host}];
                }
                for (auto& hop : hops) {
                    hop.identity = resolve.identity;
                }
                server.on_resolved(resolve.token, hops, now, out_);
                perform();
            });
        }
        for (auto& send : todo.send_to) {
            at(now + milliseconds(1), [this, send = std::move(send)] {
                const auto found = listening.find(send.hop.endpoint);
                if (found == listening.end() || (sip::is_reliable(send.hop.transport) &&
                                                 refuses_streams.contains(send.hop.endpoint))) {
                    server.on_unsent(send.token, "not reached", now, out_);
                } else {
                    server.on_sent(send.token, found->second->wire, now, out_);
                    deliver(found->second->wire, send.bytes);
                }
                perform();
            });
        }
    }

    std::mt19937_64 random_;
    std::vector<std::unique_ptr<Phone>> phones_;
    std::priority_queue<Event> events_;
    std::uint64_t numbers_ = 0;
    Requests out_;
};

// ---- Phone

inline void Phone::send(std::string bytes) {
    network_->submit(*this, std::move(bytes));
}
inline std::string Phone::sent_by() const {
    std::string word{sip::to_string(wire.transport)};
    std::ranges::transform(word, word.begin(), [](char c) { return static_cast<char>(c & ~0x20); });
    return fmt::format("SIP/2.0/{} {}", word, to_string(wire.remote));
}
inline std::string Phone::contact() const {
    return fmt::format("sip:{}@{};transport={}", name, to_string(wire.remote),
                       sip::to_string(wire.transport));
}
inline std::string Phone::make(const Request& r) {
    const auto from = r.from.empty() ? fmt::format("<sip:{}@example.com>", name) : r.from;
    return fmt::format("{0} {1} SIP/2.0\r\nVia: {2};branch={3};rport\r\nMax-Forwards: {4}\r\n"
                       "From: {5};tag=from-{6}\r\nTo: {7}\r\nCall-ID: {8}\r\nCSeq: {9} {0}\r\n"
                       "Contact: <{10}>\r\n{11}Content-Length: {12}\r\n\r\n{13}",
                       r.method, r.uri, sent_by(), r.branch.empty() ? new_branch() : r.branch,
                       r.max_forwards, from, name, r.to, r.call_id, r.cseq, contact(), r.headers,
                       r.body.size(), r.body);
}
inline std::string Phone::make_with_credentials(Request r, const Message& response, int nc,
                                                std::string_view password) {
    const bool by_proxy = response.status() == 407;
    const auto values = response.values(by_proxy ? sip::HeaderId::ProxyAuthenticate
                                                 : sip::HeaderId::WwwAuthenticate);
    const std::vector<std::string_view> views{values.begin(), values.end()};
    const auto challenge = crypto::choose_challenge(views);
    crypto::Digester digester;
    if (challenge) {
        r.headers += fmt::format("{}: {}\r\n", by_proxy ? "Proxy-Authorization" : "Authorization",
                                 crypto::answer_challenge(digester, *challenge,
                                                          {.username = name,
                                                           .password = password,
                                                           .method = r.method,
                                                           .uri = r.uri,
                                                           .body = r.body,
                                                           .cnonce = "c0ffee",
                                                           .nc = static_cast<std::uint32_t>(nc)}));
    }
    return make(r);
}
inline std::string Phone::reply(const Message& request, int status, std::string_view headers,
                                std::string_view tag) const {
    std::string out = fmt::format("SIP/2.0 {} Said By {}\r\n", status, name);
    for (const auto& header : request.view.headers()) {
        if (header.id == sip::HeaderId::Via || header.id == sip::HeaderId::RecordRoute ||
            header.id == sip::HeaderId::From || header.id == sip::HeaderId::CallId ||
            header.id == sip::HeaderId::CSeq) {
            out += fmt::format("{}: {}\r\n", header.name, header.value);
        }
    }
    auto to = request.value(sip::HeaderId::To);
    if (status > 100 && to.find(";tag=") == std::string::npos) {
        to += fmt::format(";tag={}", tag.empty() ? "to-" + name : std::string{tag});
    }
    out += fmt::format("To: {}\r\nContact: <{}>\r\n{}Content-Length: 0\r\n\r\n", to, contact(),
                       headers);
    return out;
}
inline std::string Phone::in_dialog(std::string_view method, const Message& response, int cseq,
                                    std::string_view headers) {
    auto routes = response.list(sip::HeaderId::RecordRoute);
    std::ranges::reverse(routes);
    std::string lines{headers};
    for (const auto& route : routes) {
        lines += fmt::format("Route: {}\r\n", route);
    }
    auto contact_uri = response.value(sip::HeaderId::Contact);
    contact_uri = contact_uri.substr(1, contact_uri.find('>') - 1);
    auto from = response.value(sip::HeaderId::From);
    from = from.substr(0, from.find(";tag="));
    return make({.method = std::string{method},
                 .uri = contact_uri,
                 .to = response.value(sip::HeaderId::To),
                 .from = from,
                 .call_id = response.value(sip::HeaderId::CallId),
                 .cseq = cseq,
                 .headers = lines});
}
inline std::string Phone::in_dialog_called(std::string_view method, const Message& invite,
                                           int cseq) {
    std::string lines;
    for (const auto& route : invite.list(sip::HeaderId::RecordRoute)) {
        lines += fmt::format("Route: {}\r\n", route);
    }
    auto contact_uri = invite.value(sip::HeaderId::Contact);
    contact_uri = contact_uri.substr(1, contact_uri.find('>') - 1);
    auto text = make({.method = std::string{method},
                      .uri = contact_uri,
                      .to = invite.value(sip::HeaderId::From),
                      .from = invite.value(sip::HeaderId::To),
                      .call_id = invite.value(sip::HeaderId::CallId),
                      .cseq = cseq,
                      .headers = lines});
    const auto tag = text.find(";tag=from-" + name);
    return text.replace(tag, name.size() + 10, ";tag=to-" + name);
}
inline MessagePtr Phone::take() {
    if (inbox.empty()) {
        return std::make_shared<Message>("");
    }
    auto first = inbox.front();
    inbox.erase(inbox.begin());
    return first;
}
inline MessagePtr Phone::take_response(int status) {
    while (!inbox.empty()) {
        if (auto m = take(); m->status() == status) {
            return m;
        }
    }
    return nullptr;
}
inline MessagePtr Phone::take_request(std::string_view method) {
    while (!inbox.empty()) {
        if (auto m = take(); m->method() == method) {
            return m;
        }
    }
    return nullptr;
}
inline MessagePtr Phone::register_now(std::string_view contact_params, std::string_view headers,
                                      int cseq) {
    Request r{.method = "REGISTER",
              .uri = "sip:example.com",
              .to = fmt::format("<sip:{}@example.com>", name),
              .call_id = "register-" + name,
              .cseq = cseq,
              .headers = std::string{headers}};
    const auto with_params = [&](std::string text) {
        const auto at = text.find("Contact: <" + contact() + ">") + contact().size() + 11;
        return text.insert(at, contact_params);
    };
    send(with_params(make(r)));
    network_->run();
    const auto challenge = take_response(401);
    if (challenge == nullptr) {
        return nullptr;
    }
    ++r.cseq;
    send(with_params(make_with_credentials(r, *challenge)));
    network_->run();
    return take();
}

} // namespace cw::server::test
