// What two ends must agree on before SRTP can flow: the suite, the master keys, and which services
// are switched off [RFC 3711 §8.2; RFC 4568 §6.2, §6.3; RFC 6188; RFC 7714 §14.2]. Plain values;
// keys are wiped where they end. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cw::rtp {

enum class SrtpSuite : std::uint8_t {
    AesCm128Sha1_80,
    AesCm128Sha1_32,
    AesCm192Sha1_80,
    AesCm192Sha1_32,
    AesCm256Sha1_80,
    AesCm256Sha1_32,
    AeadAes128Gcm,
    AeadAes256Gcm,
};

struct SrtpSuiteFacts {
    SrtpSuite suite{};
    std::string_view name;    // as a=crypto writes it
    std::uint8_t key = 0;     // octets of the master key
    std::uint8_t salt = 0;    // of the master salt
    std::uint8_t rtp_tag = 0; // authentication tag; that of SRTCP is 10, or 16 with AEAD
    bool aead = false;
    std::uint16_t dtls_profile = 0; // its number in DTLS [RFC 5764 §4.1.2, RFC 7714 §14.2]; 0: none
};
const SrtpSuiteFacts& facts_of(SrtpSuite suite);
std::span<const SrtpSuiteFacts> all_srtp_suites();
inline std::string_view to_string(SrtpSuite suite) {
    return facts_of(suite).name;
}
// In exactly these letters; nothing for a suite that we do not have.
std::optional<SrtpSuite> srtp_suite(std::string_view name);

// A master key and the salt behind it, wiped at its end.
class SrtpSecret {
  public:
    static constexpr std::size_t most = 32 + 14;

    SrtpSecret() = default;
    explicit SrtpSecret(Bytes octets); // more than `most` are cut off
    ~SrtpSecret();
    SrtpSecret(const SrtpSecret&) = default;
    SrtpSecret& operator=(const SrtpSecret&) = default;
    bool operator==(const SrtpSecret&) const = default;

    [[nodiscard]] Bytes octets() const { return Bytes{octets_}.first(size_); }

  private:
    std::array<std::uint8_t, most> octets_{};
    std::uint8_t size_ = 0;
};

struct SrtpMasterKey {
    SrtpSecret secret = {};
    std::vector<std::uint8_t> mki = {}; // goes with each packet; empty: none [RFC 3711 §3.1]
    std::uint64_t lifetime = 0;         // packets; 0: not limited further than RFC 3711 §9.2 does
    bool operator==(const SrtpMasterKey&) const = default;
};

// One direction. What is sent is protected with the first key.
struct SrtpParameters {
    SrtpSuite suite = SrtpSuite::AesCm128Sha1_80;
    std::vector<SrtpMasterKey> keys = {}; // of several, each has an MKI of the same length
    bool encrypt_rtp = true;
    bool encrypt_rtcp = true;
    bool authenticate_rtp = true; // SRTCP always is [RFC 3711 §3.4]
    std::uint16_t window = 128;   // for replays, packets [RFC 3711 §3.3.2]
    bool operator==(const SrtpParameters&) const = default;
};

// One direction of what a DTLS handshake has agreed on: the profile's number, and the master key
// with the salt behind it [RFC 5764 §4.2]. Fails for a profile or a length that is not ours.
Result<SrtpParameters> srtp_parameters_of_dtls(std::uint16_t profile, Bytes key_and_salt);

// With a key of the system's random numbers.
Result<SrtpParameters> random_srtp_parameters(SrtpSuite suite);

} // namespace cw::rtp
