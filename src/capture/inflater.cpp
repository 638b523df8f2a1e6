#include "capture/inflater.hpp"

#include <algorithm>
#include <array>
#include <climits>

#include <zlib.h>

namespace cw::capture {

struct Inflater::State {
    z_stream stream{};
    bool usable = false;

    // Raw deflate data; a window of 2^15 reads what any smaller one wrote.
    State() : usable(inflateInit2(&stream, -MAX_WBITS) == Z_OK) {}
    ~State() { inflateEnd(&stream); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

Inflater::Inflater() = default;
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

std::optional<std::string_view> Inflater::inflate(Bytes compressed) {
    if (!state_) {
        state_ = std::make_unique<State>();
    }
    if (!state_->usable) {
        return std::nullopt;
    }
    size_ = 0;
    // "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
    // [RFC 7692 §7.2.2]
    static constexpr std::array<std::uint8_t, 4> tail{0, 0, 0xff, 0xff};
    if (run(compressed) && run(tail)) {
        return std::string_view{out_.data(), size_};
    }
    inflateReset(&state_->stream);
    return std::nullopt;
}

// Inflates `input` to the end of out_, which has size_ bytes in use.
bool Inflater::run(Bytes input) {
    constexpr std::size_t first_size = 4096;
    auto& stream = state_->stream;
    if (input.size() > UINT_MAX) {
        return false;
    }
    // zlib does not write to the input, but its type does not say so.
    stream.next_in = const_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    for (;;) {
        if (size_ == out_.size()) {
            if (size_ >= max_message) {
                return false;
            }
            out_.resize(std::clamp(size_ * 2, first_size, max_message));
        }
        stream.next_out = reinterpret_cast<Bytef*>(out_.data()) + size_;
        stream.avail_out = static_cast<uInt>(out_.size() - size_);
        const auto result = ::inflate(&stream, Z_SYNC_FLUSH);
        size_ = out_.size() - stream.avail_out;
        if (result == Z_STREAM_END) {
            // A last block ends the stream, and the next block begins with an empty window
            // [RFC 7692 §7.2.3.4].
            if (inflateReset(&stream) != Z_OK) {
                return false;
            }
            if (stream.avail_in == 0) {
                return true;
            }
            continue;
        }
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return false;
        }
        if (stream.avail_in == 0 && stream.avail_out != 0) {
            return true;
        }
        if (result == Z_BUF_ERROR && stream.avail_out != 0) {
            return false;
        }
    }
}

} // namespace cw::capture
