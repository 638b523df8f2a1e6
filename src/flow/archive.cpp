#include "flow/archive.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cw::flow {
namespace {

// A short call fits, with names and addresses of usual length.
constexpr std::size_t usual_size = 1392;
// A stretch keeps its memory for the next one, but not that of an endless dialog.
constexpr std::size_t most_kept = std::size_t{16} << 10;

// Messages of one leg are much alike: of each, only those eight-byte words are written in which it
// differs from the one before it, with a mask that says which. Every second one goes the other way,
// so before comparing, the ends of the one before are turned around.
using Word = std::uint64_t;
constexpr std::size_t words_in_message = sizeof(Message) / sizeof(Word);
using Words = std::array<Word, words_in_message>;
constexpr std::uint32_t turned_around = std::uint32_t{1} << 31;
static_assert(sizeof(Message) == sizeof(Words) && words_in_message < 31);
static_assert(std::is_trivially_copyable_v<Message> && std::is_trivially_copyable_v<MediaLine>);
static_assert(std::has_unique_object_representations_v<Message>); // no padding that differs

// A record: the size of its texts, the texts, the mask, the words, the media lines.
using TextSize = std::uint32_t;

template <class T>
T read(const char*& at) {
    T value;
    std::memcpy(static_cast<void*>(&value), at, sizeof value);
    at += sizeof value;
    return value;
}

// Those words that are a Text each.
constexpr std::uint32_t text_words = [] {
    std::uint32_t mask = 0;
    for (const auto offset :
         {offsetof(Message, method_text), offsetof(Message, request_uri), offsetof(Message, reason),
          offsetof(Message, body_type), offsetof(Message, note), offsetof(Message, problem),
          offsetof(Message, contact), offsetof(Message, facts), offsetof(Message, badge),
          offsetof(Message, words)}) {
        mask |= offset % sizeof(Word) == 0 ? std::uint32_t{1} << (offset / sizeof(Word)) : 0;
    }
    return mask;
}();
static_assert(std::popcount(text_words) == 10 && sizeof(Text) == sizeof(Word));

// A bit for each word in which two messages differ.
std::uint32_t different_words(const char* a, const char* b) {
    std::uint32_t different = 0;
    std::size_t word = 0;
#if defined(__SSE2__)
    const auto pair = [](const char* p) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    };
#pragma GCC unroll 16
    for (; word + 1 < words_in_message; word += 2) {
        const auto halves =
            _mm_cmpeq_epi32(pair(a + word * sizeof(Word)), pair(b + word * sizeof(Word)));
        constexpr int other_half = 0b10'11'00'01;
        const auto both = _mm_and_si128(halves, _mm_shuffle_epi32(halves, other_half));
        const auto same = static_cast<std::uint32_t>(_mm_movemask_pd(_mm_castsi128_pd(both)));
        different |= (same ^ 0b11U) << word;
    }
#endif
    for (; word < words_in_message; ++word) {
        const auto differs =
            std::memcmp(a + word * sizeof(Word), b + word * sizeof(Word), sizeof(Word)) != 0;
        different |= static_cast<std::uint32_t>(differs) << word;
    }
    return different;
}

void turn_around(Message& m) {
    std::swap(m.source, m.destination);
}

} // namespace

StretchWriter::StretchWriter() {
    bytes_.reserve(usual_size);
    bytes_.resize(sizeof(Header));
}

void StretchWriter::begin_message() {
    record_ = bytes_.size();
    bytes_.append(sizeof(TextSize), '\0');
}

Text StretchWriter::add(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(text);
    return {offset, static_cast<std::uint32_t>(text.size())};
}

