#include "flow/diagnose/case.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cw::flow::diagnose {
namespace {

using sip::Method;

// How many transactions back the one of a message is looked for.
constexpr std::size_t most_open = 64;

} // namespace

Case::Case(const Call& call, const Window& window, std::span<const DtlsExchange> dtls)
    : call_(call), window_(window), dtls_(dtls) {
    of_.assign(call.messages.size(), none);
    transactions_.reserve(std::min<std::size_t>(call.messages.size() / 2 + 1, most_open));
    for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
        const auto& m = call.messages[i];
        shared_addresses_ |= m.source.address == m.destination.address;
        if (m.duplicate_of != none) {
            continue;
        }
        if (m.retransmission_of != none) {
            add_retransmission(i);
        } else if (m.status == 0) {
            add_request(i);
        } else {
            add_response(i);
        }
    }
}

std::uint32_t Case::find(const Message& m, Method method) const {
    const auto least = transactions_.size() - std::min(transactions_.size(), most_open);
    const bool request = m.status == 0;
    for (auto i = transactions_.size(); i > least; --i) {
        const auto& t = transactions_[i - 1];
        if (t.branch != m.branch || t.method != method || t.cseq != m.cseq || t.leg != m.leg) {
            continue;
        }
        const auto& client = request ? m.source : m.destination;
        // Without a branch the hop has to tell; responses may come from another port.
        if (m.branch != 0 || t.client == client) {
            return static_cast<std::uint32_t>(i - 1);
        }
    }
    return none;
}

void Case::add_request(std::uint32_t index) {
    const auto& m = at(index);
    if (m.method == Method::Ack || m.method == Method::Cancel) {
        // "The ACK MUST contain […] the top Via header field of the original request" when the
        // response was no 2xx [RFC 3261 §17.1.1.3], and so must CANCEL [RFC 3261 §9.1].
        const auto invite = find(m, Method::Invite);
        const bool of_failure = invite != none && transactions_[invite].status >= 300;
        if (m.method == Method::Ack) {
            if (of_failure) {
                transactions_[invite].ack = index;
                of_[index] = invite;
            } else {
                acks_.push_back(index);
            }
            return;
        }
        if (invite != none) {
            transactions_[invite].cancel = index;
        }
    }
    of_[index] = static_cast<std::uint32_t>(transactions_.size());
    auto& t = transactions_.emplace_back();
    t.request = t.last_sending = index;
    t.sendings = 1;
    t.cseq = m.cseq;
    t.branch = m.branch;
    t.client = m.source;
    t.server = m.destination;
    t.method = m.cseq_method;
    t.leg = m.leg;
    t.in_dialog = m.to_tag;
}

void Case::add_response(std::uint32_t index) {
    const auto& m = at(index);
    auto number = find(m, m.cseq_method);
    if (number == none) {
        number = static_cast<std::uint32_t>(transactions_.size());
        auto& fresh = transactions_.emplace_back();
        fresh.cseq = m.cseq;
        fresh.branch = m.branch;
        fresh.client = m.destination;
        fresh.server = m.source;
        fresh.method = m.cseq_method;
        fresh.leg = m.leg;
    }
    of_[index] = number;
    auto& t = transactions_[number];
    if (m.status == 100) {
        t.trying = t.trying == none ? index : t.trying;
    } else if (m.status < 200) {
        t.provisional = t.provisional == none ? index : t.provisional;
    } else if (t.final == none) {
        t.final = t.last_final = index;
        t.finals = 1;
        t.status = m.status;
    }
}

void Case::add_retransmission(std::uint32_t index) {
    const auto& m = at(index);
    const auto number = of_[m.retransmission_of];
    of_[index] = number;
    if (number == none) {
        return;
    }
    auto& t = transactions_[number];
    if (m.retransmission_of == t.request) {
        ++t.sendings;
        t.last_sending = index;
    } else if (m.retransmission_of == t.final) {
        ++t.finals;
        t.last_final = index;
    }
}

std::vector<std::uint32_t> Case::copies(std::uint32_t message, std::size_t most) const {
    std::vector<std::uint32_t> out{message};
    for (auto i = message + 1; i < call_.messages.size() && out.size() < most; ++i) {
        if (call_.messages[i].retransmission_of == message) {
            out.push_back(i);
        }
    }
    return out;
}

bool Case::same_party(const Endpoint& a, const Endpoint& b) const {
    if (a == b) {
        return true;
    }
    if (a.address != b.address) {
        return false;
    }
    if (!shared_addresses_) {
        return true;
    }
    if (!boxes_) {
        boxes_ = std::make_unique<Boxes>(call_);
    }
    const auto box = boxes_->of(a);
    return box != no_box && box == boxes_->of(b);
}

std::uint32_t Case::ack_on_hop(const Transaction& invite) const {
    for (const auto index : acks_) {
        const auto& m = at(index);
        if (m.leg == invite.leg && m.cseq == invite.cseq && same_party(m.source, invite.client) &&
            same_party(m.destination, invite.server)) {
            return index;
        }
    }
    return none;
}

bool Case::is_seen(const Endpoint& from, const Endpoint& to) const {
    return std::ranges::any_of(call_.messages, [&](const Message& m) {
        return same_party(m.source, from) && same_party(m.destination, to);
    });
}

const Connection* Case::connection(std::uint32_t id) const {
    const auto at = std::ranges::find(call_.connections, id, &Connection::id);
    return id == 0 || at == call_.connections.end() ? nullptr : &*at;
}

std::string shown(const Endpoint& endpoint) {
    return to_string(endpoint);
}

std::string shown(Duration duration) {
    return duration < seconds(1) ? fmt::format("{:.0f} ms", duration.milliseconds())
                                 : fmt::format("{:.1f} s", duration.seconds());
}

std::string quoted(std::string_view text, std::size_t most) {
    std::string out{text.substr(0, most)};
    std::replace_if(
        out.begin(), out.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return text.size() > most ? out + "…" : out;
}

} // namespace cw::flow::diagnose
