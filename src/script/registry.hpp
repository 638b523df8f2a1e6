// Names that come from registries: TLS alerts, SRTP suites, codecs. Static text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace cw::script {

// [RFC 8446 §6, §B.2]
inline constexpr std::array<std::pair<std::string_view, std::uint8_t>, 27> alerts{{
    {"close_notify", 0},
    {"unexpected_message", 10},
    {"bad_record_mac", 20},
    {"record_overflow", 22},
    {"handshake_failure", 40},
    {"bad_certificate", 42},
    {"unsupported_certificate", 43},
    {"certificate_revoked", 44},
    {"certificate_expired", 45},
    {"certificate_unknown", 46},
    {"illegal_parameter", 47},
    {"unknown_ca", 48},
    {"access_denied", 49},
    {"decode_error", 50},
    {"decrypt_error", 51},
    {"protocol_version", 70},
    {"insufficient_security", 71},
    {"internal_error", 80},
    {"inappropriate_fallback", 86},
    {"user_canceled", 90},
    {"missing_extension", 109},
    {"unsupported_extension", 110},
    {"unrecognized_name", 112},
    {"bad_certificate_status_response", 113},
    {"unknown_psk_identity", 115},
    {"certificate_required", 116},
    {"no_application_protocol", 120},
}};

// [RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2]
inline constexpr std::array<std::string_view, 9> suites{
    "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "F8_128_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32", "AEAD_AES_128_GCM",        "AEAD_AES_256_GCM",
};

// As rtpmap writes them [RFC 3551 §6, RFC 7587 §7, RFC 4733 §7.1.1].
inline constexpr std::array<std::string_view, 6> codecs{"PCMU", "PCMA", "G722",
                                                        "G729", "opus", "telephone-event"};

inline std::optional<std::uint8_t> alert_code(std::string_view name) {
    for (const auto& [known, code] : alerts) {
        if (known == name) {
            return code;
        }
    }
    return std::nullopt;
}
inline std::string_view alert_name(std::uint8_t code) {
    for (const auto& [name, known] : alerts) {
        if (known == code) {
            return name;
        }
    }
    return {};
}
inline bool is_one_of(std::span<const std::string_view> list, std::string_view name) {
    for (const auto known : list) {
        if (known == name) {
            return true;
        }
    }
    return false;
}

} // namespace cw::script
