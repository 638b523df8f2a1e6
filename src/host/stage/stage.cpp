#include "host/stage/stage.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/text.hpp"
#include "crypto/identity.hpp"
#include "host/peer.hpp"
#include "net/tls_facts.hpp"
#include "rtp/packet.hpp"
#include "sip/policy.hpp"

namespace cw::host {

using script::Control;
using script::PartyId;
using sip::Transport;
using transaction::Wire;

namespace {

constexpr sip::Policy policy = sip::Policy::tolerant();
constexpr std::uint32_t first_media_socket = 1000; // below: SIP over UDP, by party
constexpr Duration patience_for_late = milliseconds(150);

std::string variant_name(PartyId party, const play::Handshake& handshake) {
    return fmt::format("{} {} {} {}", party, handshake.mutual,
                       handshake.peer_fault ? static_cast<int>(*handshake.peer_fault) : -1,
                       handshake.key ? static_cast<int>(*handshake.key) : -1);
}

std::string key_name(const X509* certificate) {
    const auto* key = certificate != nullptr ? X509_get0_pubkey(certificate) : nullptr;
    if (key == nullptr) {
        return {};
    }
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return "RSA";
    case EVP_PKEY_EC:
        return "ECDSA";
    case EVP_PKEY_ED25519:
        return "Ed25519";
    default:
        return "another key";
    }
}

} // namespace

std::expected<RealSystem, std::string> parse_real_system(std::string_view text) {
    RealSystem out;
    const auto equals = text.find('=');
    const auto colon = text.find(':', equals == std::string_view::npos ? 0 : equals);
    const auto wrong = [&] {
        return std::unexpected{fmt::format(
            "'{}' is not NAME=TRANSPORT:HOST:PORT, as in sbc=tls:sbc.example.com:5061", text)};
    };
    if (equals == std::string_view::npos || equals == 0 || colon == std::string_view::npos) {
        return wrong();
    }
    out.party = text.substr(0, equals);
    const auto transport = text.substr(equals + 1, colon - equals - 1);
    bool known = false;
    for (const auto one : {Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Wss}) {
        if (iequals(sip::to_string(one), transport)) {
            out.transport = one;
            known = true;
        }
    }
    const auto port_at = text.rfind(':');
    const auto port = port_at > colon ? parse_number<std::uint16_t>(text.substr(port_at + 1))
                                      : std::optional<std::uint16_t>{};
    auto host = text.substr(colon + 1, port ? port_at - colon - 1 : std::string_view::npos);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    if (!known || host.empty()) {
        return wrong();
    }
    out.host = host;
    out.port = port.value_or(sip::is_secure(out.transport) ? 5061 : 5060);
    return out;
}

Stage::Stage(script::Plan& plan, const play::Given& given, StageOptions options)
    : plan_(plan), given_(given), options_(std::move(options)),
      log_(STDERR_FILENO, LogLevel::Error) {}

Stage::~Stage() = default;

std::expected<std::unique_ptr<Stage>, std::string>
Stage::make(script::Plan& plan, const play::Given& given, StageOptions options) {
    std::unique_ptr<Stage> stage{new Stage(plan, given, std::move(options))};
    if (auto opened = stage->open(); !opened) {
        return std::unexpected{opened.error()};
    }
    return stage;
}

// ---- before the first arrow

