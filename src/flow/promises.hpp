// The media that answered offers promised: what the ladder compares with what was seen.
#pragma once

#include <cstdint>
#include <vector>

#include "flow/call.hpp"

namespace cw::flow {

// One media line that one side offered and the other accepted [RFC 3264], on one hop.
struct Promise {
    Endpoint offerer; // where the side that offered wants to receive; its address may be a NAT's
    Endpoint answerer;
    std::uint32_t offer = none; // index in Call::messages
    std::uint32_t answer = none;
    std::uint32_t offer_line = none; // index in Call::media_lines
    std::uint32_t answer_line = none;
    bool to_offerer = false; // the directions agreed let media flow this way
    bool to_answerer = false;
};

// Where the sender of this media line may send from and receive: what the line says and, with ICE,
// the candidates in its message.
std::vector<Endpoint> places_of(const Call& call, std::uint32_t message, std::uint32_t line);

// The places of both sides of a promise.
struct PromiseEnds {
    std::vector<Endpoint> offerer;
    std::vector<Endpoint> answerer;
    bool ice = false; // on both sides: then media goes where checks succeed

    // 1: what goes from `source` to `destination` comes from the offerer, −1: from the answerer,
    // 0: it is not of this promise. With ICE one end that is known will do.
    [[nodiscard]] int direction(const Endpoint& source, const Endpoint& destination) const;
};
PromiseEnds ends_of(const Call& call, const Promise& promise);

// A line that was offered and refused with port 0 while no other of its kind was taken.
struct Refusal {
    std::uint32_t offer = none; // indices as in Promise
    std::uint32_t answer = none;
    std::uint32_t offer_line = none;
    std::uint32_t answer_line = none;
};
std::vector<Refusal> refusals_of(const Call& call);

// Each pair of endpoints once (the last answer counts), in the order of the answers. Lines that
// were refused (port 0) or put on hold are left out.
std::vector<Promise> promises_of(const Call& call);

} // namespace cw::flow
