#include "rtp/sdes.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/text.hpp"

namespace cw::rtp {
namespace {

constexpr std::size_t most_keys = 16;
constexpr std::size_t most_mki = 128;
// [RFC 4568 §6.1] "at most 2^48 SRTP packets"; [RFC 3711 §9.2]
constexpr std::uint64_t most_lifetime = std::uint64_t{1} << 48U;
constexpr std::uint32_t least_window = 64; // [RFC 4568 §6.3.6] WSH is a hint
constexpr std::uint32_t most_window = 1024;

std::string_view take_until(std::string_view& text, char end) {
    const auto at = std::min(text.find(end), text.size());
    const auto part = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return part;
}

// [RFC 4568 §6.1, §6.3] "leading zeroes MUST NOT be used"
template <class T>
std::optional<T> plain_number(std::string_view text) {
    return text.size() > 1 && text[0] == '0' ? std::nullopt : parse_number<T>(text);
}

// What stands before the next "|"; `more`, whether there is one.
std::string_view take_field(std::string_view& text, bool& more) {
    more = text.find('|') != std::string_view::npos;
    return take_until(text, '|');
}

Result<void> parse_lifetime(std::string_view text, SrtpMasterKey& out) {
    const bool power = text.starts_with("2^");
    const auto number = plain_number<std::uint64_t>(power ? text.substr(2) : text);
    if (!number || (power && *number > 48)) {
        return fail(Code::Malformed, 0, "the lifetime of an SRTP key is no number up to 2^48");
    }
    const auto packets = power ? std::uint64_t{1} << *number : *number;
    if (packets == 0 || packets > most_lifetime) {
        return fail(Code::Malformed, 0, "the lifetime of an SRTP key is no number up to 2^48");
    }
    out.lifetime = packets;
    return {};
}

// "1:4": the number 1 in four octets.
Result<void> parse_mki(std::string_view text, SrtpMasterKey& key) {
    const auto digits = take_until(text, ':');
    const auto size = plain_number<std::uint8_t>(text);
    auto value = plain_number<std::uint64_t>(digits);
    if (!value || !size || *size == 0 || *size > most_mki) {
        return fail(Code::Malformed, 0, "the MKI of an SRTP key is not VALUE:LENGTH");
    }
    std::vector<std::uint8_t> out(*size);
    for (auto at = out.rbegin(); at != out.rend(); ++at, *value >>= 8U) {
        *at = static_cast<std::uint8_t>(*value);
    }
    if (*value != 0) {
        return fail(Code::Malformed, 0, "the MKI of an SRTP key does not fit its length");
    }
    key.mki = std::move(out);
    return {};
}

Result<SrtpSecret> parse_secret(std::string_view text, const SrtpSuiteFacts& facts) {
    std::array<std::uint8_t, SrtpSecret::most> octets{};
    const auto size = decode_base64(text, octets);
    if (!size || *size != static_cast<std::size_t>(facts.key + facts.salt)) {
        return fail(Code::Malformed, 0, "the SRTP key is no base64 of its suite's length");
    }
    SrtpSecret secret{Bytes{octets}.first(*size)};
    std::ranges::fill(octets, std::uint8_t{0});
    return secret;
}

constexpr std::string_view method = "inline:";

Result<SrtpMasterKey> parse_key(std::string_view text, const SrtpSuiteFacts& facts) {
    if (!text.starts_with(method)) {
        return text.find(':') == std::string_view::npos
                   ? fail(Code::Malformed, 0, "an SRTP key without its method")
                   : fail(Code::Unsupported, 0, "an SRTP key that is not inline");
    }
    text.remove_prefix(method.size());
    SrtpMasterKey key;
    bool more = false;
    const auto secret = parse_secret(take_field(text, more), facts);
    if (!secret) {
        return std::unexpected(secret.error());
    }
    key.secret = *secret;
    // [RFC 4568 §6.1] Each of the two may be left out; only the MKI has a colon.
    while (more) {
        const auto field = take_field(text, more);
        const bool is_mki = field.find(':') != std::string_view::npos;
        if (!key.mki.empty() || (!is_mki && key.lifetime != 0)) {
            return fail(Code::Malformed, 0, "too many fields in an SRTP key");
        }
        const auto ok = is_mki ? parse_mki(field, key) : parse_lifetime(field, key);
        if (!ok) {
            return std::unexpected(ok.error());
        }
    }
    return key;
}

Result<void> parse_keys(std::string_view text, SrtpParameters& out) {
    const auto& facts = facts_of(out.suite);
    if (text.empty() || text.ends_with(';')) {
        return fail(Code::Malformed, 0, "a=crypto without a key");
    }
    while (!text.empty()) {
        auto key = parse_key(take_until(text, ';'), facts);
        if (!key) {
            return std::unexpected(key.error());
        }
        if (out.keys.size() == most_keys) {
            return fail(Code::LimitExceeded, 0, "more than sixteen SRTP keys");
        }
        out.keys.push_back(std::move(*key));
    }
    // [RFC 4568 §6.1] Of several keys each has an MKI, its own, all of one length.
    for (std::size_t i = 0; i < out.keys.size(); ++i) {
        const auto& mki = out.keys[i].mki;
        const bool repeated =
            std::any_of(out.keys.begin(), out.keys.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const SrtpMasterKey& k) { return k.mki == mki; });
        if (repeated || mki.size() != out.keys[0].mki.size()) {
            return fail(Code::Malformed, 0, "several SRTP keys need different MKIs of one length");
        }
    }
    return {};
}

Result<void> parse_session_parameter(std::string_view word, SrtpParameters& out) {
    if (word == "UNENCRYPTED_SRTP") {
        out.encrypt_rtp = false;
    } else if (word == "UNENCRYPTED_SRTCP") {
        out.encrypt_rtcp = false;
    } else if (word == "UNAUTHENTICATED_SRTP") {
        out.authenticate_rtp = false;
    } else if (word.starts_with("WSH=")) {
        const auto window = plain_number<std::uint32_t>(word.substr(4));
        if (!window || *window < least_window) {
            return fail(Code::Malformed, 0, "WSH is no number from 64 on");
        }
        out.window = static_cast<std::uint16_t>(std::min(*window, most_window));
    } else if (word.starts_with("KDR=")) {
        const auto rate = plain_number<std::uint8_t>(word.substr(4));
        if (!rate || *rate > 24) {
            return fail(Code::Malformed, 0, "KDR is no number from 0 to 24");
        }
        return fail(Code::Unsupported, 0, "SRTP keys that are derived more than once (KDR)");
    } else if (!word.starts_with('-') || word.size() == 1) {
        // [RFC 4568 §6.3.7] Without the dash it must be understood.
        return fail(Code::Unsupported, 0, "a session parameter of a=crypto that is not known");
    }
    return {};
}

std::string mki_text(const std::vector<std::uint8_t>& mki) {
    std::uint64_t value = 0;
    for (const auto octet : mki) {
        value = value << 8U | octet;
    }
    return std::to_string(value) + ":" + std::to_string(mki.size());
}

} // namespace

