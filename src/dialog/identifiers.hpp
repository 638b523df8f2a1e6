// Names that nobody else has chosen: tags, branches, Call-IDs, and first sequence numbers. Made
// from a seed and a count, so that a run with the same seed gives the same names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.hpp"
#include "base/time.hpp"

namespace cw::dialog {

class Identifiers {
  public:
    // `seed` must come from a source of true chance: a tag is to be "cryptographically random with
    // at least 32 bits of randomness" [RFC 3261 §19.3].
    // `mark` begins every Call-ID, so that its maker knows its own again.
    explicit Identifiers(std::uint64_t seed, std::string_view mark = {})
        : seed_(seed), mark_(mark) {}

    std::string tag() { return word(next()); }
    // The seven characters that say RFC 3261 [§8.1.1.7].
    std::string branch() { return "z9hG4bK" + word(next()) + word(next()); }
    std::string call_id(std::string_view host) {
        return mark_ + word(next()) + word(next()) + "@" + std::string{host};
    }
    // "MUST be less than 2**31" [RFC 3261 §8.1.1.5]; far from it, so that none wraps around.
    std::uint32_t cseq() { return 1 + static_cast<std::uint32_t>(next() % 10'000); }
    // In RSeq "the initial value is […] chosen uniformly between 1 and 2**31 - 1" [RFC 3262 §3].
    std::uint32_t rseq() { return 1 + static_cast<std::uint32_t>(next() % 0x7fff'fffe); }
    // Uniform in [from, to), in steps of 10 ms as RFC 3261 §14.1 has it.
    Duration between(Duration from, Duration to) {
        const auto steps = (to - from).ns / 10'000'000;
        return steps <= 0
                   ? from
                   : from + milliseconds(10 * static_cast<std::int64_t>(
                                                  next() % static_cast<std::uint64_t>(steps)));
    }
    std::uint64_t next() {
        ++count_;
        return fold_multiply(
            fold_multiply(seed_ ^ 0x9e3779b97f4a7c15ULL, count_ ^ 0xd1b54a32d192ed03ULL),
            seed_ + count_ * 0xff51afd7ed558ccdULL);
    }

  private:
    static std::string word(std::uint64_t bits) {
        static constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuv";
        std::string out;
        for (int i = 0; i < 10; ++i, bits >>= 5) {
            out += letters[bits & 31];
        }
        return out;
    }

    std::uint64_t seed_;
    std::string mark_;
    std::uint64_t count_ = 0;
};

} // namespace cw::dialog
