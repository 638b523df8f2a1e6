#include "flow/boxes.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "flow/box_names.hpp"
#include "flow/promises.hpp"

namespace cw::flow {
namespace {

// What can be told apart: an address, a port of an address that several programs share, or a host
// (`behind`) that hides behind a shared address.
struct Place {
    IpAddress address;
    IpAddress behind;
    std::uint16_t port = 0;
    bool operator==(const Place&) const = default;
};
struct PlaceHash {
    std::size_t operator()(const Place& p) const {
        return mix_hash(mix_hash(hash_value(p.address), hash_value(p.behind)), p.port);
    }
};

// The address of a Contact URI, nothing when it is a name.
std::optional<Endpoint> contact_endpoint(std::string_view uri) {
    auto host = uri;
    if (const auto at = host.find('@'); at != std::string_view::npos) {
        host.remove_prefix(at + 1);
    } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
        host.remove_prefix(colon + 1);
    }
    host = host.substr(0, host.find_first_of(";?>"));
    // [RFC 3261 §19.1.2]: 5060, or 5061 for sips.
    return parse_endpoint(host, uri.starts_with("sips:") ? 5061 : 5060);
}

class Grouping {
  public:
    Grouping(const Call& call, Boxes::Of what)
        : call_(call), each_port_(what == Boxes::Of::Endpoints) {
        find_shared();
        for (const auto& m : call.messages) {
            node(place(m.source));
            node(place(m.destination));
        }
        for (const auto& c : call.connections) {
            node(place(c.client));
            node(place(c.server));
        }
        if (each_port_) {
            return;
        }
        join_senders();
        join_silent_clients();
        join_contacts();
        join_forwarders();
        join_hidden_hosts();
    }

    bool shared(const IpAddress& address) const { return each_port_ || shared_.contains(address); }
    std::uint32_t group(const Endpoint& e) { return root(node(place(e))); }
    bool known(const Endpoint& e) const { return nodes_.contains(place(e)); }
    // The group of the only sender whose Via said this address, else none.
    std::uint32_t group_claiming(const IpAddress& address) {
        const auto claim = claims_.find(address);
        return claim == claims_.end() || claim->second == none ? none : root(claim->second);
    }

  private:
    Place place(const Endpoint& e) const {
        return {.address = e.address,
                .behind = {},
                .port = shared(e.address) ? e.port : std::uint16_t{0}};
    }
    Place place_of_sender(const IpAddress& seen_at, const Endpoint& said) const {
        return said.address == seen_at ? place(said)
                                       : Place{.address = seen_at, .behind = said.address};
    }

    std::uint32_t node(const Place& p) {
        const auto [at, fresh] = nodes_.try_emplace(p, static_cast<std::uint32_t>(parents_.size()));
        if (fresh) {
            parents_.push_back(at->second);
        }
        return at->second;
    }
    std::uint32_t root(std::uint32_t n) {
        while (parents_[n] != n) {
            parents_[n] = parents_[parents_[n]];
            n = parents_[n];
        }
        return n;
    }
    void join(std::uint32_t a, std::uint32_t b) {
        const auto root_a = root(a);
        const auto root_b = root(b);
        parents_[std::max(root_a, root_b)] = std::min(root_a, root_b);
    }

    void find_shared() {
        std::unordered_map<IpAddress, IpAddress> hidden; // the host that an address first spoke for
        for (const auto& m : call_.messages) {
            if (m.source.address == m.destination.address) {
                shared_.insert(m.source.address);
            }
            if (m.status == 0 && m.sent_by.port != 0 && m.sent_by.address != m.source.address) {
                const auto [at, fresh] = hidden.try_emplace(m.source.address, m.sent_by.address);
                if (!fresh && at->second != m.sent_by.address) {
                    shared_.insert(m.source.address);
                }
            }
        }
        for (const auto& c : call_.connections) {
            if (c.client.address == c.server.address) {
                shared_.insert(c.client.address);
            }
        }
    }

    // "[The client] MUST insert a Via header field […] sent-by": the top Via is always the
    // sender's own [RFC 3261 §18.1.1].
    void join_senders() {
        for (const auto& m : call_.messages) {
            if (m.status != 0 || m.sent_by.port == 0) {
                continue;
            }
            const auto from = node(place(m.source));
            if (shared(m.source.address)) {
                join(from, node(place_of_sender(m.source.address, m.sent_by)));
            }
            if (m.sent_by.address != m.source.address) {
                const auto [at, fresh] = claims_.try_emplace(m.sent_by.address, from);
                if (!fresh && at->second != none && root(at->second) != root(from)) {
                    at->second = none; // two hosts use the same private address
                }
            }
        }
    }

