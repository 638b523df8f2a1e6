// DTLS that makes SRTP keys [RFC 5764]: one association of one media port, as datagrams in and out.
// No sockets; the peer is known by the fingerprint of its certificate, which came over another way
// [RFC 5763 §5]. DTLS 1.2, mutual certificates, one protection profile agreed on.
//
//     auto dtls = Dtls::make(identity, settings);
//     dtls.start(now); dtls.receive(datagram, now); dtls.advance(now);
//     for (const auto& datagram : dtls.take()) … send …
//     if (dtls.state() == Dtls::State::Established) … dtls.keys() …
//
// It stays after the handshake, for the peer's late retransmissions and its close. Note: OpenSSL
// counts the time until a retransmission by the system's clock; `now` bounds the whole. One thread.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "net/tls.hpp"

namespace cw::net {

// A certificate of our own making, by ECDSA P-256, and its key. One a run will do [RFC 5763 §5].
class DtlsIdentity {
  public:
    // Valid from a day before `now` for a month.
    static std::expected<std::shared_ptr<const DtlsIdentity>, std::string> make(Instant now);
    ~DtlsIdentity();
    DtlsIdentity(const DtlsIdentity&) = delete;
    DtlsIdentity& operator=(const DtlsIdentity&) = delete;

    // "sha-256 0A:1B:…", as a=fingerprint writes it [RFC 8122 §5].
    [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

  private:
    friend class Dtls;
    DtlsIdentity() = default;
    X509* certificate_ = nullptr;
    EVP_PKEY* key_ = nullptr;
    std::string fingerprint_;
};

// Numbers of protection profiles [RFC 5764 §4.1.2, RFC 7714 §14.2].
namespace srtp_profile {
inline constexpr std::uint16_t aes128_cm_sha1_80 = 0x0001;
inline constexpr std::uint16_t aes128_cm_sha1_32 = 0x0002;
inline constexpr std::uint16_t aead_aes_128_gcm = 0x0007;
inline constexpr std::uint16_t aead_aes_256_gcm = 0x0008;
} // namespace srtp_profile

struct DtlsSettings {
    bool client = false; // we are active: we send the ClientHello
    // "sha-256 0A:1B:…"; sha-384 and sha-512 too. Empty: not known yet, as when a ClientHello
    // overtakes the answer; it is given later, and until then there are no keys.
    std::string peer_fingerprint = {};
    // The most wanted first.
    std::vector<std::uint16_t> profiles = {
        srtp_profile::aead_aes_256_gcm, srtp_profile::aead_aes_128_gcm,
        srtp_profile::aes128_cm_sha1_80, srtp_profile::aes128_cm_sha1_32};
    std::uint16_t mtu = 1200;                    // octets of a datagram
    Duration first_timeout = milliseconds(1000); // doubles [RFC 6347 §4.2.4.1]
    Duration give_up = seconds(32);
    // Gets each line of the NSS key log format. Secret. Null: nobody does.
    std::function<void(std::string_view line)> key_log = {};
};

// Wiped at its end.
struct DtlsSrtpKeys {
    std::uint16_t profile = 0;
    std::vector<std::uint8_t> send;    // master key and master salt of what we send
    std::vector<std::uint8_t> receive; // of what the peer sends

    DtlsSrtpKeys() = default;
    ~DtlsSrtpKeys();
    DtlsSrtpKeys(const DtlsSrtpKeys&) = default;
    DtlsSrtpKeys& operator=(const DtlsSrtpKeys&) = default;
};

class Dtls {
  public:
    enum class State : std::uint8_t { Idle, Handshaking, Established, Failed, Closed };

    // Fails with a sentence: a profile that OpenSSL does not have, a fingerprint that is none.
    static std::expected<Dtls, std::string> make(std::shared_ptr<const DtlsIdentity> identity,
                                                 const DtlsSettings& settings);
    ~Dtls();
    Dtls(Dtls&&) noexcept;
    Dtls& operator=(Dtls&&) noexcept;

    // A client sends its ClientHello; a server waits.
    void start(Instant now);
    // A datagram whose first octet says DTLS (20 to 63) [RFC 7983 §7].
    void receive(Bytes datagram, Instant now);
    // Retransmits what was not answered, or gives up.
    void advance(Instant now);
    // When advance() is to be called; not known(): no need.
    [[nodiscard]] Instant next_deadline(Instant now) const;
    // What is to be sent now.
    std::vector<std::vector<std::uint8_t>> take();
    // close_notify.
    void close();

    // The answer has come, with this fingerprint. Another certificate that was shown before is
    // refused now.
    void set_peer_fingerprint(std::string_view fingerprint);

    [[nodiscard]] State state() const;
    // Why it failed: "the peer's certificate is not the one of its fingerprint", "alert …".
    [[nodiscard]] const std::string& why() const;
    // When Established and the peer's certificate is proved to be the right one.
    [[nodiscard]] std::optional<DtlsSrtpKeys> keys() const;
    [[nodiscard]] std::string peer_fingerprint() const; // "sha-256 …" of what it showed; empty

  private:
    struct Impl;
    explicit Dtls(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace cw::net
