#include "capture/tls/key_schedule.hpp"

#include <algorithm>

#include <openssl/crypto.h>

namespace cw::capture::tls {

namespace {

constexpr std::size_t largest_block = 128; // SHA-384
constexpr std::size_t largest_digest = 48;

std::size_t block_size(Hash hash) {
    return hash == Hash::Sha384 ? 128 : 64;
}

} // namespace

EVP_MD_CTX* Hasher::begin(Hash hash) {
    constexpr std::array<const char*, 5> names{nullptr, "MD5", "SHA1", "SHA2-256", "SHA2-384"};
    const auto number = static_cast<std::size_t>(hash);
    auto& engine = engines_[number];
    if (!engine.fetched && names[number] != nullptr) {
        engine.fetched = true;
        engine.md.reset(EVP_MD_fetch(nullptr, names[number], nullptr));
        engine.context.reset(EVP_MD_CTX_new());
    }
    auto* context = engine.context.get();
    const bool ok = engine.md && context != nullptr &&
                    EVP_DigestInit_ex2(context, engine.md.get(), nullptr) == 1;
    return ok ? context : nullptr;
}

bool Hasher::digest(Hash hash, std::initializer_list<Bytes> parts, std::uint8_t* out) {
    auto* context = begin(hash);
    if (context == nullptr) {
        return false;
    }
    for (const auto part : parts) {
        if (EVP_DigestUpdate(context, part.data(), part.size()) != 1) {
            return false;
        }
    }
    unsigned length = 0;
    return EVP_DigestFinal_ex(context, out, &length) == 1;
}

// [RFC 2104 §2]. Note: written over EVP digests, because setting the key of an EVP_MAC costs more
// than the hashing itself, and nearly every HMAC here has a key of its own.
bool Hasher::hmac(Hash hash, Bytes key, std::initializer_list<Bytes> parts, std::uint8_t* out) {
    const auto block = block_size(hash);
    std::array<std::uint8_t, largest_block> pad{};
    if (key.size() > block) {
        if (!digest(hash, {key}, pad.data())) {
            return false;
        }
    } else {
        std::ranges::copy(key, pad.begin());
    }
    for (auto& byte : pad) {
        byte ^= 0x36;
    }
    auto* context = begin(hash);
    bool ok = context != nullptr && EVP_DigestUpdate(context, pad.data(), block) == 1;
    for (const auto part : parts) {
        ok = ok && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
    }
    unsigned length = 0;
    std::array<std::uint8_t, largest_digest> inner{};
    ok = ok && EVP_DigestFinal_ex(context, inner.data(), &length) == 1;
    for (auto& byte : pad) {
        byte ^= 0x36 ^ 0x5c;
    }
    ok = ok && digest(hash, {Bytes{pad}.first(block), Bytes{inner}.first(size_of(hash))}, out);
    OPENSSL_cleanse(pad.data(), pad.size());
    return ok;
}

bool Hasher::expand_label(Hash hash, Bytes secret, std::string_view label,
                          std::span<std::uint8_t> out) {
    return out.size() <= size_of(hash) && expand_label(hash, secret, "tls13 ", label, {}, out);
}

// HKDF-Expand(secret, HkdfLabel, size) [RFC 8446 §7.1, RFC 5869 §2.3].
bool Hasher::expand_label(Hash hash, Bytes secret, std::string_view prefix, std::string_view label,
                          Bytes context, std::span<std::uint8_t> out) {
    if (out.size() > 255 * size_of(hash) || out.size() > 0xffff || label.size() > 32 ||
        context.size() > 255) {
        return false;
    }
    const std::array<std::uint8_t, 3> head{static_cast<std::uint8_t>(out.size() >> 8),
                                           static_cast<std::uint8_t>(out.size()),
                                           static_cast<std::uint8_t>(prefix.size() + label.size())};
    const std::array<std::uint8_t, 1> context_size{static_cast<std::uint8_t>(context.size())};
    std::array<std::uint8_t, largest_digest> block{};
    Bytes before;
    std::uint8_t number = 0;
    while (!out.empty()) {
        const std::array<std::uint8_t, 1> counter{++number};
        if (!hmac(hash, secret,
                  {before, head, as_bytes(prefix), as_bytes(label), context_size, context, counter},
                  block.data())) {
            return false;
        }
        before = Bytes{block}.first(size_of(hash));
        const auto part = std::min(before.size(), out.size());
        std::copy_n(block.begin(), part, out.begin());
        out = out.subspan(part);
    }
    OPENSSL_cleanse(block.data(), block.size());
    return true;
}

// TLS-Exporter(label, "", size) = HKDF-Expand-Label(Derive-Secret(Secret, label, ""), "exporter",
// Hash(""), size); Derive-Secret hashes its messages, of which there are none.
bool Hasher::export_dtls13(Hash hash, Bytes exporter_secret, std::string_view label,
                           std::span<std::uint8_t> out) {
    std::array<std::uint8_t, largest_digest> nothing{};
    std::array<std::uint8_t, largest_digest> derived{};
    const auto size = size_of(hash);
    const auto none = Bytes{nothing}.first(size);
    const bool done =
        digest(hash, {}, nothing.data()) &&
        expand_label(hash, exporter_secret, "dtls13", label, none,
                     std::span{derived}.first(size)) &&
        expand_label(hash, Bytes{derived}.first(size), "dtls13", "exporter", none, out);
    OPENSSL_cleanse(derived.data(), derived.size());
    return done;
}

bool Hasher::p_hash(Hash hash, Bytes secret, std::string_view label, Bytes seed_a, Bytes seed_b,
                    std::span<std::uint8_t> out) {
    const auto size = size_of(hash);
    std::array<std::uint8_t, largest_digest> a{};
    std::array<std::uint8_t, largest_digest> block{};
    if (!hmac(hash, secret, {as_bytes(label), seed_a, seed_b}, a.data())) {
        return false;
    }
    const auto current = Bytes{a}.first(size);
    while (!out.empty()) {
        if (!hmac(hash, secret, {current, as_bytes(label), seed_a, seed_b}, block.data())) {
            return false;
        }
        const auto part = std::min(size, out.size());
        for (std::size_t i = 0; i < part; ++i) {
            out[i] ^= block[i];
        }
        out = out.subspan(part);
        if (!out.empty() && !hmac(hash, secret, {current}, a.data())) {
            return false;
        }
    }
    return true;
}

bool Hasher::prf(std::uint16_t version, Hash hash, Bytes secret, std::string_view label,
                 Bytes seed_a, Bytes seed_b, std::span<std::uint8_t> out) {
    std::ranges::fill(out, std::uint8_t{0});
    if (version >= version::tls12) {
        return p_hash(hash, secret, label, seed_a, seed_b, out);
    }
    // "The secret is partitioned into two halves [...] of the same length [...] if the original
    // secret is an odd number of bytes long, the last byte of S1 will be the same as the first byte
    // of S2" [RFC 2246 §5]
    const auto half = (secret.size() + 1) / 2;
    return p_hash(Hash::Md5, secret.first(half), label, seed_a, seed_b, out) &&
           p_hash(Hash::Sha1, secret.last(half), label, seed_a, seed_b, out);
}

} // namespace cw::capture::tls
