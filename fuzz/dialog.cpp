// A user agent between a hostile peer and a careless user: the input is a list of messages, in part
// made to fit the dialogs that are there, and of commands, in any order. Whatever comes, what is
// sent is a message, and when all calls are hung up and the clock has run, nothing is left.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "dialog/refer.hpp"
#include "dialog/session_description.hpp"
#include "dialog/user_agent.hpp"
#include "fuzz.hpp"
#include "sip/name_addr.hpp"

namespace {

using namespace cw;
using namespace cw::dialog;

constexpr auto methods = std::to_array<std::string_view>(
    {"INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY", "SUBSCRIBE",
     "OPTIONS", "MESSAGE", "REGISTER", "PUBLISH", "FOO", "INVITE"});
constexpr auto statuses = std::to_array<std::uint16_t>(
    {100, 180, 183, 199, 200, 202, 204, 302, 401, 408, 422, 423, 481, 487, 491, 603});
constexpr auto fields = std::to_array<std::string_view>(
    {"Require: 100rel\r\nRSeq: 1\r\n", "Require: 100rel\r\nRSeq: 2\r\n", "RAck: 1 1 INVITE\r\n",
     "Supported: 100rel, timer\r\n", "Session-Expires: 90;refresher=uas\r\n", "Min-SE: 300\r\n",
     "Event: presence\r\n", "Event: refer\r\n", "Subscription-State: active;expires=60\r\n",
     "Subscription-State: terminated;reason=noresource\r\n", "Expires: 0\r\n", "Expires: 60\r\n",
     "Refer-To: <sip:c@c.example?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\n",
     "Record-Route: <sip:p.example;lr>, <sip:q.example>\r\n", "Refer-Sub: false\r\n",
     "Min-Expires: 3600\r\n"});
constexpr std::string_view description_text = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"
                                              "m=audio 4000 RTP/AVP 0\r\n";

class Session {
  public:
    explicit Session(Reader input) : input_(input), ua_(settings(input_.u8()), 1) {
        wire_.transport = ua_.settings().wire.transport;
    }

    void run() {
        for (int i = 0; i < 400 && input_.ok() && input_.left() > 0; ++i) {
            step(input_.u8());
            drain();
        }
        finish();
    }

  private:
    static UserAgentSettings settings(std::uint8_t bits) {
        UserAgentSettings s;
        s.aor = "sip:a@a.example";
        s.contact = "sip:a@192.0.2.1";
        s.wire.transport = (bits & 1) != 0 ? sip::Transport::Udp : sip::Transport::Tls;
        s.reliability = static_cast<Reliability>((bits >> 1) % 3);
        s.prefers_reliable = (bits & 8) != 0;
        s.session_timer.interval = (bits & 16) != 0 ? 90 : 0;
        s.max_dialogs = 20;
        return s;
    }

    std::string chunk(std::size_t n) {
        return std::string{as_text(input_.take(std::min(n, input_.left())))};
    }
    Ref any_leg() {
        const auto legs = ua_.legs();
        return legs.empty() ? 0 : legs[input_.u8() % legs.size()];
    }
    Ref any_of(const std::vector<Ref>& refs) {
        return refs.empty() ? 0 : refs[input_.u8() % refs.size()];
    }
    Changes any_changes() {
        Changes c;
        const auto bits = input_.u8();
        if ((bits & 1) != 0) {
            c.with_body("application/sdp", std::string{description_text});
        }
        if ((bits & 2) != 0) {
            c.with(chunk(input_.u8() % 20U), chunk(input_.u8()));
        }
        c.force = (bits & 4) != 0;
        return c;
    }

    void step(std::uint8_t op) {
        switch (op % 16) {
        case 0:
            return ua_.receive(chunk(input_.be16() % 2048U), wire_, now_);
        case 1:
        case 2:
        case 3:
            return receive_request();
        case 4:
        case 5:
        case 6:
            return receive_response();
        case 7:
        case 8:
            ua_.respond(any_of(received_), statuses[input_.u8() % statuses.size()], any_changes(),
                        now_);
            return;
        case 9:
            sent_.push_back(ua_.invite("sip:b@b.example", any_changes(), now_));
            return;
        case 10:
            sent_.push_back(
                ua_.request(any_leg(), methods[input_.u8() % methods.size()], any_changes(), now_));
            return;
        case 11:
            return command();
        case 12:
            ua_.hang_up(any_leg(), now_);
            return;
        case 13:
            now_ = now_ + milliseconds(input_.be16());
            return ua_.advance(now_);
        case 14:
            if (ua_.next_deadline().known()) {
                now_ = std::max(now_, ua_.next_deadline());
                ua_.advance(now_);
            }
            return;
        default:
            ua_.on_wire_closed(wire_, now_);
        }
    }
    void command() {
        switch (input_.u8() % 7) {
        case 0:
            ua_.cancel(any_of(sent_), any_changes(), now_);
            return;
        case 1:
            ua_.ack(any_leg(), any_changes(), now_);
            return;
        case 2:
            sent_.push_back(ua_.retry(any_of(sent_), any_changes(), now_));
            return;
        case 3:
            ua_.subscribe("sip:b@b.example", "presence", input_.u8(), any_changes(), now_);
            return;
        case 4:
            ua_.refresh_subscription(input_.u8(), input_.u8(), now_);
            return;
        case 5:
            ua_.notify(input_.u8(), static_cast<SubscriptionEvent>(input_.u8() % 3), "x",
                       any_changes(), now_);
            return;
        default:
            sent_.push_back(ua_.follow(any_of(received_), any_changes(), now_));
        }
    }

