#include "server/server.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "server/admission.hpp"
#include "server/core.hpp"
#include "server/proxy.hpp"
#include "server/registrar.hpp"
#include "server/route.hpp"
#include "sip/check.hpp"

namespace cw::server {
namespace {

constexpr std::string_view capabilities =
    "Allow: INVITE, ACK, BYE, CANCEL, REGISTER, OPTIONS, PRACK, SUBSCRIBE, NOTIFY, PUBLISH, INFO, "
    "REFER, MESSAGE, UPDATE\r\nAccept: application/sdp\r\nSupported: path, outbound, gruu\r\n";

using transaction::Table;

// The branch in the Via that we wrote on top of a request of ours; empty for anything else.
std::string_view own_branch(std::string_view request) {
    constexpr std::string_view via = "\r\nVia: ";
    constexpr std::string_view param = ";branch=";
    const auto line = request.find("\r\n");
    if (line == std::string_view::npos || !request.substr(line).starts_with(via)) {
        return {};
    }
    const auto value = request.substr(line + via.size());
    const auto end = value.find("\r\n");
    const auto at = value.find(param);
    return end == std::string_view::npos || at > end
               ? std::string_view{}
               : value.substr(at + param.size(), end - at - param.size());
}

// [RFC 3261 §26.2.2] SIPS means that every hop up to here was over TLS. One that came in clear has
// been read and could have been written by anybody; who it names expects to be told otherwise.
bool is_secure_in_name_only(const Incoming& in, const Route& route) {
    return istarts_with(route.request_uri, "sips:") && !sip::is_secure(in.wire.transport);
}

} // namespace

struct Server::Impl {
    Impl(std::shared_ptr<const Settings> settings, const ShardIdentity& identity)
        : core(std::move(settings), identity), registrar(core), proxy(core) {}

    void on_request(Incoming& in);
    void on_new(Incoming& in, transaction::Handle invite);
    void on_ack(Incoming& in);
    bool valid(const Incoming& in, const Route& route);
    bool for_us(const Incoming& in, const Route& route);
    void open(Incoming& in) {
        in.transaction = core.transactions.open(in.message.method(), in.back, in.now);
    }
    // Tells the proxy what became of transactions, and what comes of that.
    void settle(Instant now, Requests& out);

