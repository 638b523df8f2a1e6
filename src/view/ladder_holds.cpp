#include "view/ladder_holds.hpp"

#include <algorithm>
#include <compare>
#include <map>
#include <utility>

namespace cw::view {
namespace {

constexpr std::size_t most_holds = 64; // a hostile call can have thousands

// A leg between two boxes: what is held there is held on that hop alone.
struct Hop {
    std::uint8_t leg = 0;
    std::uint16_t left = 0;
    std::uint16_t right = 0;
    auto operator<=>(const Hop&) const = default;
};

struct Exchange { // an offer that was not answered so far
    std::uint32_t cseq = 0;
    bool has_media = false;
    bool hold = false;
    bool late = false; // the offer is in the response, its answer comes with the ACK
};

struct State {
    Exchange open;
    bool agreed = false; // media both ways was, before
    bool held = false;
    Instant since;
};

class Finder {
  public:
    Finder(const flow::Call& call, const std::function<std::uint16_t(const Endpoint&)>& column)
        : call_(call), column_(column) {}

    std::vector<LadderHold> find() {
        for (const auto& m : call_.messages) {
            if (m.retransmission_of == flow::none && m.duplicate_of == flow::none) {
                take(m);
            }
        }
        for (auto& [hop, state] : hops_) {
            end(hop, state, call_.end);
        }
        std::ranges::stable_sort(holds_, {}, &LadderHold::begin);
        return std::move(holds_);
    }

  private:
    void take(const flow::Message& m) {
        const auto [left, right] = std::minmax({column_(m.source), column_(m.destination)});
        const Hop hop{m.leg, left, right};
        auto& state = hops_[hop];
        const bool media = m.media_count > 0;
        if (m.status == 0 && m.method == sip::Method::Bye) {
            end(hop, state, m.time);
        } else if (m.status == 0 && m.method == sip::Method::Ack) {
            if (state.open.late && state.open.cseq == m.cseq && media) {
                settle(hop, state, m.time, state.open.hold || is_hold(call_, m));
            }
        } else if (m.status == 0) {
            if (m.method == sip::Method::Invite || media) {
                state.open = {.cseq = m.cseq, .has_media = media, .hold = is_hold(call_, m)};
            }
        } else if (m.status >= 200 && m.status < 300 && media && m.cseq == state.open.cseq) {
            const bool hold = state.open.hold || is_hold(call_, m);
            if (state.open.has_media) {
                settle(hop, state, m.time, hold);
            } else {
                state.open.hold = hold;
                state.open.late = true;
            }
        }
    }

    void settle(const Hop& hop, State& state, Instant now, bool held) {
        state.open = {};
        // Note: what begins in one direction, as music on hold does, was not put on hold.
        if (held && state.agreed && !state.held) {
            state.held = true;
            state.since = now;
        } else if (!held) {
            end(hop, state, now);
        }
        state.agreed = state.agreed || !held;
    }

    void end(const Hop& hop, State& state, Instant now) {
        if (std::exchange(state.held, false) && holds_.size() < most_holds) {
            holds_.push_back({hop.left, hop.right, state.since, std::max(now, state.since)});
        }
    }

    const flow::Call& call_;
    const std::function<std::uint16_t(const Endpoint&)>& column_;
    std::map<Hop, State> hops_;
    std::vector<LadderHold> holds_;
};

} // namespace

bool is_hold(const flow::Call& call, const flow::Message& message) {
    bool open = false;
    for (std::uint32_t i = 0; i < message.media_count; ++i) {
        const auto& line = call.media_lines[message.media_begin + i];
        if (line.receive.port == 0) {
            continue;
        }
        open = true;
        if (line.direction != 's' && line.direction != 'i' &&
            !line.receive.address.is_unspecified()) {
            return false;
        }
    }
    return open;
}

std::vector<LadderHold> find_holds(const flow::Call& call,
                                   const std::function<std::uint16_t(const Endpoint&)>& column) {
    return Finder{call, column}.find();
}

} // namespace cw::view
