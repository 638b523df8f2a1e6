// The inside of a Crowd: a call in progress, and a connection. For its own sources only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "play/load/crowd.hpp"

namespace cw::play {

struct Crowd::Call {
    bool live = false;                        // else the slot is free
    std::unique_ptr<Performance> performance; // null: it goes by rote
    Rote* rote = nullptr;                     // that it follows, or is watched by; perhaps none
    Rote::Walk walk;
    Given given;
    std::shared_ptr<const Cast> cast;
    std::uint32_t generation = 0;
    std::uint32_t deadline = Deadlines<std::uint32_t, Places>::nowhere;
    std::uint64_t number = 0;
    std::uint64_t seed = 0;
    std::string mark; // of its Call-IDs
    std::size_t row = 0;
    bool row_is_its_own = false; // nobody else has it meanwhile
    bool enrolment = false;
    bool interrupted = false;
    Instant due;
    Instant told;                                               // what happened last
    std::vector<std::uint32_t> own;                             // connections, by token
    std::vector<std::pair<std::uint32_t, std::uint32_t>> asked; // its token, and ours
    std::vector<std::string> foreign;                           // Call-IDs
    std::vector<MediaPlace> media;
    std::vector<FailedCall::Message> messages; // while failed calls are kept
};

struct Crowd::Connection {
    script::PartyId from = 0;
    script::PartyId to = 0;
    sip::Transport transport = sip::Transport::Tls;
    bool open = false;
    bool own = false; // of one call
    bool resumption_drawn = false;
    Instant asked;
    transaction::Wire wire;
    HandshakeFacts facts;
    std::optional<FarEnd> other;
    std::vector<std::pair<Ref, std::uint32_t>> waiting; // calls, with their tokens
    std::vector<Ref> users;                             // of an open one, some of them over
    std::size_t sweep_at = 64;
};

// A seed of its own for each call.
inline std::uint64_t mixed(std::uint64_t number) {
    return fold_multiply(number ^ 0x9e37'79b9'7f4a'7c15ULL, 0xd1b5'4a32'd192'ed03ULL);
}

// A number for a place in the loop's table.
inline std::uint64_t wire_key(const transaction::Wire& wire) {
    return std::uint64_t{wire.connection} << 32 | wire.generation;
}

} // namespace cw::play
