#include "flow/promises.hpp"

#include <algorithm>
#include <map>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/facts.hpp"
#include "flow/media_line.hpp"

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
    bool operator==(const ExchangeKey&) const = default;
};
struct HashExchange {
    std::size_t operator()(const ExchangeKey& key) const {
        return mix_hash(hash_value(key.requester), key.branch ^ key.cseq);
    }
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

// What runs over another protocol shows no streams that could be looked for.
bool may_be_rtp(const Call& call, const MediaLine& line) {
    const auto profile = call.text(line.profile);
    return profile.empty() || is_rtp(profile) || line.dtls;
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
            wanted.receive.address.is_unspecified() || given.receive.address.is_unspecified() ||
            !may_be_rtp(call, wanted) || !may_be_rtp(call, given)) {
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

// Of each answer, by its message: (offer, answer).
std::vector<std::pair<std::uint32_t, std::uint32_t>> exchanges_of(const Call& call) {
    // By transaction, or late offers by CSeq.
    boost::unordered_flat_map<ExchangeKey, std::uint32_t, HashExchange> offers;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
    for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
        const auto& m = call.messages[i];
        if (m.media_count == 0 || m.retransmission_of != none || m.duplicate_of != none ||
            m.status >= 300) {
            continue;
        }
        if (m.method == sip::Method::Ack) {
            if (const auto offer = offers.find(key_of(m, 0)); offer != offers.end()) {
                found.emplace_back(offer->second, i);
            }
            continue;
        }
        if (m.status == 0) {
            offers.emplace(key_of(m, m.branch), i);
            continue;
        }
        const auto offer = offers.find(key_of(m, m.branch));
        if (offer != offers.end()) {
            found.emplace_back(offer->second, i);
        } else if (m.cseq_method == sip::Method::Invite) {
            offers.emplace(key_of(m, 0), i); // the offer is in the response [RFC 3261 §13.2.1]
        }
    }
    return found;
}

} // namespace

std::vector<Promise> promises_of(const Call& call) {
    std::vector<Promise> found;
    for (const auto& [offer, answer] : exchanges_of(call)) {
        pair_lines(call, offer, answer, found);
    }
    if (found.size() <= 1) {
        return found;
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

std::vector<Endpoint> places_of(const Call& call, std::uint32_t message, std::uint32_t line) {
    std::vector<Endpoint> out{call.media_lines[line].receive};
    if (!call.media_lines[line].ice) {
        return out;
    }
    Facts facts{call, call.messages[message]};
    while (const auto field = facts.next()) {
        constexpr std::string_view prefix = "candidate ";
        if (field->id != sip::HeaderId::Other || !field->value.starts_with(prefix)) {
            continue;
        }
        if (const auto place = parse_endpoint(field->value.substr(prefix.size()), 0)) {
            out.push_back(*place);
        }
    }
    return out;
}

PromiseEnds ends_of(const Call& call, const Promise& promise) {
    return {.offerer = places_of(call, promise.offer, promise.offer_line),
            .answerer = places_of(call, promise.answer, promise.answer_line),
            .ice = call.media_lines[promise.offer_line].ice &&
                   call.media_lines[promise.answer_line].ice};
}

int PromiseEnds::direction(const Endpoint& source, const Endpoint& destination) const {
    const auto has = [](const std::vector<Endpoint>& places, const Endpoint& one) {
        return std::ranges::find(places, one) != places.end();
    };
    const bool from_offerer = has(offerer, source);
    const bool to_answerer = has(answerer, destination);
    const bool from_answerer = has(answerer, source);
    const bool to_offerer = has(offerer, destination);
    if (ice ? from_offerer || to_answerer : from_offerer && to_answerer) {
        return 1;
    }
    return (ice ? from_answerer || to_offerer : from_answerer && to_offerer) ? -1 : 0;
}

std::vector<Refusal> refusals_of(const Call& call) {
    std::vector<Refusal> out;
    for (const auto& [offer, answer] : exchanges_of(call)) {
        const auto& o = call.messages[offer];
        const auto& a = call.messages[answer];
        for (std::uint32_t i = 0; i < std::min(o.media_count, a.media_count); ++i) {
            const auto& wanted = call.media_lines[o.media_begin + i];
            const auto& given = call.media_lines[a.media_begin + i];
            bool taken = wanted.receive.port == 0 || given.receive.port != 0;
            for (std::uint32_t j = 0; j < a.media_count; ++j) {
                const auto& other = call.media_lines[a.media_begin + j];
                taken = taken || (other.receive.port != 0 &&
                                  call.text(other.type) == call.text(wanted.type));
            }
            if (!taken) {
                out.push_back({offer, answer, o.media_begin + i, a.media_begin + i});
            }
        }
    }
    return out;
}

} // namespace cw::flow
