#include "host/watch/watch.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "capture/byte_source.hpp"
#include "capture/pcapng.hpp"

namespace cw::host {
namespace {

constexpr std::uint16_t raw_ip = 101;                          // LINKTYPE_RAW
constexpr std::size_t most_held_bytes = std::size_t{64} << 20; // a burst is not waited for
constexpr Duration keys_every = milliseconds(50);
// Connections of which secrets are known: a watcher runs for weeks.
constexpr std::uint32_t most_connections_with_keys = 200'000;

// Packets carry the time of day, so waiting is by it too.
Instant time_of_day() {
    return Instant{std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count()};
}

// Keys in PEM do not grow, and are not followed.
bool is_pem(const std::string& path) {
    std::ifstream file{path};
    std::string line;
    return std::getline(file, line) && line.starts_with("-----BEGIN");
}

} // namespace

Watch::Watch(WatchSettings settings)
    : settings_(std::move(settings)), follower_([this] {
          std::vector<std::string> logs;
          std::ranges::copy_if(settings_.keys, std::back_inserter(logs),
                               [](const auto& path) { return !is_pem(path); });
          return logs;
      }()) {}

std::expected<std::unique_ptr<Watch>, std::string> Watch::open(WatchSettings settings) {
    std::unique_ptr<Watch> watch{new Watch{std::move(settings)}};
    if (auto done = watch->open_all(); !done) {
        return std::unexpected{std::move(done.error())};
    }
    return watch;
}

std::expected<void, std::string> Watch::open_all() {
    keys_.keep_latest(most_connections_with_keys);
    for (const auto& path : settings_.keys) {
        if (is_pem(path)) {
            if (const auto added = keys_.add_file(path); !added) {
                return std::unexpected{fmt::format("keys: {}: {}", path, added.error().what)};
            }
        }
    }
    if (auto opened = follower_.open_sockets(); !opened) {
        return std::unexpected{"keys: " + opened.error()};
    }
    std::vector<PacketRing::Interface> links;
    for (const auto& name : settings_.interfaces) {
        auto opened = capture::LiveInterface::open(name, settings_.capture,
                                                   static_cast<std::uint16_t>(inputs_.size()));
        if (!opened) {
            return std::unexpected{std::move(opened.error())};
        }
        links.push_back({(*opened)->link_type(), name});
        interfaces_.push_back(std::move(*opened));
        inputs_.push_back(name);
    }
    if (settings_.server != nullptr) {
        server_input_ = static_cast<std::uint16_t>(inputs_.size());
        inputs_.emplace_back("this server");
        links.push_back({raw_ip, inputs_.back()});
    }
    for (const auto& at : settings_.hep) {
        auto opened = HepIntake::open(at);
        if (!opened) {
            return std::unexpected{std::move(opened.error())};
        }
        inputs_.push_back("hep " + to_string((*opened)->endpoint()));
        links.push_back({raw_ip, inputs_.back()});
        hep_.push_back(std::move(*opened));
        hep_frames_.push_back(0);
    }
    if (!settings_.ring.path.empty()) {
        auto ring = PacketRing::open(settings_.ring, std::move(links));
        if (!ring) {
            return std::unexpected{std::move(ring.error())};
        }
        ring_ = std::make_unique<PacketRing>(std::move(*ring));
    }
    book_ = std::make_unique<flow::Book>();
    if (settings_.show_going_on) {
        book_->note_changes();
        originals_ = std::make_unique<flow::Originals>(*book_);
        decoder_ = std::make_unique<capture::Decoder>(*originals_, keys_);
    } else {
        decoder_ = std::make_unique<capture::Decoder>(*book_, keys_);
    }
    book_->ask_for_open([this](std::uint32_t id, flow::Connection& connection) {
        return decoder_->describe(id, connection);
    });
    take_keys();
    return {};
}

void Watch::take_keys() {
    follower_.poll([this](std::string_view lines, const std::string& path) {
        keys_.add_text(lines, path);
        if (ring_ != nullptr) {
            ring_->add_secrets(lines);
        }
    });
}

bool Watch::turn(Duration wait, std::span<const int> also) {
    std::vector<pollfd> watched;
    for (const auto& interface : interfaces_) {
        watched.push_back({interface->descriptor(), POLLIN, 0});
    }
    for (const auto& one : hep_) {
        one->add_to(watched);
    }
    if (settings_.server != nullptr) {
        watched.push_back({settings_.server->descriptor(), POLLIN, 0});
    }
    if (watched.empty()) {
        return false;
    }
    for (const int descriptor : also) {
        watched.push_back({descriptor, POLLIN, 0});
    }
    const auto most = held_.empty() ? wait : std::min(wait, keys_every);
    ::poll(watched.data(), watched.size(), static_cast<int>(most.milliseconds()));
    const auto now = time_of_day();
    if (now - keys_read_ >= keys_every) {
        keys_read_ = now;
        take_keys();
    }
    constexpr int most_at_once = 4096;
    std::erase_if(interfaces_, [&](const auto& interface) {
        const auto taken = interface->take(
            most_at_once, [this](const capture::Packet& packet) { take_packet(packet); });
        if (!taken) {
            problems_.push_back(taken.error());
        }
        return !taken;
    });
    for (std::size_t i = 0; i < hep_.size(); ++i) {
        hep_[i]->take(now, [&](Instant time, Bytes bytes) {
            capture::Packet packet;
            packet.time = time;
            packet.frame = ++hep_frames_[i];
            packet.input = static_cast<std::uint16_t>(inputs_.size() - hep_.size() + i);
            packet.link_type = raw_ip;
            packet.original_length = static_cast<std::uint32_t>(bytes.size());
            packet.data = bytes;
            take_packet(packet);
        });
    }
    take_from_server();
    decode_held(now);
    if (ring_ != nullptr && !ring_failed_) {
        if (auto problem = ring_->flush(); !problem.empty()) {
            problems_.push_back(std::move(problem));
            ring_failed_ = true;
        }
    }
    return true;
}

void Watch::take_from_server() {
    if (settings_.server == nullptr) {
        return;
    }
    settings_.server->take(from_server_);
    if (from_server_.empty()) {
        return;
    }
    auto source = capture::ByteSource::from_memory(as_bytes(from_server_));
    if (!source) {
        return;
    }
    capture::FileNotes notes;
    capture::PcapngReader reader{**source, notes};
    const auto take_secrets = [&] {
        for (const auto& lines : std::exchange(notes.secrets, {})) {
            keys_.add_text(lines, inputs_[server_input_]);
            if (ring_ != nullptr) {
                ring_->add_secrets(lines);
            }
        }
    };
    capture::Packet packet;
    while (reader.next(packet)) {
        take_secrets();
        packet.input = server_input_;
        packet.frame = ++server_frames_;
        take_packet(packet);
    }
    take_secrets(); // of packets that come with the next turn
}

void Watch::take_packet(const capture::Packet& packet) {
    ++packets_;
    if (settings_.keys.empty()) {
        decode(packet);
        return;
    }
    auto& held = held_.emplace_back(
        Held{time_of_day() + settings_.patience, packet, std::string{as_text(packet.data)}});
    held.packet.data = as_bytes(held.bytes); // a deque does not move what it has
    held_bytes_ += held.bytes.size();
    while (held_bytes_ > most_held_bytes) {
        decode_held(held_.front().until);
    }
}

void Watch::decode_held(Instant until) {
    while (!held_.empty() && held_.front().until <= until) {
        auto& held = held_.front();
        held_bytes_ -= held.bytes.size();
        held.packet.data = as_bytes(held.bytes);
        decode(held.packet);
        held_.pop_front();
    }
}

void Watch::decode(const capture::Packet& packet) {
    if (ring_ != nullptr) {
        ring_->add(packet.input, packet.time, packet.data, packet.original_length);
    }
    decoder_->on_packet(packet);
}

void Watch::take_ended(const std::function<void(const flow::Call&)>& visit) {
    book_->take_ended(now(), visit);
}

Instant Watch::now() const {
    return time_of_day() - (settings_.keys.empty() ? Duration{} : settings_.patience);
}

void Watch::finish() {
    take_keys();
    take_from_server();
    while (!held_.empty()) {
        decode_held(held_.back().until);
    }
    decoder_->finish();
    if (ring_ != nullptr) {
        ring_->flush();
    }
}

std::uint64_t Watch::dropped() const {
    std::uint64_t sum = 0;
    for (const auto& interface : interfaces_) {
        const auto counts = interface->counts();
        sum += counts.dropped + counts.dropped_by_interface;
    }
    sum += settings_.server != nullptr ? settings_.server->lost() : 0;
    return sum;
}

std::vector<std::string> Watch::take_problems() {
    return std::exchange(problems_, {});
}

} // namespace cw::host
