#include "capture/tls/suite.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace cw::capture::tls {

namespace {

// What a suite's name says after "_WITH_" (TLS 1.3 suites: after "TLS_"). The first entry that the
// rest of the name begins with counts, so CCM_8 stands before CCM.
struct NamedBulk {
    std::string_view in_name;
    Bulk bulk;
};
constexpr std::array<NamedBulk, bulk_kinds> bulks{{
    {"?", {}},
    {"AES_128_GCM", {"AES-128-GCM", Mode::Gcm, 16, 0, 16, false}},
    {"AES_256_GCM", {"AES-256-GCM", Mode::Gcm, 32, 0, 16, false}},
    {"AES_128_CCM_8", {"AES-128-CCM", Mode::Ccm, 16, 0, 8, false}},
    {"AES_256_CCM_8", {"AES-256-CCM", Mode::Ccm, 32, 0, 8, false}},
    {"AES_128_CCM", {"AES-128-CCM", Mode::Ccm, 16, 0, 16, false}},
    {"AES_256_CCM", {"AES-256-CCM", Mode::Ccm, 32, 0, 16, false}},
    {"CHACHA20_POLY1305", {"ChaCha20-Poly1305", Mode::ChaCha, 32, 0, 16, false}},
    {"AES_128_CBC", {"AES-128-CBC", Mode::Cbc, 16, 16, 0, false}},
    {"AES_256_CBC", {"AES-256-CBC", Mode::Cbc, 32, 16, 0, false}},
    {"3DES_EDE_CBC", {"DES-EDE3-CBC", Mode::Cbc, 24, 8, 0, false}},
    {"CAMELLIA_128_CBC", {"CAMELLIA-128-CBC", Mode::Cbc, 16, 16, 0, false}},
    {"CAMELLIA_256_CBC", {"CAMELLIA-256-CBC", Mode::Cbc, 32, 16, 0, false}},
    {"ARIA_128_CBC", {"ARIA-128-CBC", Mode::Cbc, 16, 16, 0, false}},
    {"ARIA_256_CBC", {"ARIA-256-CBC", Mode::Cbc, 32, 16, 0, false}},
    {"ARIA_128_GCM", {"ARIA-128-GCM", Mode::Gcm, 16, 0, 16, false}},
    {"ARIA_256_GCM", {"ARIA-256-GCM", Mode::Gcm, 32, 0, 16, false}},
    {"SEED_CBC", {"SEED-CBC", Mode::Cbc, 16, 16, 0, true}},
    {"IDEA_CBC", {"IDEA-CBC", Mode::Cbc, 16, 8, 0, true}},
    {"DES_CBC_SHA", {"DES-CBC", Mode::Cbc, 8, 8, 0, true}},
    {"DES_CBC_MD5", {"DES-CBC", Mode::Cbc, 8, 8, 0, true}},
    {"RC4_128", {"RC4", Mode::Stream, 16, 0, 0, true}},
    {"NULL", {"", Mode::Null, 0, 0, 0, false}},
}};

constexpr Suite describe(std::uint16_t number, std::string_view name) {
    Suite suite{.number = number, .name = name};
    auto rest = name.substr(4); // "TLS_"
    if (const auto with = rest.find("_WITH_"); with != std::string_view::npos) {
        const auto exchange = rest.substr(0, with);
        suite.exchange = exchange == "RSA" ? Exchange::Rsa : Exchange::Ephemeral;
        rest = rest.substr(with + 6);
    } else {
        suite.exchange = Exchange::Tls13;
    }
    if (rest.ends_with("SHA384")) {
        suite.prf = Hash::Sha384;
    }
    for (std::size_t i = 1; i < bulks.size(); ++i) {
        if (rest.starts_with(bulks[i].in_name)) {
            suite.bulk = static_cast<std::uint8_t>(i);
            break;
        }
    }
    const auto mode = bulks[suite.bulk].bulk.mode;
    if (mode == Mode::Cbc || mode == Mode::Stream || mode == Mode::Null) {
        suite.mac = rest.ends_with("SHA384")   ? Hash::Sha384
                    : rest.ends_with("SHA256") ? Hash::Sha256
                    : rest.ends_with("SHA")    ? Hash::Sha1
                    : rest.ends_with("MD5")    ? Hash::Md5
                                               : Hash::None;
        if (suite.mac == Hash::None) { // TLS_NULL_WITH_NULL_NULL, GOST
            suite.bulk = 0;
        }
    }
    return suite;
}

#define SUITE(number, name) describe(number, #name),
constexpr auto suites = std::to_array<Suite>({
#include "capture/tls/suites.def"
});
#undef SUITE
static_assert(std::ranges::is_sorted(suites, {}, &Suite::number));

struct NumberName {
    std::uint16_t number;
    std::string_view name;
};

// [IANA TLS Supported Groups]
constexpr auto groups = std::to_array<NumberName>({
    {1, "sect163k1"},
    {2, "sect163r1"},
    {3, "sect163r2"},
    {4, "sect193r1"},
    {5, "sect193r2"},
    {6, "sect233k1"},
    {7, "sect233r1"},
    {8, "sect239k1"},
    {9, "sect283k1"},
    {10, "sect283r1"},
    {11, "sect409k1"},
    {12, "sect409r1"},
    {13, "sect571k1"},
    {14, "sect571r1"},
    {15, "secp160k1"},
    {16, "secp160r1"},
    {17, "secp160r2"},
    {18, "secp192k1"},
    {19, "secp192r1"},
    {20, "secp224k1"},
    {21, "secp224r1"},
    {22, "secp256k1"},
    {23, "secp256r1"},
    {24, "secp384r1"},
    {25, "secp521r1"},
    {26, "brainpoolP256r1"},
    {27, "brainpoolP384r1"},
    {28, "brainpoolP512r1"},
    {29, "x25519"},
    {30, "x448"},
    {31, "brainpoolP256r1tls13"},
    {32, "brainpoolP384r1tls13"},
    {33, "brainpoolP512r1tls13"},
    {41, "curveSM2"},
    {256, "ffdhe2048"},
    {257, "ffdhe3072"},
    {258, "ffdhe4096"},
    {259, "ffdhe6144"},
    {260, "ffdhe8192"},
    {512, "mlkem512"},
    {513, "mlkem768"},
    {514, "mlkem1024"},
    {4587, "secp256r1mlkem768"},
    {4588, "x25519mlkem768"},
    {4589, "secp384r1mlkem1024"},
    {25497, "x25519kyber768draft00"},
});

// [RFC 8446 §6, RFC 5246 §7.2, RFC 4346 §7.2, RFC 4366 §4]
constexpr auto alerts = std::to_array<NumberName>({
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {21, "decryption_failed"},
    {22, "record_overflow"},
    {30, "decompression_failure"},
    {40, "handshake_failure"},
    {41, "no_certificate"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {60, "export_restriction"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {100, "no_renegotiation"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {111, "certificate_unobtainable"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {114, "bad_certificate_hash_value"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {120, "no_application_protocol"},
    {121, "ech_required"},
});

template <class Table>
std::string_view lookup(const Table& table, std::uint16_t number) {
    const auto* at = std::ranges::lower_bound(table, number, {}, &NumberName::number);
    return at != table.end() && at->number == number ? at->name : std::string_view{};
}

} // namespace

const Suite* find_suite(std::uint16_t number) {
    const auto* at = std::ranges::lower_bound(suites, number, {}, &Suite::number);
    return at != suites.end() && at->number == number ? at : nullptr;
}

const Bulk& bulk_of(const Suite& suite) {
    return bulks[suite.bulk].bulk;
}

const Bulk& bulk_at(std::uint8_t index) {
    return bulks[index < bulks.size() ? index : 0].bulk;
}

std::size_t size_of(Hash hash) {
    switch (hash) {
    case Hash::None:
        return 0;
    case Hash::Md5:
        return 16;
    case Hash::Sha1:
        return 20;
    case Hash::Sha256:
        return 32;
    case Hash::Sha384:
        return 48;
    }
    return 0;
}

std::string suite_name(std::uint16_t number) {
    const auto* suite = find_suite(number);
    return suite != nullptr ? std::string{suite->name} : fmt::format("0x{:04x}", number);
}

std::string version_name(std::uint16_t version) {
    switch (version) {
    case 0x0002:
        return "SSLv2";
    case version::ssl3:
        return "SSLv3";
    case version::tls10:
        return "TLSv1.0";
    case version::tls11:
        return "TLSv1.1";
    case version::tls12:
        return "TLSv1.2";
    case version::tls13:
        return "TLSv1.3";
    case version::dtls10:
        return "DTLSv1.0";
    case version::dtls12:
        return "DTLSv1.2";
    case version::dtls13:
        return "DTLSv1.3";
    default:
        break;
    }
    if ((version & 0xff00) == 0x7f00) {
        return fmt::format("TLSv1.3 (draft {})", version & 0xff);
    }
    return fmt::format("0x{:04x}", version);
}

std::string group_name(std::uint16_t group) {
    const auto name = lookup(groups, group);
    return name.empty() ? fmt::format("0x{:04x}", group) : std::string{name};
}

std::string_view alert_name(std::uint8_t number) {
    const auto name = lookup(alerts, number);
    return name.empty() ? "unknown" : name;
}

} // namespace cw::capture::tls
