#include "host/load/load_shard.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "host/peer.hpp"
#include "host/stage/scenery.hpp"
#include "net/source.hpp"
#include "rtp/packet.hpp"

namespace cw::host {

using script::Control;
using script::PartyId;
using sip::Transport;

namespace {

// Numbers of datagram sockets: SIP by party, SIP of further sources, media.
constexpr std::uint32_t first_source = 1000;
constexpr std::uint32_t load_media_sockets = 1'000'000;
// Keep-alives are spread over their interval: those of fifteen thousand connections at one moment
// would hold up the calls of that moment.
constexpr std::size_t ping_shares = 64;
constexpr Duration pong_time = seconds(10);
constexpr Duration shortest_turn = microseconds(100); // that the system grants

// Since Linux 6.12 a thread may ask for turns that are short, and is then let go the sooner after
// each sleep. It gets no more of the processor, and needs no permission; other systems know no such
// wish, which is all the same to us.
void ask_for_short_turns() {
    struct { // sched_setattr(2): of `runtime` they speak for deadlines alone
        std::uint32_t size, policy;
        std::uint64_t flags;
        std::int32_t nice;
        std::uint32_t priority;
        std::uint64_t runtime, deadline, period;
    } attributes{};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 ||
        attributes.policy != SCHED_OTHER) {
        return;
    }
    attributes.size = sizeof attributes;
    attributes.runtime = static_cast<std::uint64_t>(shortest_turn.ns);
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

std::string no_source(const IpAddress& address, std::string_view why) {
    return fmt::format("no party can send from {} (--source): {}", to_string(address), why);
}

} // namespace

// The lowest that there is: what the machine itself needs goes before it.
bool take_real_time() {
    sched_param priority{};
    priority.sched_priority = sched_get_priority_min(SCHED_RR);
    return pthread_setschedparam(pthread_self(), SCHED_RR, &priority) == 0;
}

void leave_real_time() {
    const sched_param none{};
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &none);
}

LoadShard::LoadShard(LoadScene& scene, LoadShardOptions options)
    : scene_(scene), options_(std::move(options)), cast_(scene.cast) {}

LoadShard::~LoadShard() = default;

std::expected<std::unique_ptr<LoadShard>, std::string> LoadShard::make(LoadScene& scene,
                                                                       LoadShardOptions options) {
    std::unique_ptr<LoadShard> shard{new LoadShard(scene, std::move(options))};
    if (auto opened = shard->open(); !opened) {
        return std::unexpected{opened.error()};
    }
    return shard;
}

// ---- sockets

LoadShard::Done LoadShard::open() {
    net::Limits limits;
    limits.connections = 1'000'000;
    limits.handshakes = limits.handshakes_per_source = 1'000'000;     // they are our own
    loop_ = std::unique_ptr<net::Loop>{new net::Loop(*this, limits)}; // its private base
    media_at_ = *IpAddress::parse("127.0.0.1");
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        const auto& member = cast_.members[party];
        if (member.control == Control::Played && media_at_.is_loopback() && media_at_.is_v4()) {
            media_at_ = scene_.places.media_of(member, member.ipv6);
        }
        for (std::size_t i = 0; i < member.listens.size(); ++i) {
            if (member.control == Control::Played && member.listens[i]) {
                if (auto done = listen(party, static_cast<Transport>(i)); !done) {
                    return done;
                }
            }
        }
    }
    answers_pings_.resize(cast_.members.size());
    gathers_ = options_.crowd.arrivals && options_.crowd.gather.ns > 0;
    options_.crowd.resumes = options_.resume;
    keeps_sessions_ = options_.resume;
    for (const auto& step : scene_.plan.steps) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        keeps_sessions_ = keeps_sessions_ ||
                          (arrow != nullptr && script::says(arrow->facts, script::Word::Resumed));
    }
    if (options_.sources.size() > 1) {
        options_.crowd.sources.assign(
            options_.sources.size(),
            std::vector<std::optional<Endpoint>>(cast_.members.size(), std::nullopt));
    }
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        if (auto done = listen_from_sources(party); !done) {
            return done;
        }
    }
    // What stands in a session description where nobody says anything: a socket that is there.
    std::optional<play::MediaPlace> quiet;
    for (auto& member : cast_.members) {
        for (auto& [call, place] : member.media) {
            if (!quiet) {
                quiet = open_media();
            }
            if (!quiet) {
                return std::unexpected{std::string{"no socket for media"}};
            }
            place = *quiet;
        }
    }
    crowd_ = std::make_unique<play::Crowd>(scene_.plan, cast_, scene_.given,
                                           scene_.rows ? &*scene_.rows : nullptr, options_.crowd,
                                           [this] { return open_media(); });
    return {};
}

