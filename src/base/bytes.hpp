// Views of bytes and a bounds-checked cursor over them. Every byte from outside is read through
// Reader: a read past the end yields zero and sets a flag that the caller asks for once, at the
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace cw {

using Bytes = std::span<const std::uint8_t>;

inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Unchecked loads; the caller has made sure that the bytes are there.
inline std::uint16_t load_be16(const std::uint8_t* p) {
    return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
    return static_cast<std::uint32_t>(p[0]) << 24 | static_cast<std::uint32_t>(p[1]) << 16 |
           static_cast<std::uint32_t>(p[2]) << 8 | p[3];
}
inline std::uint64_t load_be64(const std::uint8_t* p) {
    return static_cast<std::uint64_t>(load_be32(p)) << 32 | load_be32(p + 4);
}

// A cursor over bytes that cannot leave them. After any failed read ok() is false and stays false,
// every further read yields zero or an empty view, and nothing is consumed.
// The views that it hands out live as long as the bytes it was made from.
class Reader {
  public:
    explicit Reader(Bytes bytes)
        : begin_(bytes.data()), at_(bytes.data()), end_(at_ + bytes.size()) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
    [[nodiscard]] Bytes rest() const { return {at_, left()}; }

    std::uint8_t u8() { return need(1) ? *at_++ : std::uint8_t{0}; }
    std::uint16_t be16() { return need(2) ? load_be16(advance(2)) : std::uint16_t{0}; }
    std::uint32_t be24() {
        if (!need(3)) {
            return 0;
        }
        const auto* p = advance(3);
        return static_cast<std::uint32_t>(p[0]) << 16 | static_cast<std::uint32_t>(p[1]) << 8 |
               p[2];
    }
    std::uint32_t be32() { return need(4) ? load_be32(advance(4)) : 0U; }
    std::uint64_t be64() { return need(8) ? load_be64(advance(8)) : std::uint64_t{0}; }
    std::uint16_t le16() { return __builtin_bswap16(be16()); }
    std::uint32_t le32() { return __builtin_bswap32(be32()); }

    Bytes take(std::size_t n) { return need(n) ? Bytes{advance(n), n} : Bytes{}; }
    void skip(std::size_t n) {
        if (need(n)) {
            at_ += n;
        }
    }

    // A vector with a length of 1, 2 or 3 bytes before it, as TLS writes them.
    Bytes vec8() { return take(u8()); }
    Bytes vec16() { return take(be16()); }
    Bytes vec24() { return take(be24()); }

  private:
    bool need(std::size_t n) {
        if (ok_ && left() >= n) {
            return true;
        }
        ok_ = false;
        at_ = end_;
        return false;
    }
    const std::uint8_t* advance(std::size_t n) {
        const auto* p = at_;
        at_ += n;
        return p;
    }

    const std::uint8_t* begin_;
    const std::uint8_t* at_;
    const std::uint8_t* end_;
    bool ok_ = true;
};

} // namespace cw
