#include "capture/conversation.hpp"

#include <algorithm>
#include <cstring>

#include "capture/proxy_protocol.hpp"
#include "capture/recognise.hpp"

namespace cw::capture {
namespace {

constexpr std::size_t tls_header = 5;
constexpr Duration ping_patience = seconds(10);
// How many segments of a stream that was joined in the middle are looked at before it is given up.
constexpr std::uint32_t patience = 64;
// A capture with a small snaplen has a hole in every segment; the sum says enough then.
constexpr std::size_t most_lost_places = 64;
// The ports that SIP servers are known by: 5060 and 5061 [RFC 3261 §19.1.2], 80 and 443 for
// WebSocket [RFC 7118 §5.2.2].
constexpr std::array<std::uint16_t, 4> server_ports{5061, 5060, 443, 80};

// Of two endpoints. Asked for every packet, so in words; std::array would call memcmp.
bool same(const Endpoint& a, const Endpoint& b) {
    const auto word = [](const Endpoint& e, std::size_t at) {
        std::uint64_t out = 0;
        std::memcpy(&out, e.address.octets.data() + at, sizeof out);
        return out;
    };
    return a.port == b.port && word(a, 8) == word(b, 8) && word(a, 0) == word(b, 0);
}

// Who answered, when no SYN tells: a well-known port, else the lower one.
bool source_is_server(const Datagram& first) {
    if ((first.tcp_flags & tcp_flag::syn) != 0) {
        return (first.tcp_flags & tcp_flag::ack) != 0;
    }
    for (const auto port : server_ports) {
        if ((first.source.port == port) != (first.destination.port == port)) {
            return first.source.port == port;
        }
    }
    return first.source.port < first.destination.port;
}

} // namespace

struct Conversation::FromTcp final : TcpStream::Sink {
    FromTcp(Conversation& to, Side from) : conversation(to), side(from) {}
    void on_bytes(Bytes bytes, const Datagram& by) override {
        conversation.on_stream_bytes(side, bytes, by);
    }
    void on_gap(std::uint64_t missing, const Datagram& by) override {
        conversation.on_stream_gap(side, missing, by);
    }
    Conversation& conversation;
    Side side;
};

struct Conversation::FromTls final : tls::Sink {
    explicit FromTls(Conversation& to) : conversation(to) {}
    void on_plaintext(Side from, Bytes data, const Datagram& by) override {
        conversation.on_application_bytes(from, data, by);
    }
    void on_event(const tls::Event&, const Datagram&) override {} // the record has them at the end
    void on_plaintext_gap(Side from, std::uint64_t bytes, const Datagram&) override;
    Conversation& conversation;
};

struct Conversation::FromApplication final : Application::Sink {
    explicit FromApplication(Conversation& to) : conversation(to) {}
    void on_sip(Side from, std::string_view message, bool truncated, const Datagram& by) override {
        conversation.shared_.sink.on_sip(conversation, from, message, truncated, by);
    }
    void on_hep(Bytes packet, const Datagram& by) override {
        conversation.shared_.sink.on_hep(packet, by);
    }
    Conversation& conversation;
};

void Conversation::FromTls::on_plaintext_gap(Side from, std::uint64_t bytes, const Datagram&) {
    if (conversation.application_ != nullptr) {
        FromApplication sink{conversation};
        conversation.application_->on_gap(from, bytes, sink);
    }
}

Conversation::Conversation(std::uint32_t id, const Datagram& first, const Shared& shared)
    : shared_(shared), id_(id), first_frame_(first.frame), input_(first.input),
      from_start_((first.tcp_flags & tcp_flag::syn) != 0), client_(first.source),
      server_(first.destination), opened_(first.time), last_(first.time) {
    if (source_is_server(first)) {
        std::swap(client_, server_);
    }
}

bool Conversation::is_between(const Endpoint& a, const Endpoint& b) const {
    return (same(client_, a) && same(server_, b)) || (same(client_, b) && same(server_, a));
}

bool Conversation::starts_new_connection(const Datagram& segment) const {
    if ((segment.tcp_flags & tcp_flag::syn) == 0) {
        return false;
    }
    const auto side = segment.source == client_ ? Side::Client : Side::Server;
    return streams_[index_of(side)].starts_new_connection(segment);
}

bool Conversation::is_closed() const {
    return reset_ || fins_ == 3;
}

flow::Transport Conversation::transport() const {
    const bool websocket =
        application_ != nullptr && application_->content() == Application::Content::WebSocket;
    if (tls_ != nullptr) {
        return websocket ? flow::Transport::Wss : flow::Transport::Tls;
    }
    return websocket ? flow::Transport::Ws : flow::Transport::Tcp;
}

void Conversation::on_segment(const Datagram& segment) {
    last_ = std::max(last_, segment.time);
    const auto side = same(segment.source, client_) ? Side::Client : Side::Server;
    reset_ = reset_ || (segment.tcp_flags & tcp_flag::rst) != 0;
    if ((segment.tcp_flags & tcp_flag::fin) != 0) {
        fins_ = static_cast<std::uint8_t>(fins_ | 1U << index_of(side));
    }
    if (layer_ == Layer::Other) {
        return;
    }
    FromTcp sink{*this, side};
    streams_[index_of(side)].on_segment(segment, sink);
    FromTcp peer{*this, other(side)};
    streams_[index_of(other(side))].on_peer_segment(segment, peer);
}

void Conversation::on_stream_bytes(Side from, Bytes bytes, const Datagram& by) {
    bytes_ += bytes.size();
    if (layer_ != Layer::Undecided) {
        on_decided_bytes(from, bytes, by);
        return;
    }
    // The first bytes of a record, or a balancer's header before them, may come alone; nothing
    // shorter than a record's header can tell.
    auto& prefix = prefix_[index_of(from)];
    const auto undecided = [&](Bytes first) {
        return first.size() < tls_header ||
               (from_start_ && find_proxy_header(first).found == ProxyHeader::Found::Part);
    };
    if (prefix.empty() && !undecided(bytes)) {
        begin(from, bytes, by);
        return;
    }
    prefix.append(as_text(bytes));
    if (undecided(as_bytes(prefix))) {
        return;
    }
    const auto whole = std::move(prefix);
    prefix.clear();
    begin(from, as_bytes(whole), by);
}

// The first bytes of a direction, as many as it takes to tell what they are.
void Conversation::begin(Side from, Bytes bytes, const Datagram& by) {
    if (const auto header = find_proxy_header(bytes);
        from_start_ && header.found == ProxyHeader::Found::Whole) {
        bytes = bytes.subspan(header.size);
        if (bytes.size() < tls_header) {
            prefix_[index_of(from)] = as_text(bytes);
            return;
        }
    }
    decide(bytes);
    on_decided_bytes(from, bytes, by);
}

void Conversation::on_decided_bytes(Side from, Bytes bytes, const Datagram& by) {
    if (layer_ == Layer::Tls) {
        FromTls sink{*this};
        tls_->on_bytes(from, bytes, by, sink);
    } else if (layer_ == Layer::Plain) {
        on_application_bytes(from, bytes, by);
    }
}

void Conversation::decide(Bytes bytes) {
    if (looks_like_tls(bytes)) {
        layer_ = Layer::Tls;
        tls_ = std::make_unique<tls::Connection>(shared_.keys, shared_.sessions);
        tls_->set_ends(client_, server_);
        return;
    }
    // A stream that was joined in the middle may show a record at any later segment.
    if (!from_start_ && ++tried_ <= patience && !is_for_us_in_the_middle(bytes)) {
        return;
    }
    layer_ = Layer::Plain;
}

void Conversation::on_stream_gap(Side from, std::uint64_t missing, const Datagram& by) {
    missing_ += missing;
    if (missing > 0 && lost_.size() < most_lost_places) {
        lost_.push_back({by.time.known() ? by.time : last_, missing, from == Side::Client});
    }
    if (layer_ == Layer::Tls) {
        FromTls sink{*this};
        tls_->on_gap(from, missing, by, sink);
    } else if (layer_ == Layer::Plain && application_ != nullptr) {
        FromApplication sink{*this};
        application_->on_gap(from, missing, sink);
    } else {
        prefix_[index_of(from)].clear();
        from_start_ = false;
    }
}

// "If a pong is not received within 10 seconds after sending a ping (or immediately after
// processing any incoming message being received when that 10 seconds expires) […]" the flow has
// failed [RFC 5626 §4.4.1].
void Conversation::note_keep_alive(Side from, Bytes bytes, Instant time) {
    if (from == Side::Server) {
        heard_after_ping_ = unanswered_ping_.known();
        if (ping_.known() && !unanswered_ping_.known() && time - ping_ > ping_patience) {
            unanswered_ping_ = ping_;
            heard_after_ping_ = true;
        }
        ping_ = {};
    } else if (as_text(bytes) == "\r\n\r\n" && !ping_.known()) {
        ping_ = time;
    }
}

bool Conversation::carries_hep() const {
    return application_ != nullptr && application_->content() == Application::Content::Hep;
}

void Conversation::on_application_bytes(Side from, Bytes bytes, const Datagram& by) {
    note_keep_alive(from, bytes, by.time);
    if (application_ == nullptr) {
        application_ = std::make_unique<Application>(from_start_);
    }
    FromApplication sink{*this};
    application_->on_bytes(from, bytes, by, sink);
    if (application_->is_hopeless() && tls_ == nullptr && messages_ == 0) {
        give_up();
    }
}

// Nothing for us: what is held goes, and further segments cost a look-up.
void Conversation::give_up() {
    layer_ = Layer::Other;
    for (auto& stream : streams_) {
        stream.ignore();
    }
    prefix_ = {};
}

void Conversation::finish() {
    for (const auto side : {Side::Client, Side::Server}) {
        FromTcp sink{*this, side};
        streams_[index_of(side)].flush(sink);
    }
    if (tls_ != nullptr) {
        FromTls sink{*this};
        tls_->finish(sink);
    }
    if (application_ != nullptr) {
        FromApplication sink{*this};
        application_->flush(sink);
    }
}

flow::Connection Conversation::record() const {
    flow::Connection c;
    c.id = id_;
    c.client = client_;
    c.server = server_;
    c.transport = transport();
    c.start_seen = from_start_;
    c.accepted = streams_[index_of(Side::Server)].syn_seen();
    c.unanswered_ping = unanswered_ping_.known() ? unanswered_ping_ : ping_;
    c.heard_after_ping = heard_after_ping_;
    c.fin = fins_ != 0;
    c.rst = reset_;
    c.frame = first_frame_;
    c.opened = opened_;
    c.closed = last_;
    c.bytes = bytes_;
    c.missing_bytes = missing_;
    c.lost = lost_;
    c.sip_messages = messages_;
    if (application_ != nullptr) {
        c.stray = application_->stray();
    }
    if (tls_ != nullptr) {
        tls_->describe(c);
        if (tls_->roles_swapped()) {
            std::swap(c.client, c.server);
            c.stray.from_client = !c.stray.from_client;
            for (auto& place : c.lost) {
                place.from_client = !place.from_client;
            }
        }
    }
    return c;
}

} // namespace cw::capture
