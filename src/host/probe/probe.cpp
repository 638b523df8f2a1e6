#include "host/probe/probe.hpp"

#include <algorithm>
#include <array>
#include <expected>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/text.hpp"
#include "crypto/digest_fields.hpp"
#include "host/message_stream.hpp"
#include "net/loop.hpp"
#include "net/tls_facts.hpp"
#include "net/websocket.hpp"
#include "sip/list.hpp"
#include "sip/message.hpp"

namespace cw::host {
namespace {

using sip::Transport;
using ContextPtr = std::unique_ptr<SSL_CTX, net::FreeTls>;

constexpr auto policy = sip::Policy::tolerant(); // a probe reads what it can
constexpr Duration longest_pong = seconds(3);
constexpr std::size_t most_listed = 32;

std::string random_hex(std::size_t octets) {
    std::array<unsigned char, 16> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(std::min(octets, bytes.size())));
    std::string out;
    for (std::size_t i = 0; i < octets && i < bytes.size(); ++i) {
        out += fmt::format("{:02x}", bytes[i]);
    }
    return out;
}

std::uint32_t random_mask() {
    std::uint32_t mask = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&mask), sizeof mask);
    return mask;
}

bool is_websocket(Transport t) {
    return t == Transport::Ws || t == Transport::Wss;
}

std::string_view via_name(Transport t) {
    switch (t) {
    case Transport::Udp:
        return "UDP";
    case Transport::Tls:
        return "TLS";
    case Transport::Ws:
        return "WS";
    case Transport::Wss:
        return "WSS";
    case Transport::Tcp:
    case Transport::Sctp:
    case Transport::Hep:
        break;
    }
    return "TCP";
}

std::string name_of(const X509_NAME* name) {
    std::array<char, 256> text{};
    X509_NAME_oneline(name, text.data(), static_cast<int>(text.size()));
    std::string_view view{text.data()};
    return std::string{view.starts_with('/') ? view.substr(1) : view};
}

// The one question that is asked, and what tells its answer from others.
struct Inquiry {
    std::string call_id = random_hex(12) + "@probe.invalid";
    std::string branch = "z9hG4bK" + random_hex(10);
    std::string tag = random_hex(6);

    // [RFC 3261 §11.1] From is anonymous [RFC 3323 §4.1.1.3]: a probe is nobody.
    [[nodiscard]] std::string bytes(const ProbeTarget& target, Transport transport,
                                    const Endpoint& local) const {
        const bool nameless = is_websocket(transport); // [RFC 7118 §5.1] we have no address there
        const auto here = nameless ? random_hex(6) + ".invalid" : to_string(local);
        const auto uri = target.uri();
        return fmt::format("OPTIONS {0} SIP/2.0\r\n"
                           "Via: SIP/2.0/{1} {2};branch={3};rport\r\n"
                           "Max-Forwards: 70\r\n"
                           "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={4}\r\n"
                           "To: <{0}>\r\n"
                           "Call-ID: {5}\r\n"
                           "CSeq: 1 OPTIONS\r\n"
                           "Contact: <sip:probe@{2};transport={6}>\r\n"
                           "Accept: application/sdp\r\n"
                           "User-Agent: callwright\r\n"
                           "Content-Length: 0\r\n\r\n",
                           uri, via_name(transport), here, branch, tag, call_id,
                           transport == Transport::Wss ? "ws" : to_string(transport));
    }
};

class Prober {
  public:
    Prober(const ProbeSettings& settings, flow::Listener& listener)
        : settings_(settings), listener_(listener) {}

    std::expected<ProbeReport, std::string> run();

  private:
    struct Session { // a connection and what the listener has to be told of it
        Wire wire;
        HandshakeLog log;
        flow::Connection record;
        std::optional<net::WebSocket> socket;
        bool pong = false; // came on the WebSocket
    };

    std::expected<void, std::string> make_context();
    [[nodiscard]] std::string expected_name() const {
        return settings_.expected.empty() ? settings_.target.host : settings_.expected;
    }
    [[nodiscard]] Instant deadline() const { return net::Loop::now() + settings_.timeout; }