Stage::Done Stage::open() {
    if (auto done = mark_real_systems(); !done) {
        return done;
    }
    auto cast = play::make_cast(plan_, given_);
    if (!cast) {
        return std::unexpected{
            fmt::format("line {}: {}", cast.error().place.line, cast.error().what)};
    }
    cast_ = std::move(*cast);
    if (auto done = find_real_systems(); !done) {
        return done;
    }
    if (auto done = open_outputs(); !done) {
        return done;
    }
    const auto key_log = [this](std::string_view line) {
        if (trace_file_ != nullptr) {
            trace_file_->add_secret(line);
        }
        if (keys_.open()) {
            const auto text = std::string{line} + "\n";
            static_cast<void>(!::write(keys_.get(), text.data(), text.size()));
        }
    };
    Wardrobe::KeyLog log;
    if (trace_file_ != nullptr || keys_.open()) {
        log = key_log;
    }
    auto wardrobe = Wardrobe::make(cast_, names_in_handshakes(), given_.folder, options_.trusted,
                                   net::Loop::now(), std::move(log));
    if (!wardrobe) {
        return std::unexpected{wardrobe.error()};
    }
    wardrobe_ = std::move(*wardrobe);
    loop_ = std::unique_ptr<net::Loop>{new net::Loop(*this, net::Limits{})}; // its private base
    if (trace_file_ != nullptr) {
        tap_ = std::make_unique<StageTap>(*trace_file_);
        loop_->set_tap(tap_.get());
    }
    auto identity = net::DtlsIdentity::make(net::Loop::now());
    if (!identity) {
        return std::unexpected{identity.error()};
    }
    dtls_identity_ = std::move(*identity);
    for (auto& member : cast_.members) {
        member.fingerprint = dtls_identity_->fingerprint();
    }
    embedded_ = std::make_unique<Embedded>(log_);
    if (auto done = embedded_->start(plan_, cast_, *wardrobe_); !done) {
        return done;
    }
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        absent_.push_back(plan_.parties[party].created);
        if (cast_.members[party].control == Control::Played) {
            if (auto done = open_party(party); !done) {
                return done;
            }
        }
    }
    return {};
}

Stage::Done Stage::mark_real_systems() {
    for (const auto& real : options_.at) {
        const auto party = std::ranges::find(plan_.parties, real.party, &script::Party::id);
        if (party == plan_.parties.end()) {
            return std::unexpected{
                fmt::format("--at: there is no participant '{}' in the flow", real.party)};
        }
        party->control = Control::External;
        std::erase_if(party->facts, [](const script::Fact& fact) {
            return std::holds_alternative<script::At>(fact.value) ||
                   std::holds_alternative<script::Over>(fact.value);
        });
        party->facts.push_back({{}, true, script::At{real.transport, real.host, real.port}});
    }
    return {};
}

Stage::Done Stage::find_real_systems() {
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        if (cast_.members[party].control != Control::External) {
            continue;
        }
        const auto* at = script::find<script::At>(plan_.parties[party].facts);
        if (at == nullptr) {
            return std::unexpected{fmt::format("line {}: where is {}? Say --at {}=tls:HOST:PORT, "
                                               "or '%% at: tls:HOST:PORT' beneath it",
                                               plan_.parties[party].place.line,
                                               plan_.parties[party].id, plan_.parties[party].id)};
        }
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const int error = getaddrinfo(at->host.c_str(), nullptr, &hints, &found);
        if (error != 0 || found == nullptr) {
            return std::unexpected{fmt::format("{}: {}", at->host, gai_strerror(error))};
        }
        sockaddr_storage address{};
        std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen,
                    reinterpret_cast<char*>(&address));
        freeaddrinfo(found);
        auto endpoint = net::from_sockaddr(address);
        endpoint.port = at->port != 0 ? at->port : std::uint16_t{5060};
        cast_.members[party].at[static_cast<std::size_t>(at->transport)] = endpoint;
    }
    return {};
}