    // Nothing tells the clients of connections that could not be read apart. A few are a box each,
    // as they may be different programs; of many to one server, one box is all that a reader can
    // use.
    void join_silent_clients() {
        constexpr std::size_t many = 8;
        std::unordered_set<Endpoint> speaking;
        for (const auto& m : call_.messages) {
            speaking.insert(m.source);
            speaking.insert(m.destination);
        }
        std::unordered_map<Endpoint, std::vector<std::uint32_t>> clients; // of each server
        for (const auto& c : call_.connections) {
            if (shared(c.client.address) && !speaking.contains(c.client)) {
                clients[c.server].push_back(node(place(c.client)));
            }
        }
        for (const auto& [server, nodes] : clients) {
            for (std::size_t i = 1; nodes.size() > many && i < nodes.size(); ++i) {
                join(nodes[0], nodes[i]);
            }
        }
    }

    // A Contact passes through proxies unchanged, but the first to send it is its owner.
    void join_contacts() {
        std::unordered_set<std::string_view> seen;
        for (const auto& m : call_.messages) {
            if (m.contact.length == 0 || !seen.insert(call_.text(m.contact)).second ||
                !shared(m.source.address)) {
                continue;
            }
            const bool forwarded =
                m.status == 0 && (m.vias > 1 || (m.sent_by.port != 0 && m.sent_by != m.source));
            const auto contact = contact_endpoint(call_.text(m.contact));
            if (!forwarded && contact && contact->address == m.source.address && known(*contact)) {
                join(node(place(m.source)), node(place(*contact)));
            }
        }
    }

    // A server that listens at one port of a shared address and sends from another, over another
    // transport perhaps: it got a request and passed it on, with one Via more. Only where nobody
    // else can have done so.
    void join_forwarders() {
        constexpr std::size_t most = 4096; // hops that are looked at
        struct Hop {
            std::uint32_t from = 0;
            std::uint32_t to = 0;
            std::uint8_t vias = 0;
        };
        std::map<std::tuple<std::uint8_t, std::uint32_t, sip::Method>, std::vector<Hop>> requests;
        std::size_t count = 0;
        for (const auto& m : call_.messages) {
            if (m.status == 0 && m.is_first() && m.method != sip::Method::Ack && m.vias != 0 &&
                shared(m.source.address) && shared(m.destination.address) && count++ < most) {
                requests[{m.leg, m.cseq, m.method}].push_back(
                    {node(place(m.source)), node(place(m.destination)), m.vias});
            }
        }
        for (const auto& [key, hops] : requests) {
            if (hops.size() > 64) {
                continue;
            }
            for (const auto& sent : hops) {
                const auto sender = root(sent.from);
                const bool got_it =
                    std::ranges::any_of(hops, [&](const Hop& h) { return root(h.to) == sender; });
                if (sent.vias < 2 || got_it) {
                    continue;
                }
                std::uint32_t found = none;
                std::size_t candidates = 0;
                for (const auto& got : hops) {
                    const auto receiver = root(got.to);
                    if (got.vias + 1 == sent.vias && receiver != found &&
                        std::ranges::none_of(
                            hops, [&](const Hop& h) { return root(h.from) == receiver; })) {
                        found = receiver;
                        ++candidates;
                    }
                }
                if (candidates == 1) {
                    join(sent.from, found);
                }
            }
        }
    }

    // A host that was seen behind another address, and also by itself.
    void join_hidden_hosts() {
        for (const auto& [address, claimant] : claims_) {
            const Endpoint alone{address, 0};
            if (claimant == none || shared(address) || !known(alone)) {
                continue;
            }
            const auto a = root(claimant);
            const auto b = root(node(place(alone)));
            const bool talk =
                std::any_of(call_.messages.begin(), call_.messages.end(), [&](const Message& m) {
                    const auto from = group(m.source);
                    const auto to = group(m.destination);
                    return (from == a && to == b) || (from == b && to == a);
                });
            if (!talk) {
                join(a, b);
            }
            if (++hidden_joined_ == 16) {
                return; // each costs a pass over the messages
            }
        }
    }

    const Call& call_;
    bool each_port_;
    std::unordered_set<IpAddress> shared_;
    std::unordered_map<Place, std::uint32_t, PlaceHash> nodes_;
    std::vector<std::uint32_t> parents_;
    std::unordered_map<IpAddress, std::uint32_t> claims_;
    int hidden_joined_ = 0;
};

// The one client that had a connection to the same server from the same address before `resumed`;
// null when there was none, or several.
const Endpoint* earlier_client(const Call& call, const Connection& resumed) {
    const Endpoint* found = nullptr;
    for (const auto& c : call.connections) {
        if (c.id >= resumed.id || c.resumed || !c.is_tls() || c.server != resumed.server ||
            c.client.address != resumed.client.address) {
            continue;
        }
        if (found != nullptr && *found != c.client) {
            return nullptr;
        }
        found = &c.client;
    }
    return found;
}

} // namespace