    [[nodiscard]] Resolution find_places() const;
    bool reach(const Place& place);
    bool was_refused_for_alpn(const Session& session) const;
    Wire::Outcome open(Session& session, const Place& place, SSL_SESSION* resume);
    void offer_protocol(Transport transport);
    void fill_tls(Session& session, const Wire::Outcome& outcome, Duration took);
    void judge_certificate(const SSL* ssl);
    void talk(Session& session, Transport transport);
    bool upgrade(Session& session);
    void ask_options(Session& session, Transport transport);
    void wait_for_answer(Session& session, const Inquiry& question, const std::string& request,
                         Transport transport);
    bool take_answer(Session& session, Transport transport, std::string_view text,
                     const Inquiry& question);
    void note_answer(const sip::MessageView& message);
    void try_keep_alive(Session& session, Transport transport);
    void try_resumption(const Place& place, SSL_SESSION* resume);
    void end(Session& session, bool reset = false);
    void tell(Session& session, Transport transport, std::string_view bytes, bool ours);
    void find_problems();

    Wire::Outcome send_message(Session& session, std::string_view bytes);
    // Reads once; messages of the stream go to take_answer. True when the answer came.
    bool read_messages(Session& session, Transport transport, const Inquiry& question,
                       Instant until, Wire::Outcome& outcome);

    const ProbeSettings& settings_;
    flow::Listener& listener_;
    ProbeReport report_;
    ContextPtr context_;
    net::TlsSession ticket_; // the latest session that the server gave
    MessageStream stream_{policy};
    sip::HeaderIndex index_;
    Instant asked_;
    std::uint32_t connections_ = 0;
    std::uint32_t frames_ = 0;
    bool offer_protocol_ = true;
};

int keep_session(SSL* ssl, SSL_SESSION* session) {
    auto* ticket = static_cast<net::TlsSession*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    ticket->reset(session);
    return 1; // it is ours now
}

std::expected<void, std::string> Prober::make_context() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (context_ == nullptr) {
        return std::unexpected{"no TLS context"};
    }
    auto* context = context_.get();
    // Shown when asked; refusing it is the server's affair. What the server shows is judged here
    // afterwards, all of it, so the handshake goes on whatever it is.
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_security_level(context, 0); // weak certificates are to be seen, and named
    SSL_CTX_set_min_proto_version(context, settings_.minimum_version);
    SSL_CTX_set_max_proto_version(context, settings_.maximum_version);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context, &ticket_);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    net::remember_facts(context);
    if (settings_.certificate.empty()) {
        return {};
    }
    const auto& key = settings_.key.empty() ? settings_.certificate : settings_.key;
    if (SSL_CTX_use_certificate_chain_file(context, settings_.certificate.c_str()) != 1) {
        ERR_clear_error();
        return std::unexpected{settings_.certificate + ": no certificate in PEM"};
    }
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
        ERR_clear_error();
        return std::unexpected{key + ": no private key that fits " + settings_.certificate};
    }
    return {};
}

std::expected<ProbeReport, std::string> Prober::run() {
    if (auto made = make_context(); !made) {
        return std::unexpected{made.error()};
    }
    report_.resolution = find_places();
    for (const auto& place : report_.resolution.places) {
        if (reach(place)) {
            break;
        }
    }
    find_problems();
    listener_.finish(net::Loop::now());
    return std::move(report_);
}

Resolution Prober::find_places() const {
    if (!settings_.at) {
        return resolve(settings_.target, settings_.timeout, settings_.dns_servers);
    }
    auto target = settings_.target;
    target.host = to_string(settings_.at->address);
    target.port = settings_.at->port != 0 ? settings_.at->port : target.port;
    return resolve(target, settings_.timeout, settings_.dns_servers);
}

// The server insists on protocols of its own; most clients offer none.
bool Prober::was_refused_for_alpn(const Session& session) const {
    constexpr std::uint8_t no_application_protocol = 120; // [RFC 7301 §3.2]
    return offer_protocol_ && std::ranges::any_of(session.log.alerts, [](const auto& alert) {
               return !alert.from_client && alert.number == no_application_protocol;
           });
}

