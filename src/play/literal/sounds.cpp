#include "play/literal/sounds.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "play/literal/received.hpp"

namespace cw::play::literal {
namespace {

constexpr Duration packet_time = milliseconds(20);
constexpr std::size_t packet_size = 160;
constexpr std::size_t most_packets = 200'000;

std::string_view next_part(std::string_view& text) {
    const auto comma = text.find(',');
    const auto part = trim(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    return part;
}

void append_number(std::string& out, std::uint32_t number, int octets) {
    while (octets-- > 0) {
        out += static_cast<char>(number >> (8U * static_cast<unsigned>(octets)) & 0xffU);
    }
}

// Little- or big-endian, as the capture's magic number says.
std::uint32_t number_at(std::string_view bytes, std::size_t at, bool swapped) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const auto octet = static_cast<std::uint8_t>(bytes[at + (swapped ? i : 3 - i)]);
        out = out << 8U | octet;
    }
    return out;
}

// The payload of UDP within IPv4 within an Ethernet or raw frame; empty where it is another.
std::string_view udp_payload(std::string_view frame, std::uint32_t link) {
    std::size_t at = link == 1 ? 14 : link == 113 ? 16 : 0;
    if (frame.size() < at + 28 || (static_cast<std::uint8_t>(frame[at]) >> 4U) != 4 ||
        frame[at + 9] != 17) {
        return {};
    }
    at += (static_cast<std::uint8_t>(frame[at]) & 0x0fU) * 4U + 8;
    return at < frame.size() ? frame.substr(at) : std::string_view{};
}

} // namespace

void Sounds::learn(std::string_view message) {
    const auto body = body_of(message);
    const auto media = body.find("m=audio ");
    if (media == std::string_view::npos) {
        return;
    }
    const auto rest = body.substr(media + 8);
    const auto port = parse_number<std::uint16_t>(rest.substr(0, rest.find_first_of(" /")));
    auto connection = body.find("c=IN IP", media);
    connection = connection == std::string_view::npos ? body.find("c=IN IP") : connection;
    if (!port || connection == std::string_view::npos || connection + 9 >= body.size()) {
        return;
    }
    auto address = body.substr(connection + 9);
    address = address.substr(0, address.find_first_of("/\r\n "));
    if (const auto ip = IpAddress::parse(address); ip && *port != 0) {
        to_ = Endpoint{*ip, *port};
    }
    // Digits have the payload type that the other side has for them [RFC 4733 §2.4.1].
    const auto event = body.find(" telephone-event/", media);
    const auto map = event == std::string_view::npos ? event : body.rfind("a=rtpmap:", event);
    if (map != std::string_view::npos) {
        events_ =
            parse_number<std::uint8_t>(body.substr(map + 9, event - map - 9)).value_or(events_);
    }
}

std::string Sounds::header(std::uint8_t type, bool mark) {
    std::string out;
    out += static_cast<char>(0x80);
    out += static_cast<char>((mark ? 0x80U : 0U) | (type & 0x7fU));
    append_number(out, sequence_++, 2);
    append_number(out, timestamp_, 4);
    append_number(out, ssrc_, 4);
    return out;
}

void Sounds::begin(const SoundAsked& asked, Instant now) {
    using How = script::literal::Sound::How;
    std::string_view what = asked.what;
    if (asked.how == How::Echo) {
        echoes_ = !what.starts_with("stop");
    } else if (asked.how == How::Replay) {
        begin_replay(what, now);
    } else if (what.starts_with("pause")) {
        paused_ = true;
    } else if (what.starts_with("resume")) {
        paused_ = false;
    } else if (what.starts_with("dtmf ")) {
        begin_digits(what.substr(5), now);
    } else if (!what.starts_with("vpattern")) { // video has no socket here
        begin_stream(what, now);
    }
}

// file[,loops[,payload type[,codec]]]
void Sounds::begin_stream(std::string_view what, Instant now) {
    const auto file = next_part(what);
    const auto loops = next_part(what);
    const auto type = next_part(what);
    loops_ = parse_number<std::int32_t>(loops).value_or(1);
    type_ = parse_number<std::uint8_t>(type).value_or(0);
    if (file == "apattern") {
        payload_ =
            std::make_shared<const std::string>(packet_size * 50, static_cast<char>(0xaa + loops_));
        loops_ = -1;
    } else if (const auto found = given_.recordings.find(std::string{file});
               found != given_.recordings.end()) {
        payload_ = found->second;
    } else {
        payload_ = std::make_shared<const std::string>(packet_size * 50,
                                                       static_cast<char>(type_ == 8 ? 0xd5 : 0xff));
    }
    at_ = 0;
    due_ = now;
    paused_ = false;
}

