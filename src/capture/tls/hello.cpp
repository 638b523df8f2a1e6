#include "capture/tls/hello.hpp"

#include <algorithm>
#include <array>

#include "capture/tls/suite.hpp"

namespace cw::capture::tls {

namespace {

namespace extension {
constexpr std::uint16_t server_name = 0;
constexpr std::uint16_t use_srtp = 14;
constexpr std::uint16_t alpn = 16;
constexpr std::uint16_t encrypt_then_mac = 22;
constexpr std::uint16_t extended_master_secret = 23;
constexpr std::uint16_t session_ticket = 35;
constexpr std::uint16_t draft_key_share = 40; // before draft 23
constexpr std::uint16_t pre_shared_key = 41;
constexpr std::uint16_t early_data = 42;
constexpr std::uint16_t supported_versions = 43;
constexpr std::uint16_t key_share = 51;
} // namespace extension

// SHA-256 of "HelloRetryRequest" [RFC 8446 §4.1.3]
constexpr std::array<std::uint8_t, 32> retry_random{
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

constexpr std::size_t longest_text = 1024;

// Names come from outside and go to terminals.
std::string printable(Bytes text) {
    std::string out{as_text(text.first(std::min(text.size(), longest_text)))};
    std::ranges::replace_if(out, [](char c) { return c < 0x21 || c > 0x7e; }, '?');
    return out;
}

// Calls `each(type, data)` for the extensions that follow; false when they are malformed.
template <class Each>
bool for_extensions(Reader& reader, Each each) {
    if (reader.left() == 0) {
        return true; // a hello may end before them
    }
    Reader list{reader.vec16()};
    while (reader.ok() && list.ok() && list.left() != 0) {
        const auto type = list.be16();
        const auto data = list.vec16();
        if (list.ok()) {
            each(type, data);
        }
    }
    return reader.ok() && list.ok();
}

std::string names_of_alpn(Bytes data) {
    Reader reader{data};
    Reader list{reader.vec16()};
    std::string out;
    while (list.ok() && list.left() != 0 && out.size() < longest_text) {
        const auto name = list.vec8();
        if (!list.ok() || name.empty()) {
            break;
        }
        out += out.empty() ? "" : ",";
        out += printable(name);
    }
    return out;
}

std::string name_of_sni(Bytes data) {
    Reader reader{data};
    Reader list{reader.vec16()};
    const auto type = list.u8();
    const auto name = list.vec16();
    return list.ok() && type == 0 ? printable(name) : std::string{};
}

// Lowest first, without GREASE and what we cannot name.
std::string names_of_versions(Bytes data) {
    Reader reader{data};
    Reader list{reader.vec8()};
    std::array<std::uint16_t, 16> found{};
    std::size_t count = 0;
    while (list.left() >= 2 && count < found.size()) {
        const auto v = list.be16();
        if (!is_grease(v)) {
            found[count++] = v;
        }
    }
    std::sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count));
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += out.empty() ? "" : " ";
        out += version_name(found[i]);
    }
    return out;
}

} // namespace

Result<ClientHelloFields> parse_client_hello(Bytes body, bool dtls) {
    Reader reader{body};
    ClientHelloFields out;
    out.version = reader.be16();
    out.random = reader.take(32);
    out.session_id = reader.vec8();
    if (dtls) {
        (void)reader.vec8(); // cookie
    }
    out.ciphers = reader.vec16().size() / 2;
    (void)reader.vec8(); // compression methods
    if (!reader.ok() || out.session_id.size() > 32) {
        return fail(Code::Malformed, reader.offset(), "ClientHello");
    }
    const bool whole = for_extensions(reader, [&](std::uint16_t type, Bytes data) {
        switch (type) {
        case extension::server_name:
            out.sni = name_of_sni(data);
            break;
        case extension::alpn:
            out.alpn = names_of_alpn(data);
            break;
        case extension::session_ticket:
            out.ticket = data;
            break;
        case extension::use_srtp:
            out.srtp_profiles = Reader{data}.vec16();
            break;
        case extension::pre_shared_key:
            out.psk = true;
            break;
        case extension::early_data:
            out.early_data = true;
            break;
        case extension::supported_versions:
            out.offered = names_of_versions(data);
            break;
        default:
            break;
        }
    });
    if (!whole) {
        return fail(Code::Malformed, reader.offset(), "extensions of ClientHello");
    }
    if (out.offered.empty()) {
        out.offered = version_name(out.version);
    }
    return out;
}

