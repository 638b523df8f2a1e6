#include "flow/archive.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

namespace cw::flow {
namespace {

struct BlobHeader {
    BlobRef previous;
    LegNames names;
    std::uint32_t slot;
    std::uint32_t messages;
    std::uint32_t media_lines;
    std::uint32_t pool;
};

static_assert(std::is_trivially_copyable_v<Message> && std::is_trivially_copyable_v<MediaLine>);

template <class T>
void put(std::string& out, const T* values, std::size_t n) {
    out.append(reinterpret_cast<const char*>(values), n * sizeof(T));
}

template <class T>
std::size_t take(std::string_view blob, std::size_t at, std::vector<T>& out, std::size_t n) {
    if (n == 0) {
        return at;
    }
    const auto old = out.size();
    out.resize(old + n);
    std::memcpy(out.data() + old, blob.data() + at, n * sizeof(T));
    return at + n * sizeof(T);
}

// Messages of one leg are much alike: of each, only those eight-byte words are written in which it
// differs from the one before it, with a mask that says which. Half the size, for a few operations.
constexpr std::size_t message_words = sizeof(Message) / sizeof(std::uint64_t);
static_assert(sizeof(Message) % sizeof(std::uint64_t) == 0 && message_words <= 32);
using Words = std::array<std::uint64_t, message_words>;

void put_messages(std::string& out, const std::vector<Message>& messages) {
    Words before{};
    for (const auto& m : messages) {
        std::array<char, sizeof(std::uint32_t) + sizeof(Words)> piece;
        auto* at = piece.data() + sizeof(std::uint32_t);
        Words now;
        std::memcpy(now.data(), &m, sizeof m);
        std::uint32_t mask = 0;
        for (std::size_t i = 0; i < message_words; ++i) {
            if (now[i] != before[i]) {
                mask |= 1U << i;
                std::memcpy(at, &now[i], sizeof now[i]);
                at += sizeof now[i];
            }
        }
        std::memcpy(piece.data(), &mask, sizeof mask);
        out.append(piece.data(), static_cast<std::size_t>(at - piece.data()));
        before = now;
    }
}

std::size_t take_messages(std::string_view blob, std::size_t at, std::vector<Message>& out,
                          std::size_t n) {
    Words words{};
    for (std::size_t k = 0; k < n; ++k) {
        std::uint32_t mask = 0;
        std::memcpy(&mask, blob.data() + at, sizeof mask);
        at += sizeof mask;
        for (; mask != 0; mask &= mask - 1) {
            std::memcpy(&words[static_cast<std::size_t>(std::countr_zero(mask))], blob.data() + at,
                        sizeof(std::uint64_t));
            at += sizeof(std::uint64_t);
        }
        std::memcpy(static_cast<void*>(&out.emplace_back()), words.data(), sizeof words);
    }
    return at;
}

void rebase(Text& text, std::uint32_t base) {
    if (text.length > 0) {
        text.offset += base;
    }
}

void rebase(std::uint32_t& index, std::uint32_t base) {
    if (index != none) {
        index += base;
    }
}

} // namespace

void pack(const Stretch& stretch, BlobRef previous, std::string& out) {
    const BlobHeader header{previous,
                            stretch.names,
                            stretch.slot,
                            static_cast<std::uint32_t>(stretch.messages.size()),
                            static_cast<std::uint32_t>(stretch.media_lines.size()),
                            static_cast<std::uint32_t>(stretch.pool.bytes().size())};
    out.clear();
    put(out, &header, 1);
    put_messages(out, stretch.messages);
    put(out, stretch.media_lines.data(), header.media_lines);
    out.append(stretch.pool.bytes());
}

BlobRef previous_of(std::string_view blob) {
    BlobHeader header{};
    if (blob.size() >= sizeof header) {
        std::memcpy(&header, blob.data(), sizeof header);
    }
    return header.previous;
}

void unpack(std::string_view blob, Stretch& out) {
    BlobHeader header{};
    if (blob.size() < sizeof header) { // the spool could not read it back
        return;
    }
    std::memcpy(&header, blob.data(), sizeof header);
    const auto message_base = static_cast<std::uint32_t>(out.messages.size());
    const auto line_base = static_cast<std::uint32_t>(out.media_lines.size());
    auto at = take_messages(blob, sizeof header, out.messages, header.messages);
    at = take(blob, at, out.media_lines, header.media_lines);
    const auto pool_base = out.pool.append(blob.substr(at, header.pool));

    out.slot = header.slot;
    out.names = header.names;
    for (auto* text : {&out.names.call_id, &out.names.from, &out.names.to, &out.names.from_name,
                       &out.names.to_name}) {
        rebase(*text, pool_base);
    }
    for (auto i = message_base; i < out.messages.size(); ++i) {
        auto& m = out.messages[i];
        m.media_begin += line_base;
        rebase(m.retransmission_of, message_base);
        rebase(m.duplicate_of, message_base);
        for (auto* text : {&m.method_text, &m.request_uri, &m.reason, &m.body_type, &m.note,
                           &m.problem, &m.contact}) {
            rebase(*text, pool_base);
        }
    }
    for (auto i = line_base; i < out.media_lines.size(); ++i) {
        auto& line = out.media_lines[i];
        for (auto* text : {&line.type, &line.profile, &line.codecs, &line.crypto_suite}) {
            rebase(*text, pool_base);
        }
    }
}

} // namespace cw::flow