// [RFC 4733 §2.5.1.2]: an event is repeated while it lasts, and its end three times.
void Sounds::begin_digits(std::string_view digits, Instant now) {
    constexpr std::string_view events = "0123456789*#ABCD";
    packets_.clear();
    next_ = 0;
    began_ = now;
    Duration at;
    for (const char digit : digits.substr(0, 64)) {
        const auto event = events.find(digit);
        if (event == std::string_view::npos) {
            continue;
        }
        for (std::uint32_t i = 1; i <= 8; ++i) {
            const bool end = i > 5;
            Packet packet;
            packet.at = at;
            packet.bytes = header(events_, i == 1);
            packet.bytes += static_cast<char>(event);
            packet.bytes += static_cast<char>(end ? 0x8a : 0x0a);
            append_number(packet.bytes, std::min<std::uint32_t>(i, 5) * packet_size, 2);
            packets_.push_back(std::move(packet));
            at = at + packet_time;
        }
        timestamp_ += packet_size * 20;
        at = at + milliseconds(100);
    }
}

void Sounds::begin_replay(std::string_view file, Instant now) {
    packets_.clear();
    next_ = 0;
    began_ = now;
    const auto found = given_.recordings.find(std::string{file});
    if (found == given_.recordings.end() || found->second->size() < 24) {
        return;
    }
    const std::string_view bytes{*found->second};
    const auto magic = number_at(bytes, 0, false);
    const bool swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    const bool nano = magic == 0xa1b23c4d || magic == 0x4d3cb2a1;
    if (!swapped && magic != 0xa1b2c3d4 && !nano) {
        return; // not a capture of the classic kind
    }
    const auto link = number_at(bytes, 20, swapped);
    std::optional<Instant> first;
    for (std::size_t at = 24; at + 16 <= bytes.size() && packets_.size() < most_packets;) {
        const Instant when{std::int64_t{number_at(bytes, at, swapped)} * 1'000'000'000 +
                           std::int64_t{number_at(bytes, at + 4, swapped)} * (nano ? 1 : 1000)};
        const std::size_t size = number_at(bytes, at + 8, swapped);
        at += 16;
        if (size > bytes.size() - at) {
            break;
        }
        const auto payload = udp_payload(bytes.substr(at, size), link);
        at += size;
        if (!payload.empty()) {
            first = first.value_or(when);
            packets_.push_back({when - *first, std::string{payload}});
        }
    }
}

void Sounds::advance(Instant now, Wants& wants) {
    const auto send = [&](std::string bytes) {
        if (own_ && to_) {
            wants.media.push_back({own_->socket, *to_, std::move(bytes)});
            ++sent_;
        }
    };
    for (std::size_t burst = 0; due_.known() && due_ <= now && burst < 50; ++burst) {
        due_ = due_ + packet_time;
        if (paused_ || payload_->empty()) {
            continue;
        }
        auto bytes = header(type_, sent_ == 0);
        bytes += std::string_view{*payload_}.substr(at_, packet_size);
        send(std::move(bytes));
        timestamp_ += packet_size;
        at_ += packet_size;
        if (at_ >= payload_->size()) {
            at_ = 0;
            loops_ -= loops_ > 0 ? 1 : 0;
            due_ = loops_ == 0 ? Instant{} : due_;
        }
    }
    for (; next_ < packets_.size() && began_ + packets_[next_].at <= now; ++next_) {
        send(std::move(packets_[next_].bytes));
    }
}

void Sounds::on_packet(const Endpoint& from, Bytes packet, Wants& wants) const {
    if (echoes_ && own_) {
        wants.media.push_back({own_->socket, from, std::string{as_text(packet)}});
    }
}

Instant Sounds::next_deadline() const {
    auto out = due_;
    if (next_ < packets_.size()) {
        const auto packet = began_ + packets_[next_].at;
        out = out.known() ? std::min(out, packet) : packet;
    }
    return out;
}

} // namespace cw::play::literal
