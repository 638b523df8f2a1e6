// The whole server, fed with what an attacker can make happen: messages whole, broken and altered,
// answers to what it sent, connections that close, time that passes. It must not crash, and must
// stay within its bounds.
// Input: steps, each a letter and what follows up to an 0xff.
//   m BYTES        a message as it is
//   s N AT BYTES   message N of those below, with BYTES over what stands at AT
//   r N            answer N of those below to the request that the server sent last
//   t N            N × N seconds pass
//   c N            connection N closes
//   v N            the host answers the last question: 0 nowhere, else one hop
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "server/server.hpp"
#include "sip/message.hpp"

namespace {

using namespace cw;

constexpr std::size_t most_transactions = 64;

std::shared_ptr<const server::Settings> make_settings() {
    auto s = std::make_shared<server::Settings>();
    const auto here = [](std::uint16_t port) {
        return Endpoint{*IpAddress::parse("192.0.2.1"), port};
    };
    s->listeners = {{sip::Transport::Udp, here(5060), "p.example"},
                    {sip::Transport::Tls, here(5061), "p.example"}};
    server::Domain open;
    open.name = "a.example";
    open.authenticate = false;
    server::Domain closed;
    closed.name = "b.example";
    closed.allow_md5 = true;
    closed.users.push_back({"bob", std::string(32, '0'), {}, {}});
    s->domains = {open, closed};
    server::Trunk trunk;
    trunk.domain = "*";
    trunk.next_hop = "sip:192.0.2.9";
    trunk.require_tls = false;
    s->trunks = {trunk};
    s->federation = true;
    s->transactions = most_transactions;
    return s;
}

constexpr std::string_view tail = "Via: SIP/2.0/TLS h:5061;branch=z9hG4bK1;rport\r\n"
                                  "Max-Forwards: 70\r\nFrom: <sip:x@a.example>;tag=1\r\n"
                                  "Call-ID: c\r\nCSeq: 1 ";
std::string request(std::string_view method, std::string_view uri, std::string_view to,
                    std::string_view more) {
    return std::string{method} + " " + std::string{uri} + " SIP/2.0\r\n" + std::string{tail} +
           std::string{method} + "\r\nTo: " + std::string{to} + "\r\n" + std::string{more} +
           "Content-Length: 0\r\n\r\n";
}

const std::array<std::string, 10>& templates() {
    static const std::array<std::string, 10> all{
        request("REGISTER", "sip:a.example", "<sip:x@a.example>",
                "Contact: <sip:x@h:1>;q=0.5;expires=60\r\n"),
        request("REGISTER", "sip:a.example", "<sip:x@a.example>",
                "Contact: <sip:x@h:2>;+sip.instance=\"<urn:x>\";reg-id=1\r\nSupported: outbound, "
                "path, gruu\r\n"),
        request("REGISTER", "sip:a.example", "<sip:x@a.example>", "Contact: *\r\nExpires: 0\r\n"),
        request("INVITE", "sip:x@a.example", "<sip:x@a.example>", "Contact: <sip:x@h>\r\n"),
        request("CANCEL", "sip:x@a.example", "<sip:x@a.example>", ""),
        request("ACK", "sip:x@a.example", "<sip:x@a.example>;tag=2", ""),
        request("BYE", "sip:x@h:1", "<sip:x@a.example>;tag=2",
                "Route: <sip:p.example:5061;lr>\r\n"),
        request("MESSAGE", "sip:y@c.example", "<sip:y@c.example>",
                "Route: <sip:p.example;lr>, <sip:q.example;lr>\r\n"),
        request(
            "INVITE", "sip:bob@b.example", "<sip:bob@b.example>",
            "Proxy-Authorization: Digest username=\"bob\", realm=\"b.example\", nonce=\"n\", "
            "uri=\"sip:bob@b.example\", response=\"0\", qop=auth, nc=00000001, cnonce=\"c\"\r\n"),
        request("OPTIONS", "sip:p.example", "<sip:p.example>", ""),
    };
    return all;
}

class Run {
  public:
    Run() : server_(make_settings(), {0, 1, std::string(32, 's'), 1}) {}

    void step(std::string_view what) {
        const auto argument = what.size() > 1 ? static_cast<std::uint8_t>(what[1]) : 0;
        switch (what[0]) {
        case 'm':
            receive(what.substr(1), 0);
            break;
        case 's':
            receive(altered(what.substr(1)), argument / 16);
            break;
        case 'r':
            receive(answer(argument), argument / 16);
            break;
        case 't':
            pass(seconds(argument * argument));
            break;
        case 'c':
            server_.on_wire_closed(wire(argument), now_, out_);
            break;
        case 'v':
            reply_to_question(argument);
            break;
        default:
            break;
        }
        take();
    }
    // Time ends everything: nothing is left behind but bindings.
    void finish() {
        for (int i = 0; i < 64; ++i) {
            while (!questions_.empty() || !sendings_.empty()) {
                reply_to_question(0);
                take();
            }
            pass(seconds(300));
            take();
        }
        require(server_.idle());
        require(server_.counters().transactions_now == 0);
    }

