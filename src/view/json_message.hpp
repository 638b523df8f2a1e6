// A message as the reader's JSON tells it: the bulk of every report, so it is put together in one
// piece, and what messages of a call have in common is kept as text. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "flow/call.hpp"
#include "view/figures.hpp"

namespace cw::view {

class MessageJson {
  public:
    MessageJson();

    // The messages that follow are of another call than those before.
    void begin_call() {
        for (auto& leg : legs_) {
            leg.number = flow::none;
        }
    }
    // How many characters write() puts at most.
    [[nodiscard]] static std::size_t most(const flow::Call& call, const flow::Message& m);
    // Puts message number `index` of `call`, an object, at `at`; returns its end.
    char* write(char* at, const flow::Call& call, std::uint32_t index);

  private:
    // From where to where, and over what. A call has few, and each message names one.
    struct Path {
        Endpoint source;
        Endpoint destination;
        flow::Transport transport = flow::Transport::Udp;
        std::uint8_t size = 0;
        std::array<char, 176> text; // ,"src":"…","dst":"…","transport":"…"
    };
    // What a message says behind its CSeq when it was not seen before.
    struct Leg {
        std::uint32_t number = flow::none;
        std::uint8_t size = 0;
        std::array<char, 240> text; // ,"call_id":"…","retransmission_of":null,…,"size":
    };
    struct MethodName {
        std::uint8_t size = 0;       // 0: none of those that we know
        std::array<char, 16> text{}; // with the quote behind it
    };

    char* put_path(char* at, const flow::Message& m);
    char* put_what(char* at, const flow::Call& call, const flow::Message& m) const;
    char* put_method(char* at, sip::Method method) const;
    char* put_leg(char* at, const flow::Call& call, const flow::Message& m);

    std::array<Path, 16> paths_{}; // each in the place of its ports and addresses
    std::array<Leg, 4> legs_{};    // each in the place of its number
    std::array<MethodName, 16> methods_{};
    TimeWriter times_;
};

} // namespace cw::view