Stage::Done Stage::open_outputs() {
    if (!options_.pcap_out.empty()) {
        auto file = TraceFile::create(options_.pcap_out);
        if (!file) {
            return std::unexpected{file.error()};
        }
        trace_file_ = std::move(*file);
    }
    if (!options_.keys_out.empty()) {
        keys_.reset(
            ::open(options_.keys_out.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (!keys_.open()) {
            return std::unexpected{options_.keys_out + ": cannot be written"};
        }
    }
    return {};
}

std::vector<std::vector<std::string>> Stage::names_in_handshakes() const {
    std::vector<std::vector<std::string>> out(plan_.parties.size());
    for (const auto& step : plan_.steps) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        const auto* name =
            arrow != nullptr ? script::find<script::ServerName>(arrow->facts) : nullptr;
        if (name != nullptr &&
            std::ranges::find(out[arrow->to], name->name) == out[arrow->to].end()) {
            out[arrow->to].push_back(name->name);
        }
    }
    return out;
}

Stage::Done Stage::open_party(PartyId party) {
    auto& member = cast_.members[party];
    for (std::size_t i = 0; i < member.listens.size(); ++i) {
        if (member.listens[i]) {
            if (auto done = listen(party, static_cast<Transport>(i), {}, member.ipv6); !done) {
                return done;
            }
            // Note: over UDP it has one socket, and so one family.
            if (member.both_families && static_cast<Transport>(i) != Transport::Udp) {
                if (auto done = listen(party, static_cast<Transport>(i), {}, true); !done) {
                    return done;
                }
            }
        }
    }
    for (const auto& step : plan_.steps) { // what it shows only to some
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        if (arrow == nullptr || arrow->to != party ||
            !std::holds_alternative<script::Channel>(arrow->content)) {
            continue;
        }
        play::Handshake asked;
        const auto* bad = script::find<script::BadCertificate>(arrow->facts);
        const auto* key = script::find<script::Key>(arrow->facts);
        asked.mutual = script::says(arrow->facts, script::Word::Mutual) ||
                       (bad != nullptr && bad->of.value_or(arrow->from) == arrow->from);
        if (bad != nullptr && bad->of.value_or(arrow->from) != arrow->from) {
            asked.peer_fault = bad->fault;
        }
        if (key != nullptr) {
            asked.key = key->kind;
        }
        if ((asked.mutual || asked.peer_fault || asked.key) &&
            !variants_.contains(variant_name(party, asked))) {
            if (auto done = listen(party, Transport::Tls, asked, member.ipv6); !done) {
                return done;
            }
        }
    }
    return open_media(party);
}

Stage::Done Stage::listen(PartyId party, Transport transport, const play::Handshake& handshake,
                          bool ipv6) {
    auto& member = cast_.members[party];
    const Endpoint any{*IpAddress::parse(ipv6 ? "::1" : "127.0.0.1"), 0};
    const bool datagrams = transport == Transport::Udp;
    auto fd = datagrams ? net::bind_datagram(any, true) : net::listen_stream(any, true);
    if (!fd) {
        return std::unexpected{fmt::format("{}: {}", member.id, fd.error())};
    }
    const auto at = net::local_endpoint(fd->get());
    if (datagrams) {
        loop_->receive(std::move(*fd), party);
        member.at[static_cast<std::size_t>(transport)] = at;
        return {};
    }
    std::shared_ptr<const net::TlsContext> tls;
    if (sip::is_secure(transport)) {
        auto made = wardrobe_->server(party, handshake);
        if (!made) {
            return std::unexpected{fmt::format("{}: {}", member.id, made.error())};
        }
        tls = *made;
    }
    loop_->listen(std::move(*fd), static_cast<std::uint32_t>(listeners_.size()), tls);
    listeners_.push_back({party, transport});
    if (handshake.mutual || handshake.peer_fault || handshake.key) {
        variants_[variant_name(party, handshake)] = at;
    } else {
        (ipv6 && !member.ipv6 ? member.at6 : member.at)[static_cast<std::size_t>(transport)] = at;
    }
    return {};
}

Stage::Done Stage::open_media(PartyId party) {
    auto& member = cast_.members[party];
    for (auto& [call, place] : member.media) {
        const Endpoint any{*IpAddress::parse(place.ipv6 ? "::1" : "127.0.0.1"), 0};
        for (const std::uint32_t number : {place.socket, place.socket + 1}) {
            auto fd = net::bind_datagram(any, true);
            if (!fd) {
                return std::unexpected{fmt::format("{}: {}", member.id, fd.error())};
            }
            const auto at = net::local_endpoint(fd->get());
            (number == place.socket ? place.rtp : place.rtcp) = at;
            media_at_[number] = at;
            loop_->receive(std::move(*fd), first_media_socket + number);
        }
    }
    return {};
}

// ---- the performance

const play::Report& Stage::run() {
    performance_ = std::make_unique<play::Performance>(plan_, cast_, given_);
    loop_->post([this] {
        now_ = net::Loop::now();
        performance_->start(now_);
        drain();
    });
    loop_->run();
    embedded_->stop();
    if (tap_ != nullptr) {
        tap_->flush();
    }
    return performance_->report();
}

void Stage::interrupt() {
    loop_->post([this] {
        now_ = net::Loop::now();
        performance_->interrupt(now_);
        finish();
    });
}

Stage::Peer* Stage::find(net::Key key) {
    return key.index < peers_.size() && peers_[key.index].open &&
                   peers_[key.index].wire.generation == key.generation
               ? &peers_[key.index]
               : nullptr;
}

play::HandshakeFacts Stage::facts_of(SSL* ssl) {
    play::HandshakeFacts out;
    if (ssl == nullptr) {
        return out;
    }
    const auto facts = net::tls_facts(ssl);
    out.version = facts.version;
    out.cipher = facts.cipher;
    out.resumed = facts.resumed;
    const auto chain = net::peer_chain(ssl);
    out.peer_certificate = !chain.empty() && facts.verify_result == X509_V_OK;
    out.peer_key = chain.empty() ? "" : key_name(chain.front());
    // close_notify ends every connection; it tells nothing.
    if (facts.alert_received.value_or(0) != 0) {
        out.alert = *facts.alert_received;
    } else if (facts.alert_sent.value_or(0) != 0) {
        out.alert = *facts.alert_sent;
    }
    return out;
}

std::string Stage::judge(SSL* ssl, const std::string& expected) const {
    const auto chain = net::peer_chain(ssl);
    if (chain.empty()) {
        return "the server showed no certificate";
    }
    const auto verdict = crypto::judge(chain.front(), expected, crypto::Role::Server);
    return verdict.accepted() ? "" : verdict.why;
}

// Somebody with a certificate: it must be one of the cast.
std::string Stage::judge_client(SSL* ssl) const {
    const auto chain = net::peer_chain(ssl);
    if (chain.empty()) {
        return "";
    }
    for (const auto& member : cast_.members) {
        if (crypto::judge(chain.front(), member.name, crypto::Role::Client).accepted() ||
            member.control == Control::External) {
            return "";
        }
    }
    return "the client's certificate is nobody's in this flow";
}

void Stage::on_open(net::Key key, const net::ConnectionInfo& info) {
    now_ = net::Loop::now();
    if (peers_.size() <= key.index) {
        peers_.resize(key.index + 1);
    }
    auto& peer = peers_[key.index];
    peer = {};
    Transport transport = Transport::Tcp;
    const Asked* asked = nullptr;
    if (info.incoming) {
        peer.party = listeners_[info.listener].party;
        transport = listeners_[info.listener].transport;
        if (absent_[peer.party]) {
            loop_->close(key, "its party is not there");
            return;
        }
    } else {
        const auto at = std::ranges::find(asked_, key, &Asked::key);
        if (at == asked_.end()) {
            return;
        }
        asked = &*at;
        peer.party = asked->what.from;
        peer.token = asked->what.token;
        transport = asked->what.transport;
    }
    peer.wire = {transport, 0, key.index, key.generation, info.local, info.remote};
    if (info.ssl != nullptr) {
        const auto why = asked == nullptr ? judge_client(info.ssl)
                         : wardrobe_->trusts_anyone(asked->what.from)
                             ? std::string{}
                             : judge(info.ssl, asked->what.handshake.server_name);
        if (!why.empty()) {
            loop_->close(key, why);
            if (asked != nullptr) {
                performance_->on_refused(peer.token, why, facts_of(info.ssl), now_);
                drain();
            }
            return;
        }
    }
    peer.open = true;
    if (transport == Transport::Wss || transport == Transport::Ws) {
        peer.websocket = std::make_unique<net::WebSocket>(
            asked != nullptr ? net::WebSocket::Role::Client : net::WebSocket::Role::Server, "sip",
            net::WebSocketLimits{}, [] {
                std::uint32_t mask = 0;
                RAND_bytes(reinterpret_cast<unsigned char*>(&mask), sizeof mask);
                return mask;
            });
        if (asked != nullptr) {
            unsigned char nonce[16];
            RAND_bytes(nonce, sizeof nonce);
            net::UpgradeWish wish;
            wish.host = to_string(info.remote);
            std::copy(std::begin(nonce), std::end(nonce), wish.nonce.begin());
            peer.websocket->request(wish);
            loop_->send(key, peer.websocket->output());
            peer.websocket->output().clear();
        }
        return;
    }
    peer.stream = std::make_unique<MessageStream>(policy);
    opened(key, peer);
    drain();
}

void Stage::opened(net::Key key, const Peer& peer) {
    const auto facts = facts_of(loop_->tls(key));
    const auto wire = peer.wire;
    if (peer.token == 0) {
        performance_->on_accepted(peer.party, wire, facts, now_);
    } else {
        performance_->on_connected(peer.token, wire, facts, now_);
    }
}

void Stage::on_failed(net::Key key, const Endpoint& /*remote*/, bool incoming,
                      std::string_view why) {
    now_ = net::Loop::now();
    if (incoming) {
        return; // its opener is told too
    }
    const auto at = std::ranges::find(asked_, key, &Asked::key);
    if (at != asked_.end()) {
        const auto token = at->what.token;
        performance_->on_refused(token, why, facts_of(loop_->tls(key)), now_);
        drain();
    }
}

void Stage::on_closed(net::Key key, std::string_view why) {
    now_ = net::Loop::now();
    auto* peer = find(key);
    if (peer == nullptr) {
        return;
    }
    peer->open = false;
    const auto wire = peer->wire;
    performance_->on_closed(wire, why, facts_of(loop_->tls(key)), now_);
    drain();
}

void Stage::on_bytes(net::Key key, Bytes bytes) {
    now_ = net::Loop::now();
    auto* peer = find(key);
    if (peer == nullptr) {
        return;
    }
    if (peer->websocket != nullptr) {
        websocket_bytes(key, *peer, bytes);
    } else {
        stream_bytes(key, *peer, bytes);
    }
    drain();
}

void Stage::stream_bytes(net::Key key, Peer& peer, Bytes bytes) {
    auto& stream = *peer.stream;
    stream.feed(bytes);
    for (auto item = stream.next(); item.kind != MessageStream::Kind::None; item = stream.next()) {
        if (item.kind == MessageStream::Kind::Message) {
            performance_->on_message(peer.party, peer.wire, item.text, now_);
        } else if (item.kind == MessageStream::Kind::Ping) {
            loop_->send(key, "\r\n"); // [RFC 5626 §4.4.1]
        } else if (item.kind == MessageStream::Kind::Broken) {
            performance_->on_message(peer.party, peer.wire, item.text, now_);
            loop_->close(key, item.error.what);
            return;
        }
    }
}

void Stage::websocket_bytes(net::Key key, Peer& peer, Bytes bytes) {
    peer.websocket->feed(bytes, [&](const net::WebSocket::Event& event) {
        using Kind = net::WebSocket::Event::Kind;
        if (event.kind == Kind::Open) {
            opened(key, peer);
        } else if (event.kind == Kind::Message) {
            performance_->on_message(peer.party, peer.wire, event.text, now_);
        }
    });
    if (!peer.websocket->output().empty()) {
        loop_->send(key, peer.websocket->output());
        peer.websocket->output().clear();
    }
    if (peer.websocket->done()) {
        loop_->close(key, "the WebSocket has ended");
    }
}

void Stage::on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) {
    now_ = net::Loop::now();
    if (socket >= first_media_socket) {
        const auto number = socket - first_media_socket;
        if (rtp::demultiplex(bytes) == rtp::Kind::Dtls) {
            dtls_datagram(number, bytes);
            drain();
            return;
        }
        if (tap_ != nullptr &&
            std::ranges::none_of(media_at_, [&](const auto& m) { return m.second == remote; })) {
            tap_->datagram(remote, media_at_[number], bytes);
        }
        performance_->on_media(number, remote, bytes, now_);
    } else {
        const auto party = static_cast<PartyId>(socket);
        const auto local =
            cast_.members[party].at[static_cast<std::size_t>(Transport::Udp)].value_or(Endpoint{});
        const auto from = cast_.find(remote);
        if (tap_ != nullptr && (!from || cast_.members[*from].control != Control::Played)) {
            tap_->datagram(remote, local, bytes);
        }
        const auto text = as_text(bytes);
        if (text.find_first_not_of("\r\n") != std::string_view::npos) {
            performance_->on_message(party, {Transport::Udp, 0, party, 0, local, remote}, text,
                                     now_);
        }
    }
    drain();
}