LoadShard::Done LoadShard::listen(PartyId party, Transport transport) {
    auto& member = cast_.members[party];
    auto place = scene_.places.of(member, transport, member.ipv6);
    const bool from_source = place.port == 0 && !options_.sources.empty() &&
                             options_.sources.front().is_v4() != member.ipv6;
    if (from_source) {
        place.address = options_.sources.front();
    }
    // Shards share a port that was asked for.
    const bool alone = place.port == 0 || options_.crowd.shards == 1;
    auto fd = bind_place(member.id, place, transport, alone);
    if (!fd) {
        return std::unexpected{from_source ? no_source(place.address, fd.error()) : fd.error()};
    }
    const auto at = net::local_endpoint(fd->get());
    member.at[static_cast<std::size_t>(transport)] = at;
    if (transport == Transport::Udp) {
        loop_->receive(std::move(*fd), party, true);
        return {};
    }
    std::shared_ptr<const net::TlsContext> tls;
    if (sip::is_secure(transport)) {
        const std::lock_guard lock{scene_.mutex};
        auto made = scene_.wardrobe->server(party, {});
        if (!made) {
            return std::unexpected{fmt::format("{}: {}", member.id, made.error())};
        }
        tls = *made;
    }
    loop_->listen(std::move(*fd), static_cast<std::uint32_t>(listeners_.size()), tls);
    listeners_.push_back({party, transport, at});
    return {};
}

// The party's datagrams leave from each source; the first socket is there already.
LoadShard::Done LoadShard::listen_from_sources(PartyId party) {
    const auto& member = cast_.members[party];
    const auto udp = static_cast<std::size_t>(Transport::Udp);
    if (options_.sources.size() < 2 || member.control != Control::Played || !member.at[udp]) {
        return {};
    }
    options_.crowd.sources[0][party] = member.at[udp];
    for (std::size_t i = 1; i < options_.sources.size(); ++i) {
        auto fd = net::bind_datagram({options_.sources[i], 0}, true);
        if (!fd) {
            return std::unexpected{no_source(options_.sources[i], fd.error())};
        }
        const auto at = net::local_endpoint(fd->get());
        const auto number = first_source + static_cast<std::uint32_t>(sources_.size());
        sources_.push_back({party, at});
        source_at_[at] = number;
        options_.crowd.sources[i][party] = at;
        loop_->receive(std::move(*fd), number, true);
    }
    return {};
}

std::optional<play::MediaPlace> LoadShard::open_media() {
    play::MediaPlace place;
    place.ipv6 = !media_at_.is_v4();
    place.socket = next_media_;
    next_media_ += 2;
    const Endpoint any{media_at_, 0};
    for (const std::uint32_t number : {place.socket, place.socket + 1}) {
        auto fd = net::bind_datagram(any, true);
        if (!fd) {
            return std::nullopt;
        }
        (number == place.socket ? place.rtp : place.rtcp) = net::local_endpoint(fd->get());
        loop_->receive(std::move(*fd), load_media_sockets + number);
    }
    return place;
}

// ---- the run

void LoadShard::run() {
    ask_for_short_turns();
    if (options_.real_time) {
        take_real_time();
    }
    loop_->post([this] {
        now_ = net::Loop::now();
        tell_at_ = now_ + seconds(1);
        ping();
        crowd_->start(now_);
        drain();
    });
    loop_->run();
    tell();
}

void LoadShard::interrupt(Duration grace) {
    loop_->post([this, grace] {
        now_ = net::Loop::now();
        crowd_->finish(now_, grace);
        drain();
    });
}

