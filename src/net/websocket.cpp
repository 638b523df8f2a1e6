#include "net/websocket.hpp"

#include <algorithm>
#include <utility>

#include "net/utf8.hpp"

namespace cw::net {
namespace {

enum Opcode : std::uint8_t {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10
};

constexpr std::uint8_t fin = 0x80;
constexpr std::uint8_t masked = 0x80;
constexpr std::size_t largest_control = 125; // [RFC 6455 §5.5]

// [RFC 6455 §7.4.1]
constexpr std::uint16_t protocol_error = 1002;
constexpr std::uint16_t no_code = 1005;
constexpr std::uint16_t not_utf8 = 1007;
constexpr std::uint16_t too_big = 1009;

// [RFC 6455 §7.4] Those that may stand in a frame.
bool may_be_sent(std::uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

// [RFC 6455 §5.3] The same operation masks and unmasks.
void apply_mask(char* bytes, std::size_t size, std::uint32_t key) {
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(key >> (24 - 8 * (i % 4))));
    }
}

} // namespace

struct WebSocket::Frame {
    std::uint8_t opcode = 0;
    bool last = false;
    bool mask = false;
    std::uint32_t key = 0;
    std::size_t head = 0; // octets before the payload; 0: it is not whole
    std::uint64_t payload = 0;
    bool long_form = false; // the length is written with more octets than it needs
    std::uint8_t reserved = 0;
};

namespace {

template <class Frame>
Frame read_frame_head(Bytes bytes) {
    Reader r{bytes};
    Frame f;
    const auto first = r.u8();
    f.last = (first & fin) != 0;
    f.reserved = first & 0x70;
    f.opcode = first & 0x0f;
    const auto second = r.u8();
    f.mask = (second & masked) != 0;
    f.payload = second & 0x7f;
    if (f.payload == 126) {
        f.payload = r.be16();
        f.long_form = f.payload < 126;
    } else if (f.payload == 127) {
        f.payload = r.be64();
        f.long_form = f.payload <= 0xffff;
    }
    f.key = f.mask ? r.be32() : 0;
    f.head = r.ok() ? r.offset() : 0;
    return f;
}

} // namespace

WebSocket::WebSocket(Role role, std::string protocol, const WebSocketLimits& limits,
                     std::function<std::uint32_t()> mask)
    : role_(role), protocol_(std::move(protocol)), limits_(limits), mask_(std::move(mask)) {}

void WebSocket::request(const UpgradeWish& wish) {
    accept_ = accept_of_key(key_of_nonce(wish.nonce));
    write_upgrade_request(output_, wish, protocol_);
}

void WebSocket::feed(Bytes bytes, const OnEvent& on_event) {
    if (state_ == State::Done) {
        return;
    }
    input_ += as_text(bytes);
    if (state_ == State::Upgrade && !read_upgrade(on_event)) {
        return;
    }
    std::size_t at = 0;
    while (state_ != State::Done && read_frame(at, on_event)) {
    }
    if (state_ == State::Done || at == input_.size()) {
        input_ = {}; // an idle connection holds no buffer
    } else {
        input_.erase(0, at);
    }
    // [RFC 6455 §5.5.3] Of several pings that came together the last alone is answered.
    if (const auto ping = std::exchange(ping_, {}); ping && state_ == State::Open) {
        write_frame(Pong, *ping);
    }
}

// ---- upgrade

// True when frames may follow.
bool WebSocket::read_upgrade(const OnEvent& on_event) {
    const auto end = std::string_view{input_}.substr(0, limits_.head).find("\r\n\r\n");
    if (end == std::string::npos) {
        if (input_.size() >= limits_.head) {
            state_ = State::Done;
            if (role_ == Role::Server) {
                write_upgrade_refusal(output_, {"431 Request Header Fields Too Large", "too long"});
            }
            on_event({.kind = Event::Kind::Failed, .text = "the HTTP head is too long"});
        }
        return false;
    }
    const auto head = input_.substr(0, end + 4);
    input_.erase(0, head.size());
    Event event;
    const char* fault = nullptr;
    if (role_ == Role::Client) {
        fault = fault_of_upgrade_answer(head, accept_, protocol_);
    } else {
        const auto wish = read_upgrade_request(head, protocol_);
        if (const auto* refusal = std::get_if<UpgradeRefusal>(&wish); refusal != nullptr) {
            write_upgrade_refusal(output_, *refusal);
            fault = refusal->why;
        } else {
            const auto& asked = std::get<UpgradeRequest>(wish);
            write_upgrade_answer(output_, asked.key, protocol_);
            event.text = asked.path;
            event.origin = asked.origin;
        }
    }
    if (fault != nullptr) {
        state_ = State::Done;
        input_ = {};
        event = {.kind = Event::Kind::Failed, .text = fault};
    } else {
        state_ = State::Open;
    }
    on_event(event);
    return fault == nullptr;
}

// ---- frames

namespace {

// [RFC 6455 §5.2, §5.4, §5.5] Null, or what is wrong with a frame by its head alone.
template <class Frame>
const char* fault_of(const Frame& f, bool from_client, bool in_message) {
    if (f.reserved != 0) {
        return "a reserved bit is set";
    }
    if (f.mask != from_client) {
        return from_client ? "a client's frame is not masked" : "a server's frame is masked";
    }
    if (f.opcode >= Close) {
        return f.opcode > Pong               ? "an unknown opcode"
               : !f.last                     ? "a control frame in fragments"
               : f.payload > largest_control ? "a control frame is too long"
                                             : nullptr;
    }
    if (f.opcode > Binary) {
        return "an unknown opcode";
    }
    if ((f.opcode == Continuation) != in_message) {
        return in_message ? "a message begins within another" : "a continuation of nothing";
    }
    return f.long_form ? "a length is not in its shortest form" : nullptr;
}

} // namespace

