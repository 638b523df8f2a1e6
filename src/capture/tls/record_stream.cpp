#include "capture/tls/record_stream.hpp"

#include <algorithm>

namespace cw::capture::tls {

namespace {

std::size_t size_of_record(const std::uint8_t* header) {
    return record_header_size + load_be16(header + 3);
}

Record record_at(const std::uint8_t* at) {
    return {.type = at[0],
            .version = load_be16(at + 1),
            .header = {at, record_header_size},
            .body = {at + record_header_size, load_be16(at + 3)}};
}

} // namespace

void RecordStream::feed(Bytes chunk) {
    started_ |= !chunk.empty();
    const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, chunk.size()));
    skip_ -= skipped;
    chunk_ = chunk.subspan(skipped);
}

// The size of what begins here, with its header: a record, or at the very start the hello of
// SSL 2.0. 0 when it is neither.
std::size_t RecordStream::size_at(const std::uint8_t* at) const {
    if (first_ && (at[0] & 0x80) != 0 && at[2] == 1 && at[3] == 3) {
        return std::size_t{2} + static_cast<std::size_t>((at[0] & 0x7f) << 8 | at[1]);
    }
    return plausible(at) ? size_of_record(at) : 0;
}

Record RecordStream::take(const std::uint8_t* at, std::size_t size) {
    if (first_ && (at[0] & 0x80) != 0) {
        first_ = false;
        return {.type = sslv2_hello, .version = 2, .header = {at, 2}, .body = {at + 2, size - 2}};
    }
    first_ = false;
    return record_at(at);
}

bool RecordStream::plausible(const std::uint8_t* header) const {
    const auto length = load_be16(header + 3);
    return header[0] >= content::change_cipher_spec && header[0] <= 24 && header[1] == 3 &&
           header[2] <= 4 && length <= largest_record &&
           (length != 0 || header[0] == content::application_data);
}

void RecordStream::lose_sync() {
    scanning_ = true;
    lost_ = true;
    first_ = false;
    candidate_ = 0;
}

std::optional<Record> RecordStream::next() {
    if (!scanning_) {
        auto record = at_ == held_.size() ? cut() : glue();
        if (record || !scanning_) {
            return record;
        }
    }
    return scan();
}

std::optional<Record> RecordStream::cut() {
    if (!held_.empty()) {
        held_ = {}; // an idle connection holds no buffer
        at_ = 0;
    }
    if (chunk_.size() >= record_header_size) {
        const auto size = size_at(chunk_.data());
        if (size == 0) {
            lose_sync();
            return std::nullopt;
        }
        if (size <= chunk_.size()) {
            const auto record = take(chunk_.data(), size);
            chunk_ = chunk_.subspan(size);
            return record;
        }
        held_.reserve(size);
    }
    held_.assign(chunk_.begin(), chunk_.end());
    chunk_ = {};
    return std::nullopt;
}

void RecordStream::top_up(std::size_t size) {
    const auto have = held_.size() - at_;
    const auto more = std::min(size - std::min(size, have), chunk_.size());
    held_.insert(held_.end(), chunk_.begin(), chunk_.begin() + static_cast<std::ptrdiff_t>(more));
    chunk_ = chunk_.subspan(more);
}

std::optional<Record> RecordStream::glue() {
    top_up(record_header_size);
    if (held() < record_header_size) {
        return std::nullopt;
    }
    const auto size = size_at(held_.data() + at_);
    if (size == 0) {
        lose_sync();
        return std::nullopt;
    }
    top_up(size);
    if (held() < size) {
        return std::nullopt;
    }
    const auto record = take(held_.data() + at_, size);
    at_ += size;
    return record;
}

std::optional<Record> RecordStream::scan() {
    if (!chunk_.empty()) {
        // What is behind us goes, but for the block that may be the IV of what comes.
        const auto keep = std::min<std::size_t>(at_, 16);
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(at_ - keep));
        at_ = keep;
        held_.insert(held_.end(), chunk_.begin(), chunk_.end());
        chunk_ = {};
    }
    for (; held() >= record_header_size; ++at_) {
        const auto* header = held_.data() + at_;
        if (!plausible(header) || load_be16(header + 3) == 0 ||
            (version_ != 0 && load_be16(header + 1) != version_)) {
            continue;
        }
        const auto size = size_of_record(header);
        if (held() < size) {
            return std::nullopt;
        }
        candidate_ = size;
        return record_at(header);
    }
    return std::nullopt;
}

Bytes RecordStream::before_candidate() const {
    const auto size = std::min<std::size_t>(at_, 16);
    return Bytes{held_}.subspan(at_ - size, size);
}

void RecordStream::accept() {
    at_ += candidate_;
    candidate_ = 0;
    scanning_ = false;
}

void RecordStream::reject() {
    ++at_;
    candidate_ = 0;
}

RecordStream::Hole RecordStream::gap(std::uint64_t missing) {
    Hole hole;
    started_ = true;
    const auto size = held() >= record_header_size ? size_at(held_.data() + at_) : 0;
    first_ = false;
    if (scanning_ || (held() == 0 && skip_ == 0)) {
        // Between two records, or already lost. A hole at a record's end may end in the middle of
        // the next one.
        hole.bytes = held() + missing;
    } else if (skip_ != 0) {
        hole.exact = missing != 0 && missing <= skip_;
        hole.bytes = missing;
        skip_ -= hole.exact ? missing : skip_;
    } else if (size <= held()) { // its header is not complete
        hole.bytes = held() + missing;
    } else {
        const auto rest = size - held();
        hole.hit_record = true;
        hole.type = held_[at_];
        hole.exact = missing != 0 && missing <= rest;
        hole.bytes = hole.exact ? held() + rest : held() + missing;
        skip_ = hole.exact ? rest - missing : 0;
    }
    held_ = {};
    at_ = 0;
    candidate_ = 0;
    scanning_ = !hole.exact;
    return hole;
}

} // namespace cw::capture::tls
