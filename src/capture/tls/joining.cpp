// Connections whose start was not captured, but whose two ends a key log names: the comment lines
// of `callwright keys` (docs/formats/key-log.md). Up to TLS 1.2 nothing else can open them.
#include <algorithm>
#include <array>

#include "capture/tls/handshake_state.hpp"

namespace cw::capture::tls {

namespace {

constexpr std::size_t most_notes = 8; // ports come back

// Where a note does not say: one of each bulk cipher that is in use. Which key exchange and which
// certificate went with it makes no difference to records.
constexpr std::array<std::uint16_t, 3> usual_suites{0xc02f, 0xc030, 0xcca8};

} // namespace

std::optional<Opened> Connection::open_noted(Side from, const Record& record) {
    for (const auto* note : ring_.notes_of(client_, server_, most_notes)) {
        const auto entry = ring_.find(note->client_random);
        const auto known = entry_; // by a ClientHello; the ServerHello is missing
        if (entry == crypto::KeyRing::none ||
            (known != crypto::KeyRing::none ? entry != known : shared_.is_used(entry))) {
            continue;
        }
        const bool swapped = swapped_;
        auto handshake = std::move(handshake_);
        entry_ = entry;
        summary_.by_ends = true;
        auto opened = is_tls13(note->version) ? try_entry(from, entry, record)
                                              : try_legacy(from, *note, record);
        if (opened) {
            std::copy_n(note->client_random.begin(), summary_.random.size(),
                        summary_.random.begin());
            return opened;
        }
        entry_ = known;
        handshake_ = std::move(handshake);
        swapped_ = swapped;
        summary_.by_ends = false;
    }
    return std::nullopt;
}

std::optional<Opened> Connection::try_legacy(Side from, const crypto::ConnectionNote& note,
                                             const Record& record) {
    const auto version = note.version != 0 ? note.version : version::tls12;
    if (version < version::tls10 || version > version::tls12 ||
        std::ranges::count(note.server_random, 0) == std::ssize(note.server_random)) {
        return std::nullopt;
    }
    swapped_ = note.client != client_;
    summary_.version = version;
    const auto suites = note.suite != 0 ? std::span{&note.suite, 1} : std::span{usual_suites};
    for (const auto suite : suites) {
        for (const bool encrypt_then_mac : {false, true}) { // [RFC 7366] CBC only
            summary_.suite = suite;
            handshake_ = std::make_unique<Handshake>();
            handshake_->client_random = note.client_random;
            handshake_->server_random = note.server_random;
            handshake_->server_hello = true;
            handshake_->encrypt_then_mac = encrypt_then_mac;
            if (!make_legacy_keys()) {
                break;
            }
            auto& h = half(from);
            auto& own = handshake_->pending[index_of(role_of(from))];
            own->iv_lost = true;
            if (bulk_of(*own->suite).mode == Mode::Stream) {
                break; // nobody knows how far its key stream has moved
            }
            std::uint64_t sequence = 0;
            auto opened = open_searching(*own, sequence, record);
            if (!opened) {
                if (bulk_of(*own->suite).mode != Mode::Cbc) {
                    break;
                }
                continue;
            }
            shared_.mark_used(entry_);
            auto& peer = half(other(from));
            h.keys = std::move(own);
            h.sequence = sequence + 1;
            peer.keys = std::move(handshake_->pending[index_of(role_of(other(from)))]);
            peer.keys->iv_lost = true;
            peer.sequence = 0;
            peer.search = true; // its place is found with its next record
            for (auto& each : halves_) {
                each.protects = true;
                each.stream.expect_version(version);
            }
            handshake_.reset();
            return opened;
        }
    }
    summary_.version = 0;
    summary_.suite = 0;
    return std::nullopt;
}

} // namespace cw::capture::tls
