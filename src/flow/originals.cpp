#include "flow/originals.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "sip/method.hpp"

namespace cw::flow {
namespace {

// One packet can carry many messages; whoever fills a jumbo frame with them is not served for long.
constexpr int most_of_a_packet = 4096;

bool begins_as(std::string_view bytes, const Call& call, const Message& message) {
    if (message.status != 0) {
        const auto blank = bytes.find(' ');
        return blank != std::string_view::npos &&
               bytes.substr(blank + 1).starts_with(std::to_string(message.status));
    }
    return bytes.starts_with(call.text(message.method_text));
}

} // namespace

void Originals::on_sip(const SipEvent& event) {
    const auto packet = key(event.at.input, event.at.frame);
    const bool again = !free_.empty();
    const auto index = again ? free_.back() : static_cast<std::uint32_t>(kept_.size());
    if (index != none && !event.bytes.empty()) {
        again ? free_.pop_back() : static_cast<void>(kept_.emplace_back());
        const auto [at, fresh] = first_.try_emplace(packet, index);
        if (!fresh) {
            kept_[at->second].shared = true;
        }
        kept_[index] = {spool_.put(event.bytes), fresh ? none : at->second, event.at.time, packet,
                        !fresh};
        at->second = index;
    }
    next_->on_sip(event);
}

std::string_view Originals::of(const Call& call, const Message& message) {
    const auto index = find(call, message);
    return index == none ? std::string_view{} : spool_.get(kept_[index].blob);
}

void Originals::forget(const Call& call) {
    for (const auto& message : call.messages) {
        if (const auto index = find(call, message); index != none) {
            drop(index);
        }
    }
}

void Originals::forget_before(Instant time) {
    for (std::uint32_t index = 0; index < kept_.size(); ++index) {
        if (!kept_[index].blob.empty() && kept_[index].time < time) {
            drop(index);
        }
    }
}

void Originals::drop(std::uint32_t index) {
    const auto gone = std::exchange(kept_[index], {});
    spool_.drop(gone.blob);
    free_.push_back(index);
    const auto first = first_.find(gone.packet);
    if (first == first_.end()) {
        return;
    }
    auto* link = &first->second;
    while (*link != none && *link != index) {
        link = &kept_[*link].next;
    }
    if (*link == index) {
        *link = gone.next;
    }
    if (first->second == none) {
        first_.erase(first);
    }
}

std::uint32_t Originals::find(const Call& call, const Message& message) {
    const auto found = first_.find(key(message.input, message.frame));
    if (found == first_.end()) {
        return none;
    }
    const auto call_id =
        message.leg < call.legs.size() ? call.text(call.legs[message.leg].call_id) : "";
    int looked_at = 0;
    for (auto index = found->second; index != none && ++looked_at <= most_of_a_packet;
         index = kept_[index].next) {
        const auto& kept = kept_[index];
        if (!kept.shared) {
            return index; // the only one
        }
        if (kept.blob.length != message.size) {
            continue;
        }
        const auto bytes = spool_.get(kept.blob);
        if (begins_as(bytes, call, message) && bytes.find(call_id) != std::string_view::npos) {
            return index;
        }
    }
    return none;
}

} // namespace cw::flow