void LoadShard::on_turn(Instant now) {
    now_ = now;
    if (counting_ && tell_at_ <= now_) { // before calls begin that are the next second's
        tell();
    }
    if (const auto due = crowd_->next_deadline(); due.known() && due <= now_) {
        crowd_->advance(now_);
        drain();
    }
    if (crowd_->began().known() && !counting_) {
        counting_ = true;
        tell_at_ = crowd_->began() + seconds(1);
    }
    if (tell_at_ <= now_) {
        tell();
    }
    if (ping_at_.known() && ping_at_ <= now_) {
        ping();
    }
    if (crowd_->over() && !stopping_) {
        stopping_ = true;
        loop_->post([this] { loop_->stop(); });
    }
    next_look_ = crowd_->next_look();
}

Instant LoadShard::next_deadline() {
    auto out = tell_at_;
    for (const auto other : {std::max(crowd_->next_deadline(), next_look_), ping_at_}) {
        out = other.known() && (!out.known() || other < out) ? other : out;
    }
    return out;
}

// At the end of each second since calls began.
void LoadShard::tell() {
    LoadNews news;
    news.shard = options_.crowd.shard;
    news.phase = crowd_->phase();
    news.in_progress = crowd_->in_progress();
    news.connections = loop_->connections();
    news.failed = std::move(crowd_->failed());
    news.hopeless = crowd_->hopeless();
    news.tally = &crowd_->tally();
    crowd_->failed().clear();
    if (!counting_) {
        tell_at_ = now_ + seconds(1);
    } else {
        news.second = seconds_told_;
        do { // more than once where it was held up for more than a second
            tell_at_ = crowd_->began() + seconds(static_cast<std::int64_t>(1 + ++seconds_told_));
        } while (tell_at_ <= now_);
    }
    options_.tell(std::move(news));
    crowd_->tally().clear();
}

// One share of the connections at a time; each comes once in the interval.
void LoadShard::ping() {
    if (!options_.keep_alive) {
        return;
    }
    for (auto i = ping_share_; i < peers_.size(); i += ping_shares) {
        auto& peer = peers_[i];
        if (peer.open && !peer.incoming && peer.stream != nullptr) {
            peer.stream->ping();
            if (!peer.pinged.known()) {
                peer.pinged = now_;
                pinged_.emplace_back(now_, key_of(peer.wire));
            }
        }
    }
    miss_pongs();
    ping_share_ = (ping_share_ + 1) % ping_shares;
    ping_at_ = now_ + Duration{options_.keep_alive->ns / static_cast<std::int64_t>(ping_shares)};
}

// [RFC 5626 §4.4.1] "If a pong is not received within 10 seconds after sending a ping, then the
// client MUST treat the flow as failed". A server that has never answered a ping does not know what
// it is; then the connection is as good as it was.
void LoadShard::miss_pongs() {
    for (; !pinged_.empty() && pinged_.front().first + pong_time <= now_; pinged_.pop_front()) {
        const auto [when, key] = pinged_.front();
        auto* peer = find(key);
        if (peer == nullptr || peer->pinged != when) {
            continue;
        }
        peer->pinged = {};
        ++crowd_->tally().silent;
        if (answers_pings_[peer->server]) {
            loop_->close(key, "no pong came");
        }
    }
}

// ---- what comes

LoadShard::Peer* LoadShard::find(net::Key key) {
    return key.index < peers_.size() && peers_[key.index].open &&
                   peers_[key.index].wire.generation == key.generation
               ? &peers_[key.index]
               : nullptr;
}

