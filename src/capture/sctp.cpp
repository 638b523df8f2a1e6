#include "capture/sctp.hpp"

#include <algorithm>

namespace cw::capture {

namespace {

namespace chunk_type {
constexpr std::uint8_t data = 0;
constexpr std::uint8_t init = 1;
constexpr std::uint8_t init_ack = 2;
constexpr std::uint8_t abort = 6;
constexpr std::uint8_t shutdown_complete = 14;
constexpr std::uint8_t i_data = 64;
} // namespace chunk_type

namespace data_flag {
constexpr std::uint8_t last = 1;  // E
constexpr std::uint8_t first = 2; // B
constexpr std::uint8_t unordered = 4;
} // namespace data_flag

constexpr std::size_t window = 4096; // TSNs that are remembered

} // namespace

void SctpStream::on_chunks(const Datagram& packet, Sink& sink) {
    Reader in(packet.payload);
    while (in.left() >= 4) {
        const auto type = in.u8();
        const auto flags = in.u8();
        const auto length = in.be16();
        if (length < 4) {
            malformed_ += in.left() + 4; // chunks cannot be told apart from here on
            return;
        }
        const std::size_t size = length - std::size_t{4};
        const bool cut = size > in.left();
        if (cut && !packet.truncated && packet.missing == 0) {
            malformed_ += in.left() + 4;
            return;
        }
        const auto value = in.take(std::min(size, in.left()));
        in.skip(std::min<std::size_t>((4 - size % 4) % 4, in.left())); // padding [RFC 9260 §3.2]
        switch (type) {
        case chunk_type::data:
        case chunk_type::i_data:
            on_data(flags, type == chunk_type::i_data, value, packet, cut, sink);
            break;
        case chunk_type::init:
        case chunk_type::init_ack:
            on_init(value);
            break;
        case chunk_type::abort:
        case chunk_type::shutdown_complete:
            closed_ = true;
            break;
        default:
            break; // acknowledgements, heartbeats, cookies
        }
    }
}

// A new association may begin on the same ports: its TSNs are others. A repeated INIT is not new.
void SctpStream::on_init(Bytes value) {
    Reader in(value);
    in.skip(12); // initiate tag, window, numbers of streams
    const auto tsn = in.be32();
    if (!in.ok() || (init_seen_ && tsn == initial_tsn_)) {
        return;
    }
    init_seen_ = true;
    closed_ = false;
    initial_tsn_ = tsn;
    highest_ = 0;
    seen_.reset();
    fragments_.clear();
    held_bytes_ = 0;
}

// False for a TSN that was seen before, or that is too old to know.
bool SctpStream::is_new(std::uint32_t tsn) {
    if (!seen_) {
        seen_ = std::make_unique<Seen>();
    }
    const auto distance =
        highest_ == 0 ? std::int64_t{1}
                      : static_cast<std::int32_t>(tsn - static_cast<std::uint32_t>(highest_));
    if (distance <= 0) {
        if (-distance >= static_cast<std::int64_t>(window) || seen_->test(tsn % window)) {
            return false;
        }
        seen_->set(tsn % window);
        return true;
    }
    if (highest_ == 0) {
        highest_ = (std::uint64_t{1} << 32) + tsn;
    } else if (distance >= static_cast<std::int64_t>(window)) {
        seen_->reset();
        highest_ += static_cast<std::uint64_t>(distance);
    } else {
        for (std::int64_t i = 1; i <= distance; ++i) {
            seen_->reset(++highest_ % window);
        }
    }
    seen_->set(tsn % window);
    return true;
}

void SctpStream::on_data(std::uint8_t flags, bool interleaved, Bytes value, const Datagram& packet,
                         bool truncated, Sink& sink) {
    Reader in(value);
    const auto tsn = in.be32();
    Chunk chunk;
    chunk.stream = in.be16();
    chunk.flags = flags;
    chunk.truncated = truncated;
    in.skip(2); // stream sequence number, or reserved
    const auto number = interleaved ? in.be32() : 0;
    // The payload protocol identifier. A further I-DATA fragment has its place there instead
    // [RFC 8260 §2.1]; its first one has place 0.
    const auto identifier = in.be32();
    if (!in.ok()) {
        malformed_ += value.size();
        return;
    }
    if (!is_new(tsn)) {
        return;
    }
    chunk.data = in.rest();
    const bool first = (flags & data_flag::first) != 0;
    if (first && (flags & data_flag::last) != 0) {
        sink.on_message(chunk.stream, chunk.data, truncated, packet);
        return;
    }
    if (interleaved) {
        const std::uint32_t unordered = (flags & data_flag::unordered) != 0 ? 1U << 16 : 0;
        chunk.key = {(1U << 17) | unordered | chunk.stream, number, first ? 0 : identifier};
    } else {
        const auto distance = static_cast<std::int32_t>(tsn - static_cast<std::uint32_t>(highest_));
        chunk.key = {0, 0, highest_ + static_cast<std::uint64_t>(std::int64_t{distance})};
    }
    on_fragment(chunk, packet, sink);
}

// Keeps a fragment, and hands its message on when that is complete with it.
void SctpStream::on_fragment(const Chunk& chunk, const Datagram& packet, Sink& sink) {
    const auto [at, inserted] = fragments_.try_emplace(chunk.key);
    if (!inserted) {
        return;
    }
    held_bytes_ += chunk.data.size();
    at->second = {{chunk.data.begin(), chunk.data.end()},
                  (chunk.flags & data_flag::first) != 0,
                  (chunk.flags & data_flag::last) != 0,
                  chunk.truncated};

    const auto follows = [](const auto& before, const auto& after) {
        return before.first.message == after.first.message &&
               before.first.number == after.first.number &&
               before.first.place + 1 == after.first.place && !before.second.last &&
               !after.second.first;
    };
    // From this fragment to both sides as far as the message is there; the store is small enough
    // for that.
    auto begin = at;
    while (!begin->second.first && begin != fragments_.begin() &&
           follows(*std::prev(begin), *begin)) {
        --begin;
    }
    auto end = at;
    while (!end->second.last && std::next(end) != fragments_.end() &&
           follows(*end, *std::next(end))) {
        ++end;
    }
    if (begin->second.first && end->second.last) {
        std::vector<std::uint8_t> message;
        bool truncated = false;
        ++end;
        for (auto it = begin; it != end; ++it) {
            message.insert(message.end(), it->second.bytes.begin(), it->second.bytes.end());
            truncated = truncated || it->second.truncated;
        }
        held_bytes_ -= message.size();
        fragments_.erase(begin, end);
        sink.on_message(chunk.stream, message, truncated, packet);
        return;
    }
    while (held_bytes_ > max_held_bytes || fragments_.size() > max_held_fragments) {
        drop_oldest(sink);
    }
}

void SctpStream::drop_oldest(Sink& sink) {
    const auto oldest = fragments_.begin();
    const auto size = oldest->second.bytes.size();
    held_bytes_ -= size;
    fragments_.erase(oldest);
    sink.on_lost(size);
}

void SctpStream::flush(Sink& sink) {
    if (held_bytes_ != 0) {
        sink.on_lost(held_bytes_);
    }
    fragments_.clear();
    held_bytes_ = 0;
}

} // namespace cw::capture
