// The trace of a stage, where one process may have both ends of a connection: each is written once,
// as its opener sees it.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "host/trace.hpp"

namespace cw::host {

class StageTap final : public net::Tap {
  public:
    explicit StageTap(TraceFile& file) : trace_(file) {}

    void on_opened(net::Key key, const net::ConnectionInfo& info) override {
        auto& seen = at(key);
        seen = {info, Known::NotYet};
        if (!info.incoming) {
            ours_.push_back(info.local);
            seen.known = Known::Written;
            trace_.on_opened(key, info);
        }
    }
    void on_raw(net::Key key, bool outgoing, Bytes bytes) override {
        auto& seen = at(key);
        if (seen.known == Known::NotYet) {
            // Whoever opened it has been told by now: nobody speaks before that.
            const bool twice = std::ranges::find(ours_, seen.info.remote) != ours_.end();
            seen.known = twice ? Known::LeftOut : Known::Written;
            if (!twice) {
                trace_.on_opened(key, seen.info);
            }
        }
        if (seen.known == Known::Written) {
            trace_.on_raw(key, outgoing, bytes);
        }
    }
    void on_tls_message(net::Key, bool, int, Bytes) override {}
    void on_closed(net::Key key) override {
        auto& seen = at(key);
        if (seen.known == Known::Written) {
            trace_.on_closed(key);
        }
        std::erase(ours_, seen.info.local);
        seen = {};
    }
    void datagram(const Endpoint& from, const Endpoint& to, Bytes bytes) {
        trace_.datagram(from, to, bytes);
    }
    void flush() { trace_.flush(); }

  private:
    enum class Known : std::uint8_t { NotYet, Written, LeftOut };
    struct Seen {
        net::ConnectionInfo info;
        Known known = Known::LeftOut;
    };
    Seen& at(net::Key key) {
        if (seen_.size() <= key.index) {
            seen_.resize(key.index + 1);
        }
        return seen_[key.index];
    }

    Trace trace_;
    std::vector<Seen> seen_; // by net::Key::index
    std::vector<Endpoint> ours_;
};

} // namespace cw::host