Result<SdesCrypto> parse_sdes(const SdesText& text) {
    const auto suite = srtp_suite(text.suite);
    if (!suite) {
        return fail(Code::Unsupported, 0, "an SRTP suite that is not known");
    }
    SdesCrypto out{.tag = text.tag, .parameters = {.suite = *suite}};
    if (const auto ok = parse_keys(text.key_parameters, out.parameters); !ok) {
        return std::unexpected(ok.error());
    }
    auto rest = text.session_parameters;
    while (!trim(rest).empty()) {
        rest = trim(rest);
        const auto word = rest.substr(0, rest.find_first_of(" \t"));
        rest.remove_prefix(word.size());
        if (const auto ok = parse_session_parameter(word, out.parameters); !ok) {
            return std::unexpected(ok.error());
        }
    }
    if (facts_of(*suite).aead && !(out.parameters.authenticate_rtp && out.parameters.encrypt_rtp)) {
        return fail(Code::Unsupported, 0,
                    "an AEAD suite cannot leave out encryption or authentication");
    }
    return out;
}

std::optional<Error> sdes_problem(const SdesText& text) {
    // One key with nothing behind it, as nearly all are.
    const auto suite = srtp_suite(text.suite);
    if (suite && text.session_parameters.empty() && text.key_parameters.starts_with(method) &&
        parse_secret(text.key_parameters.substr(method.size()), facts_of(*suite))) {
        return std::nullopt;
    }
    const auto parsed = parse_sdes(text);
    return parsed ? std::nullopt : std::optional{parsed.error()};
}

std::string to_sdes(const SdesCrypto& crypto) {
    const auto& p = crypto.parameters;
    auto out = std::to_string(crypto.tag) + " " + std::string{to_string(p.suite)};
    char before = ' ';
    for (const auto& key : p.keys) {
        out += before;
        before = ';';
        out += "inline:" + to_base64(key.secret.octets());
        if (key.lifetime != 0) {
            const bool power = (key.lifetime & (key.lifetime - 1)) == 0;
            out += power ? "|2^" + std::to_string(__builtin_ctzll(key.lifetime))
                         : "|" + std::to_string(key.lifetime);
        }
        if (!key.mki.empty()) {
            out += "|" + mki_text(key.mki);
        }
    }
    out += p.encrypt_rtp ? "" : " UNENCRYPTED_SRTP";
    out += p.encrypt_rtcp ? "" : " UNENCRYPTED_SRTCP";
    out += p.authenticate_rtp ? "" : " UNAUTHENTICATED_SRTP";
    if (p.window != SrtpParameters{}.window) {
        out += " WSH=" + std::to_string(p.window);
    }
    return out;
}

} // namespace cw::rtp