// Connects, and when that went well does everything else there. False: the next place is tried.
bool Prober::reach(const Place& place) {
    Session session;
    const auto outcome = open(session, place, nullptr);
    if (was_refused_for_alpn(session)) {
        end(session);
        offer_protocol_ = false;
        return reach(place);
    }
    auto& attempt = report_.attempts.emplace_back(place);
    if (!session.wire.connected()) {
        attempt.why = outcome.why;
        end(session, true);
        return false;
    }
    if (outcome.good()) {
        talk(session, place.transport);
    }
    end(session);
    if (place.transport == Transport::Udp && report_.options.status == 0) {
        attempt.why = report_.options.failure; // silence: nobody knows whether it is there
        return false;
    }
    attempt.reached = report_.reached = true;
    report_.handshake = session.log.steps;
    if (outcome.good() && is_secure(place.transport) && report_.tls->failure.empty()) {
        const auto ticket = std::move(ticket_);
        try_resumption(place, ticket.get());
    }
    return true;
}

Wire::Outcome Prober::open(Session& session, const Place& place, SSL_SESSION* resume) {
    auto& record = session.record;
    record.id = ++connections_;
    record.transport = place.transport;
    record.server = place.endpoint;
    record.start_seen = true;
    record.decrypted = true;
    record.opened = net::Loop::now();
    record.frame = ++frames_;
    if (place.transport == Transport::Udp) {
        return session.wire.connect_datagrams(place.endpoint);
    }
    auto outcome = session.wire.connect(place.endpoint, deadline());
    record.client = session.wire.local();
    if (!session.wire.connected()) {
        record.transport = Transport::Tcp; // whatever was to follow
    }
    if (!outcome.good() || !is_secure(place.transport)) {
        return outcome;
    }
    offer_protocol(place.transport);
    const auto begin = net::Loop::now();
    record.hello = begin;
    outcome = session.wire.secure(context_.get(), expected_name(), resume, session.log, deadline());
    if (resume == nullptr) {
        fill_tls(session, outcome, net::Loop::now() - begin);
    }
    return outcome;
}

// "sip/2" is SIP over TLS in IANA's list of ALPN protocols; a WebSocket begins as HTTP/1.1.
void Prober::offer_protocol(Transport transport) {
    std::string wire;
    if (offer_protocol_) {
        wire = transport == Transport::Wss ? "\x08http/1.1" : "\x05sip/2";
    }
    SSL_CTX_set_alpn_protos(context_.get(), as_bytes(wire).data(),
                            static_cast<unsigned>(wire.size()));
}

void Prober::fill_tls(Session& session, const Wire::Outcome& outcome, Duration took) {
    auto& tls = report_.tls.emplace();
    auto* ssl = session.wire.ssl();
    tls.done = outcome.good();
    tls.failure = outcome.why;
    tls.took = took;
    if (ssl == nullptr) {
        return;
    }
    const auto facts = net::tls_facts(ssl);
    tls.version = facts.version;
    tls.cipher = facts.cipher;
    tls.group = facts.group;
    tls.alpn = facts.alpn;
    tls.sni = facts.sni;
    tls.certificate_asked = session.log.certificate_asked;
    tls.certificate_given = tls.certificate_asked && !settings_.certificate.empty();
    const auto* names = SSL_get0_peer_CA_list(ssl);
    for (int i = 0; i < sk_X509_NAME_num(names) && tls.acceptable.size() < most_listed; ++i) {
        tls.acceptable.push_back(name_of(sk_X509_NAME_value(names, i)));
    }
    judge_certificate(ssl);
    session.record.verdict = tls.chain.empty() ? std::string{} : tls.verdict.summary();
    session.record.verdict_good = tls.verdict.good();
}

void Prober::judge_certificate(const SSL* ssl) {
    auto& tls = *report_.tls;
    std::vector<crypto::CertificatePtr> presented;
    for (auto* certificate : net::peer_chain(ssl)) {
        X509_up_ref(certificate);
        presented.emplace_back(certificate);
        tls.chain.push_back(crypto::describe(certificate));
    }
    tls.verdict = crypto::verify_chain({.presented = presented,
                                        .trusted = settings_.trusted,
                                        .crls = settings_.crls,
                                        .system_trust = settings_.system_trust,
                                        .at = net::Loop::now(),
                                        .expected = expected_name(),
                                        .role = crypto::Role::Server,
                                        .identity = settings_.identity});
    const unsigned char* stapled = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(const_cast<SSL*>(ssl), &stapled);
    tls.ocsp = look_at_revocation(
        {.presented = presented,
         .trusted = settings_.trusted,
         .stapled = size > 0 ? Bytes{stapled, static_cast<std::size_t>(size)} : Bytes{},
         .ask = settings_.ask_ocsp,
         .at = net::Loop::now(),
         .timeout = settings_.timeout,
         .dns_servers = settings_.dns_servers},
        tls.verdict);
}

