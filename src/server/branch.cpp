#include "server/branch.hpp"

#include <charconv>
#include <cstring>

#include "base/hash.hpp"
#include "sip/name_addr.hpp"

namespace cw::server {
namespace {

constexpr std::string_view prefix = "z9hG4bKcw";
constexpr std::uint64_t loop_mask = 0xffff'ffff'ffffULL; // 48 bits

constexpr std::array sealed_ids{
    sip::HeaderId::Route, sip::HeaderId::ProxyRequire, sip::HeaderId::ProxyAuthorization,
    sip::HeaderId::From,  sip::HeaderId::To,           sip::HeaderId::CallId,
    sip::HeaderId::CSeq};
constexpr sip::HeaderSet sealed_headers{sealed_ids};

void write_hex(char* at, std::uint64_t value, int digits) {
    for (int i = digits - 1; i >= 0; --i) {
        at[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

bool read_hex(std::string_view text, std::uint64_t& value) {
    const auto* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value, 16);
    return error == std::errc{} && at == end;
}

bool is_ours(std::string_view branch) {
    return branch.size() == Branches::size && branch.starts_with(prefix);
}

} // namespace

Branches::Branches(std::string_view secret, std::uint8_t shard, std::uint64_t boot)
    : number_key_(crypto::derive_key(secret, "branch")),
      loop_seed_(crypto::derive_key(secret, "loop").low), shard_(shard), boot_(boot) {}

// [RFC 5393 §4.2.1]: Request-URI and Route decide where it goes; the others tell a spiral's
// messages apart. "Via" and what the proxy itself changes must not be in. Any hash will do under
// which two requests hardly ever meet, "CRC-32c" too [§4.2.4]; its seed is secret, so that nobody
// can look for two that do.
std::uint64_t Branches::loop_seal(const sip::MessageView& request) const {
    auto hash = hash_bytes(request.request_uri(), loop_seed_);
    for (const auto& header : request.headers()) {
        if (sealed_headers.has(header.id)) {
            hash = hash_bytes(header.value, hash);
        }
    }
    return hash & loop_mask;
}

Branches::Text Branches::next(std::uint64_t loop_seal) {
    Text text{};
    std::memcpy(text.data(), prefix.data(), prefix.size());
    auto* at = text.data() + prefix.size();
    write_hex(at, shard_, 2);
    const auto number =
        crypto::SipHash{number_key_}.add(boot_).add(std::uint64_t{shard_}).add(++next_).finish();
    write_hex(at + 2, number, 16);
    write_hex(at + 18, loop_seal & loop_mask, 12);
    return text;
}

bool Branches::looped(const sip::MessageView& request, std::uint64_t loop_seal) {
    for (const auto& header : request.headers()) {
        if (header.id != sip::HeaderId::Via ||
            header.value.find(prefix) == std::string_view::npos) {
            continue;
        }
        for (auto via = sip::parse_via(header.value); via; via = sip::parse_via(via->rest)) {
            std::uint64_t seal = 0;
            if (is_ours(via->branch) && read_hex(via->branch.substr(prefix.size() + 18), seal) &&
                seal == loop_seal) {
                return true;
            }
            if (!via->more) {
                break;
            }
        }
    }
    return false;
}

std::uint8_t Branches::shard_of(std::string_view branch) {
    std::uint64_t shard = 0;
    return is_ours(branch) && read_hex(branch.substr(prefix.size(), 2), shard)
               ? static_cast<std::uint8_t>(shard)
               : std::uint8_t{255};
}

} // namespace cw::server
