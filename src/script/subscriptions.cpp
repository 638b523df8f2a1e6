#include "script/subscriptions.hpp"

#include <algorithm>
#include <ranges>

#include "base/text.hpp"

namespace cw::script {
namespace {

// The event package that a message says it is about; empty: it does not say.
std::string event_of(const Facts& facts) {
    for (const auto& fact : facts) {
        const auto* header = std::get_if<Header>(&fact.value);
        if (header == nullptr || header->id != sip::HeaderId::Event || header->absent ||
            header->value.pieces.empty()) {
            continue;
        }
        if (const auto* text = std::get_if<std::string>(&header->value.pieces[0])) {
            return std::string(trim(std::string_view(*text).substr(0, text->find(';'))));
        }
    }
    return {};
}

bool fits(const std::string& said, const std::string& event) {
    return said.empty() || event.empty() || iequals(said, event);
}

} // namespace

void Subscriptions::add(StepId step, const Arrow& arrow, const Request& request) {
    auto subscriber = arrow.from;
    if (arrow.forwards) {
        for (const auto& before : all_) {
            subscriber = before.step == *arrow.forwards ? before.subscriber : subscriber;
        }
    }
    // [RFC 3515 §3.3] REFER makes a subscription to the event "refer".
    auto event = request.method == sip::Method::Refer ? "refer" : event_of(arrow.facts);
    all_.push_back({step, arrow.from, arrow.to, subscriber, arrow.call, std::move(event)});
}

void Subscriptions::refused(StepId step) {
    std::erase_if(all_, [&](const Subscription& one) { return one.step == step; });
}

const Subscription* Subscriptions::reported_by(const Arrow& notify) const {
    auto event = event_of(notify.facts);
    if (event.empty() && find<Sipfrag>(notify.facts) != nullptr) {
        event = "refer";
    }
    for (const auto& one : all_ | std::views::reverse) {
        if (one.to == notify.from && (one.from == notify.to || one.subscriber == notify.to) &&
            fits(event, one.event)) {
            return &one;
        }
    }
    return nullptr;
}

const Subscription* Subscriptions::refreshed_by(const Arrow& subscribe) const {
    const auto event = event_of(subscribe.facts);
    for (const auto& one : all_ | std::views::reverse) {
        if (one.from == subscribe.from && one.to == subscribe.to && one.event != "refer" &&
            iequals(event, one.event)) {
            return &one;
        }
    }
    return nullptr;
}

} // namespace cw::script