void Prober::talk(Session& session, Transport transport) {
    if (is_websocket(transport) && !upgrade(session)) {
        return;
    }
    ask_options(session, transport);
    if (report_.options.failure.empty()) {
        try_keep_alive(session, transport);
    }
    // In TLS 1.3 a server looks at the client's certificate after the client is done, so that its
    // refusal comes where an answer was expected [RFC 8446 §4.4.2, §6.2].
    if (report_.tls && report_.options.status == 0) {
        for (const auto& alert : session.log.alerts) {
            if (!alert.from_client && alert.number != 0) {
                report_.tls->failure = fmt::format("the peer sent the alert {}", alert.name);
            }
        }
    }
}

bool Prober::upgrade(Session& session) {
    auto& options = report_.options;
    session.socket.emplace(net::WebSocket::Role::Client, "sip", net::WebSocketLimits{},
                           random_mask);
    net::UpgradeWish wish{.host = settings_.target.host_header(), .path = settings_.target.path};
    RAND_bytes(wish.nonce.data(), static_cast<int>(wish.nonce.size()));
    session.socket->request(wish);
    const auto until = deadline();
    auto outcome = session.wire.write(session.socket->output(), until);
    session.socket->output().clear();
    std::string failed;
    while (outcome.good() && failed.empty() && !session.socket->open()) {
        std::string bytes;
        outcome = session.wire.read(bytes, until);
        session.socket->feed(as_bytes(bytes), [&](const net::WebSocket::Event& event) {
            if (event.kind == net::WebSocket::Event::Kind::Failed) {
                failed = event.text;
            }
        });
    }
    if (!outcome.good() || !failed.empty()) {
        options.failure = "no WebSocket: " + (failed.empty() ? outcome.why : failed);
        if (failed.empty() && outcome.end == Wire::End::Closed && session.wire.ssl() == nullptr) {
            options.failure += "; where TLS is spoken, wss: is what to ask for";
        }
        return false;
    }
    return true;
}

Wire::Outcome Prober::send_message(Session& session, std::string_view bytes) {
    if (!session.socket) {
        return session.wire.write(bytes, deadline());
    }
    session.socket->send(bytes);
    auto outcome = session.wire.write(session.socket->output(), deadline());
    session.socket->output().clear();
    return outcome;
}

void Prober::ask_options(Session& session, Transport transport) {
    const Inquiry question;
    const auto request = question.bytes(settings_.target, transport, session.wire.local());
    report_.options.sent = true;
    asked_ = net::Loop::now();
    tell(session, transport, request, true);
    if (const auto outcome = send_message(session, request); !outcome.good()) {
        report_.options.failure = outcome.why;
        return;
    }
    wait_for_answer(session, question, request, transport);
}

// Over UDP the request is sent again as [RFC 3261 §17.1.2.2] says: after T1, then at twice the time
// up to T2.
void Prober::wait_for_answer(Session& session, const Inquiry& question, const std::string& request,
                             Transport transport) {
    constexpr auto t1 = milliseconds(500);
    constexpr auto t2 = seconds(4);
    auto& options = report_.options;
    const auto until = deadline();
    auto interval = t1;
    auto again = transport == Transport::Udp ? asked_ + interval : until;
    while (options.status == 0) {
        Wire::Outcome outcome;
        if (read_messages(session, transport, question, std::min(until, again), outcome)) {
            return;
        }
        if (outcome.good()) {
            continue;
        }
        if (outcome.end != Wire::End::TimedOut || again >= until) {
            options.failure =
                outcome.end == Wire::End::TimedOut
                    ? fmt::format("no answer within {}", crypto::in_words(settings_.timeout))
                    : outcome.why;
            return;
        }
        interval = std::min(t2, Duration{interval.ns * 2});
        again = again + interval;
        ++options.retransmissions;
        tell(session, transport, request, true);
        if (outcome = session.wire.write(request, until); !outcome.good()) {
            options.failure = outcome.why;
            return;
        }
    }
}

