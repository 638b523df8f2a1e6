#include "flow/promises.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

namespace cw::flow {
namespace {

// What ties an answer to its offer: the transaction, or, when the answer is in an ACK, the leg and
// the CSeq number between the same two hosts.
struct ExchangeKey {
    std::uint64_t branch = 0;
    std::uint32_t cseq = 0;
    std::uint8_t leg = 0;
    IpAddress requester;
    IpAddress responder;
    auto operator<=>(const ExchangeKey&) const = default;
};

ExchangeKey key_of(const Message& m, std::uint64_t branch) {
    const bool request = m.status == 0;
    return {.branch = branch,
            .cseq = m.cseq,
            .leg = m.leg,
            .requester = request ? m.source.address : m.destination.address,
            .responder = request ? m.destination.address : m.source.address};
}

bool sends(const MediaLine& line) {
    return line.direction == 'b' || line.direction == 's';
}
bool receives(const MediaLine& line) {
    return line.direction == 'b' || line.direction == 'r';
}

void pair_lines(const Call& call, std::uint32_t offer, std::uint32_t answer,
                std::vector<Promise>& out) {
    const auto& o = call.messages[offer];
    const auto& a = call.messages[answer];
    // "For each "m=" line in the offer, there MUST be a corresponding "m=" line in the answer."
    // [RFC 3264 §6]
    const auto lines = std::min(o.media_count, a.media_count);
    for (std::uint32_t i = 0; i < lines; ++i) {
        const auto& wanted = call.media_lines[o.media_begin + i];
        const auto& given = call.media_lines[a.media_begin + i];
        if (wanted.receive.port == 0 || given.receive.port == 0 ||
            wanted.receive.address.is_unspecified() || given.receive.address.is_unspecified()) {
            continue;
        }
        out.push_back({.offerer = wanted.receive,
                       .answerer = given.receive,
                       .offer = offer,
                       .answer = answer,
                       .offer_line = o.media_begin + i,
                       .answer_line = a.media_begin + i,
                       .to_offerer = receives(wanted) && sends(given),
                       .to_answerer = sends(wanted) && receives(given)});
    }
}

} // namespace

std::vector<Promise> promises_of(const Call& call) {
    std::map<ExchangeKey, std::uint32_t> offers; // by transaction, or late offers by CSeq
    std::vector<Promise> found;
    for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
        const auto& m = call.messages[i];
        if (m.media_count == 0 || m.retransmission_of != none || m.duplicate_of != none ||
            m.status >= 300) {
            continue;
        }
        if (m.method == sip::Method::Ack) {
            if (const auto offer = offers.find(key_of(m, 0)); offer != offers.end()) {
                pair_lines(call, offer->second, i, found);
            }
            continue;
        }
        if (m.status == 0) {
            offers.emplace(key_of(m, m.branch), i);
            continue;
        }
        const auto offer = offers.find(key_of(m, m.branch));
        if (offer != offers.end()) {
            pair_lines(call, offer->second, i, found);
        } else if (m.cseq_method == sip::Method::Invite) {
            offers.emplace(key_of(m, 0), i); // the offer is in the response [RFC 3261 §13.2.1]
        }
    }
    std::map<std::pair<Endpoint, Endpoint>, std::size_t> last;
    std::vector<Promise> out;
    for (const auto& promise : found) {
        const auto [at, fresh] =
            last.try_emplace(std::minmax(promise.offerer, promise.answerer), out.size());
        if (fresh) {
            out.push_back(promise);
        } else {
            out[at->second] = promise;
        }
    }
    return out;
}

} // namespace cw::flow
