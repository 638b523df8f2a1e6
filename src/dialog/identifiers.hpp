// Names that nobody else has chosen: tags, branches, Call-IDs, and first sequence numbers. Made
// from a seed and a count, so that a run with the same seed gives the same names.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/base64.hpp"
#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"

namespace cw::dialog {

// What was made, in order: whoever makes the same from the same seed gets the same names.
struct Drawn {
    enum class Kind : std::uint8_t { Tag, Branch, CallId, CSeq, RSeq, Session, Octets, Other };
    Kind kind = Kind::Other;
    std::string text;       // empty for Other
    std::string host;       // of a Call-ID
    std::size_t length = 0; // how many octets
    bool operator==(const Drawn&) const = default;
};

class Identifiers {
  public:
    // `seed` must come from a source of true chance: a tag is to be "cryptographically random with
    // at least 32 bits of randomness" [RFC 3261 §19.3].
    // `mark` begins every Call-ID, so that its maker knows its own again.
    explicit Identifiers(std::uint64_t seed, std::string_view mark = {})
        : seed_(seed), mark_(mark) {}

    std::string tag() { return noted(Drawn::Kind::Tag, word(step())); }
    // The seven characters that say RFC 3261 [§8.1.1.7].
    std::string branch() {
        auto text = "z9hG4bK" + word(step());
        return noted(Drawn::Kind::Branch, text + word(step()));
    }
    std::string call_id(std::string_view host) {
        auto text = mark_ + word(step());
        text += word(step()) + "@" + std::string{host};
        return noted(Drawn::Kind::CallId, std::move(text), host);
    }
    // "MUST be less than 2**31" [RFC 3261 §8.1.1.5]; far from it, so that none wraps around.
    std::uint32_t cseq() {
        const auto number = 1 + static_cast<std::uint32_t>(step() % 10'000);
        note(Drawn::Kind::CSeq, number);
        return number;
    }
    // In RSeq "the initial value is […] chosen uniformly between 1 and 2**31 - 1" [RFC 3262 §3].
    std::uint32_t rseq() {
        const auto number = 1 + static_cast<std::uint32_t>(step() % 0x7fff'fffe);
        note(Drawn::Kind::RSeq, number);
        return number;
    }
    // Chance for a session: its upper 31 bits are the number in the o= line of its descriptions.
    std::uint64_t session() {
        const auto bits = step();
        note(Drawn::Kind::Session, bits >> 33);
        return bits;
    }
    // Uniform in [from, to), in steps of 10 ms as RFC 3261 §14.1 has it.
    Duration between(Duration from, Duration to) {
        const auto steps = (to - from).ns / 10'000'000;
        return steps <= 0
                   ? from
                   : from + milliseconds(10 * static_cast<std::int64_t>(
                                                  next() % static_cast<std::uint64_t>(steps)));
    }
    // Octets for what is not secret; noted in base64.
    void octets(std::span<std::uint8_t> out) {
        for (std::size_t i = 0; i < out.size(); i += 8) {
            auto bits = step();
            for (auto& octet : out.subspan(i, std::min<std::size_t>(8, out.size() - i))) {
                octet = static_cast<std::uint8_t>(bits);
                bits >>= 8;
            }
        }
        if (notes_ != nullptr) {
            notes_->push_back({Drawn::Kind::Octets, to_base64(Bytes{out}), {}, out.size()});
        }
    }
    std::uint64_t next() {
        const auto bits = step();
        if (notes_ != nullptr) {
            notes_->push_back({Drawn::Kind::Other, {}, {}, 0});
        }
        return bits;
    }
    // From now on, all that is made is noted there too; it outlives this. Null: no more.
    void note_in(std::vector<Drawn>* notes) { notes_ = notes; }
    [[nodiscard]] bool is_fresh() const { return count_ == 0; }

  private:
    std::uint64_t step() {
        ++count_;
        return fold_multiply(
            fold_multiply(seed_ ^ 0x9e3779b97f4a7c15ULL, count_ ^ 0xd1b54a32d192ed03ULL),
            seed_ + count_ * 0xff51afd7ed558ccdULL);
    }
    std::string noted(Drawn::Kind kind, std::string text, std::string_view host = {}) {
        if (notes_ != nullptr) {
            notes_->push_back({kind, text, std::string{host}, 0});
        }
        return text;
    }
    void note(Drawn::Kind kind, std::uint64_t number) {
        if (notes_ != nullptr) {
            notes_->push_back({kind, std::to_string(number), {}, 0});
        }
    }
    static std::string word(std::uint64_t bits) {
        static constexpr char letters[] = "0123456789abcdefghijklmnopqrstuv";
        char out[10];
        for (auto& letter : out) {
            letter = letters[bits & 31];
            bits >>= 5;
        }
        return {out, sizeof out};
    }

    std::uint64_t seed_;
    std::string mark_;
    std::uint64_t count_ = 0;
    std::vector<Drawn>* notes_ = nullptr;
};

} // namespace cw::dialog
