#include "cli/saved_packets.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include "capture/pcapng_writer.hpp"

namespace cw::cli {
namespace {

// Around what is known of a call: its first SYN, its last ACK, RTCP and media that end late.
constexpr Duration before = seconds(2);
constexpr Duration after = seconds(5);
constexpr std::size_t flush_at = std::size_t{256} << 10;

// The client random in the first record of a handshake [RFC 8446 §5.1, RFC 9147 §4, RFC 6347
// §4.2.2]; empty when it is no ClientHello.
Bytes hello_random(Bytes payload, bool datagrams) {
    constexpr std::uint8_t handshake = 22;
    constexpr std::uint8_t client_hello = 1;
    constexpr std::size_t random = 32;
    const std::size_t header = datagrams ? 13 : 5;  // of the record
    const std::size_t message = datagrams ? 12 : 4; // and of the message in it
    const auto at = header + message + 2;           // behind the version
    if (payload.size() < at + random || payload[0] != handshake ||
        payload[1] != (datagrams ? 0xfe : 3) || payload[header] != client_hello) {
        return {};
    }
    return payload.subspan(at, random);
}

// What an IP packet between two hosts has in its header: both addresses, one behind the other.
std::string addresses_of(const Endpoint& source, const Endpoint& destination) {
    std::string out;
    for (const auto* at : {&source, &destination}) {
        const auto& octets = at->address.octets;
        const auto first = at->address.is_v4() ? octets.size() - 4 : 0;
        out.append(reinterpret_cast<const char*>(octets.data()) + first, octets.size() - first);
    }
    return out;
}

// What fragments of one IP packet have in common, besides the addresses: the identification
// [RFC 791 §3.1, RFC 8200 §4.5]. Empty: the frame has no packet between these hosts.
std::string_view fragment_id(std::string_view frame, std::string_view addresses) {
    constexpr std::size_t both_v4 = 8;
    const auto at = frame.find(addresses);
    if (at == std::string_view::npos) {
        return {};
    }
    // Before the addresses of IPv4 stand flags, lifetime, protocol and checksum; behind those of
    // IPv6, in a fragment, its header.
    const bool v4 = addresses.size() == both_v4;
    const auto id = v4 ? at - std::min<std::size_t>(at, 8) : at + addresses.size() + 4;
    return frame.substr(std::min(id, frame.size()), v4 ? 2 : 4);
}

} // namespace

void SavedPackets::Times::settle() {
    std::ranges::sort(spans_);
    std::size_t kept = 0;
    for (const auto& span : spans_) {
        if (kept > 0 && span.first <= spans_[kept - 1].second) {
            spans_[kept - 1].second = std::max(spans_[kept - 1].second, span.second);
        } else {
            spans_[kept++] = span;
        }
    }
    spans_.resize(kept);
}

bool SavedPackets::Times::contains(Instant time) const {
    const auto next =
        std::ranges::upper_bound(spans_, time, {}, &std::pair<Instant, Instant>::first);
    return next != spans_.begin() && time <= std::prev(next)->second;
}

void SavedPackets::want(const flow::Call& call) {
    for (const auto& message : call.messages) {
        if (message.connection == 0) {
            frames_.insert(key(message.input, message.frame));
            carried_ = carried_ || message.transport == flow::Transport::Hep;
        } else {
            ++messages_;
        }
    }
    for (const auto& connection : call.connections) {
        if (!seen_.emplace(connection.id, connection).second) {
            continue;
        }
        const auto from = std::min(connection.opened,
                                   connection.hello.ns != 0 ? connection.hello : connection.opened);
        const bool open = connection.closed < connection.opened;
        connections_[ends_of(connection.client, connection.server)].add(
            from - before, open ? Instant{INT64_MAX} : connection.closed + after);
    }
    want_media(call);
}

void SavedPackets::want_media(const flow::Call& call) {
    auto until = call.end;
    for (const auto& stream : call.streams) {
        until = std::max(until, stream.last);
    }
    for (const auto& line : call.media_lines) {
        if (line.receive.port != 0) {
            want_media_at(line.receive, call.start, until);
        }
    }
    for (const auto& stream : call.streams) {
        want_media_at(stream.source, stream.first, stream.last);
        want_media_at(stream.destination, stream.first, stream.last);
    }
}

void SavedPackets::want_media_at(const Endpoint& at, Instant from, Instant until) {
    media_[at].add(from - before, until + after);
    auto rtcp = at; // [RFC 3550 §11]: the next port, where it is not the same [RFC 5761]
    ++rtcp.port;
    media_[rtcp].add(from - before, until + after);
}

std::expected<capture::MergedSource, ReadFailure> SavedPackets::open() const {
    std::vector<std::unique_ptr<capture::PacketSource>> sources;
    for (const auto& path : files_) {
        std::error_code ignored;
        if (!std::filesystem::is_regular_file(path, ignored)) {
            return std::unexpected{ReadFailure{fmt::format(
                "{}: cannot be read a second time, which the packets need; the messages alone can "
                "be saved: --format messages, or a name.messages.pcapng",
                path == "-" ? "standard input" : path)}};
        }
        auto source = capture::PacketSource::open(path, static_cast<std::uint16_t>(sources.size()));
        if (!source) {
            return std::unexpected{ReadFailure{capture::describe_open_error(path, source.error())}};
        }
        sources.push_back(std::move(*source));
    }
    return capture::MergedSource{std::move(sources)};
}

std::expected<void, ReadFailure> SavedPackets::write(const view::Sink& sink) {
    for (auto& [ends, times] : connections_) {
        times.settle();
    }
    for (auto& [at, times] : media_) {
        times.settle();
    }
    if (carried_) { // HEP in a stream: its connection is not in the call
        auto first = open();
        if (!first) {
            return std::unexpected{first.error()};
        }
        finding_carriers_ = true;
        while (const auto* packet = first->next()) {
            packet_ = packet;
            decapsulator_.unwrap(*packet, *this);
        }
        finding_carriers_ = false;
    }
    auto source = open();
    if (!source) {
        return std::unexpected{source.error()};
    }
    capture::put_section(out_);
    for (const auto& [id, connection] : seen_) {
        put_secrets_of_late(connection);
    }
    while (const auto* packet = source->next()) {
        take(*packet);
        if (out_.size() >= flush_at) {
            sink(out_);
            out_.clear();
        }
    }
    sink(out_);
    out_.clear();
    return {};
}

void SavedPackets::take(const capture::Packet& packet) {
    packet_ = &packet;
    any_ = false;
    keep_ = frames_.contains(key(packet.input, packet.frame));
    decapsulator_.unwrap(packet, *this);
    if (keep_) {
        put(packet, packet.data);
    } else if (!any_) {
        hold(packet);
    }
}

void SavedPackets::on_datagram(const capture::Datagram& datagram) {
    if (datagram.frame != packet_->frame || datagram.input != packet_->input) {
        return; // given up: its last fragment never came
    }
    any_ = true;
    const bool wanted = frames_.contains(key(datagram.input, datagram.frame));
    if (finding_carriers_) {
        if (wanted && datagram.protocol == capture::Protocol::Tcp) {
            connections_[ends_of(datagram.source, datagram.destination)] = {};
            connections_[ends_of(datagram.source, datagram.destination)].add(Instant{INT64_MIN},
                                                                             Instant{INT64_MAX});
        }
        return;
    }
    const bool keep = wanted || is_wanted(datagram);
    keep_ = keep_ || keep;
    const auto* begin = datagram.payload.data();
    const auto* data = packet_->data.data();
    if (begin != nullptr && (begin < data || begin >= data + packet_->data.size())) {
        take_fragments(datagram, keep);
    }
    if (keep) {
        put_secrets_for(datagram);
    }
}

bool SavedPackets::is_wanted(const capture::Datagram& datagram) const {
    using capture::Protocol;
    if (datagram.protocol == Protocol::Tcp || datagram.protocol == Protocol::Sctp) {
        const auto at = connections_.find(ends_of(datagram.source, datagram.destination));
        return at != connections_.end() && at->second.contains(datagram.time);
    }
    if (datagram.protocol != Protocol::Udp) {
        return false;
    }
    return std::ranges::any_of(
        std::initializer_list<const Endpoint*>{&datagram.source, &datagram.destination},
        [&](const Endpoint* end) {
            const auto at = media_.find(*end);
            return at != media_.end() && at->second.contains(datagram.time);
        });
}

void SavedPackets::put(const capture::Packet& packet, Bytes bytes) {
    const auto number = static_cast<std::uint32_t>(interfaces_.size());
    const auto [at, fresh] =
        interfaces_.try_emplace({packet.input, packet.interface, packet.link_type}, number);
    if (fresh) {
        capture::put_interface(out_, static_cast<std::uint16_t>(packet.link_type));
    }
    capture::put_packet(out_, at->second, packet.time, bytes, packet.original_length);
}

// The other fragments of a datagram, which came before: they are not held any more.
void SavedPackets::take_fragments(const capture::Datagram& last, bool keep) {
    const auto addresses = addresses_of(last.source, last.destination);
    const auto id = fragment_id(as_text(packet_->data), addresses);
    std::erase_if(held_, [&](const Held& held) {
        if (id.empty() || fragment_id(held.bytes, addresses) != id) {
            return false;
        }
        held_bytes_ -= held.bytes.size();
        if (keep) {
            put(held.packet, as_bytes(held.bytes));
        }
        return true;
    });
}

void SavedPackets::hold(const capture::Packet& packet) {
    constexpr Duration longest = seconds(30);
    constexpr std::size_t most_bytes = std::size_t{4} << 20;
    held_.push_back({packet, std::string{as_text(packet.data)}});
    held_bytes_ += packet.data.size();
    while (held_bytes_ > most_bytes || packet.time - held_.front().packet.time > longest) {
        held_bytes_ -= held_.front().bytes.size();
        held_.pop_front();
    }
}

void SavedPackets::put_secrets_for(const capture::Datagram& datagram) {
    const auto random = hello_random(datagram.payload, datagram.protocol == capture::Protocol::Udp);
    if (random.empty()) {
        return;
    }
    const auto entry = keys_.find(random);
    if (entry != crypto::KeyRing::none && told_.insert(entry).second) {
        std::string lines;
        keys_.append_lines(lines, entry);
        capture::put_secrets(out_, lines);
    }
}

// Of a connection whose ClientHello is not in the capture, and of one that an RSA key opened.
void SavedPackets::put_secrets_of_late(const flow::Connection& connection) {
    constexpr std::size_t most_notes = 8; // as the reader tries them
    if (!connection.is_tls() || !connection.decrypted) {
        return;
    }
    if (connection.hello.ns != 0) {
        without_secrets_ += connection.key_hint.starts_with("RSA") ? 1 : 0;
        return;
    }
    const auto notes = keys_.notes_of(connection.client, connection.server, most_notes);
    std::string lines;
    for (const auto* note : notes) {
        crypto::append_note(lines, *note);
        if (const auto entry = keys_.find(note->client_random); entry != crypto::KeyRing::none) {
            keys_.append_lines(lines, entry);
            told_.insert(entry);
        }
    }
    if (lines.empty()) {
        ++without_secrets_;
    } else {
        capture::put_secrets(out_, lines);
    }
}

std::vector<std::string> SavedPackets::remarks() const {
    std::vector<std::string> out;
    std::uint64_t all = 0;
    for (const auto& [id, connection] : seen_) {
        all += connection.sip_messages;
    }
    if (!told_.empty()) {
        out.emplace_back("it holds TLS secrets");
    }
    if (all > messages_) {
        out.push_back(fmt::format("{} messages of other calls went over the same connections and "
                                  "are in it",
                                  all - messages_));
    }
    if (without_secrets_ > 0) {
        out.push_back(fmt::format("{} TLS connection{} still need --keys", without_secrets_,
                                  without_secrets_ == 1 ? "" : "s"));
    }
    return out;
}

} // namespace cw::cli