Result<ServerHelloFields> parse_server_hello(Bytes body) {
    Reader reader{body};
    ServerHelloFields out;
    out.version = reader.be16();
    out.random = reader.take(32);
    const bool old_draft = (out.version & 0xff00) == 0x7f00 && out.version < 0x7f16;
    if (!old_draft) {
        out.session_id = reader.vec8();
    }
    out.suite = reader.be16();
    if (!old_draft) {
        (void)reader.u8(); // compression method
    }
    if (!reader.ok() || out.session_id.size() > 32) {
        return fail(Code::Malformed, reader.offset(), "ServerHello");
    }
    out.retry = std::ranges::equal(out.random, retry_random);
    const bool whole = for_extensions(reader, [&](std::uint16_t type, Bytes data) {
        switch (type) {
        case extension::supported_versions:
            out.version = data.size() == 2 ? load_be16(data.data()) : out.version;
            break;
        case extension::key_share:
        case extension::draft_key_share:
            out.group = data.size() >= 2 ? load_be16(data.data()) : std::uint16_t{0};
            break;
        case extension::pre_shared_key:
            out.psk = true;
            break;
        case extension::alpn:
            out.alpn = names_of_alpn(data);
            break;
        case extension::use_srtp:
            out.srtp_profile = data.size() >= 4 ? load_be16(data.data() + 2) : std::uint16_t{0};
            break;
        case extension::extended_master_secret:
            out.extended_master_secret = true;
            break;
        case extension::encrypt_then_mac:
            out.encrypt_then_mac = true;
            break;
        default:
            break;
        }
    });
    if (!whole) {
        return fail(Code::Malformed, reader.offset(), "extensions of ServerHello");
    }
    return out;
}

Result<ClientHelloFields> parse_sslv2_hello(Bytes message, std::array<std::uint8_t, 32>& random) {
    Reader reader{message};
    ClientHelloFields out;
    (void)reader.u8();
    out.version = reader.be16();
    const auto suites = reader.be16();
    const auto session_id = reader.be16();
    const auto challenge = reader.be16();
    reader.skip(suites);
    reader.skip(session_id);
    const auto bytes = reader.take(challenge);
    if (!reader.ok() || bytes.empty()) {
        return fail(Code::Malformed, reader.offset(), "ClientHello of SSL 2.0");
    }
    // "If the challenge length is less than 32, the TLS server will pad the data with leading [...]
    // zero bytes to make it 32 bytes long." [RFC 5246 §E.2]
    const auto used = bytes.last(std::min<std::size_t>(bytes.size(), 32));
    random.fill(0);
    std::ranges::copy(used, random.end() - static_cast<std::ptrdiff_t>(used.size()));
    out.random = random;
    out.ciphers = suites / 3;
    out.offered = version_name(out.version);
    return out;
}

Result<EncryptedExtensionsFields> parse_encrypted_extensions(Bytes body) {
    Reader reader{body};
    EncryptedExtensionsFields out;
    const bool whole = for_extensions(reader, [&](std::uint16_t type, Bytes data) {
        if (type == extension::alpn) {
            out.alpn = names_of_alpn(data);
        }
        out.early_data |= type == extension::early_data;
    });
    if (!whole) {
        return fail(Code::Malformed, reader.offset(), "EncryptedExtensions");
    }
    return out;
}

} // namespace cw::capture::tls