void StretchWriter::end_message(const Message& message, std::span<const MediaLine> lines) {
    std::uint32_t mask = 0;
    if (message.source == last_.destination && message.destination == last_.source) {
        turn_around(last_);
        mask = turned_around;
    }
    const auto texts = static_cast<TextSize>(bytes_.size() - record_ - sizeof(TextSize));
    std::memcpy(bytes_.data() + record_, &texts, sizeof texts);

    auto m = message;
    if (m.status != 0) {
        m.sent_by = last_.sent_by; // stands in requests alone; to repeat it costs nothing
    }
    const auto* now = reinterpret_cast<const char*>(&m);
    auto* then = reinterpret_cast<char*>(&last_);
    const auto different = different_words(now, then);
    mask |= different;
    std::array<char, sizeof mask + sizeof(Words)> piece;
    auto* at = piece.data() + sizeof mask;
    for (auto rest = different; rest != 0; rest &= rest - 1) {
        const auto word = static_cast<std::uint32_t>(std::countr_zero(rest));
        std::memcpy(at, now + word * sizeof(Word), sizeof(Word));
        at += sizeof(Word);
    }
    last_ = m;
    std::memcpy(piece.data(), &mask, sizeof mask);
    bytes_.append(piece.data(), static_cast<std::size_t>(at - piece.data()));
    bytes_.append(reinterpret_cast<const char*>(lines.data()), lines.size_bytes());
    ++header_.messages;
    header_.media_lines += static_cast<std::uint32_t>(lines.size());
}

std::string_view StretchWriter::blob(BlobRef previous) {
    header_.previous = previous;
    std::memcpy(bytes_.data(), &header_, sizeof header_);
    return bytes_;
}

void StretchWriter::clear() {
    header_ = {};
    last_ = {};
    bytes_.resize(sizeof(Header));
    if (bytes_.capacity() > most_kept) {
        bytes_.shrink_to_fit();
    }
}

BlobRef previous_of(std::string_view blob) {
    StretchWriter::Header header;
    if (blob.size() >= sizeof header) {
        std::memcpy(&header, blob.data(), sizeof header);
    }
    return header.previous;
}

bool unpack(std::string_view blob, Call& call, LegNames& names) {
    StretchWriter::Header header;
    if (blob.size() < sizeof header) {
        return false;
    }
    const auto* at = blob.data();
    header = read<StretchWriter::Header>(at);
    // The whole blob becomes part of the pool: the texts in it stay where they are.
    const auto texts = call.pool.append(blob);
    const auto message_base = static_cast<std::uint32_t>(call.messages.size());
    const auto line_base = static_cast<std::uint32_t>(call.media_lines.size());
    names = header.names;
    for (auto* text : {&names.call_id, &names.from, &names.to, &names.from_name, &names.to_name}) {
        TextPool::rebase(*text, texts);
    }
    const auto rebase = [message_base](std::uint32_t& index) {
        if (index != none) {
            index += message_base;
        }
    };
    Message now; // its texts as they are in the pool
    for (std::uint32_t n = 0; n < header.messages; ++n) {
        at += read<TextSize>(at);
        auto mask = read<std::uint32_t>(at);
        if ((mask & turned_around) != 0) {
            turn_around(now);
            mask &= ~turned_around;
        }
        auto* words = reinterpret_cast<char*>(&now);
        const auto place = [words](std::uint32_t bits) { // of the lowest bit's word
            return words + static_cast<std::uint32_t>(std::countr_zero(bits)) * sizeof(Word);
        };
        for (auto rest = mask; rest != 0; rest &= rest - 1) {
            std::memcpy(place(rest), at, sizeof(Word));
            at += sizeof(Word);
        }
        for (auto rest = mask & text_words; rest != 0; rest &= rest - 1) {
            Text text;
            std::memcpy(&text, place(rest), sizeof text);
            TextPool::rebase(text, texts);
            std::memcpy(place(rest), &text, sizeof text);
        }
        auto& m = call.messages.emplace_back(now);
        m.sent_by = m.status != 0 ? Endpoint{} : m.sent_by;
        m.media_begin += line_base;
        rebase(m.retransmission_of);
        rebase(m.duplicate_of);
        for (std::uint32_t i = 0; i < now.media_count; ++i) {
            auto& line = call.media_lines.emplace_back(read<MediaLine>(at));
            for (auto* text :
                 {&line.type, &line.profile, &line.codecs, &line.crypto_suite, &line.cryptos}) {
                TextPool::rebase(*text, texts);
            }
        }
    }
    return true;
}

} // namespace cw::flow
