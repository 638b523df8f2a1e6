#include "capture/packet_source.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "capture/netmon.hpp"
#include "capture/pcap.hpp"
#include "capture/pcapng.hpp"

namespace cw::capture {
namespace {

// What people give by mistake, and what to do about it.
struct Mistaken {
    std::string_view start;
    const char* what;
};
constexpr std::array<Mistaken, 13> mistaken{{
    {"CLIENT_RANDOM ", "is a TLS key log, not a capture: give it with --keys"},
    {"CLIENT_HANDSHAKE_", "is a TLS key log, not a capture: give it with --keys"},
    {"CLIENT_TRAFFIC_", "is a TLS key log, not a capture: give it with --keys"},
    {"SERVER_HANDSHAKE_", "is a TLS key log, not a capture: give it with --keys"},
    {"SERVER_TRAFFIC_", "is a TLS key log, not a capture: give it with --keys"},
    {"EXPORTER_SECRET ", "is a TLS key log, not a capture: give it with --keys"},
    {"# SSL/TLS secrets", "is a TLS key log, not a capture: give it with --keys"},
    {"# TLS secrets", "is a TLS key log, not a capture: give it with --keys"},
    {"-----BEGIN ", "is a PEM file, not a capture: give a private key with --keys"},
    {"snoop", "is a snoop capture: convert it with 'editcap FILE out.pcapng'"},
    {"RTSS", "is a Network Monitor 1 capture: convert it with 'editcap FILE out.pcapng'"},
    {"PK\x03\x04", "is a zip archive: unpack it first"},
    {"BZh", "is compressed with bzip2: unpack it first"},
}};

constexpr const char* not_a_capture =
    "is not a capture file; pcap and pcapng, plain or in gzip or zstd, can be read";

template <class Format>
std::unique_ptr<Container> make(ByteSource& bytes, FileNotes& notes) {
    return std::make_unique<Format>(bytes, notes);
}

} // namespace

Result<std::unique_ptr<PacketSource>> PacketSource::open(const std::string& path,
                                                         std::uint16_t input_number) {
    auto bytes = ByteSource::open(path);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    return start(std::move(*bytes), path, input_number);
}

Result<std::unique_ptr<PacketSource>> PacketSource::open_memory(Bytes file,
                                                                std::uint16_t input_number) {
    auto bytes = ByteSource::from_memory(file);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    return start(std::move(*bytes), "memory", input_number);
}

Result<std::unique_ptr<PacketSource>> PacketSource::start(std::unique_ptr<ByteSource> bytes,
                                                          std::string path, std::uint16_t input) {
    std::unique_ptr<PacketSource> source{new PacketSource};
    source->path_ = std::move(path);
    source->bytes_ = std::move(bytes);
    source->packet_.input = input;
    const auto head = source->bytes_->peek(20);
    if (PcapReader::recognises(head)) {
        source->container_ = make<PcapReader>(*source->bytes_, source->notes_);
    } else if (PcapngReader::recognises(head)) {
        source->container_ = make<PcapngReader>(*source->bytes_, source->notes_);
    } else if (NetmonReader::recognises(head)) {
        source->container_ = make<NetmonReader>(*source->bytes_, source->notes_);
    } else {
        const auto* found = std::ranges::find_if(
            mistaken, [&](const Mistaken& m) { return as_text(head).starts_with(m.start); });
        return fail(Code::NotACapture, 0, found != mistaken.end() ? found->what : not_a_capture);
    }
    return source;
}

const Packet* PacketSource::next() {
    if (!container_) {
        return nullptr;
    }
    if (!container_->next(packet_)) {
        if (!bytes_->problem().empty()) {
            notes_.problems.add("bytes", bytes_->problem());
        }
        container_.reset();
        return nullptr;
    }
    ++packet_.frame;
    ++packets_;
    if (packet_.time.known()) {
        // Interfaces that are captured at once may change places by less.
        constexpr Duration too_far_back = seconds(1);
        // By more than that no clock is set back: one of the two times is none at all.
        constexpr Duration absurd = seconds(365 * 86'400);
        const auto step = last_.known() ? last_ - packet_.time : Duration{};
        const bool back = step >= too_far_back && step < absurd;
        if (back && !is_back_) {
            notes_.problems.add("order", fmt::format("frame {} is {:.1f} s before the packet that "
                                                     "stands in front of it",
                                                     packet_.frame, step.seconds()));
        }
        is_back_ = back;
        if (!first_.known() || packet_.time < first_) {
            first_ = packet_.time;
        }
        if (packet_.time > last_) {
            last_ = packet_.time;
        }
    }
    return &packet_;
}

const std::vector<std::string>& PacketSource::problems() const {
    return notes_.problems.lines();
}

std::vector<std::string> PacketSource::take_secrets() {
    return std::exchange(notes_.secrets, {});
}

std::string describe_open_error(const std::string& path, const Error& error) {
    const auto* name = path == "-" ? "standard input" : path.c_str();
    return fmt::format("{}: {}", name, error.what);
}

MergedSource::MergedSource(std::vector<std::unique_ptr<PacketSource>> sources)
    : sources_(std::move(sources)), only_(sources_.size() == 1 ? sources_.front().get() : nullptr) {
}

namespace {

constexpr auto later = [](const auto& a, const auto& b) {
    return a.time != b.time ? a.time > b.time : a.source > b.source;
};

} // namespace

void MergedSource::advance(std::size_t source, Instant not_before) {
    const auto* packet = sources_[source]->next();
    if (packet == nullptr) {
        return;
    }
    // A packet without a time follows the one before it.
    heads_.push_back({packet->time.known() ? packet->time : not_before, source, packet});
    std::ranges::push_heap(heads_, later);
}

const Packet* MergedSource::next() {
    if (only_ != nullptr) {
        return only_->next();
    }
    if (!started_) {
        started_ = true;
        heads_.reserve(sources_.size());
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            advance(i, {});
        }
    }
    if (pending_) {
        pending_ = false;
        advance(out_.source, out_.time);
    }
    if (heads_.empty()) {
        return nullptr;
    }
    std::ranges::pop_heap(heads_, later);
    out_ = heads_.back();
    heads_.pop_back();
    pending_ = true;
    return out_.packet;
}

std::vector<std::string> MergedSource::take_secrets() {
    if (only_ != nullptr) {
        return only_->take_secrets();
    }
    std::vector<std::string> all;
    for (const auto& source : sources_) {
        auto some = source->take_secrets();
        std::ranges::move(some, std::back_inserter(all));
    }
    return all;
}

std::uint64_t MergedSource::bytes_read() const {
    std::uint64_t sum = 0;
    for (const auto& source : sources_) {
        sum += source->bytes_read();
    }
    return sum;
}

std::uint64_t MergedSource::total_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& source : sources_) {
        if (source->total_bytes() == 0) {
            return 0;
        }
        sum += source->total_bytes();
    }
    return sum;
}

} // namespace cw::capture
