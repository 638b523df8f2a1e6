// Messages compressed by permessage-deflate [RFC 7692 §7.2.2]: one direction of a connection.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace cw::capture {

// The sliding window is always carried from message to message. A sender that promised not to use
// it (no_context_takeover) makes messages that need none, so the promise need not be known.
class Inflater {
  public:
    // A bound against messages that unfold without end; SIP messages are far below.
    static constexpr std::size_t max_message = std::size_t{256} * 1024;

    Inflater();
    ~Inflater();
    Inflater(Inflater&&) noexcept;
    Inflater& operator=(Inflater&&) noexcept;

    // The message, valid until the next call; nothing when it is damaged, too large, or refers to
    // earlier bytes that were not seen. After a failure the window is empty.
    std::optional<std::string_view> inflate(Bytes compressed);

  private:
    struct State;
    bool run(Bytes input);

    std::unique_ptr<State> state_; // made with the first message: it takes about 40 KiB
    std::string out_;
    std::size_t size_ = 0;
};

} // namespace cw::capture
