// Calls as they happen: packets of interfaces, of capture agents and of a server in this process,
// keys that arrive meanwhile, through the decoder into a Book that hands calls out as they end.
//
//   auto watch = Watch::open(settings);
//   while (…) { watch->turn(milliseconds(100)); watch->take_ended(print); }
//   watch->finish();  watch->book().for_each_call(…)   // what was still going on
//
// One thread. Memory is bounded by the calls and connections that are open.
#pragma once

#include <deque>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "capture/decoder.hpp"
#include "capture/live_interface.hpp"
#include "crypto/key_log.hpp"
#include "flow/book.hpp"
#include "flow/originals.hpp"
#include "host/trace_queue.hpp"
#include "host/watch/hep_intake.hpp"
#include "host/watch/key_follower.hpp"
#include "host/watch/packet_ring.hpp"

namespace cw::host {

struct WatchSettings {
    std::vector<std::string> interfaces;
    capture::LiveInterface::Options capture;
    std::vector<Endpoint> hep;
    std::shared_ptr<TraceQueue> server; // what one in this process does; null: none
    std::vector<std::string> keys;      // key logs that are followed, or keys in PEM
    // Where there are keys a packet waits so long for those that it needs: a program writes them
    // while its handshake goes on.
    Duration patience = milliseconds(400);
    PacketRing::Settings ring;  // no path: nothing is written
    bool show_going_on = false; // calls are looked at while they go on, and the bytes of messages
};

class Watch {
  public:
    // Everything is opened, or nothing is: then a sentence says what failed and what to try.
    static std::expected<std::unique_ptr<Watch>, std::string> open(WatchSettings settings);

    // Takes what comes within `wait`, which ends early when one of `also` can be read. False when
    // no input is left; problems() says why.
    bool turn(Duration wait, std::span<const int> also = {});
    void take_ended(const std::function<void(const flow::Call&)>& visit);
    // What is held is decoded; the Book is finished.
    void finish();

    [[nodiscard]] flow::Book& book() { return *book_; }
    // With show_going_on.
    [[nodiscard]] flow::Originals& originals() { return *originals_; }
    // What is decoded is as old as this: the time of day, less what is waited for keys.
    [[nodiscard]] Instant now() const;
    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    // Packets that we lost, by the kernel or the network card: calls may have holes.
    [[nodiscard]] std::uint64_t dropped() const;
    [[nodiscard]] std::size_t connections() const { return decoder_->connections(); }
    [[nodiscard]] std::vector<capture::Ignored::Entry> ignored(std::uint16_t input) const {
        return decoder_->ignored(input);
    }
    // "eth0", "hep 0.0.0.0:9060": by Packet::input.
    [[nodiscard]] const std::vector<std::string>& inputs() const { return inputs_; }
    [[nodiscard]] bool writes_packets() const { return ring_ != nullptr; }
    // Before its process becomes this user: what it writes is theirs. False: errno.
    bool give_files_to(uid_t user, gid_t group) {
        return ring_ == nullptr || ring_->give_to(user, group);
    }
    [[nodiscard]] const std::vector<std::unique_ptr<HepIntake>>& hep() const { return hep_; }
    // What went wrong since the last call, a line each.
    std::vector<std::string> take_problems();

  private:
    struct Held { // a packet that waits for its keys
        Instant until;
        capture::Packet packet;
        std::string bytes;
    };
    explicit Watch(WatchSettings settings);
    std::expected<void, std::string> open_all();
    void take_packet(const capture::Packet& packet);
    void take_from_server();
    void take_keys();
    void decode(const capture::Packet& packet);
    void decode_held(Instant until);

    WatchSettings settings_;
    crypto::KeyRing keys_;
    KeyFollower follower_;
    std::unique_ptr<flow::Book> book_;
    std::unique_ptr<flow::Originals> originals_;
    std::unique_ptr<capture::Decoder> decoder_;
    std::vector<std::unique_ptr<capture::LiveInterface>> interfaces_;
    std::vector<std::unique_ptr<HepIntake>> hep_;
    std::vector<std::uint32_t> hep_frames_;
    std::uint16_t server_input_ = 0;
    std::uint32_t server_frames_ = 0;
    std::string from_server_; // pcapng, as it was taken
    std::vector<std::string> inputs_;
    std::unique_ptr<PacketRing> ring_;
    std::deque<Held> held_;
    std::size_t held_bytes_ = 0;
    std::uint64_t packets_ = 0;
    Instant keys_read_;
    std::vector<std::string> problems_;
    bool ring_failed_ = false;
};

} // namespace cw::host
