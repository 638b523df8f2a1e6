#include "flow/call.hpp"

namespace cw::flow {

std::string_view to_string(Kind kind) {
    switch (kind) {
    case Kind::Call:
        return "call";
    case Kind::Registration:
        return "registration";
    case Kind::Message:
        return "message";
    case Kind::Subscription:
        return "subscription";
    case Kind::Options:
        return "options";
    case Kind::Other:
        return "other";
    }
    return "";
}

std::string_view to_string(State state) {
    switch (state) {
    case State::Trying:
        return "trying";
    case State::Ringing:
        return "ringing";
    case State::Answered:
        return "answered";
    case State::Completed:
        return "completed";
    case State::Cancelled:
        return "cancelled";
    case State::Busy:
        return "busy";
    case State::Rejected:
        return "rejected";
    case State::Redirected:
        return "redirected";
    case State::Timeout:
        return "timeout";
    case State::Failed:
        return "failed";
    }
    return "";
}

void Call::clear() {
    // One by one, as the lists keep their memory: fields() in call_record.cpp has them all.
    id = 0;
    kind = Kind::Other;
    state = State::Trying;
    from = to = from_name = to_name = {};
    start = end = answered = {};
    duration_s = 0;
    final_status = 0;
    cut_off = false;
    legs.clear();
    joins.clear();
    messages.clear();
    media_lines.clear();
    streams.clear();
    connections.clear();
    security = {};
    findings.clear();
    pool.clear();
}

Text TextPool::add(std::string_view s) {
    if (s.empty()) {
        return {};
    }
    for (const auto& t : recent_) {
        if (t.length == s.size() && view(t) == s) {
            return t;
        }
    }
    const Text added{append(s), static_cast<std::uint32_t>(s.size())};
    recent_[next_recent_++ % recent_.size()] = added;
    return added;
}

std::uint32_t TextPool::append(std::string_view bytes) {
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(bytes);
    return offset;
}

void TextPool::clear() {
    bytes_.clear();
    recent_.fill({});
    next_recent_ = 0;
}

} // namespace cw::flow