void LoadShard::on_open(net::Key key, const net::ConnectionInfo& info) {
    now_ = net::Loop::now();
    if (peers_.size() <= key.index) {
        peers_.resize(key.index + 1);
    }
    auto& peer = peers_[key.index];
    peer = {};
    peer.incoming = info.incoming;
    Transport transport = Transport::Tcp;
    if (info.incoming) {
        peer.party = listeners_[info.listener].party;
        transport = listeners_[info.listener].transport;
    } else {
        const auto at = asked_.find(key.index);
        if (at == asked_.end()) {
            return;
        }
        const auto& what = at->second.what;
        peer.party = what.from;
        peer.token = what.token;
        peer.server = what.to;
        transport = what.transport;
        if (info.ssl != nullptr && !scene_.wardrobe->trusts_anyone(what.from)) {
            if (const auto why = judge_server(info.ssl, what.handshake.server_name); !why.empty()) {
                asked_.erase(at);
                loop_->close(key, why);
                crowd_->on_refused(peer.token, why, handshake_facts(info.ssl), now_);
                drain();
                return;
            }
        }
        asked_.erase(at);
    }
    peer.wire = {transport, 0, key.index, key.generation, info.local, info.remote};
    peer.open = true;
    if (gathers_) {
        loop_->may_wait(key);
    }
    peer.stream =
        std::make_unique<PartyStream>(*loop_, key, transport, !info.incoming, info.remote);
    if (peer.stream->is_ready_at_once()) {
        ready(key);
        drain();
    }
}

// A connection can be used. One between two of us is told of when both its ends are there.
void LoadShard::ready(net::Key key) {
    auto& peer = peers_[key.index];
    const auto opener = peer.incoming ? peer.wire.remote : peer.wire.local;
    const bool ours_too = !peer.incoming && std::ranges::find(listeners_, peer.wire.remote,
                                                              &Listening::at) != listeners_.end();
    const auto half = halves_.find(opener);
    if (half != halves_.end() && find(half->second) != nullptr && half->second != key) {
        auto& other = peers_[half->second.index];
        halves_.erase(half);
        both_ready(peer.incoming ? other : peer, peer.incoming ? peer : other);
        return;
    }
    if (ours_too) {
        halves_[opener] = key;
        return;
    }
    const auto facts = handshake_facts(loop_->tls(key));
    peer.told = true;
    if (!peer.incoming) {
        crowd_->on_connected(peer.token, peer.wire, facts, std::nullopt, now_);
        return;
    }
    // From one of us, whose own end is not there yet? Then it is asked for still.
    const bool from_us = std::ranges::any_of(
        asked_, [&](const auto& one) { return one.second.what.at == peer.wire.local; });
    if (from_us) {
        peer.told = false;
        halves_[opener] = key;
        return;
    }
    crowd_->on_accepted(peer.party, peer.wire, facts, now_);
}

void LoadShard::both_ready(Peer& opener, const Peer& other) {
    opener.told = true;
    const play::Crowd::FarEnd far{other.party, other.wire,
                                  handshake_facts(loop_->tls(key_of(other.wire)))};
    crowd_->on_connected(opener.token, opener.wire,
                         handshake_facts(loop_->tls(key_of(opener.wire))), far, now_);
}

void LoadShard::on_failed(net::Key key, const Endpoint& /*remote*/, bool incoming,
                          std::string_view why) {
    now_ = net::Loop::now();
    const auto at = asked_.find(key.index);
    if (incoming || at == asked_.end()) {
        return;
    }
    const auto token = at->second.what.token;
    asked_.erase(at);
    crowd_->on_refused(token, why, handshake_facts(loop_->tls(key)), now_);
    drain();
}

void LoadShard::on_closed(net::Key key, std::string_view why) {
    now_ = net::Loop::now();
    auto* peer = find(key);
    if (peer == nullptr) {
        return;
    }
    peer->open = false;
    peer->stream.reset();
    halves_.erase(peer->incoming ? peer->wire.remote : peer->wire.local);
    const auto wire = peer->wire;
    keep_session(key, *peer);
    crowd_->on_closed(wire, why, handshake_facts(loop_->tls(key)), now_);
    drain();
}

void LoadShard::on_bytes(net::Key key, Bytes bytes) {
    now_ = net::Loop::now();
    auto* peer = find(key);
    if (peer == nullptr) {
        return;
    }
    if (!peer->session_kept) {
        keep_session(key, *peer);
    }
    const auto came = gathers_ ? loop_->arrived() : now_;
    peer->stream->receive(bytes, [&](PartyStream::Event event, std::string_view text) {
        if (event == PartyStream::Event::Ready) {
            ready(key);
        } else if (event == PartyStream::Event::Message) {
            crowd_->on_message(peer->party, peer->wire, text, now_, came);
        } else if (event == PartyStream::Event::Pong && peer->pinged.known()) {
            peer->pinged = {};
            answers_pings_[peer->server] = true;
        }
    });
    drain();
}

