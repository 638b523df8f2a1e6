#include "flow/originals.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/hash.hpp"
#include "sip/cseq.hpp"
#include "sip/message.hpp"
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

std::uint32_t name_of(std::string_view call_id, std::uint32_t cseq) {
    return static_cast<std::uint32_t>(hash_bytes(call_id, cseq));
}

// As the ladder will ask for it, which has the same values of these header fields.
std::uint32_t name_of(std::string_view bytes) {
    sip::HeaderIndex index;
    const auto message = sip::index(bytes, index);
    if (!message) {
        return 0;
    }
    const auto cseq = sip::parse_cseq(message->value(sip::HeaderId::CSeq));
    return name_of(message->value(sip::HeaderId::CallId), cseq ? cseq->number : 0);
}

} // namespace

void Originals::on_sip(const SipEvent& event) {
    const auto packet = key(event.at.input, event.at.frame);
    const bool again = !free_.empty();
    const auto index = again ? free_.back() : static_cast<std::uint32_t>(kept_.size());
    if (index != none && !event.bytes.empty()) {
        again ? free_.pop_back() : static_cast<void>(kept_.emplace_back());
        const auto [at, fresh] = first_.try_emplace(packet, index);
        if (!fresh && !kept_[at->second].shared) {
            auto& alone = kept_[at->second];
            alone.shared = true;
            alone.name = name_of(spool_.get(alone.blob));
        }
        kept_[index] = {.blob = spool_.put(event.bytes),
                        .next = fresh ? none : at->second,
                        .name = fresh ? 0 : name_of(event.bytes),
                        .time = event.at.time,
                        .packet = packet,
                        .shared = !fresh};
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
    const auto name = name_of(call_id, message.cseq);
    int looked_at = 0;
    for (auto index = found->second; index != none && ++looked_at <= most_of_a_packet;
         index = kept_[index].next) {
        const auto& kept = kept_[index];
        if (!kept.shared) {
            return index; // the only one
        }
        if (kept.name != name || kept.blob.length != message.size) {
            continue; // most of them, without a look at the file
        }
        const auto bytes = spool_.get(kept.blob);
        if (begins_as(bytes, call, message) && bytes.find(call_id) != std::string_view::npos) {
            return index;
        }
    }
    return none;
}

} // namespace cw::flow
