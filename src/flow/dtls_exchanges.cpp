#include "flow/dtls_exchanges.hpp"

#include <algorithm>

#include "flow/promises.hpp"

namespace cw::flow {
namespace {

Endpoint lesser_end(const DtlsExchange& exchange) {
    return std::min(exchange.client, exchange.server);
}

bool is_between(const DtlsExchange& exchange, const Promise& promise) {
    return (exchange.client == promise.offerer && exchange.server == promise.answerer) ||
           (exchange.client == promise.answerer && exchange.server == promise.offerer);
}

} // namespace

void DtlsExchanges::add(const DtlsExchange& exchange) {
    const auto end = lesser_end(exchange);
    auto& there = by_end_[end];
    const auto known = std::ranges::find_if(there, [&](const DtlsExchange& o) {
        return o.first == exchange.first && o.client == exchange.client &&
               o.server == exchange.server;
    });
    if (known != there.end()) {
        *known = exchange;
        return;
    }
    there.push_back(exchange);
    order_.push_back(end);
    if (order_.size() > most) {
        const auto oldest = by_end_.find(order_.front());
        order_.pop_front();
        oldest->second.erase(oldest->second.begin());
        if (oldest->second.empty()) {
            by_end_.erase(oldest);
        }
    }
}

std::vector<DtlsExchange> DtlsExchanges::of(const Call& call) const {
    constexpr std::size_t most_of_a_call = 64;
    std::vector<DtlsExchange> out;
    if (by_end_.empty() || std::ranges::none_of(call.media_lines, &MediaLine::dtls)) {
        return out;
    }
    for (const auto& promise : promises_of(call)) {
        const auto there = by_end_.find(std::min(promise.offerer, promise.answerer));
        if (there == by_end_.end()) {
            continue;
        }
        for (const auto& exchange : there->second) {
            if (is_between(exchange, promise) && exchange.first >= call.start &&
                exchange.first <= call.end + seconds(2) && out.size() < most_of_a_call) {
                out.push_back(exchange);
            }
        }
    }
    std::ranges::stable_sort(out, {}, &DtlsExchange::first);
    return out;
}

} // namespace cw::flow
