#include "rtp/srtp_suite.hpp"

#include <algorithm>
#include <cstring>

#include <sys/random.h>

namespace cw::rtp {
namespace {

constexpr std::array<SrtpSuiteFacts, 8> suites{{
    {SrtpSuite::AesCm128Sha1_80, "AES_CM_128_HMAC_SHA1_80", 16, 14, 10, false, 1},
    {SrtpSuite::AesCm128Sha1_32, "AES_CM_128_HMAC_SHA1_32", 16, 14, 4, false, 2},
    {SrtpSuite::AesCm192Sha1_80, "AES_192_CM_HMAC_SHA1_80", 24, 14, 10, false, 0},
    {SrtpSuite::AesCm192Sha1_32, "AES_192_CM_HMAC_SHA1_32", 24, 14, 4, false, 0},
    {SrtpSuite::AesCm256Sha1_80, "AES_256_CM_HMAC_SHA1_80", 32, 14, 10, false, 0},
    {SrtpSuite::AesCm256Sha1_32, "AES_256_CM_HMAC_SHA1_32", 32, 14, 4, false, 0},
    {SrtpSuite::AeadAes128Gcm, "AEAD_AES_128_GCM", 16, 12, 16, true, 7},
    {SrtpSuite::AeadAes256Gcm, "AEAD_AES_256_GCM", 32, 12, 16, true, 8},
}};

} // namespace

const SrtpSuiteFacts& facts_of(SrtpSuite suite) {
    return suites[static_cast<std::size_t>(suite)];
}

std::span<const SrtpSuiteFacts> all_srtp_suites() {
    return suites;
}

std::optional<SrtpSuite> srtp_suite(std::string_view name) {
    for (const auto& facts : suites) {
        if (facts.name == name) {
            return facts.suite;
        }
    }
    return std::nullopt;
}

SrtpSecret::SrtpSecret(Bytes octets)
    : size_(static_cast<std::uint8_t>(octets.size() < most ? octets.size() : most)) {
    std::copy_n(octets.begin(), size_, octets_.begin());
}

SrtpSecret::~SrtpSecret() {
    explicit_bzero(octets_.data(), octets_.size());
}

Result<SrtpParameters> srtp_parameters_of_dtls(std::uint16_t profile, Bytes key_and_salt) {
    // [RFC 5764 §4.1.2] SRTP_NULL_HMAC_SHA1_80 and _32 authenticate as the others and do not
    // encrypt. Note: the RFC names no length for their keys; implementations take those of AES-128.
    const bool null_cipher = profile == 5 || profile == 6;
    profile = null_cipher ? static_cast<std::uint16_t>(profile - 4) : profile;
    const auto* facts = std::ranges::find(suites, profile, &SrtpSuiteFacts::dtls_profile);
    if (profile == 0 || facts == suites.end()) {
        return fail(Code::Unsupported, 0, "an SRTP protection profile that is not known");
    }
    if (key_and_salt.size() != static_cast<std::size_t>(facts->key + facts->salt)) {
        return fail(Code::Usage, 0, "the master key has not the length of its SRTP suite");
    }
    SrtpParameters out{.suite = facts->suite, .keys = {SrtpMasterKey{}}};
    out.keys[0].secret = SrtpSecret{key_and_salt};
    out.encrypt_rtp = out.encrypt_rtcp = !null_cipher;
    return out;
}

Result<SrtpParameters> random_srtp_parameters(SrtpSuite suite) {
    const auto& facts = facts_of(suite);
    std::array<std::uint8_t, SrtpSecret::most> octets{};
    const auto size = static_cast<std::size_t>(facts.key + facts.salt);
    if (getentropy(octets.data(), size) != 0) {
        return fail(Code::CryptoFailed, 0, "the system gave no random numbers");
    }
    SrtpParameters out{.suite = suite, .keys = {SrtpMasterKey{}}};
    out.keys[0].secret = SrtpSecret{Bytes{octets}.first(size)};
    explicit_bzero(octets.data(), octets.size());
    return out;
}

} // namespace cw::rtp