  private:
    static transaction::Wire wire(unsigned n) {
        transaction::Wire w;
        w.transport = n % 4 == 3 ? sip::Transport::Udp : sip::Transport::Tls;
        w.connection = n % 4;
        w.remote = {*IpAddress::parse("192.0.2.7"), static_cast<std::uint16_t>(5000 + n % 4)};
        w.local = {*IpAddress::parse("192.0.2.1"), 5061};
        return w;
    }
    void receive(const std::string_view bytes, unsigned from) {
        sip::HeaderIndex index;
        const std::string copy{bytes};
        const auto message = sip::parse(std::string_view{copy}, index);
        static const std::vector<std::string> peer{"c.example"};
        if (message) {
            server_.on_message({*message, wire(from), from % 8 == 1 ? peer : none_}, now_, out_);
        } else {
            server_.on_malformed(copy, wire(from), message.error(), now_, out_);
        }
    }
    static std::string altered(std::string_view what) {
        if (what.empty()) {
            return {};
        }
        auto text = templates()[static_cast<std::uint8_t>(what[0]) % templates().size()];
        if (what.size() > 2) {
            const auto at = static_cast<std::uint8_t>(what[1]) * 2U % text.size();
            text.replace(at, std::min<std::size_t>(what.size() - 2, text.size() - at),
                         what.substr(2));
        }
        return text;
    }
    [[nodiscard]] std::string answer(unsigned n) const {
        static constexpr std::array<std::string_view, 8> statuses{
            "100 T", "180 R", "200 OK", "302 M", "407 P", "486 B", "503 S", "603 D"};
        std::string out = "SIP/2.0 " + std::string{statuses[n % statuses.size()]} + "\r\n";
        const auto end = last_request_.find("\r\n");
        return end == std::string::npos ? std::string{} : out + last_request_.substr(end + 2);
    }
    void pass(Duration d) {
        const auto end = now_ + d;
        for (int i = 0; i < 10'000; ++i) {
            const auto next = server_.next_deadline();
            if (!next.known() || next > end) {
                break;
            }
            now_ = std::max(now_, next);
            server_.advance(now_, out_);
        }
        now_ = end;
    }
    void reply_to_question(unsigned n) {
        if (!questions_.empty()) {
            const auto token = questions_.back();
            questions_.pop_back();
            const server::Hop hop{
                sip::Transport::Tls, {*IpAddress::parse("192.0.2.9"), 5061}, {}, {}};
            server_.on_resolved(token, {&hop, n == 0 ? 0U : 1U}, now_, out_);
        } else if (!sendings_.empty()) {
            const auto token = sendings_.back();
            sendings_.pop_back();
            if (n == 0) {
                server_.on_unsent(token, "no", now_, out_);
            } else {
                server_.on_sent(token, wire(n), now_, out_);
            }
        }
    }
    void take() {
        for (const auto& s : out_.outbox.sends()) {
            const auto bytes = out_.outbox.bytes(s);
            sip::HeaderIndex index;
            const auto sent = sip::index(bytes, index);
            require(sent.has_value());
            if (sent->is_request()) {
                last_request_ = bytes;
            }
        }
        for (const auto& r : out_.resolve) {
            questions_.push_back(r.token);
        }
        for (const auto& s : out_.send_to) {
            if (s.token != 0) {
                sendings_.push_back(s.token);
            }
            last_request_ = s.bytes;
        }
        out_.clear();
        // A request makes a transaction a branch and one for its CANCEL.
        require(server_.counters().transactions_now <= most_transactions + 64);
        require(server_.counters().bindings_now <= 64 * 10);
    }

    server::Server server_;
    server::Requests out_;
    Instant now_{1'777'629'601'000'000'000};
    std::string last_request_;
    std::vector<std::uint64_t> questions_;
    std::vector<std::uint64_t> sendings_;
    const std::vector<std::string> none_;
};

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    if (input.size() > 16'384) {
        return;
    }
    auto left = as_text(input);
    Run run;
    for (int steps = 0; !left.empty() && steps < 256; ++steps) {
        const auto end = left.find('\xff');
        const auto step = left.substr(0, end);
        if (!step.empty()) {
            run.step(step);
        }
        left = end == std::string_view::npos ? std::string_view{} : left.substr(end + 1);
    }
    run.finish();
}
