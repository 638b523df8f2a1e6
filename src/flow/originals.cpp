#include "flow/originals.hpp"

#include <algorithm>
#include <string>

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
    const auto index = static_cast<std::uint32_t>(kept_.size());
    if (index != none) {
        const auto [at, fresh] = first_.try_emplace(key(event.at.input, event.at.frame), index);
        kept_.push_back({spool_.put(event.bytes), fresh ? none : at->second});
        at->second = index;
    }
    next_->on_sip(event);
}

std::string_view Originals::of(const Call& call, const Message& message) {
    const auto found = first_.find(key(message.input, message.frame));
    if (found == first_.end()) {
        return {};
    }
    const auto call_id =
        message.leg < call.legs.size() ? call.text(call.legs[message.leg].call_id) : "";
    int looked_at = 0;
    for (auto index = found->second; index != none && ++looked_at <= most_of_a_packet;
         index = kept_[index].next) {
        const auto& kept = kept_[index];
        if (kept.next == none && index == found->second) {
            return spool_.get(kept.blob); // the only one
        }
        if (kept.blob.length != message.size) {
            continue;
        }
        const auto bytes = spool_.get(kept.blob);
        if (begins_as(bytes, call, message) && bytes.find(call_id) != std::string_view::npos) {
            return bytes;
        }
    }
    return {};
}

} // namespace cw::flow
