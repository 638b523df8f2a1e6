// Captured calls as one flow that `callwright run` performs: every end of a call is an actor, every
// server a participant that is played, each message an arrow, and what lies between them media or a
// pause. What a message has to say besides stands beneath its arrow, see runnable_fields.hpp; all
// the rest is done properly when it is run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/boxes.hpp"
#include "flow/call.hpp"

namespace cw::view {

class Runnable {
  public:
    static constexpr std::size_t most_messages = 5000;

    // The bytes of a message; empty when they are not known. Valid until the next one is asked for.
    using Originals = std::function<std::string_view(const flow::Message&)>;

    // `call` is not kept. They may come in any order.
    void add(const flow::Call& call, const Originals& original = {});
    // The flow, with what cannot be run as it was seen in comments at its head.
    [[nodiscard]] std::string write(flow::KnownNames names = {});

  private:
    flow::Call all_; // of all calls: messages, legs, streams and connections, one pool
    std::vector<std::string> problems_;
};

} // namespace cw::view
