// Opening records: with the keys that are due, and, after bytes were lost or where the start of the
// connection is missing, with those that fit.
#include <algorithm>

#include "capture/tls/handshake_state.hpp"

namespace cw::capture::tls {

namespace {

// How far ahead sequence numbers are tried one by one. A TLS record of SIP is some 500 bytes, so
// this is half a megabyte of lost capture.
constexpr std::uint64_t window = 1024;
// Where a key log names the ends of a connection, so that its key is most likely right: all that
// went by before the capture began.
constexpr std::uint64_t wide_window = 65536;
// Connections without a start: keys tried where each try covers the whole window, and otherwise.
constexpr std::uint32_t most_slow_entries = 64;
constexpr std::uint8_t most_trials = 3; // records per direction

} // namespace

std::optional<Opened> Connection::open(Side from, const Record& record) {
    return modern() ? open_modern(from, record) : open_legacy(from, record);
}

// Tries sequence numbers from `sequence` on, and leaves it at the one that fitted.
std::optional<Opened> Connection::open_searching(DirectionKeys& keys, std::uint64_t& sequence,
                                                 const Record& record) {
    auto& pool = shared_.ciphers();
    const auto try_at = [&](std::uint64_t candidate) -> std::optional<Opened> {
        if (!shared_.spend(record.body.size())) {
            return std::nullopt;
        }
        auto opened = pool.open(keys, candidate, record);
        if (opened) {
            sequence = candidate;
        }
        return opened;
    };
    if (CipherPool::can_find_sequence(keys)) {
        if (!shared_.spend(3 * record.body.size())) {
            return std::nullopt;
        }
        const auto found = pool.find_sequence(keys, record);
        return found && *found >= sequence ? try_at(*found) : std::nullopt;
    }
    if (const auto guess = CipherPool::guess_sequence(keys, record); guess && *guess >= sequence) {
        if (auto opened = try_at(*guess)) {
            return opened;
        }
    }
    const auto most = summary_.by_ends ? wide_window : window;
    for (std::uint64_t ahead = 0, start = sequence; ahead < most; ++ahead) {
        if (auto opened = try_at(start + ahead)) {
            return opened;
        }
    }
    return std::nullopt;
}

std::optional<Opened> Connection::open_legacy(Side from, const Record& record) {
    auto& h = half(from);
    if (!h.keys && handshake_) {
        take_legacy_keys(from);
    }
    if (!h.keys) {
        return handshake_ && !handshake_->client_random_known ? open_without_hello(from, record)
                                                              : std::nullopt;
    }
    auto opened = h.search ? open_searching(*h.keys, h.sequence, record)
                           : shared_.ciphers().open(*h.keys, h.sequence, record);
    if (opened) {
        ++h.sequence;
        h.search = false;
    }
    return opened;
}

std::optional<Opened> Connection::open_modern(Side from, const Record& record) {
    auto& h = half(from);
    auto epoch = h.epoch;
    if (h.keys) {
        auto opened = h.search ? open_searching(*h.keys, h.sequence, record)
                               : shared_.ciphers().open(*h.keys, h.sequence, record);
        if (opened) {
            ++h.sequence;
            h.search = false;
            return opened;
        }
        if (h.epoch == Epoch::Application || (h.epoch != Epoch::Early && !h.search)) {
            return std::nullopt;
        }
        epoch = static_cast<Epoch>(static_cast<std::uint8_t>(h.epoch) + 1);
    } else if (h.looked == ring_.generation()) {
        return std::nullopt; // the key was not there, and nothing was added
    } else if (epoch == Epoch::Clear) {
        epoch = handshake_ && handshake_->early_offered ? Epoch::Early : Epoch::Handshake;
    }
    bool any = false;
    for (; epoch <= Epoch::Application; epoch = static_cast<Epoch>(static_cast<int>(epoch) + 1)) {
        auto keys = traffic_keys(from, epoch);
        if (!keys) {
            continue;
        }
        any = true;
        std::uint64_t sequence = 0;
        auto opened = h.search ? open_searching(*keys, sequence, record)
                               : shared_.ciphers().open(*keys, 0, record);
        if (opened) {
            h.keys = std::move(keys);
            h.epoch = epoch;
            h.sequence = sequence + 1;
            h.search = false;
            return opened;
        }
        if (epoch != Epoch::Early && !h.search) {
            break; // the keys that are due do not fit
        }
    }
    if (!any) {
        h.looked = ring_.generation();
    }
    return std::nullopt;
}

// --- lost bytes

void Connection::on_gap(Side from, std::uint64_t missing, const Datagram& by, Sink& sink) {
    last_time_ = by.time;
    last_frame_ = by.frame;
    last_input_ = by.input;
    read_waiting(sink, true);
    auto& h = half(from);
    const auto hole = h.stream.gap(missing);
    h.message = {};
    h.skip = 0;
    if (summary_.lost_frame == 0) {
        summary_.lost_frame = by.frame;
    }
    const bool protecting = modern() ? h.epoch != Epoch::Clear : h.protects;
    if (hole.hit_record && (modern() ? hole.type == content::application_data : h.protects)) {
        ++h.sequence;
    }
    h.holes |= !h.finished;
    h.search |= !hole.exact || h.epoch != Epoch::Application;
    if (h.keys) {
        h.keys->iv_lost = true;
    }
    if (h.keys && bulk_of(*h.keys->suite).mode == Mode::Stream) {
        h.dead = true; // nobody knows how far its key stream has moved
    }
    if (protecting && h.opened != 0) {
        sink.on_plaintext_gap(from, hole.bytes, by);
    }
}

// A header that may be one, with its record. True when it is to be read as the next record.
bool Connection::on_candidate(Side from, const Record& record, const Now& now) {
    auto& h = half(from);
    const bool is_protected =
        modern() ? record.type == content::application_data : h.protects || h.holes;
    if (!is_protected) {
        const bool sound = record.type != content::handshake || record.body.size() >= 4;
        sound&& record.version >= version::ssl3 ? h.stream.accept() : h.stream.reject();
        return sound;
    }
    const auto before = h.stream.before_candidate();
    if (h.keys && !h.dead && summary_.version == version::tls10 && !h.keys->encrypt_then_mac) {
        const auto block = bulk_of(*h.keys->suite).block_size;
        if (block != 0 && before.size() >= block) {
            std::ranges::copy(before.last(block), h.keys->iv.begin());
        }
    }
    if (!h.dead) {
        if (const auto opened = open(from, record)) {
            h.stream.accept();
            h.protects |=
                !modern(); // its ChangeCipherSpec is behind us, lost or taken for no record
            ++summary_.records;
            on_content(from, *opened, now);
            return false; // it is read
        }
    }
    if (h.keys && !h.dead) {
        h.stream.reject();
        return false;
    }
    h.stream.accept();
    return true;
}

// --- no start

bool Connection::may_find_keys(Side from) {
    if (half(from).trials >= most_trials || ring_.entries() == 0) {
        return false;
    }
    return summary_.hello_seen
               ? summary_.version == 0 && entry_ != crypto::KeyRing::none // no ServerHello
               : entry_ == crypto::KeyRing::none && (modern() || summary_.version == 0);
}

std::optional<Opened> Connection::open_without_start(Side from, const Record& record) {
    if (!may_find_keys(from)) {
        return std::nullopt;
    }
    ++half(from).trials;
    if (entry_ != crypto::KeyRing::none) {
        auto opened = try_entry(from, entry_, record);
        return opened ? opened : open_noted(from, record);
    }
    if (auto opened = open_noted(from, record)) {
        return opened;
    }
    for (auto entry = ring_.first_entry(); entry < ring_.entries(); ++entry) {
        if (shared_.is_used(entry)) {
            continue;
        }
        if (auto opened = try_entry(from, entry, record)) {
            return opened;
        }
        if (!shared_.spend(0)) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

// The ClientHello alone is missing, of TLS 1.2 or before: the ServerHello tells the other random
// and the cipher, and each entry of the key log its client random and its master secret. The entry
// whose keys open the record is the right one.
std::optional<Opened> Connection::open_without_hello(Side from, const Record& record) {
    constexpr std::size_t cost_of_keys = 8192; // as much time as deciphering so many bytes
    auto& h = half(from);
    auto& hs = *handshake_;
    if (hs.looked != ring_.generation()) { // entries came since
        hs.looked = ring_.generation();
        halves_[0].trials = halves_[1].trials = 0;
    }
    if (h.trials >= most_trials) {
        return std::nullopt;
    }
    ++h.trials;
    for (auto entry = ring_.first_entry(); entry < ring_.entries(); ++entry) {
        const auto master = ring_.secret(entry, crypto::Secret::Master);
        const auto premaster = ring_.secret(entry, crypto::Secret::PreMaster);
        if (shared_.is_used(entry) || (master.empty() && premaster.empty())) {
            continue;
        }
        if (!shared_.spend(cost_of_keys)) {
            break;
        }
        std::ranges::copy(ring_.client_random(entry), hs.client_random.begin());
        if (master.empty() && !master_from(premaster)) {
            continue;
        }
        if (!master.empty()) {
            std::ranges::copy(master, hs.master.begin());
        }
        hs.client_random_known = hs.master_known = true;
        if (make_legacy_keys()) {
            auto& own = hs.pending[index_of(role_of(from))];
            auto sequence = h.sequence;
            auto opened = h.search ? open_searching(*own, sequence, record)
                                   : shared_.ciphers().open(*own, sequence, record);
            if (opened) {
                h.keys = std::move(own);
                h.sequence = sequence + 1;
                h.search = false;
                entry_ = entry;
                shared_.mark_used(entry);
                shared_.remember(hs.server_id(), hs.master);
                shared_.remember(hs.issued, hs.master);
                summary_.by_trial = true;
                std::copy_n(hs.client_random.begin(), summary_.random.size(),
                            summary_.random.begin());
                return opened;
            }
        }
        hs.client_random_known = hs.master_known = false;
    }
    hs.pending = {};
    return std::nullopt;
}

// Only TLS 1.3 can be read without both hellos and without a note: the secrets of earlier versions
// need both randoms.
std::optional<Opened> Connection::try_entry(Side from, std::uint32_t entry, const Record& record) {
    constexpr std::uint16_t aes_128 = 0x1301;
    constexpr std::uint16_t aes_256 = 0x1302;
    constexpr std::uint16_t chacha = 0x1303;
    using crypto::Secret;
    constexpr std::array secrets{
        std::array{Secret::ClientTraffic, Secret::ClientHandshake},
        std::array{Secret::ServerTraffic, Secret::ServerHandshake},
    };
    for (const auto role : {role_of(from), other(role_of(from))}) {
        for (const auto kind : secrets[index_of(role)]) {
            for (const auto number : {aes_128, aes_256, chacha}) {
                if (number == chacha && entry_ != entry && ring_.entries() > most_slow_entries) {
                    continue;
                }
                auto keys = keys_from_secret(*find_suite(number), version::tls13,
                                             ring_.secret(entry, kind));
                std::uint64_t sequence = 0;
                auto opened = keys ? open_searching(*keys, sequence, record) : std::nullopt;
                if (!opened) {
                    continue;
                }
                swapped_ = role != from; // what a hello said stays true: then `role` is tried first
                summary_.version = version::tls13;
                summary_.suite = number;
                summary_.by_trial = true;
                entry_ = entry;
                shared_.mark_used(entry);
                for (auto& each : halves_) {
                    each.search = true; // the other side's place is found with its next record
                    each.looked = 0xffff'ffff;
                    each.stream.expect_version(version::tls12);
                }
                auto& h = half(from);
                h.keys = std::move(keys);
                h.sequence = sequence + 1;
                h.search = false;
                h.epoch =
                    kind == secrets[index_of(role)][0] ? Epoch::Application : Epoch::Handshake;
                return opened;
            }
        }
    }
    return std::nullopt;
}

} // namespace cw::capture::tls