    Core core;
    Registrar registrar;
    Proxy proxy;
};

void Server::Impl::settle(Instant now, Requests& out) {
    auto& table = core.transactions;
    for (std::size_t i = 0; i < table.occurrences().size(); ++i) {
        proxy.on_occurrence(Table::Occurrence{table.occurrences()[i]}, now, out);
    }
    table.clear_occurrences();
    core.counters.transactions_now = table.size();
    core.counters.bindings_now = core.location.size();
}

void Server::Impl::on_request(Incoming& in) {
    if (in.message.method() == sip::Method::Ack) {
        on_ack(in);
        return;
    }
    const auto found = core.transactions.on_request(in.message, in.via, in.back, in.now,
                                                    in.out.outbox, Table::Fresh::Leave);
    if (found.arrived == Table::Arrived::New) {
        on_new(in, found.invite);
    }
}

void Server::Impl::on_ack(Incoming& in) {
    const auto found =
        core.transactions.on_request(in.message, in.via, in.back, in.now, in.out.outbox);
    const auto& to = in.values.to;
    if (found.arrived != Table::Arrived::Ack || !to || core.seal.is_tag(to->tag, in.call_id())) {
        return; // of a failure, perhaps one that we gave without a transaction
    }
    const auto route = read_route(core, in);
    if (in.message.value(sip::HeaderId::MaxForwards) != "0" && !is_secure_in_name_only(in, route)) {
        proxy.pass_ack(in, route);
    }
}

// [RFC 3261 §16.3]
bool Server::Impl::valid(const Incoming& in, const Route& route) {
    if (is_secure_in_name_only(in, route)) {
        // "If a proxy needs to reject a request because the URIs are used inconsistently [...], the
        // proxy SHOULD use response code 400" [RFC 5630 §5.3]
        core.answer(in, {.status = 400, .reason = "SIPS Over Clear Transport"});
        return false;
    }
    if (in.message.value(sip::HeaderId::MaxForwards) == "0" && !for_us(in, route)) {
        core.answer(in, {.status = 483});
        return false;
    }
    static constexpr std::array<std::string_view, 1> known{"path"};
    if (const auto option = sip::unsupported_option(in.message, sip::HeaderId::ProxyRequire, known);
        !option.empty()) {
        core.answer(in, {.status = 420, .headers = fmt::format("Unsupported: {}\r\n", option)});
        return false;
    }
    return true;
}

// An OPTIONS that asks this server itself [RFC 3261 §11].
bool Server::Impl::for_us(const Incoming& in, const Route& route) {
    if (in.message.method() != sip::Method::Options || !route.next.empty() || route.flow.wire) {
        return false;
    }
    return route.uri && route.uri->user.empty() && core.directory->is_us(*route.uri);
}

void Server::Impl::on_new(Incoming& in, transaction::Handle invite) {
    if (in.message.method() == sip::Method::Cancel) {
        open(in);
        proxy.cancel(in, invite);
        return;
    }
    const auto& settings = core.directory->settings();
    if (core.transactions.size() >= settings.transactions || (core.draining && !in.in_dialog())) {
        core.answer(in, {.status = 503, .headers = "Retry-After: 10\r\n"});
        return;
    }
    const auto route = read_route(core, in);
    if (!valid(in, route)) {
        return;
    }
    if (for_us(in, route)) {
        core.answer(in, {.status = 200, .headers = capabilities});
        return;
    }
    if (in.message.method() == sip::Method::Register && route.next.empty()) {
        if (const auto* domain =
                route.uri ? core.directory->find_domain(route.uri->host) : nullptr) {
            open(in);
            registrar.on_register(in, *domain);
            return;
        }
    }
    if (const auto sender = admit(core, in, route); sender != Sender::Nobody) {
        open(in);
        proxy.forward(in, route, sender);
    }
}

Server::Server(std::shared_ptr<const Settings> settings, ShardIdentity identity)
    : impl_(std::make_unique<Impl>(std::move(settings), identity)) {}
Server::~Server() = default;

void Server::set_settings(std::shared_ptr<const Settings> settings) {
    impl_->core.directory = std::make_shared<const Directory>(std::move(settings));
}

void Server::on_message(const Arrival& arrival, Instant now, Requests& out) {
    auto& core = impl_->core;
    const auto& message = arrival.message;
    const auto via = sip::parse_via(message.value(sip::HeaderId::Via));
    sip::Values values;
    const auto verdict = via ? sip::check(message, *via, values) : sip::check(message);
    if (!message.is_request()) {
        ++core.counters.responses;
        if (verdict.ok && via) {
            impl_->proxy.on_response(message, *via, now, out);
            impl_->settle(now, out);
        }
        return;
    }
    ++core.counters.requests;
    if (!via) {
        ++core.counters.malformed;
        return; // nobody to answer to
    }
    if (!verdict.ok) {
        values = sip::read_values(message); // also what it did not come to
    }
    Incoming in{message, values, *via, arrival.wire, arrival.wire, arrival.peer_domains, now, out};
    stamp_via(in);
    if (verdict.ok) {
        impl_->on_request(in);
    } else if (message.method() != sip::Method::Ack) {
        ++core.counters.malformed;
        core.answer(in, {.status = verdict.status, .reason = {}});
    }
    impl_->settle(now, out);
}

void Server::on_malformed(std::string_view bytes, const transaction::Wire& wire, const Error& error,
                          Instant now, Requests& out) {
    auto& core = impl_->core;
    ++core.counters.malformed;
    sip::HeaderIndex headers;
    const auto message = sip::index(bytes, headers);
    if (!message || !message->is_request() || message->method() == sip::Method::Ack ||
        message->has(sip::Problem::BareCr) || message->has(sip::Problem::BareLf)) {
        return; // whoever reads lines otherwise than we do shall not get them back from us
    }
    const auto via = sip::parse_via(message->value(sip::HeaderId::Via));
    if (!via) {
        return;
    }
    const auto values = sip::read_values(*message);
    Incoming in{*message, values, *via, wire, wire, {}, now, out};
    stamp_via(in);
    const auto verdict = sip::check(*message);
    core.answer(
        in, {.status = verdict.ok || verdict.status == 0 ? std::uint16_t{400} : verdict.status});
    Core::log(in, LogLevel::Info, "malformed",
              fmt::format("source={} why=\"{}\"", to_string(wire.remote), error.what));
}

void Server::on_resolved(std::uint64_t token, std::span<const Hop> hops, Instant now,
                         Requests& out) {
    impl_->proxy.on_resolved(token, hops, now, out);
    impl_->settle(now, out);
}

void Server::on_sent(std::uint64_t token, const transaction::Wire& wire, Instant now,
                     Requests& out) {
    impl_->proxy.on_sent(token, wire, now, out);
    impl_->settle(now, out);
}

void Server::on_unsent(std::uint64_t token, std::string_view reason, Instant now, Requests& out) {
    if (token == 0) {
        return;
    }
    out.log.push_back({LogLevel::Info, "not sent", fmt::format("why=\"{}\"", reason)});
    impl_->proxy.on_unsent(token, now, out);
    impl_->settle(now, out);
}

void Server::on_wire_closed(const transaction::Wire& wire, Instant now, Requests& out) {
    impl_->core.location.on_wire_closed(wire, out.location);
    impl_->core.transactions.on_wire_closed(wire, now, out.outbox);
    impl_->settle(now, out);
}

void Server::on_undelivered(std::string_view bytes, const Endpoint& remote, Instant now,
                            Requests& out) {
    impl_->core.transactions.on_undelivered(bytes.substr(0, bytes.find(' ')), own_branch(bytes),
                                            remote, now, out.outbox);
    impl_->settle(now, out);
}

void Server::on_unsaved(std::string_view response, std::string_view instead) {
    sip::HeaderIndex headers;
    if (const auto message = sip::index(response, headers)) {
        impl_->core.transactions.replace_final(*message, instead);
    }
}

void Server::on_location(const LocationChange& change, Instant now) {
    impl_->core.location.apply(change, now);
    impl_->core.counters.bindings_now = impl_->core.location.size();
}

void Server::advance(Instant now, Requests& out) {
    impl_->core.transactions.advance(now, out.outbox);
    impl_->settle(now, out);
    impl_->proxy.advance(now, out);
    impl_->core.location.advance(now, out.location);
    impl_->settle(now, out);
}

Instant Server::next_deadline() const {
    Instant first;
    for (const auto one : {impl_->core.transactions.next_deadline(), impl_->proxy.next_deadline(),
                           impl_->core.location.next_deadline()}) {
        if (one.known() && (!first.known() || one < first)) {
            first = one;
        }
    }
    return first;
}

void Server::drain() {
    impl_->core.draining = true;
}

bool Server::idle() const {
    // Note: not until the last transaction is over, which after a call over TLS takes 32 s for the
    // sake of nobody.
    return !impl_->proxy.owes_an_answer();
}

Counters Server::counters() const {
    return impl_->core.counters;
}

std::uint8_t Server::sent_by(std::string_view request) {
    return Branches::shard_of(own_branch(request));
}

std::uint8_t Server::shard_of_branch(std::string_view branch) {
    return Branches::shard_of(branch);
}

} // namespace cw::server