    // What a peer of one of our dialogs would send, or a stranger; with fields by chance.
    void receive_request() {
        const auto method = methods[input_.u8() % methods.size()];
        const auto* d = ua_.dialog(any_leg());
        const auto bits = input_.u8();
        const bool inside = d != nullptr && (bits & 1) != 0;
        std::string m{method};
        m += " sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP b.example;branch=z9hG4bK" +
             std::to_string((bits & 2) != 0 ? ++branch_ : branch_) +
             "\r\nMax-Forwards: 70\r\nFrom: <sip:b@b.example>;tag=" +
             (inside ? d->remote_tag : "bt") + "\r\nTo: <sip:a@a.example>" +
             (inside ? ";tag=" + d->local_tag : "") +
             "\r\nCall-ID: " + (inside ? d->call_id : "c" + std::to_string(bits >> 6)) +
             "\r\nCSeq: " + std::to_string((bits & 4) != 0 ? ++cseq_ : input_.u8()) + " " +
             std::string{method} + "\r\nContact: <sip:b@192.0.2.2>\r\n";
        finish_message(m, (bits & 8) != 0);
    }
    // An answer to something that we sent.
    void receive_response() {
        if (out_.empty()) {
            return;
        }
        const auto& text = out_[input_.u8() % out_.size()];
        sip::HeaderIndex index;
        const auto request = sip::index(std::string_view{text}, index);
        if (!request || !request->is_request()) {
            return;
        }
        const auto bits = input_.u8();
        auto d = response_to(*request, statuses[bits % statuses.size()],
                             "t" + std::to_string(bits >> 6), request->value(sip::HeaderId::Via));
        d.add("Contact", "<sip:b@192.0.2.2>");
        auto m = d.print();
        m.resize(m.size() - 2 - std::string_view{"Content-Length: 0\r\n"}.size());
        finish_message(m, (bits & 32) != 0);
    }
    void finish_message(std::string& m, bool description) {
        for (auto n = input_.u8() % 4; n > 0; --n) {
            m += fields[input_.u8() % fields.size()];
        }
        if (description) {
            m += "Content-Type: application/sdp\r\n";
        }
        m += "Content-Length: " + std::to_string(description ? description_text.size() : 0) +
             "\r\n\r\n";
        m += description ? description_text : std::string_view{};
        ua_.receive(m, wire_, now_);
    }

    void drain() {
        auto& outbox = ua_.outbox();
        for (const auto& s : outbox.sends()) {
            sip::HeaderIndex index;
            require(sip::index(outbox.bytes(s), index).has_value());
            if (out_.size() < 64) {
                out_.emplace_back(outbox.bytes(s));
            } else {
                out_[next_out_++ % 64] = outbox.bytes(s);
            }
        }
        outbox.clear();
        for (const auto& r : ua_.reports()) {
            if (r.what == What::Request && r.request != 0) {
                received_.push_back(r.request);
            }
            if (r.what == What::Retried) {
                sent_.push_back(r.request);
            }
        }
        ua_.clear_reports();
    }

    void finish() {
        for (int round = 0; round < 2000; ++round) {
            for (const auto ref : received_) {
                ua_.respond(ref, 486, {}, now_);
            }
            received_.clear();
            for (const auto ref : sent_) {
                ua_.cancel(ref, forced_, now_);
            }
            for (const auto leg : ua_.legs()) {
                ua_.hang_up(leg, now_);
            }
            drain();
            if (!ua_.next_deadline().known()) {
                break;
            }
            now_ = std::max(now_, ua_.next_deadline());
            ua_.advance(now_);
            drain();
        }
        require(!ua_.next_deadline().known());
        const auto left = ua_.sizes();
        require(left.transactions == 0 && left.requests == 0);
        require(left.legs == 0 && left.subscriptions == 0);
    }

    Reader input_;
    UserAgent ua_;
    transaction::Wire wire_;
    Instant now_{1'777'629'601'000'000'000};
    std::vector<Ref> sent_;
    std::vector<Ref> received_;
    std::vector<std::string> out_;
    std::size_t next_out_ = 0;
    int branch_ = 0;
    int cseq_ = 0;
    const Changes forced_ = [] {
        Changes c;
        c.force = true;
        return c;
    }();
};

void fuzz_values(std::string_view text) {
    if (const auto r = parse_refer_to(text)) {
        require(parse_refer_to(refer_to(r->uri, r->replaces)).has_value());
    }
    static_cast<void>(next_version(text));
    static_cast<void>(answer_to(text, description_text));
    static_cast<void>(answer_to(description_text, text));
    static_cast<void>(with_direction(text, sdp::Direction::SendOnly));
    static_cast<void>(sipfrag_status(text));
    static_cast<void>(without_tag(text));
}

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    if (input.empty()) {
        return;
    }
    fuzz_values(as_text(input));
    Session{Reader{input}}.run();
}
