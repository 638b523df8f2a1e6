// What is to be sent, in order. Machines append to it; the host sends when the machine has
// returned.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "transaction/wire.hpp"

namespace cw::transaction {

// One buffer for all bytes of a turn: after a few turns nothing is allocated.
class Outbox {
  public:
    struct Send {
        Wire wire;
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
    };

    void send(const Wire& wire, std::string_view message) {
        sends_.push_back({wire, static_cast<std::uint32_t>(bytes_.size()),
                          static_cast<std::uint32_t>(message.size())});
        bytes_.append(message);
    }
    [[nodiscard]] const std::vector<Send>& sends() const { return sends_; }
    // Valid until the next send() or clear().
    [[nodiscard]] std::string_view bytes(const Send& s) const {
        return std::string_view{bytes_}.substr(s.offset, s.length);
    }
    [[nodiscard]] bool empty() const { return sends_.empty(); }
    void clear() {
        sends_.clear();
        bytes_.clear();
    }

  private:
    std::vector<Send> sends_;
    std::string bytes_;
};

} // namespace cw::transaction