// What the server gave us to come back with [RFC 8446 §4.6.1]; the latest is kept.
void LoadShard::keep_session(net::Key key, Peer& peer) {
    auto* ssl = keeps_sessions_ && !peer.incoming ? loop_->tls(key) : nullptr;
    const auto* session = ssl != nullptr ? SSL_get0_session(ssl) : nullptr;
    if (session == nullptr || SSL_SESSION_is_resumable(session) != 1) {
        return;
    }
    peer.session_kept = true;
    sessions_[{peer.party, peer.server}] = net::TlsSession{SSL_get1_session(ssl)};
}

// Of a socket for SIP.
PartyId LoadShard::party_of(std::uint32_t socket) const {
    return socket >= first_source ? sources_[socket - first_source].party
                                  : static_cast<PartyId>(socket);
}

void LoadShard::on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) {
    now_ = net::Loop::now();
    if (socket >= load_media_sockets) {
        crowd_->on_media(socket - load_media_sockets, remote, bytes, now_);
        return;
    }
    const bool further = socket >= first_source;
    const auto party = party_of(socket);
    const auto text = as_text(bytes);
    if (text.find_first_not_of("\r\n") != std::string_view::npos) {
        const auto local =
            further ? sources_[socket - first_source].at
                    : cast_.members[party].at[static_cast<std::size_t>(Transport::Udp)].value_or(
                          Endpoint{});
        crowd_->on_message(party, {Transport::Udp, 0, party, 0, local, remote}, text, now_,
                           loop_->arrived());
    }
    drain();
}

void LoadShard::on_undelivered(std::uint32_t socket, const Endpoint& remote, Bytes bytes) {
    if (socket >= load_media_sockets) {
        return; // media that nobody wants is for the ear to find out
    }
    now_ = net::Loop::now();
    crowd_->on_undelivered(party_of(socket), remote, as_text(bytes), now_);
    drain();
}

// ---- what is to be done

void LoadShard::drain() {
    auto& outbox = crowd_->outbox();
    auto& wants = crowd_->wants();
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
            loop_->close(key_of(wire), "the call is over");
        }
        for (const auto& packet : todo.media) {
            loop_->send_datagram(load_media_sockets + packet.socket, packet.to, packet.bytes);
        }
        for (const auto& one : todo.dtls) {
            play::DtlsKeys none;
            none.failure = "DTLS-SRTP is not performed under load";
            crowd_->on_dtls(one.socket, none, now_);
        }
    }
}

void LoadShard::connect(const play::Connect& asked) {
    std::shared_ptr<const net::TlsContext> tls;
    if (sip::is_secure(asked.transport)) {
        const std::lock_guard lock{scene_.mutex};
        auto made = scene_.wardrobe->client(asked.from, asked.handshake);
        if (!made) {
            crowd_->on_refused(asked.token, made.error(), {}, now_);
            return;
        }
        tls = *made;
    }
    const auto session = options_.resume || asked.handshake.resume
                             ? sessions_.find({asked.from, asked.to})
                             : sessions_.end();
    std::optional<IpAddress> from;
    if (!options_.sources.empty()) {
        from = options_.sources[asked.token % options_.sources.size()];
    }
    const net::Source source{from};
    const auto key = loop_->connect(asked.at, tls.get(), asked.handshake.server_name,
                                    session != sessions_.end() ? session->second.get() : nullptr);
    asked_[key.index] = {asked, key};
}

void LoadShard::send(const transaction::Wire& wire, std::string_view bytes) {
    if (wire.transport == Transport::Udp) {
        const auto source = source_at_.empty() ? source_at_.end() : source_at_.find(wire.local);
        loop_->send_datagram(source == source_at_.end() ? wire.connection : source->second,
                             wire.remote, bytes);
        return;
    }
    const auto key = key_of(wire);
    auto* peer = find(key);
    if (peer == nullptr) {
        return; // it has closed meanwhile, which the calls have been told
    }
    peer->stream->send(bytes);
}

} // namespace cw::host
