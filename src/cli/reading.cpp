#include "cli/reading.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "capture/decoder.hpp"
#include "cli/certificate_text.hpp"
#include "cli/heap.hpp"
#include "cli/terminal.hpp"
#include "flow/relay.hpp"

namespace cw::cli {
namespace {

class BothTaps final : public flow::MediaTap {
  public:
    BothTaps(flow::MediaTap& one, flow::MediaTap& other) : one_(one), other_(other) {}
    void on_media_packet(const flow::MediaPacket& packet) override {
        one_.on_media_packet(packet);
        other_.on_media_packet(packet);
    }

  private:
    flow::MediaTap& one_;
    flow::MediaTap& other_;
};

// What is read for its messages alone.
class Nobody final : public flow::Listener {
  public:
    void on_sip(const flow::SipEvent& /*event*/) override {}
    void on_media(const flow::MediaEvent& /*event*/) override {}
    void on_dtls(const flow::Sighting& /*at*/) override {}
    void on_dtls_srtp(const flow::DtlsSrtp& /*handshake*/) override {}
    void on_connection(const flow::Connection& /*connection*/) override {}
    void finish(Instant /*end*/) override {}
};

const char* words_of(const Error& error) {
    return *error.what != '\0' ? error.what : "cannot be read";
}

void add_unused(const flow::Book::Unused& unused, view::InputReport& input) {
    if (unused.sip > 0) {
        input.ignored["sip, unreadable"] += unused.sip;
    }
    if (unused.media > 0) {
        input.ignored["udp, not sip or rtp"] += unused.media;
    }
}

// A program sends its secrets while its handshake goes on: packets of a capture that goes on wait
// for them.
class WaitingPackets {
  public:
    // True when keys came that the packets before may have needed.
    template <class TakeKeys>
    bool hold(const capture::Packet& packet, capture::Decoder& decoder, TakeKeys take_keys) {
        const auto now = std::chrono::steady_clock::now();
        bool late = false;
        if (now - looked_ >= look_every) {
            looked_ = now;
            late = take_keys() && decoder.has_seen_tls();
        }
        auto& held =
            held_.emplace_back(Held{now + patience, packet, std::string{as_text(packet.data)}});
        held.packet.data = as_bytes(held.bytes); // a deque does not move what it has
        bytes_ += held.bytes.size();
        while (held_.front().until <= now || bytes_ > most_bytes) {
            release(decoder);
        }
        return late;
    }
    void release_all(capture::Decoder& decoder) {
        while (!held_.empty()) {
            release(decoder);
        }
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds look_every{20};
    static constexpr std::chrono::milliseconds patience{400};
    static constexpr std::size_t most_bytes = std::size_t{64} << 20;
    struct Held {
        Clock::time_point until;
        capture::Packet packet;
        std::string bytes;
    };
    void release(capture::Decoder& decoder) {
        bytes_ -= held_.front().bytes.size();
        decoder.on_packet(held_.front().packet);
        held_.pop_front();
    }

    std::deque<Held> held_;
    std::size_t bytes_ = 0;
    Clock::time_point looked_;
};

// When somebody who looks on has a look: the more one costs, the less often.
class Glances {
  public:
    bool is_due() { return ++packets_ % between == 0 && Clock::now() >= due_; }
    void begin() { began_ = Clock::now(); }
    void end() {
        const auto now = Clock::now();
        due_ = now + std::max<Clock::duration>(least, share * (now - began_));
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds least{80};
    static constexpr int share = 4;              // a fifth of the time is for looking
    static constexpr std::uint32_t between = 64; // packets, from one look at the clock to the next
    std::uint32_t packets_ = 0;
    Clock::time_point began_;
    Clock::time_point due_ = Clock::now() + least;
};

} // namespace

std::optional<ReadFailure> Reading::open(const std::vector<std::string>& files,
                                         const std::vector<std::string>& keys) {
    std::vector<std::string> sockets;
    for (const auto& path : keys) {
        if (path.starts_with(host::key_socket_prefix)) {
            sockets.push_back(path);
            continue;
        }
        if (const auto added = keys_.add_file(path); !added) {
            return ReadFailure{fmt::format("keys: {}: {}", path, words_of(added.error()))};
        }
    }
    if (!sockets.empty()) {
        sent_keys_ = std::make_unique<host::KeyFollower>(std::move(sockets));
        if (const auto opened = sent_keys_->open_sockets(); !opened) {
            return ReadFailure{"keys: " + opened.error()};
        }
    }
    files_ = files;
    return open_files();
}

std::optional<ReadFailure> Reading::trust(const std::vector<std::string>& files) {
    for (const auto& path : files) {
        const auto found = load_certificates(path);
        if (!found) {
            return ReadFailure{"read: " + found.error()};
        }
        for (const auto& certificate : *found) {
            trusted_ += crypto::to_pem(certificate.get());
        }
    }
    return std::nullopt;
}

std::optional<ReadFailure> Reading::check_revoked(const std::vector<std::string>& files) {
    for (const auto& path : files) {
        const auto found = load_crls(path);
        if (!found) {
            return ReadFailure{"read: " + found.error()};
        }
        for (const auto& list : *found) {
            revoked_ += crypto::to_pem(list.get());
        }
    }
    return std::nullopt;
}

std::optional<ReadFailure> Reading::open_files() {
    std::vector<std::unique_ptr<capture::PacketSource>> sources;
    for (const auto& path : files_) {
        auto source = capture::PacketSource::open(path, static_cast<std::uint16_t>(sources.size()));
        if (!source) {
            return ReadFailure{
                fmt::format("read: {}", capture::describe_open_error(path, source.error()))};
        }
        sources.push_back(std::move(*source));
    }
    source_ = std::make_unique<capture::MergedSource>(std::move(sources));
    return std::nullopt;
}

bool Reading::can_read_again() const {
    return std::ranges::all_of(files_, [](const std::string& path) {
        std::error_code ignored;
        return std::filesystem::is_regular_file(path, ignored);
    });
}

void Reading::run() {
    prepare_heap(source_->total_bytes());
    later_ = later_ && can_read_again() && sent_keys_ == nullptr;
    const bool late_keys = read_once();
    if (stopped_) {
        return;
    }
    const auto& counts = book_->counts();
    const bool closed =
        counts.tls_decrypted < counts.tls_connections || counts.dtls_srtp_unread > 0;
    if (late_keys && closed && can_read_again() && !open_files()) {
        read_once();
    }
}

void Reading::gather_originals() {
    if (!later_ || gathering_.joinable()) {
        return;
    }
    if (open_files()) { // they were there before
        later_ = false;
        return;
    }
    gathering_ = std::thread{[this, stop = stop_.get_token()] { read_originals(*source_, stop); }};
}

// On its thread. What it shares with others is the keys, which do not change any more.
void Reading::read_originals(capture::MergedSource& source, const std::stop_token& stop) {
    constexpr std::uint32_t between = 256; // packets, from one look at `stop` to the next
    Nobody nobody;
    auto originals = std::make_unique<flow::Originals>(nobody);
    capture::Decoder decoder{*originals, keys_};
    std::uint32_t packets = 0;
    while (const auto* packet = source.next()) {
        (void)source.take_secrets(); // they are known
        decoder.on_packet(*packet);
        if (++packets % between == 0 && stop.stop_requested()) {
            break;
        }
    }
    decoder.finish();
    originals_ = std::move(originals);
}

void Reading::wait_for_originals() {
    gather_originals();
    if (gathering_.joinable()) {
        gathering_.join();
    }
    later_ = false;
}

void Reading::stop_gathering() {
    if (gathering_.joinable()) {
        stop_.request_stop();
        gathering_.join();
    }
}

// True when some came.
bool Reading::take_sent_keys() {
    bool any = false;
    sent_keys_->poll([&](std::string_view lines, const std::string& path) {
        keys_.add_text(lines, path);
        any = true;
    });
    return any;
}

// True when keys came after the first TLS packet.
bool Reading::read_once() {
    smime::Keyring keyring;
    keyring.add_all(keys_);
    if (!trusted_.empty()) {
        (void)keyring.add_trusted(trusted_); // it was read before
    }
    if (!revoked_.empty()) {
        (void)keyring.add_crls(revoked_);
    }
    bodies_ = std::make_unique<capture::SecuredBodies>(std::move(keyring));
    book_ = std::make_unique<flow::Book>();
    book_->open_bodies_with(*bodies_);
    // Of an earlier reading nothing stays.
    if (tape_ != nullptr) {
        tape_ = std::make_unique<flow::MediaTape>();
        book_->tap_media(*tape_);
    }
    if (course_ != nullptr) {
        course_ = std::make_unique<flow::MediaCourse>();
        book_->tap_media(*course_);
    }
    if (tape_ != nullptr && course_ != nullptr) {
        both_ = std::make_unique<BothTaps>(*tape_, *course_);
        book_->tap_media(*both_);
    }
    flow::Relay relay{*book_};
    flow::Listener* listener = &relay;
    if (keep_originals_ && !later_) {
        originals_ = std::make_unique<flow::Originals>(*listener);
        listener = originals_.get();
    }
    capture::Decoder decoder{*listener, keys_};
    // With records to open, a second core keeps the book, where there is one.
    const bool two_cores = std::thread::hardware_concurrency() > 1;
    Progress progress{"reading"};
    Glances glances;
    if (glance_) {
        book_->note_changes();
        book_->ask_for_open([&decoder](std::uint32_t id, flow::Connection& connection) {
            return decoder.describe(id, connection);
        });
    }
    bool late_keys = false;
    const auto take_secrets = [&] {
        for (const auto& secrets : source_->take_secrets()) {
            keys_.add_text(secrets, "secrets in the capture");
            late_keys = late_keys || decoder.has_seen_tls();
        }
    };
    WaitingPackets waiting;
    while (const auto* packet = source_->next()) {
        take_secrets();
        if (sent_keys_ == nullptr) {
            decoder.on_packet(*packet);
        } else {
            late_keys |= waiting.hold(*packet, decoder, [this] { return take_sent_keys(); });
        }
        if (two_cores && decoder.has_seen_tls()) {
            relay.start_thread();
        }
        if (glance_) {
            if (glances.is_due()) {
                glances.begin();
                relay.meanwhile([&] { stopped_ = !glance_(packet->time, percent()); });
                glances.end();
            }
            if (stopped_) {
                return false;
            }
        } else if (progress.is_due()) {
            progress.draw(source_->bytes_read(), source_->total_bytes());
        }
    }
    take_secrets(); // of a block behind the last packet
    if (sent_keys_ != nullptr) {
        late_keys |= take_sent_keys();
        waiting.release_all(decoder);
    }
    decoder.finish();

    inputs_.clear();
    names_.clear();
    for (const auto& source : source_->sources()) {
        view::InputReport input;
        input.file = source->path();
        input.packets = source->packets();
        input.bytes = source->bytes_read();
        input.first = source->first();
        input.last = source->last();
        input.problems = source->problems();
        const auto number = static_cast<std::uint16_t>(inputs_.size());
        for (const auto& entry : decoder.ignored(number)) {
            input.ignored[entry.name] += entry.count;
        }
        add_unused(book_->unused(number), input);
        names_.insert(names_.end(), source->names().begin(), source->names().end());
        inputs_.push_back(std::move(input));
    }
    return late_keys;
}

unsigned Reading::percent() const {
    const auto total = source_->total_bytes();
    return total == 0 ? 0 : static_cast<unsigned>(source_->bytes_read() * 100 / total);
}

view::ReportCounts Reading::counts() const {
    const auto& c = book_->counts();
    view::ReportCounts counts;
    for (const auto& input : inputs_) {
        counts.packets += input.packets;
    }
    counts.sip_messages = c.sip_messages;
    counts.calls = c.calls;
    counts.tls_connections = c.tls_connections;
    counts.tls_decrypted = c.tls_decrypted;
    counts.rtp_streams = c.rtp_streams;
    return counts;
}

} // namespace cw::cli
