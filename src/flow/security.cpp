#include "flow/security.hpp"

#include <fmt/format.h>

namespace cw::flow {
namespace {

Protection combine(std::size_t clear, std::size_t secure) {
    if (clear == 0 && secure == 0) {
        return Protection::None;
    }
    if (clear == 0) {
        return Protection::Secure;
    }
    return secure == 0 ? Protection::Clear : Protection::Mixed;
}

std::string hop(const Message& m) {
    return fmt::format("{} → {}", to_string(m.source), to_string(m.destination));
}

// Messages by protection, and the two that tell most.
struct Signalling {
    std::size_t clear = 0;
    std::size_t secure = 0;
    const Message* exposed_key = nullptr; // an SDES key in a message that anyone can read
    const Message* first_clear = nullptr;
};

Signalling look_at_signalling(const Call& call) {
    Signalling s;
    for (const auto& m : call.messages) {
        if (is_secure(m.transport)) {
            ++s.secure;
            continue;
        }
        ++s.clear;
        s.first_clear = s.first_clear == nullptr ? &m : s.first_clear;
        for (std::uint32_t i = 0; i < m.media_count && s.exposed_key == nullptr; ++i) {
            if (call.media_lines[m.media_begin + i].crypto_suite.length > 0) {
                s.exposed_key = &m;
            }
        }
    }
    return s;
}

Protection look_at_media(const Call& call) {
    std::size_t clear = 0;
    std::size_t secure = 0;
    for (const auto& stream : call.streams) {
        ++(stream.srtp.length > 0 ? secure : clear);
    }
    if (!call.streams.empty()) {
        return combine(clear, secure);
    }
    // No packets seen: what the session descriptions agreed to send.
    for (const auto& line : call.media_lines) {
        if (line.receive.port != 0) {
            ++(line.secure_profile || line.crypto_suite.length > 0 ? secure : clear);
        }
    }
    return combine(clear, secure);
}

const Connection* oldest_tls(const Call& call) {
    const Connection* weakest = nullptr;
    for (const auto& c : call.connections) {
        if (c.sip_messages > 0 && !c.version.empty() &&
            (weakest == nullptr || c.version < weakest->version)) {
            weakest = &c;
        }
    }
    return weakest;
}

} // namespace

Security judge_security(const Call& call) {
    const auto signalling = look_at_signalling(call);
    Security verdict;
    verdict.signalling = combine(signalling.clear, signalling.secure);
    verdict.media = look_at_media(call);
    const auto* old = oldest_tls(call);
    if (signalling.exposed_key != nullptr) {
        verdict.weakest =
            fmt::format("{} over {}: the media key is readable there", hop(*signalling.exposed_key),
                        to_string(signalling.exposed_key->transport));
    } else if (signalling.first_clear != nullptr) {
        verdict.weakest =
            fmt::format("{} over {}: anyone on the way can read and change it",
                        hop(*signalling.first_clear), to_string(signalling.first_clear->transport));
    } else if (verdict.media == Protection::Clear || verdict.media == Protection::Mixed) {
        verdict.weakest = "the media is not encrypted";
    } else if (old != nullptr && old->version < "TLSv1.2") { // forbidden by RFC 8996
        verdict.weakest = fmt::format("{} → {} uses {}", to_string(old->client),
                                      to_string(old->server), old->version);
    } else {
        verdict.weakest = "TLS protects each hop; every server on the way can read the signalling";
    }
    return verdict;
}

} // namespace cw::flow
