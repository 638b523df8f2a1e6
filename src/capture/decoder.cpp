#include "capture/decoder.hpp"

#include <algorithm>

#include "capture/hep.hpp"
#include "capture/recognise.hpp"
#include "rtp/packet.hpp"

namespace cw::capture {
namespace {

// After FIN or RST, late segments of the connection may still come.
constexpr Duration linger = seconds(10);
// SIP connections are kept open by a keep-alive every few minutes [RFC 5626 §4.4.1]; one that was
// silent for two hours was dropped without our seeing it.
constexpr Duration silent = seconds(2 * 3600);
constexpr Duration silent_and_ignored = seconds(300);
// Connections that never came about are of interest where somebody wanted SIP; a scan of ports must
// not fill the memory with them.
constexpr std::uint32_t most_fruitless = 1000;
// A scan of all ports must not fill memory.
constexpr std::uint32_t most_unnamed = 256;
constexpr std::size_t most_clients = 65'536;

flow::Sighting sighting_of(const Datagram& d) {
    return {.time = d.time,
            .frame = d.frame,
            .input = d.input,
            .ip_id = d.ip_id,
            .source = d.source,
            .destination = d.destination};
}

} // namespace

struct Decoder::FromSctp final : SctpStream::Sink {
    FromSctp(Decoder& to, std::uint32_t connection) : decoder(to), id(connection) {}
    void on_message(std::uint16_t, Bytes message, bool truncated, const Datagram& by) override {
        if (looks_like_sip(as_text(message))) {
            decoder.listener_.on_sip(
                {sighting_of(by), flow::Transport::Sctp, id, truncated, as_text(message)});
        } else {
            decoder.ignore(by, "sctp data");
        }
    }
    void on_lost(std::uint64_t) override {}
    Decoder& decoder;
    std::uint32_t id;
};

Decoder::Decoder(flow::Listener& listener, const crypto::KeyRing& keys)
    : listener_(listener), dtls_(keys), shared_{keys, sessions_, *this} {}

Decoder::~Decoder() = default;

void Decoder::on_packet(const Packet& packet) {
    last_ = std::max(last_, packet.time);
    input(packet.input).decapsulator.unwrap(packet, *this);
}

Decoder::Input& Decoder::input(std::uint16_t number) {
    if (number == 0 && first_input_ != nullptr) {
        return *first_input_;
    }
    while (inputs_.size() <= number) {
        inputs_.push_back(std::make_unique<Input>());
    }
    first_input_ = inputs_.front().get();
    return *inputs_[number];
}

void Decoder::on_datagram(const Datagram& datagram) {
    switch (datagram.protocol) {
    case Protocol::Udp:
        on_udp(datagram);
        return;
    case Protocol::Tcp:
        on_tcp(datagram);
        return;
    case Protocol::Sctp:
        on_sctp(datagram);
        return;
    case Protocol::Hep:
    case Protocol::Sip:
        listener_.on_sip({sighting_of(datagram), datagram.carried_over, 0, datagram.truncated,
                          as_text(datagram.payload)});
        return;
    }
}

// Several protocols share the ports of a call; the first byte tells them apart [RFC 7983 §7].
void Decoder::on_udp(const Datagram& datagram) {
    const auto payload = datagram.payload;
    if (payload.empty()) {
        ignore(datagram, "udp without payload");
        return;
    }
    const auto first = payload[0];
    if (first >= 0x80 && first < 0xc0) {
        listener_.on_media({sighting_of(datagram), payload, datagram.missing});
        return;
    }
    if (looks_like_sip(as_text(payload))) {
        listener_.on_sip(
            {sighting_of(datagram), flow::Transport::Udp, 0, datagram.truncated, as_text(payload)});
        return;
    }
    switch (rtp::demultiplex(payload)) {
    case rtp::Kind::Stun:
        dtls_.on_stun(datagram, listener_);
        ignore(datagram, "stun");
        return;
    case rtp::Kind::Dtls:
        listener_.on_dtls(sighting_of(datagram));
        if (!dtls_.on_datagram(datagram, listener_)) {
            ignore(datagram, "dtls");
        }
        tls_seen_ = true;
        return;
    case rtp::Kind::TurnChannel:
        ignore(datagram, "turn channel data");
        return;
    case rtp::Kind::Zrtp:
        ignore(datagram, "zrtp");
        return;
    case rtp::Kind::Rtp:
    case rtp::Kind::Rtcp:
    case rtp::Kind::Unknown:
        break;
    }
    const bool keep_alive =
        payload.size() <= 4 &&
        as_text(payload).find_first_not_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos;
    ignore(datagram, keep_alive ? "sip keep-alive" : "udp, not sip or rtp");
}

void Decoder::on_tcp(const Datagram& datagram) {
    auto*& known = recent(datagram);
    if (known == nullptr || !known->is_between(datagram.source, datagram.destination) ||
        known->starts_new_connection(datagram)) {
        known = conversation_of(datagram).get();
    }
    auto& conversation = *known;
    conversation.on_segment(datagram);
    tls_seen_ = tls_seen_ || flow::is_secure(conversation.transport());
}

Conversation*& Decoder::recent(const Datagram& segment) {
    // The same for both directions. What differs is at the end of addresses, or the ports.
    const auto number = [](const Endpoint& e) {
        std::uint32_t last = 0;
        std::memcpy(&last, e.address.octets.data() + 12, sizeof last);
        return (last + e.port * 0x1'0001U) * 0x9e37'79b1U;
    };
    const auto both = number(segment.source) + number(segment.destination);
    return recent_[both >> (32 - recent_bits)];
}

// That of these two ends; a new one where there is none, or where the segment begins one.
std::unique_ptr<Conversation>& Decoder::conversation_of(const Datagram& segment) {
    const auto ends = Ends::of(segment.source, segment.destination);
    const auto at = conversations_.find(ends);
    if (at != conversations_.end() && !at->second->starts_new_connection(segment)) {
        return at->second;
    }
    if (at != conversations_.end()) {
        close(*at->second);
    } else if (conversations_.size() >= sweep_at_) {
        sweep(segment.time);
    }
    auto& place = conversations_[ends];
    place = std::make_unique<Conversation>(next_id_++, segment, shared_);
    by_id_.emplace(place->id(), place.get());
    return place;
}

void Decoder::on_sctp(const Datagram& datagram) {
    const auto ends = Ends::of(datagram.source, datagram.destination);
    auto& association = associations_[ends];
    if (association == nullptr) {
        association = std::make_unique<Association>();
        association->id = next_id_++;
    }
    FromSctp sink{*this, association->id};
    association->streams[datagram.source == ends.low ? 0 : 1].on_chunks(datagram, sink);
}

void Decoder::on_sip(Conversation& on, Side from, std::string_view message, bool truncated,
                     const Datagram& by) {
    auto at = sighting_of(by);
    at.source = on.endpoint(from);
    at.destination = on.endpoint(other(from));
    if (on.count_message() == 1 && clients_.size() < most_clients) {
        clients_.insert(on.endpoint(Side::Client));
        servers_.insert(on.endpoint(Side::Server));
    }
    listener_.on_sip({at, on.transport(), on.id(), truncated, message});
}

void Decoder::on_hep(Bytes packet, const Datagram& by) {
    const auto hep = parse_hep(packet);
    if (!hep || hep->compressed || hep->type != 1) {
        ignore(by, "hep, not sip");
        return;
    }
    auto at = sighting_of(by);
    at.time = hep->time.known() ? hep->time : at.time;
    at.ip_id = 0;
    at.source = hep->source;
    at.destination = hep->destination;
    listener_.on_sip({at, hep->carrier(), 0, false, as_text(hep->payload)});
}

bool Decoder::describe(std::uint32_t id, flow::Connection& connection) const {
    const auto at = by_id_.find(id);
    if (at == by_id_.end()) {
        return false;
    }
    connection = at->second->record();
    return true;
}

void Decoder::close(Conversation& conversation) {
    conversation.finish();
    by_id_.erase(conversation.id());
    const auto server = conversation.endpoint(Side::Server);
    const bool to_client = clients_.contains(server);
    if (conversation.is_worth_keeping()) {
        listener_.on_connection(conversation.record());
    } else if (conversation.is_fruitless() && fruitless_ < most_fruitless &&
               (to_client || servers_.contains(server) || server.port == 5060 ||
                server.port == 5061)) {
        ++fruitless_;
        auto record = conversation.record();
        record.to_client = to_client;
        listener_.on_connection(record);
    } else if (!conversation.carries_hep()) {
        if (conversation.is_fruitless() && unnamed_ < most_unnamed) {
            ++unnamed_;
            auto record = conversation.record();
            record.unnamed = true;
            listener_.on_connection(record);
        }
        input(conversation.input()).ignored.add("tcp connection, not sip or tls");
    }
}

// Lets go of connections that have ended. Costs a look at each, so it waits until there are twice
// as many as were left the last time.
void Decoder::sweep(Instant now) {
    recent_.fill(nullptr);
    for (auto at = conversations_.begin(); at != conversations_.end();) {
        auto& conversation = *at->second;
        const auto patience = conversation.is_closed()    ? linger
                              : conversation.is_ignored() ? silent_and_ignored
                                                          : silent;
        if (now - conversation.last_activity() > patience) {
            close(conversation);
            conversations_.erase(at++);
        } else {
            ++at;
        }
    }
    sweep_at_ = std::max<std::size_t>(256, 2 * conversations_.size());
}

void Decoder::finish() {
    for (const auto& input : inputs_) {
        input->decapsulator.finish(*this);
    }
    for (auto& [ends, association] : associations_) {
        FromSctp sink{*this, association->id};
        for (auto& stream : association->streams) {
            stream.flush(sink);
        }
    }
    // By number, so that what the ends of streams bring comes in the same order each time.
    std::vector<Conversation*> rest;
    rest.reserve(conversations_.size());
    for (const auto& [ends, conversation] : conversations_) {
        rest.push_back(conversation.get());
    }
    std::ranges::sort(rest, {}, &Conversation::id);
    for (auto* conversation : rest) {
        close(*conversation);
    }
    recent_.fill(nullptr);
    conversations_.clear();
    listener_.finish(last_);
}

std::vector<Ignored::Entry> Decoder::ignored(std::uint16_t number) const {
    if (number >= inputs_.size()) {
        return {};
    }
    const auto& input = *inputs_[number];
    auto all = input.decapsulator.ignored().entries();
    const auto& ours = input.ignored.entries();
    all.insert(all.end(), ours.begin(), ours.end());
    return all;
}

} // namespace cw::capture
