// SipHash-2-4: a keyed pseudo-random function for short texts, ten times faster than HMAC. Seals
// what this server gave out and gets back: nonces, flow tokens, tags. Its value is 64 bits, so an
// attacker who has to try each guess over the network finds none.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cw::crypto {

struct SipHashKey {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
};

// May be fed in pieces; finish() gives the value once.
class SipHash {
  public:
    explicit SipHash(const SipHashKey& key)
        : v0_(key.low ^ 0x736f6d6570736575ULL), v1_(key.high ^ 0x646f72616e646f6dULL),
          v2_(key.low ^ 0x6c7967656e657261ULL), v3_(key.high ^ 0x7465646279746573ULL) {}

    SipHash& add(std::string_view text) {
        const char* p = text.data();
        auto left = text.size();
        length_ += left;
        for (; left >= 8; p += 8, left -= 8) {
            take(load<std::uint64_t>(p), 8);
        }
        if (left != 0) {
            take(load_short(p, left), static_cast<unsigned>(left));
        }
        return *this;
    }
    SipHash& add(std::uint64_t number) {
        length_ += sizeof number;
        take(number, sizeof number);
        return *this;
    }
    // A text and its end, so that "ab" "c" and "a" "bc" differ.
    SipHash& add_part(std::string_view text) { return add(text).add(std::uint64_t{text.size()}); }

    std::uint64_t finish() {
        compress(pending_ | static_cast<std::uint64_t>(length_) << 56);
        v2_ ^= 0xff;
        for (int i = 0; i < 4; ++i) {
            round();
        }
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

  private:
    template <class Word>
    static std::uint64_t load(const char* p) {
        Word word{};
        std::memcpy(&word, p, sizeof word);
        return word;
    }
    // One to seven octets: two words that overlap, or three octets that may be the same ones.
    static std::uint64_t load_short(const char* p, std::size_t n) {
        if (n >= 4) {
            return load<std::uint32_t>(p) | load<std::uint32_t>(p + n - 4) << (8 * (n - 4));
        }
        return load<std::uint8_t>(p) | load<std::uint8_t>(p + n / 2) << (8 * (n / 2)) |
               load<std::uint8_t>(p + n - 1) << (8 * (n - 1));
    }
    // The lowest `n` octets of `word`, whose others are zero; 1 to 8.
    void take(std::uint64_t word, unsigned n) {
        pending_ |= word << (8 * held_);
        held_ += n;
        if (held_ < 8) {
            return;
        }
        compress(pending_);
        held_ -= 8;
        pending_ = held_ != 0 ? word >> (8 * (n - held_)) : 0;
    }
    void compress(std::uint64_t word) {
        v3_ ^= word;
        round();
        round();
        v0_ ^= word;
    }
    void round() {
        v0_ += v1_;
        v1_ = std::rotl(v1_, 13) ^ v0_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v3_;
        v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ += v3_;
        v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ += v1_;
        v1_ = std::rotl(v1_, 17) ^ v2_;
        v2_ = std::rotl(v2_, 32);
    }

    std::uint64_t v0_, v1_, v2_, v3_;
    std::uint64_t pending_ = 0;
    std::size_t length_ = 0;
    unsigned held_ = 0;
};

// A key of its own for each use of one secret: `purpose` names the use, the secret may be of any
// length. By HMAC-SHA-256, so that no key tells anything about another.
SipHashKey derive_key(std::string_view secret, std::string_view purpose);

} // namespace cw::crypto
