#include "flow/srtp_keys.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "rtp/sdes.hpp"

namespace cw::flow {
namespace {

constexpr std::size_t most_of_handshakes = 8; // keys of one direction between two ends
constexpr std::size_t most_alike = 4;         // handshakes with an end or the ports in common

// RFC 6188 writes AES_192_CM_… and AES_256_CM_…; drafts before it, and programs to this day, write
// AES_CM_256_….
std::string_view registered_name(std::string_view suite) {
    constexpr std::array names{
        std::pair{"AES_CM_192_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_80"},
        std::pair{"AES_CM_192_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_32"},
        std::pair{"AES_CM_256_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80"},
        std::pair{"AES_CM_256_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_32"},
    };
    const auto* found =
        std::ranges::find(names, suite, [](const auto& n) { return std::string_view{n.first}; });
    return found == names.end() ? suite : found->second;
}

// The two ports, whichever way.
std::uint32_t ports_of(const MediaFlow& flow) {
    const auto [low, high] = std::minmax(flow.source.port, flow.destination.port);
    return static_cast<std::uint32_t>(high) << 16U | low;
}

void note(std::vector<MediaFlow>& alike, const MediaFlow& handshake) {
    std::erase(alike, handshake);
    if (alike.size() >= most_alike) {
        alike.erase(alike.begin());
    }
    alike.push_back(handshake);
}

// Whether what flows so goes the way from the handshake's client to its server.
bool goes_there(const MediaFlow& flow, const MediaFlow& handshake) {
    if (flow.source == handshake.source || flow.destination == handshake.destination) {
        return true;
    }
    const bool back = flow.source == handshake.destination || flow.destination == handshake.source;
    return !back && flow.source.port == handshake.source.port;
}

void append(const std::vector<SrtpKey>& keys, std::vector<const SrtpKey*>& out) {
    std::ranges::transform(keys, std::back_inserter(out), [](const SrtpKey& key) { return &key; });
}

} // namespace

void SrtpKeys::announce(std::uint32_t slot, const sdp::Session& session, const sdp::Media& media,
                        const Endpoint& owner, const Sighting& at) {
    for (const auto& line : session.cryptos_of(media)) {
        add(legs_[slot], line, owner, at);
    }
}

void SrtpKeys::add(Leg& leg, const sdp::Crypto& line, const Endpoint& owner, const Sighting& at) {
    auto read = rtp::parse_sdes({.tag = line.tag,
                                 .suite = registered_name(line.suite),
                                 .key_parameters = line.key_parameters,
                                 .session_parameters = line.session_parameters});
    if (!read) {
        leg.problem = read.error().what;
        leg.problem_frame = at.frame;
        return;
    }
    const auto known = std::ranges::find_if(leg.keys, [&](const SrtpKey& key) {
        return key.owner == owner && key.parameters == read->parameters;
    });
    if (known != leg.keys.end()) {
        return;
    }
    if (leg.keys.size() >= most_of_leg) {
        leg.keys.erase(leg.keys.begin());
    }
    leg.keys.push_back({.parameters = std::move(read->parameters),
                        .owner = owner,
                        .time = at.time,
                        .frame = at.frame,
                        .by = KeyExchange::Sdes});
    ++changes_;
}

void SrtpKeys::on_dtls(const DtlsSrtp& handshake) {
    const MediaFlow way{handshake.at.source, handshake.at.destination};
    note(by_end_[way.source], way);
    note(by_end_[way.destination], way);
    note(by_ports_[ports_of(way)], way);
    auto& known = handshakes_[way];
    known.time = handshake.at.time;
    known.version = handshake.version;
    known.cipher = handshake.cipher;
    known.reason = handshake.reason;
    const auto put = [&](const std::optional<rtp::SrtpParameters>& key, const Endpoint& owner,
                         std::vector<SrtpKey>& keys) {
        if (!key) {
            return;
        }
        if (keys.size() >= most_of_handshakes) {
            keys.erase(keys.begin());
        }
        keys.push_back({.parameters = *key,
                        .owner = owner,
                        .time = handshake.at.time,
                        .frame = handshake.at.frame,
                        .by = KeyExchange::Dtls});
    };
    put(handshake.client_key, handshake.at.source, known.there);
    put(handshake.server_key, handshake.at.destination, known.back);
    ++changes_;
}

void SrtpKeys::forget(std::uint32_t slot) {
    legs_.erase(slot);
}

void SrtpKeys::forget_before(Instant time) {
    boost::unordered::erase_if(handshakes_,
                               [&](const auto& entry) { return entry.second.time < time; });
    const auto is_gone = [&](auto& entry) {
        std::erase_if(entry.second, [&](const auto& way) { return !handshakes_.contains(way); });
        return entry.second.empty();
    };
    boost::unordered::erase_if(by_end_, is_gone);
    boost::unordered::erase_if(by_ports_, is_gone);
    boost::unordered::erase_if(legs_, [&](const auto& entry) {
        return entry.second.keys.empty() || entry.second.keys.back().time < time;
    });
}

void SrtpKeys::collect(std::span<const std::uint32_t> slots, const MediaFlow& flow,
                       std::vector<const SrtpKey*>& out) const {
    const auto add_where = [&](bool own) {
        for (const auto slot : slots) {
            const auto leg = legs_.find(slot);
            if (leg == legs_.end()) {
                continue;
            }
            for (const auto& key : leg->second.keys) {
                if ((key.owner == flow.source) == own &&
                    std::ranges::find(out, &key) == out.end()) {
                    out.push_back(&key);
                }
            }
        }
    };
    add_where(false); // of others: relays pass keys on, and some send with a wrong one
    add_where(true);
    const auto there = handshakes_.find(flow);
    const auto back = handshakes_.find(flow.back());
    if (there == handshakes_.end() && back == handshakes_.end()) {
        collect_alike(flow, out);
        return;
    }
    if (there != handshakes_.end()) {
        append(there->second.there, out);
    }
    if (back != handshakes_.end()) {
        append(back->second.back, out);
    }
}

void SrtpKeys::collect_alike(const MediaFlow& flow, std::vector<const SrtpKey*>& out) const {
    const auto add_all = [&](const auto& index, const auto& key) {
        const auto alike = index.find(key);
        if (alike == index.end()) {
            return;
        }
        for (const auto& way : alike->second) {
            if (const auto at = handshakes_.find(way); at != handshakes_.end()) {
                append(goes_there(flow, way) ? at->second.there : at->second.back, out);
            }
        }
    };
    add_all(by_ports_, ports_of(flow));
    add_all(by_end_, flow.destination);
    add_all(by_end_, flow.source);
}

std::string SrtpKeys::problem_of(std::span<const std::uint32_t> slots) const {
    for (const auto slot : slots) {
        const auto leg = legs_.find(slot);
        if (leg != legs_.end() && leg->second.problem != nullptr) {
            return fmt::format("a=crypto in packet {}: {}", leg->second.problem_frame,
                               leg->second.problem);
        }
    }
    return {};
}

const SrtpKeys::Handshake* SrtpKeys::handshake(const MediaFlow& flow) const {
    if (const auto at = handshakes_.find(flow); at != handshakes_.end()) {
        return &at->second;
    }
    const auto at = handshakes_.find(flow.back());
    return at == handshakes_.end() ? nullptr : &at->second;
}

} // namespace cw::flow
