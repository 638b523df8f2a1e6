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
    if (!started_ && !scanning_ && chunk.size() >= 5 && (chunk[0] & 0x80) != 0 && chunk[2] == 1 &&
        chunk[3] == 3) {
        // Its length is in the first two bytes; only one that is whole in the first chunk is read.
        const auto size = static_cast<std::size_t>((chunk[0] & 0x7f) << 8 | chunk[1]);
        if (size + 2 <= chunk.size()) {
            candidate_ = size;
        }
    }
    started_ |= !chunk.empty();
    const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, chunk.size()));
    skip_ -= skipped;
    chunk_ = chunk.subspan(skipped);
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
    candidate_ = 0;
}

std::optional<Record> RecordStream::next() {
    if (candidate_ != 0 && !scanning_) { // the hello of SSL 2.0
        const auto message = chunk_.subspan(2, candidate_);
        const auto header = chunk_.first(2);
        chunk_ = chunk_.subspan(candidate_ + 2);
        candidate_ = 0;
        return Record{.type = sslv2_hello, .version = 2, .header = header, .body = message};
    }
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
        if (!plausible(chunk_.data())) {
            lose_sync();
            return std::nullopt;
        }
        const auto size = size_of_record(chunk_.data());
        if (size <= chunk_.size()) {
            const auto record = record_at(chunk_.data());
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
    if (!plausible(held_.data() + at_)) {
        lose_sync();
        return std::nullopt;
    }
    const auto size = size_of_record(held_.data() + at_);
    top_up(size);
    if (held() < size) {
        return std::nullopt;
    }
    const auto record = record_at(held_.data() + at_);
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
    if (scanning_ || (held() == 0 && skip_ == 0)) {
        // Between two records, or already lost. A hole at a record's end may end in the middle of
        // the next one.
        hole.bytes = held() + missing;
    } else if (skip_ != 0) {
        hole.exact = missing != 0 && missing <= skip_;
        hole.bytes = missing;
        skip_ -= hole.exact ? missing : skip_;
    } else if (held() < record_header_size) {
        hole.bytes = held() + missing;
    } else {
        const auto rest = size_of_record(held_.data() + at_) - held();
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
