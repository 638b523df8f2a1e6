// Where a flow is performed: real sockets on loopback for every party that is played, real servers
// for those that are embedded, and the addresses of those that are external. Moves bytes between
// the loop and the Performance, and judges certificates for it. One thread, its own; interrupt()
// may be called from another.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/log.hpp"
#include "host/stage/embedded.hpp"
#include "host/stage/party_stream.hpp"
#include "host/stage/places.hpp"
#include "host/stage/scenery.hpp"
#include "host/stage/stage_tap.hpp"
#include "host/stage/wardrobe.hpp"
#include "net/dtls.hpp"
#include "net/loop.hpp"
#include "play/performance.hpp"
#include "script/plan.hpp"

namespace cw::host {

struct StageOptions {
    std::vector<RealSystem> at;
    std::vector<RealSystem> listen; // where parties of ours are reached; unsaid: any free port
    Wardrobe::Trust trust;          // of all our parties, besides the run's own CA
    std::string keys_out;           // NSS key log, appended to; empty: none
    std::string pcap_out;           // pcapng with its secrets; empty: none
    std::function<void(const play::Performance&)> on_progress; // after each thing that happened
};

class Stage final : private net::Handler {
  public:
    // Opens everything. `plan` gets the parties that are real systems marked so, and outlives it,
    // as `given` does. Fails with a sentence.
    static std::expected<std::unique_ptr<Stage>, std::string>
    make(script::Plan& plan, const play::Given& given, StageOptions options);
    ~Stage() override;
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    // Performs the flow, to its end.
    const play::Report& run();
    // From another thread: run() returns soon, and its report says so.
    void interrupt();

    [[nodiscard]] const play::Cast& cast() const { return cast_; }
    // After run(): with what bodies were signed and encrypted.
    [[nodiscard]] std::vector<play::Papers> papers() const { return performance_->papers(); }

  private:
    // Below: SIP over UDP, by party; and a second one for those who speak IPv6 as well.
    static constexpr std::uint32_t first_media_socket = 1000;
    static constexpr std::uint32_t first_second_socket = 500;
    struct Listening {
        script::PartyId party = 0;
        sip::Transport transport = sip::Transport::Tls;
        Endpoint at;
    };
    struct Peer {
        bool open = false;
        script::PartyId party = 0;
        transaction::Wire wire;
        std::unique_ptr<PartyStream> stream;
        std::uint32_t token = 0; // of one that we have opened
    };
    struct Asked {
        play::Connect what;
        net::Key key;
    };
    using Done = std::expected<void, std::string>;

    Stage(script::Plan& plan, const play::Given& given, StageOptions options);
    Done open();
    Done open_party(script::PartyId party);
    Done listen(script::PartyId party, sip::Transport transport, const play::Handshake& handshake,
                bool ipv6);
    Done open_media(script::PartyId party);
    Done open_outputs();

    void on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) override;
    void on_undelivered(std::uint32_t socket, const Endpoint& remote, Bytes bytes) override;
    void on_open(net::Key key, const net::ConnectionInfo& info) override;
    void on_bytes(net::Key key, Bytes bytes) override;
    void on_closed(net::Key key, std::string_view why) override;
    void on_failed(net::Key key, const Endpoint& remote, bool incoming,
                   std::string_view why) override;
    void on_turn(Instant now) override;
    Instant next_deadline() override;

    // The other end of a connection is at a party of ours.
    [[nodiscard]] bool is_own_end(const Endpoint& remote);
    void on_embedded_reached(script::PartyId server, const Reached& reached);
    void not_accepted(net::Key key, const Endpoint& remote, std::string_view why);
    // Of a connection over TLS; also within on_failed().
    [[nodiscard]] std::optional<Endpoint> local_of(net::Key key) const;
    [[nodiscard]] Endpoint local_of_socket(std::uint32_t socket) const; // of SIP over UDP
    void opened(net::Key key, const Peer& peer);
    void drain();
    void connect(const play::Connect& connect);
    void dial(const play::Connect& asked, SSL_SESSION* session);
    void dial_postponed();
    // Of the latest connection that went the same way; null: none of them has a ticket (yet).
    [[nodiscard]] net::TlsSession session_for(const play::Connect& asked) const;
    void send(const transaction::Wire& wire, std::string_view bytes);
    void finish();
    void start_dtls(const play::DtlsStart& asked);
    void dtls_datagram(std::uint32_t socket, Bytes bytes);
    void step_dtls(std::uint32_t socket);
    Peer* find(net::Key key);
    // Of a listener with a certificate of its own.
    [[nodiscard]] static std::string variant_name(script::PartyId party,
                                                  const play::Handshake& handshake);

    script::Plan& plan_;
    const play::Given& given_;
    StageOptions options_;
    Log log_;
    play::Cast cast_;
    Places places_;
    std::unique_ptr<Wardrobe> wardrobe_;
    std::unique_ptr<Embedded> embedded_;
    std::shared_ptr<TraceFile> trace_file_;
    std::unique_ptr<StageTap> tap_;
    std::unique_ptr<net::Loop> loop_;
    std::vector<Listening> listeners_;         // by the loop's number
    std::map<std::string, Endpoint> variants_; // listeners with another certificate
    std::vector<std::uint32_t> udp_sockets_;   // parties
    std::vector<Peer> peers_;                  // by net::Key::index
    std::vector<bool> absent_;                 // parties that are not there yet, or not any more
    std::vector<Asked> asked_;
    std::vector<Endpoint> own_ends_; // of connections that we have opened, or tried to
    struct Kept {                    // the session of a connection that has closed
        script::PartyId from = 0;
        script::PartyId to = 0;
        net::TlsSession session;
    };
    std::vector<Kept> sessions_;
    struct Postponed { // to be resumed, but the ticket has not come yet [RFC 8446 §4.6.1]
        play::Connect what;
        Instant until;
    };
    std::vector<Postponed> postponed_;
    std::unique_ptr<play::Performance> performance_;
    std::map<std::uint32_t, Endpoint> media_at_; // by media socket
    struct Handshake {                           // DTLS, on a media socket
        net::Dtls dtls;
        Endpoint to;
        bool told = false;
    };
    std::shared_ptr<const net::DtlsIdentity> dtls_identity_;
    Wardrobe::KeyLog dtls_key_log_;
    std::map<std::uint32_t, Handshake> handshakes_;           // by media socket
    std::map<std::uint32_t, std::vector<std::string>> early_; // what came before we were asked
    net::Descriptor keys_;
    Instant now_;
    Instant leave_at_; // known(): all is over, and what comes late is waited for until then
    bool closing_ = false;
};

} // namespace cw::host
