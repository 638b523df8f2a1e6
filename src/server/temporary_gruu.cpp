#include "server/temporary_gruu.hpp"

#include <array>
#include <cstring>

#include "crypto/base64url.hpp"

namespace cw::server {
namespace {

// start:8, then covered: made:8 instance:8 user, then seal:8. `start` differs each time, and with
// it all that follows: "Given a pair of GRUUs, it MUST be computationally infeasible to determine
// whether they were issued for the same AOR or instance ID" [RFC 5627 §5.1].
constexpr std::size_t word = 8;
constexpr std::size_t around = 4 * word;

void put(std::string& out, std::uint64_t number) {
    out.append(reinterpret_cast<const char*>(&number), word);
}
std::uint64_t take(std::string_view text, std::size_t at) {
    std::uint64_t number = 0;
    std::memcpy(&number, text.data() + at, word);
    return number;
}

} // namespace

TemporaryGruus::TemporaryGruus(std::string_view secret, std::uint8_t shard, std::uint64_t boot)
    : start_key_(crypto::derive_key(secret, "gruu start")),
      cover_key_(crypto::derive_key(secret, "gruu cover")),
      seal_key_(crypto::derive_key(secret, "gruu seal")),
      instance_key_(crypto::derive_key(secret, "gruu instance")) {
    // Other shards and starts count from elsewhere.
    start_key_.low ^= crypto::SipHash{start_key_}.add(std::uint64_t{shard}).add(boot).finish();
}

// The keystream is a pseudo-random function of the start and the place.
void TemporaryGruus::cover(std::uint64_t start, std::string& text) const {
    for (std::size_t at = 0; at < text.size(); at += word) {
        const auto mask = crypto::SipHash{cover_key_}.add(start).add(std::uint64_t{at}).finish();
        for (std::size_t i = at; i < text.size() && i < at + word; ++i) {
            text[i] = static_cast<char>(text[i] ^ static_cast<char>(mask >> (8 * (i - at))));
        }
    }
}

std::uint64_t TemporaryGruus::seal(std::string_view text, std::string_view domain) const {
    return crypto::SipHash{seal_key_}.add_part(text).add_part(domain).finish();
}

std::uint64_t TemporaryGruus::instance_of(std::string_view instance) const {
    return crypto::SipHash{instance_key_}.add_part(instance).finish();
}

bool TemporaryGruus::append(std::string& out, const TemporaryGruu& gruu, std::string_view domain) {
    if (gruu.user.size() > longest_user) {
        return false;
    }
    const auto start = crypto::SipHash{start_key_}.add(++counter_).finish();
    std::string inside;
    put(inside, static_cast<std::uint64_t>(gruu.made.ns));
    put(inside, gruu.instance);
    inside += gruu.user;
    cover(start, inside);
    std::string text;
    put(text, start);
    text += inside;
    put(text, seal(text, domain));
    out += mark;
    crypto::append_base64url(out, as_bytes(std::string_view{text}));
    return true;
}

std::optional<TemporaryGruu> TemporaryGruus::open(std::string_view user_part,
                                                  std::string_view domain) const {
    std::array<std::uint8_t, around + longest_user> octets{};
    if (!user_part.starts_with(mark)) {
        return std::nullopt;
    }
    const auto size = crypto::decode_base64url(user_part.substr(mark.size()), octets);
    if (!size || *size < around) {
        return std::nullopt;
    }
    const std::string_view text{reinterpret_cast<const char*>(octets.data()), *size - word};
    if (take({text.data(), *size}, text.size()) != seal(text, domain)) {
        return std::nullopt;
    }
    std::string inside{text.substr(word)};
    cover(take(text, 0), inside);
    TemporaryGruu gruu;
    gruu.made.ns = static_cast<std::int64_t>(take(inside, 0));
    gruu.instance = take(inside, word);
    gruu.user = inside.substr(2 * word);
    return gruu;
}

} // namespace cw::server
