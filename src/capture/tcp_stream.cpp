#include "capture/tcp_stream.hpp"

#include <algorithm>

namespace cw::capture {

namespace {

// How far before the first byte seen a SYN may stand and still be that stream's own, captured late.
constexpr std::uint32_t late_syn_distance = 64 * 1024;

// Payload bytes that count in sequence space. A RST may carry a text for people
// [RFC 9293 §3.5.3], which is not part of the stream.
bool carries_data(const Datagram& segment) {
    return (!segment.payload.empty() || segment.missing != 0) &&
           (segment.tcp_flags & tcp_flag::rst) == 0;
}

Datagram without_payload(const Datagram& segment) {
    auto by = segment;
    by.payload = {};
    by.missing = 0;
    return by;
}

} // namespace

TcpStream::Position TcpStream::position_of(std::uint32_t sequence) const {
    const auto distance = static_cast<std::int32_t>(sequence - static_cast<std::uint32_t>(next_));
    return next_ + static_cast<Position>(static_cast<std::int64_t>(distance));
}

bool TcpStream::starts_new_connection(const Datagram& segment) const {
    if ((segment.tcp_flags & tcp_flag::syn) == 0 || !started_) {
        return false;
    }
    const auto distance = initial_ - segment.tcp_sequence;
    return syn_seen_ ? distance != 0 : distance > late_syn_distance;
}

void TcpStream::ignore() {
    ignored_ = true;
    held_.reset();
}

// Takes the first position from this segment; false when it does not tell it.
bool TcpStream::start(const Datagram& segment) {
    const bool syn = (segment.tcp_flags & tcp_flag::syn) != 0;
    // Without its SYN a stream begins at the first data. A single byte may be a keep-alive probe,
    // which stands one before the next data [RFC 9293 §3.8.4].
    if (!syn && (!carries_data(segment) || segment.payload.size() + segment.missing == 1)) {
        return false;
    }
    initial_ = syn ? segment.tcp_sequence : segment.tcp_sequence - 1;
    next_ = (Position{1} << 32) + initial_ + 1;
    started_ = true;
    syn_seen_ = syn;
    return true;
}

void TcpStream::on_segment(const Datagram& segment, Sink& sink) {
    if (ignored_ || (!started_ && !start(segment))) {
        return;
    }
    auto sequence = segment.tcp_sequence;
    if ((segment.tcp_flags & (tcp_flag::syn | tcp_flag::rst | tcp_flag::fin)) != 0) {
        if ((segment.tcp_flags & tcp_flag::syn) != 0) {
            syn_seen_ = syn_seen_ || sequence == initial_;
            ++sequence; // the SYN takes one number; data may follow it [RFC 7413 §2]
        }
        reset_ = reset_ || (segment.tcp_flags & tcp_flag::rst) != 0;
    }
    // The usual case: the next bytes, and nothing waits.
    if (sequence == static_cast<std::uint32_t>(next_) && !held_ && !segment.payload.empty() &&
        segment.missing == 0 && (segment.tcp_flags & tcp_flag::rst) == 0) {
        stray_seen_ = false;
        deliver(segment.payload, segment, sink);
    } else if (carries_data(segment)) {
        on_data(segment, position_of(sequence), sink);
    }
    if (ignored_) {
        return;
    }
    if ((segment.tcp_flags & tcp_flag::fin) != 0) {
        const auto end = position_of(sequence) + segment.payload.size() + segment.missing;
        if (fin_ == 0 && end >= next_ && end - next_ < plausible_distance) {
            fin_ = end;
        }
    }
    if (held_ || acknowledged_ != 0) {
        keep_bounds(segment, sink);
    }
}

void TcpStream::on_data(const Datagram& segment, Position at, Sink& sink) {
    const auto end = at + segment.payload.size() + segment.missing;
    if (is_stray(segment, at, sink) || end <= next_) {
        return; // from elsewhere, or all of it seen before
    }
    if (held_ || at > next_) {
        if (!held_) {
            held_ = std::make_unique<Held>();
            hole_since_ = segment.time;
        }
        hold(segment, at);
        drain(sink);
        return;
    }
    const auto seen = static_cast<std::size_t>(next_ - at);
    const auto fresh = segment.payload.subspan(std::min(seen, segment.payload.size()));
    if (!fresh.empty()) {
        deliver(fresh, segment, sink);
    }
    if (segment.missing != 0 && !ignored_) {
        skip(end - next_, segment, sink);
    }
}

// Segments far off the stream are ignored: a forged or a damaged one, or one of an earlier use of
// the ports. But a capture may also have lost megabytes. A second stray segment that continues the
// first shows that, and the stream goes on there.
bool TcpStream::is_stray(const Datagram& segment, Position at, Sink& sink) {
    const auto distance = static_cast<std::int64_t>(at - next_);
    if (distance < plausible_distance && distance > -plausible_distance) {
        stray_seen_ = false;
        return false;
    }
    const bool continues = stray_seen_ && static_cast<std::uint32_t>(at) == stray_next_;
    stray_seen_ = true;
    stray_next_ = static_cast<std::uint32_t>(at + segment.payload.size() + segment.missing);
    if (!continues) {
        return true;
    }
    stray_seen_ = false;
    while (held_ && !ignored_) {
        give_up_to(held_->pieces.begin()->first, segment, sink);
    }
    if (ignored_) {
        return true;
    }
    sink.on_gap(at > next_ ? at - next_ : 0, segment);
    next_ = (Position{1} << 32) + static_cast<std::uint32_t>(at);
    fin_ = 0;
    acknowledged_ = 0;
    if (!ignored_) {
        on_data(segment, next_, sink);
    }
    return true;
}

// Keeps those parts of the segment that are neither delivered nor held yet.
void TcpStream::hold(const Datagram& segment, Position at) {
    const auto data_end = at + segment.payload.size();
    const auto end = data_end + segment.missing;
    auto from = std::max(at, next_);
    auto after = held_->pieces.upper_bound(from);
    if (after != held_->pieces.begin()) {
        const auto& [before_at, before] = *std::prev(after);
        from = std::max(from, before_at + before.size());
    }
    while (from < end) {
        const auto hole_end = after == held_->pieces.end() ? end : std::min(end, after->first);
        if (from < hole_end) {
            const auto split = std::clamp(data_end, from, hole_end);
            if (from < split) {
                hold_piece(segment, from, split,
                           segment.payload.subspan(static_cast<std::size_t>(from - at),
                                                   static_cast<std::size_t>(split - from)));
            }
            if (split < hole_end) {
                hold_piece(segment, split, hole_end, {});
            }
        }
        if (after == held_->pieces.end()) {
            return;
        }
        from = std::max(from, after->first + after->second.size());
        ++after;
    }
}

void TcpStream::hold_piece(const Datagram& by, Position at, Position end, Bytes bytes) {
    auto& piece = held_->pieces[at];
    piece.by = without_payload(by);
    piece.bytes.assign(bytes.begin(), bytes.end());
    piece.lost = bytes.empty() ? static_cast<std::uint32_t>(end - at) : 0;
    held_->bytes += bytes.size();
}

// Delivers the held pieces that are next now.
void TcpStream::drain(Sink& sink) {
    bool filled = false;
    while (held_ && !held_->pieces.empty() && held_->pieces.begin()->first == next_) {
        // The piece is taken out first: the sink may drop everything held.
        const auto node = held_->pieces.extract(held_->pieces.begin());
        const auto& piece = node.mapped();
        held_->bytes -= piece.bytes.size();
        filled = true;
        if (piece.lost != 0) {
            skip(piece.lost, piece.by, sink);
        } else {
            deliver(piece.bytes, piece.by, sink);
        }
    }
    if (!held_) {
        return;
    }
    if (held_->pieces.empty()) {
        held_.reset();
    } else if (filled) {
        hole_since_ = held_->pieces.begin()->second.by.time; // the next hole was known then
    }
}

void TcpStream::deliver(Bytes bytes, const Datagram& by, Sink& sink) {
    next_ += bytes.size();
    sink.on_bytes(bytes, by);
}

void TcpStream::skip(std::uint64_t missing, const Datagram& by, Sink& sink) {
    next_ += missing;
    sink.on_gap(missing, by);
}

// Delivers what is held before `end`, and reports what is not there as gaps.
void TcpStream::give_up_to(Position end, const Datagram& by, Sink& sink) {
    while (!ignored_) {
        drain(sink);
        if (ignored_ || next_ >= end) {
            return;
        }
        if (held_ && held_->pieces.begin()->first <= end) {
            const auto first = held_->pieces.begin();
            const auto after_hole = first->second.by; // a copy: the sink may drop the piece
            skip(first->first - next_, after_hole, sink);
        } else {
            skip(end - next_, by, sink);
        }
    }
}

// Gives up holes that nothing will fill any more, and those that too much waits behind.
void TcpStream::keep_bounds(const Datagram& now, Sink& sink) {
    if (acknowledged_ != 0) {
        if (next_ >= acknowledged_) {
            acknowledged_ = 0;
        } else if (now.time - acknowledged_since_ >= acknowledged_patience) {
            give_up_to(acknowledged_, now, sink);
            acknowledged_ = 0;
        }
    }
    while (held_ && !ignored_ &&
           (held_->bytes > max_held_bytes || held_->pieces.size() > max_held_segments ||
            now.time - hole_since_ > hole_patience)) {
        give_up_to(held_->pieces.begin()->first, now, sink);
    }
}

void TcpStream::on_peer_segment(const Datagram& segment, Sink& sink) {
    if (ignored_ || !started_ || (segment.tcp_flags & tcp_flag::ack) == 0) {
        return;
    }
    if (segment.tcp_acknowledged != static_cast<std::uint32_t>(next_)) {
        auto end = position_of(segment.tcp_acknowledged);
        if (fin_ != 0) {
            end = std::min(end, fin_);
        }
        // A single byte after everything is the FIN more often than not, and it was not captured.
        const bool only_fin = end == next_ + 1 && !held_;
        if (acknowledged_ == 0 && end > next_ && !only_fin && end - next_ < plausible_distance) {
            acknowledged_ = end;
            acknowledged_since_ = segment.time;
        }
    }
    if (held_ || acknowledged_ != 0) {
        keep_bounds(segment, sink);
    }
}

void TcpStream::flush(Sink& sink) {
    Datagram nothing;
    while (held_ && !ignored_) {
        give_up_to(held_->pieces.begin()->first, nothing, sink);
    }
    const auto end = std::max(acknowledged_, fin_);
    acknowledged_ = 0;
    if (!ignored_ && started_ && end > next_) {
        skip(end - next_, nothing, sink);
    }
}

} // namespace cw::capture