Boxes::Boxes(const Call& call, KnownNames names, Of what) {
    Grouping grouping{call, what};
    std::unordered_map<std::uint32_t, std::uint16_t> numbers; // group → box
    const auto new_box = [&](const Endpoint& e) {
        if (boxes_.size() == limit) {
            return static_cast<std::uint16_t>(limit - 1);
        }
        boxes_.push_back({.name = {}, .at = e, .addresses = {e.address}});
        return static_cast<std::uint16_t>(boxes_.size() - 1);
    };
    const auto place = [&](const Endpoint& e) {
        if (by_endpoint_.contains(e)) {
            return;
        }
        const auto group = grouping.group(e);
        const auto found = numbers.find(group);
        const auto number = found != numbers.end() ? found->second : new_box(e);
        numbers.try_emplace(group, number);
        by_endpoint_.emplace(e, number);
        auto& box = boxes_[number];
        if (box.addresses.size() < 8 &&
            std::ranges::find(box.addresses, e.address) == box.addresses.end()) {
            box.addresses.push_back(e.address);
        }
        if (grouping.shared(e.address)) {
            box.show_port = true;
        } else {
            by_address_.try_emplace(e.address, number);
        }
    };
    for (const auto& m : call.messages) {
        const bool request = m.status == 0;
        place(request ? m.source : m.destination);
        place(request ? m.destination : m.source);
        // The port that it listens on says more than the one a connection happened to get.
        if (request && what == Of::Programs && m.sent_by.port != 0 &&
            m.sent_by.address == m.source.address) {
            const auto number = by_endpoint_.at(m.source);
            boxes_[number].at = m.sent_by;
            by_endpoint_.try_emplace(m.sent_by, number);
        }
    }
    for (const auto& c : call.connections) {
        // Who takes up a TLS session holds its secret: it is the client that had it before.
        if (const auto* earlier = c.resumed ? earlier_client(call, c) : nullptr;
            earlier != nullptr && !by_endpoint_.contains(c.client) && of(*earlier) != no_box) {
            by_endpoint_.emplace(c.client, of(*earlier));
        }
        place(c.client);
        place(c.server);
    }

    // Media: first what the descriptions say, then what was seen.
    for (const auto& m : call.messages) {
        const auto owner = of(m.source);
        for (std::uint32_t i = 0; i < m.media_count; ++i) {
            const auto& at = call.media_lines[m.media_begin + i].receive;
            if (at.port == 0 || at.address.is_unspecified()) {
                continue;
            }
            const auto claiming = grouping.group_claiming(at.address);
            const auto number =
                claiming != none && numbers.contains(claiming) ? numbers.at(claiming) : owner;
            // Who makes a message says where itself wants the media, even at an address that is
            // otherwise another box's: a media relay, a host with several programs. Those who
            // pass the description on come later.
            const bool own_words = m.status != 0 || m.vias == 1;
            if (grouping.shared(at.address) || own_words) {
                by_endpoint_.try_emplace(at, number);
            }
            if (!grouping.shared(at.address)) {
                by_address_.try_emplace(at.address, number);
            }
        }
    }
    std::unordered_map<Endpoint, Endpoint> opposite;
    for (const auto& promise : promises_of(call)) {
        opposite.try_emplace(promise.offerer, promise.answerer);
        opposite.try_emplace(promise.answerer, promise.offerer);
    }
    for (const auto& s : call.streams) {
        for (const auto& [here, there] :
             {std::pair{s.source, s.destination}, std::pair{s.destination, s.source}}) {
            if (of(here) != no_box) {
                continue;
            }
            const auto peer = opposite.find(there);
            const auto number = peer == opposite.end() ? no_box : of(peer->second);
            by_endpoint_.emplace(here, number != no_box ? number : new_box(here));
        }
    }
    name_boxes(call, *this, names, boxes_);
}

std::uint16_t Boxes::of(const Endpoint& endpoint) const {
    if (const auto at = by_endpoint_.find(endpoint); at != by_endpoint_.end()) {
        return at->second;
    }
    if (const auto at = by_address_.find(endpoint.address); at != by_address_.end()) {
        return at->second;
    }
    // RTCP goes to the port beside its RTP [RFC 3550 §11].
    const Endpoint beside{endpoint.address, static_cast<std::uint16_t>(endpoint.port ^ 1U)};
    const auto at = by_endpoint_.find(beside);
    return at == by_endpoint_.end() ? no_box : at->second;
}

} // namespace cw::flow