bool Prober::read_messages(Session& session, Transport transport, const Inquiry& question,
                           Instant until, Wire::Outcome& outcome) {
    std::string bytes;
    outcome = session.wire.read(bytes, until);
    if (bytes.empty()) {
        return false;
    }
    if (transport == Transport::Udp) {
        return take_answer(session, transport, bytes, question);
    }
    bool found = false;
    if (session.socket) {
        session.socket->feed(as_bytes(bytes), [&](const net::WebSocket::Event& event) {
            using Kind = net::WebSocket::Event::Kind;
            if (event.kind == Kind::Message) {
                found = take_answer(session, transport, event.text, question) || found;
            } else if (event.kind == Kind::Failed || event.kind == Kind::Closed) {
                outcome = {Wire::End::Closed, "the WebSocket was closed"};
            } else if (event.kind == Kind::Pong) {
                session.pong = true;
            }
        });
        return found;
    }
    stream_.feed(as_bytes(bytes));
    while (true) {
        const auto item = stream_.next();
        if (item.kind == MessageStream::Kind::None) {
            return found;
        }
        if (item.kind == MessageStream::Kind::Message) {
            found = take_answer(session, transport, item.text, question) || found;
        } else if (item.kind == MessageStream::Kind::Pong) {
            session.pong = true;
        } else if (item.kind == MessageStream::Kind::Broken) {
            outcome = {Wire::End::Failed, std::string{"what came is no SIP: "} + item.error.what};
            return found;
        }
    }
}

bool Prober::take_answer(Session& session, Transport transport, std::string_view text,
                         const Inquiry& question) {
    tell(session, transport, text, false);
    const auto message = sip::index(text, index_);
    if (!message || message->is_request() || message->status() < 200 ||
        message->value(sip::HeaderId::CallId) != question.call_id) {
        return false;
    }
    note_answer(*message);
    return true;
}

void Prober::note_answer(const sip::MessageView& message) {
    auto& options = report_.options;
    options.status = message.status();
    options.reason = message.reason();
    options.took = net::Loop::now() - asked_;
    options.server = message.value(sip::HeaderId::Server);
    if (options.server.empty()) {
        options.server = message.value(sip::HeaderId::UserAgent);
    }
    const auto joined = [&](sip::HeaderId id) {
        std::string out;
        sip::ValueCursor values{message, id};
        while (const auto value = values.next()) {
            out += (out.empty() ? "" : ", ") + std::string{*value};
        }
        return out;
    };
    options.allow = joined(sip::HeaderId::Allow);
    options.supported = joined(sip::HeaderId::Supported);
    for (const auto& header : message.headers()) {
        if ((header.id != sip::HeaderId::WwwAuthenticate &&
             header.id != sip::HeaderId::ProxyAuthenticate) ||
            options.challenges.size() >= most_listed) {
            continue;
        }
        if (const auto challenge = crypto::parse_challenge(header.value)) {
            options.challenges.push_back({.realm = std::string{challenge->realm},
                                          .algorithm = challenge->algorithm.empty()
                                                           ? "MD5"
                                                           : std::string{challenge->algorithm}});
        }
    }
}

// [RFC 5626 §3.5.1] a double CRLF is answered with a single one; on a WebSocket a Ping with a Pong
// [RFC 7118 §6].
void Prober::try_keep_alive(Session& session, Transport transport) {
    auto& keep = report_.keep_alive;
    if (transport == Transport::Udp) {
        return; // there it is STUN [RFC 5626 §3.5.2]
    }
    keep.tried = true;
    session.pong = false;
    const auto begin = net::Loop::now();
    const auto until = begin + std::min(settings_.timeout, longest_pong);
    Wire::Outcome outcome;
    if (session.socket) {
        session.socket->ping("");
        outcome = session.wire.write(session.socket->output(), until);
        session.socket->output().clear();
    } else {
        outcome = session.wire.write("\r\n\r\n", until);
    }
    const Inquiry nobodys;
    while (outcome.good() && !session.pong) {
        (void)read_messages(session, transport, nobodys, until, outcome);
    }
    keep.answered = session.pong;
    keep.took = net::Loop::now() - begin;
    keep.failure = outcome.good() || outcome.end == Wire::End::TimedOut ? "" : outcome.why;
}