// False when there is no whole frame.
bool WebSocket::read_frame(std::size_t& at, const OnEvent& on_event) {
    const auto rest = std::string_view{input_}.substr(at);
    const auto frame = read_frame_head<Frame>(as_bytes(rest));
    if (frame.head == 0) {
        return false;
    }
    if (const char* fault = fault_of(frame, role_ == Role::Server, in_message_); fault != nullptr) {
        fail(protocol_error, fault, on_event);
        return false;
    }
    if (frame.opcode < Close &&
        (frame.payload > limits_.message - message_.size() || fragments_ >= limits_.fragments)) {
        fail(too_big, "a message is too large", on_event);
        return false;
    }
    const auto size = static_cast<std::size_t>(frame.payload);
    if (rest.size() - frame.head < size) {
        return false;
    }
    auto* payload = input_.data() + at + frame.head;
    if (frame.mask) {
        apply_mask(payload, size, frame.key);
    }
    at += frame.head + size;
    frame.opcode < Close ? on_data(frame, {payload, size}, on_event)
                         : on_control(frame, {payload, size}, on_event);
    return true;
}

void WebSocket::on_data(const Frame& frame, std::string_view payload, const OnEvent& on_event) {
    if (frame.opcode != Continuation) {
        binary_ = frame.opcode == Binary;
    }
    in_message_ = !frame.last;
    ++fragments_;
    if (!frame.last || !message_.empty()) {
        message_ += payload;
    }
    if (!frame.last) {
        return;
    }
    fragments_ = 0;
    const auto message = std::exchange(message_, {});
    const auto whole = message.empty() ? payload : std::string_view{message};
    // [RFC 6455 §8.1]
    if (!binary_ && !is_utf8(whole)) {
        fail(not_utf8, "a text is not UTF-8", on_event);
    } else if (state_ == State::Open) {
        on_event({.kind = Event::Kind::Message, .text = whole, .binary = binary_});
    }
}

void WebSocket::on_control(const Frame& frame, std::string_view payload, const OnEvent& on_event) {
    if (frame.opcode == Ping) {
        ping_ = payload;
    } else if (frame.opcode == Close) {
        on_close(payload, on_event);
    } else if (state_ == State::Open) {
        on_event({.kind = Event::Kind::Pong, .text = payload});
    }
}

// [RFC 6455 §5.5.1, §7.1.5]
void WebSocket::on_close(std::string_view payload, const OnEvent& on_event) {
    std::uint16_t code = no_code;
    if (!payload.empty()) {
        Reader r{as_bytes(payload)};
        code = r.be16();
        payload.remove_prefix(std::min<std::size_t>(payload.size(), 2));
        if (!r.ok() || !may_be_sent(code)) {
            fail(protocol_error, "a close frame has no valid code", on_event);
            return;
        }
        if (!is_utf8(payload)) {
            fail(not_utf8, "the reason for closing is not UTF-8", on_event);
            return;
        }
    }
    if (state_ == State::Open) {
        write_close(code == no_code ? 1000 : code, {});
    }
    state_ = State::Done;
    on_event({.kind = Event::Kind::Closed, .text = payload, .code = code});
}

void WebSocket::fail(std::uint16_t code, const char* why, const OnEvent& on_event) {
    if (state_ == State::Open) {
        write_close(code, why);
    }
    state_ = State::Done;
    on_event({.kind = Event::Kind::Failed, .text = why, .code = code});
}

// ---- writing

void WebSocket::write_frame(std::uint8_t opcode, std::string_view payload) {
    const auto put = [this](std::uint64_t value, int octets) {
        for (int i = octets - 1; i >= 0; --i) {
            output_ += static_cast<char>(value >> (8 * i) & 0xff);
        }
    };
    const std::uint8_t mask = role_ == Role::Client ? masked : 0;
    put(fin | opcode, 1);
    if (payload.size() <= 125) {
        put(mask | payload.size(), 1);
    } else if (payload.size() <= 0xffff) {
        put(mask | 126U, 1);
        put(payload.size(), 2);
    } else {
        put(mask | 127U, 1);
        put(payload.size(), 8);
    }
    const auto key = mask != 0 && mask_ ? mask_() : 0;
    if (mask != 0) {
        put(key, 4);
    }
    const auto begin = output_.size();
    output_ += payload;
    if (mask != 0) {
        apply_mask(output_.data() + begin, payload.size(), key);
    }
}

void WebSocket::write_close(std::uint16_t code, std::string_view reason) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    // Cut where a character begins.
    auto size = std::min(reason.size(), largest_control - 2);
    while (size > 0 && size < reason.size() && (reason[size] & 0xc0) == 0x80) {
        --size;
    }
    write_frame(Close, payload.append(reason.substr(0, size)));
}

void WebSocket::send(std::string_view message, bool binary) {
    if (state_ == State::Open) {
        write_frame(binary ? Binary : Text, message);
    }
}

void WebSocket::ping(std::string_view text) {
    if (state_ == State::Open) {
        write_frame(Ping, text.substr(0, largest_control));
    }
}

void WebSocket::close(std::uint16_t code, std::string_view reason) {
    if (state_ == State::Open) {
        write_close(code, reason);
        state_ = State::Closing;
    }
}

} // namespace cw::net