void Stage::on_turn(Instant now) {
    now_ = now;
    for (auto& [socket, handshake] : handshakes_) {
        const auto due = handshake.dtls.next_deadline(now);
        if (due.known() && due <= now) {
            handshake.dtls.advance(now);
            step_dtls(socket);
        }
    }
    const auto deadline = performance_ != nullptr ? performance_->next_deadline() : Instant{};
    if (deadline.known() && deadline <= now) {
        performance_->advance(now);
        drain();
    }
    finish();
    if (tap_ != nullptr) {
        tap_->flush();
    }
}

Instant Stage::next_deadline() {
    if (leave_at_.known()) {
        return leave_at_;
    }
    auto out = performance_ != nullptr ? performance_->next_deadline() : Instant{};
    for (const auto& [socket, handshake] : handshakes_) {
        const auto due = handshake.dtls.next_deadline(now_);
        out = due.known() && (!out.known() || due < out) ? due : out;
    }
    return out;
}

// ---- DTLS on media sockets

void Stage::start_dtls(const play::DtlsStart& asked) {
    net::DtlsSettings settings;
    settings.client = asked.client;
    settings.peer_fingerprint = asked.peer_fingerprint;
    auto made = net::Dtls::make(dtls_identity_, settings);
    if (!made) {
        play::DtlsKeys keys;
        keys.failure = made.error();
        performance_->on_dtls(asked.socket, keys, now_);
        return;
    }
    const auto [at, fresh] =
        handshakes_.insert_or_assign(asked.socket, Handshake{std::move(*made), asked.to, false});
    at->second.dtls.start(now_);
    for (const auto& bytes : early_[asked.socket]) {
        at->second.dtls.receive(as_bytes(std::string_view{bytes}), now_);
    }
    early_.erase(asked.socket);
    step_dtls(asked.socket);
}