void Prober::try_resumption(const Place& place, SSL_SESSION* resume) {
    auto& tls = *report_.tls;
    if (resume == nullptr || SSL_SESSION_is_resumable(resume) != 1) {
        tls.resumption = ProbeTls::Resumption::NotOffered;
        return;
    }
    Session session;
    const auto outcome = open(session, place, resume);
    tls.resumption = outcome.good() && SSL_session_reused(session.wire.ssl()) == 1
                         ? ProbeTls::Resumption::Works
                         : ProbeTls::Resumption::Refused;
    end(session, !session.wire.connected());
}

// Closes, and tells the listener what the connection was.
void Prober::end(Session& session, bool reset) {
    auto& record = session.record;
    if (auto* ssl = session.wire.ssl(); ssl != nullptr) {
        const auto facts = net::tls_facts(ssl);
        record.version = facts.version;
        record.cipher = facts.cipher;
        record.group = facts.group;
        record.sni = facts.sni;
        record.alpn = facts.alpn;
        record.resumed = facts.resumed;
        record.handshake_done = SSL_is_init_finished(ssl) == 1;
        record.mutual = session.log.certificate_asked && !settings_.certificate.empty();
        for (auto* certificate : net::peer_chain(ssl)) {
            const auto certificate_facts = crypto::describe(certificate);
            auto& one = record.server_chain.emplace_back();
            one.subject = certificate_facts.subject;
            one.issuer = certificate_facts.issuer;
            one.names = certificate_facts.names;
            one.not_before = certificate_facts.not_before;
            one.not_after = certificate_facts.not_after;
        }
    }
    session.wire.close();
    record.closed = net::Loop::now();
    record.rst = reset;
    record.fin = !reset;
    record.bytes = session.wire.bytes();
    record.hello_retry = session.log.hello_retry;
    record.offered = session.log.offered;
    record.handshake = session.log.steps;
    record.alerts = session.log.alerts;
    for (const auto& alert : record.alerts) {
        record.close_notify_client |= alert.number == 0 && alert.from_client;
        record.close_notify_server |= alert.number == 0 && !alert.from_client;
    }
    for (const auto& step : record.handshake) { // tickets may follow
        if (step.name == "Finished") {
            record.established = step.time;
        }
    }
    if (record.transport != Transport::Udp) {
        listener_.on_connection(record);
    }
}

void Prober::tell(Session& session, Transport transport, std::string_view bytes, bool ours) {
    ++session.record.sip_messages;
    flow::SipEvent event;
    event.at.time = net::Loop::now();
    event.at.frame = ++frames_;
    event.at.source = ours ? session.wire.local() : session.wire.remote();
    event.at.destination = ours ? session.wire.remote() : session.wire.local();
    event.transport = transport;
    event.connection = transport == Transport::Udp ? 0 : session.record.id;
    event.bytes = bytes;
    listener_.on_sip(event);
}

void Prober::find_problems() {
    auto& problems = report_.problems;
    if (!report_.reached) {
        return;
    }
    const bool alarmed = report_.tls && !report_.tls->failure.empty();
    if (report_.tls) {
        auto& tls = *report_.tls;
        // [RFC 8446 §4.4.2.4] certificate_required; TLS 1.2 has no alert of its own for it
        // [RFC 5246 §7.4.6: handshake_failure].
        tls.certificate_demanded = alarmed && tls.certificate_asked && !tls.certificate_given;
        if (!tls.chain.empty() && !tls.verdict.good()) {
            problems.push_back("the certificate does not verify: " + tls.verdict.summary());
        }
        if (tls.certificate_demanded) {
            problems.push_back("the server demands a client certificate (" + tls.failure +
                               "): give one with --cert and --key");
        } else if (alarmed && tls.certificate_given) {
            problems.push_back("the server refuses our certificate: " + tls.failure);
        } else if (!tls.done) {
            problems.push_back("no TLS: " + tls.failure);
        }
    }
    if (report_.options.status == 0 && !alarmed && (!report_.tls || report_.tls->done)) {
        problems.push_back("OPTIONS: " + report_.options.failure);
    }
}

} // namespace

std::expected<ProbeReport, std::string> probe(const ProbeSettings& settings,
                                              flow::Listener& listener) {
    return Prober{settings, listener}.run();
}

} // namespace cw::host
