// Captured calls as one flow that `callwright run` performs: every end of a call is an actor, every
// server a participant that is played, each message an arrow, and what lies between them media or a
// pause. What the model does not keep of a message is done properly when it is run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flow/boxes.hpp"
#include "flow/call.hpp"

namespace cw::view {

class Runnable {
  public:
    static constexpr std::size_t most_messages = 5000;

    // `call` is not kept. They may come in any order.
    void add(const flow::Call& call);
    // The flow, with what cannot be run as it was seen in comments at its head.
    [[nodiscard]] std::string write(flow::KnownNames names = {});

  private:
    flow::Call all_; // of all calls: messages, legs, streams and connections, one pool
    std::vector<std::string> problems_;
};

} // namespace cw::view