void Stage::dtls_datagram(std::uint32_t socket, Bytes bytes) {
    constexpr std::size_t most_early = 8; // datagrams
    const auto at = handshakes_.find(socket);
    if (at == handshakes_.end()) {
        // The other side begins while the answer is still on its way to us.
        auto& kept = early_[socket];
        if (kept.size() < most_early) {
            kept.emplace_back(as_text(bytes));
        }
        return;
    }
    at->second.dtls.receive(bytes, now_);
    step_dtls(socket);
}

void Stage::step_dtls(std::uint32_t socket) {
    auto& handshake = handshakes_.at(socket);
    for (const auto& datagram : handshake.dtls.take()) {
        const Bytes bytes{datagram};
        if (tap_ != nullptr) {
            tap_->datagram(media_at_[socket], handshake.to, bytes);
        }
        loop_->send_datagram(first_media_socket + socket, handshake.to, as_text(bytes));
    }
    if (handshake.told) {
        return;
    }
    play::DtlsKeys keys;
    if (const auto made = handshake.dtls.keys()) {
        keys.profile = made->profile;
        keys.send = made->send;
        keys.receive = made->receive;
    } else if (handshake.dtls.state() == net::Dtls::State::Failed) {
        keys.failure = "DTLS: " + handshake.dtls.why();
    } else {
        return;
    }
    handshake.told = true;
    performance_->on_dtls(socket, keys, now_);
}

