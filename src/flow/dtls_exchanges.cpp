#include "flow/dtls_exchanges.hpp"

#include <algorithm>

#include "flow/promises.hpp"

namespace cw::flow {
namespace {

bool is_same(const DtlsExchange& a, const DtlsExchange& b) {
    return a.first == b.first && a.client == b.client && a.server == b.server;
}

} // namespace

void DtlsExchanges::add(const DtlsExchange& exchange) {
    bool fresh = true;
    for (const auto& end : {exchange.client, exchange.server}) {
        auto& there = by_end_[end];
        const auto known =
            std::ranges::find_if(there, [&](const auto& o) { return is_same(o, exchange); });
        fresh = known == there.end();
        if (fresh) {
            there.push_back(exchange);
        } else {
            *known = exchange;
        }
    }
    if (fresh) {
        order_.emplace_back(exchange.client, exchange.server);
    }
    if (order_.size() > most) {
        forget(order_.front().first);
        forget(order_.front().second);
        order_.pop_front();
    }
}

// Its oldest one.
void DtlsExchanges::forget(const Endpoint& end) {
    const auto oldest = by_end_.find(end);
    oldest->second.erase(oldest->second.begin());
    if (oldest->second.empty()) {
        by_end_.erase(oldest);
    }
}

std::vector<DtlsExchange> DtlsExchanges::of(const Call& call) const {
    constexpr std::size_t most_of_a_call = 64;
    std::vector<DtlsExchange> out;
    if (by_end_.empty() || std::ranges::none_of(call.media_lines, &MediaLine::dtls)) {
        return out;
    }
    const auto take = [&](const DtlsExchange& exchange) {
        if (exchange.first >= call.start && exchange.first <= call.end + seconds(2) &&
            out.size() < most_of_a_call &&
            std::ranges::none_of(out, [&](const auto& o) { return is_same(o, exchange); })) {
            out.push_back(exchange);
        }
    };
    for (const auto& promise : promises_of(call)) {
        const auto ends = ends_of(call, promise);
        for (const auto* side : {&ends.offerer, &ends.answerer}) {
            for (const auto& end : *side) {
                const auto there = by_end_.find(end);
                if (there == by_end_.end()) {
                    continue;
                }
                for (const auto& exchange : there->second) {
                    if (ends.direction(exchange.client, exchange.server) != 0) {
                        take(exchange);
                    }
                }
            }
        }
    }
    std::ranges::stable_sort(out, {}, &DtlsExchange::first);
    return out;
}

} // namespace cw::flow
