// A caller that is played against a hostile peer: the input is what the peer sends, messages with
// '|' on a line of its own between them. "%V", "%F", "%T", "%C" and "%S" in them become Via, From,
// To, Call-ID and CSeq of what the caller has sent last, so that an answer finds its request; "%W"
// lets time go by. Whatever comes, what is sent is SIP, and the flow comes to its end.
#include <algorithm>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "fuzz.hpp"
#include "play/performance.hpp"
#include "script/parse.hpp"
#include "sip/message.hpp"

namespace {

using namespace cw;
using namespace cw::play;

constexpr std::string_view flow_text = "sequenceDiagram\n"
                                       "    actor a\n"
                                       "    participant x as X (under test)\n"
                                       "    %% at: tls:192.0.2.9:5061\n"
                                       "    a->>x: REGISTER\n"
                                       "    x-->>a: 200 OK\n"
                                       "    %% Contact: <sip:{who}@*>\n"
                                       "    a->>x: INVITE sip:x@example.com (SRTP offer)\n"
                                       "    opt\n"
                                       "        x-->>a: 183 Session Progress (SRTP answer)\n"
                                       "        %% RSeq: {rseq}\n"
                                       "        a->>x: PRACK\n"
                                       "        x-->>a: 200 OK (PRACK)\n"
                                       "    end\n"
                                       "    x-->>a: 200 OK (INVITE)\n"
                                       "    %% Supported: *timer\n"
                                       "    a->>x: ACK\n"
                                       "    alt\n"
                                       "        x->>a: INFO\n"
                                       "        a-->>x: 200 OK (INFO)\n"
                                       "    else\n"
                                       "        x->>a: INVITE (SRTP offer, hold)\n"
                                       "        a-->>x: 200 OK (SRTP answer)\n"
                                       "        x->>a: ACK\n"
                                       "    end\n"
                                       "    x->>a: BYE\n"
                                       "    a-->>x: 200 OK (BYE)\n";

const script::Plan& plan() {
    static const script::Plan made = [] {
        auto parsed = script::parse(flow_text);
        require(parsed.ok());
        return std::move(parsed.plan);
    }();
    return made;
}

class Call {
  public:
    explicit Call(sip::Transport over) : cast_(*make_cast(plan(), given_)), over_(over) {
        for (auto& member : cast_.members) {
            member.over = over;
            member.at[static_cast<std::size_t>(over)] =
                Endpoint{*IpAddress::parse("192.0.2.1"), port_++};
            for (auto& [call, place] : member.media) {
                place.rtp = {*IpAddress::parse("192.0.2.1"), port_++};
                place.rtcp = {*IpAddress::parse("192.0.2.1"), port_++};
            }
        }
        performance_ = std::make_unique<Performance>(plan(), cast_, given_);
    }

    void run(std::string_view script) {
        performance_->start(now_);
        drain();
        for (int messages = 0; messages < 100 && !script.empty(); ++messages) {
            const auto end = std::min(script.find("\n|\n"), script.size());
            say(script.substr(0, end));
            script.remove_prefix(std::min(end + 3, script.size()));
        }
        for (int turns = 0; turns < 5000 && !performance_->over(); ++turns) {
            wait();
        }
        require(performance_->over());
        require(performance_->report().arrows.size() == plan().arrows);
    }

  private:
    void say(std::string_view text) {
        std::string message;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '%' || i + 1 == text.size()) {
                message +=
                    text[i] == '\n' && !message.ends_with('\r') ? "\r\n" : std::string(1, text[i]);
                continue;
            }
            fill(text[++i], message);
        }
        performance_->on_message(0, wire_, message, now_);
        drain();
    }
    void fill(char what, std::string& message) {
        sip::HeaderIndex index;
        const auto last = sip::index(std::string_view{last_}, index);
        const auto value = [&](sip::HeaderId id) {
            return last ? std::string{last->value(id)} : std::string{};
        };
        switch (what) {
        case 'V':
            message += value(sip::HeaderId::Via);
            return;
        case 'F':
            message += value(sip::HeaderId::From);
            return;
        case 'T':
            message += value(sip::HeaderId::To);
            return;
        case 'C':
            message += value(sip::HeaderId::CallId);
            return;
        case 'S':
            message += value(sip::HeaderId::CSeq);
            return;
        case 'W':
            wait();
            return;
        default:
            message += '%';
        }
    }
    void wait() {
        const auto deadline = performance_->next_deadline();
        if (deadline.known()) {
            now_ = std::max(now_ + milliseconds(1), deadline);
            performance_->advance(now_);
            drain();
        }
    }
    void drain() {
        auto& outbox = performance_->outbox();
        auto& wants = performance_->wants();
        while (!outbox.empty() || !wants.empty()) {
            for (const auto& one : outbox.sends()) {
                sip::HeaderIndex index;
                require(sip::index(outbox.bytes(one), index).has_value());
                last_ = outbox.bytes(one);
                wire_ = one.wire;
            }
            outbox.clear();
            const auto todo = std::move(wants);
            wants.clear();
            for (const auto& one : todo.connects) {
                wire_ = {over_, 0, 1, 1, *cast_.members[0].at[static_cast<std::size_t>(over_)],
                         one.at};
                performance_->on_connected(one.token, wire_, {}, now_);
            }
        }
    }

    Given given_;
    Cast cast_;
    sip::Transport over_;
    std::unique_ptr<Performance> performance_;
    transaction::Wire wire_;
    std::string last_;
    Instant now_{1'777'629'601'000'000'000};
    std::uint16_t port_ = 20'000;
};

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    if (input.empty() || input.size() > 65'536) {
        return;
    }
    const auto over = (input[0] & 1) != 0 ? sip::Transport::Udp : sip::Transport::Tls;
    Call{over}.run(as_text(input.subspan(1)));
}