// What comes late is still looked at for a moment; then everybody goes.
void Stage::finish() {
    if (performance_ == nullptr || !performance_->over()) {
        return;
    }
    if (!leave_at_.known()) {
        leave_at_ = now_ + (performance_->report().passed() ? patience_for_late : milliseconds(10));
    }
    if (leave_at_ <= now_ && !closing_) {
        closing_ = true;
        for (const auto& peer : peers_) {
            if (peer.open) {
                loop_->close(key_of(peer.wire), "the flow is over");
            }
        }
        loop_->post([this] { loop_->stop(); });
    }
}

// ---- what is to be done

void Stage::drain() {
    auto& outbox = performance_->outbox();
    auto& wants = performance_->wants();
    while (!outbox.empty() || !wants.empty()) {
        for (const auto& one : outbox.sends()) {
            send(one.wire, outbox.bytes(one));
        }
        outbox.clear();
        const auto todo = std::move(wants);
        wants.clear();
        for (const auto& one : todo.connects) {
            connect(one);
        }
        for (const auto& wire : todo.closes) {
            loop_->close(key_of(wire), "the flow closes it");
        }
        for (const auto party : todo.opens) {
            absent_[party] = false;
        }
        for (const auto party : todo.deaths) {
            absent_[party] = true;
            for (const auto& peer : peers_) {
                if (peer.open && peer.party == party) {
                    loop_->close(key_of(peer.wire), "its party has been destroyed");
                }
            }
        }
        for (const auto& one : todo.dtls) {
            start_dtls(one);
        }
        for (const auto& packet : todo.media) {
            if (tap_ != nullptr) {
                tap_->datagram(media_at_[packet.socket], packet.to,
                               as_bytes(std::string_view{packet.bytes}));
            }
            loop_->send_datagram(first_media_socket + packet.socket, packet.to, packet.bytes);
        }
    }
    if (options_.on_progress) {
        options_.on_progress(*performance_);
    }
}

void Stage::connect(const play::Connect& asked) {
    auto at = asked.at;
    std::shared_ptr<const net::TlsContext> tls;
    if (sip::is_secure(asked.transport)) {
        auto made = wardrobe_->client(asked.from, asked.handshake);
        if (!made) {
            performance_->on_refused(asked.token, made.error(), {}, now_);
            return;
        }
        tls = *made;
        if (const auto other = variants_.find(variant_name(asked.to, asked.handshake));
            other != variants_.end()) {
            at = other->second;
        }
    }
    const auto key = loop_->connect(at, tls.get(), asked.handshake.server_name);
    asked_.push_back({asked, key});
}

void Stage::send(const Wire& wire, std::string_view bytes) {
    if (wire.transport == Transport::Udp) {
        if (tap_ != nullptr) {
            const auto& local =
                cast_.members[wire.connection].at[static_cast<std::size_t>(Transport::Udp)];
            tap_->datagram(local.value_or(wire.local), wire.remote, as_bytes(bytes));
        }
        loop_->send_datagram(wire.connection, wire.remote, bytes);
        return;
    }
    const auto key = key_of(wire);
    auto* peer = find(key);
    if (peer == nullptr) {
        return; // it has closed meanwhile, which the Performance has been told
    }
    if (peer->websocket != nullptr) {
        peer->websocket->send(bytes);
        loop_->send(key, peer->websocket->output());
        peer->websocket->output().clear();
    } else {
        loop_->send(key, bytes);
    }
}

} // namespace cw::host
