#include "net/dtls.hpp"

#include <algorithm>
#include <array>

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>

#include "net/fingerprint.hpp"

namespace cw::net {
namespace {

// [RFC 5764 §4.2]
constexpr std::string_view exporter_label = "EXTRACTOR-dtls_srtp";
constexpr std::string_view wrong_certificate =
    "the peer's certificate is not the one of its fingerprint";

struct Profile {
    std::uint16_t number;
    const char* name; // OpenSSL's
    std::size_t key;
    std::size_t salt;
};
constexpr std::array<Profile, 4> profiles{{
    {srtp_profile::aes128_cm_sha1_80, "SRTP_AES128_CM_SHA1_80", 16, 14},
    {srtp_profile::aes128_cm_sha1_32, "SRTP_AES128_CM_SHA1_32", 16, 14},
    {srtp_profile::aead_aes_128_gcm, "SRTP_AEAD_AES_128_GCM", 16, 12},
    {srtp_profile::aead_aes_256_gcm, "SRTP_AEAD_AES_256_GCM", 32, 12},
}};

const Profile* profile_of(std::uint16_t number) {
    const auto* found = std::ranges::find(profiles, number, &Profile::number);
    return found == profiles.end() ? nullptr : found;
}

void wipe(std::vector<std::uint8_t>& octets) {
    OPENSSL_cleanse(octets.data(), octets.size());
}

// One datagram that is being read, and those that were written: what OpenSSL has for a socket.
struct Datagrams {
    Bytes in;
    std::vector<std::vector<std::uint8_t>> out;
    std::uint16_t mtu = 1200;
};

int read_datagram(BIO* bio, char* to, int size) {
    auto& datagrams = *static_cast<Datagrams*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (datagrams.in.empty()) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const auto count = std::min(datagrams.in.size(), static_cast<std::size_t>(size));
    std::copy_n(datagrams.in.begin(), count, reinterpret_cast<std::uint8_t*>(to));
    datagrams.in = {}; // as from a socket: what does not fit is lost
    return static_cast<int>(count);
}

int write_datagram(BIO* bio, const char* from, int size) {
    auto& datagrams = *static_cast<Datagrams*>(BIO_get_data(bio));
    const auto* octets = reinterpret_cast<const std::uint8_t*>(from);
    datagrams.out.emplace_back(octets, octets + size);
    return size;
}

long control_datagrams(BIO* bio, int what, long, void*) {
    const auto& datagrams = *static_cast<const Datagrams*>(BIO_get_data(bio));
    switch (what) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return datagrams.mtu;
    default:
        return 0;
    }
}

BIO_METHOD* datagram_method() {
    static BIO_METHOD* const method = [] {
        auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
        BIO_meth_set_read(made, read_datagram);
        BIO_meth_set_write(made, write_datagram);
        BIO_meth_set_ctrl(made, control_datagrams);
        return made;
    }();
    return method;
}

} // namespace

DtlsSrtpKeys::~DtlsSrtpKeys() {
    wipe(send);
    wipe(receive);
}

struct Dtls::Impl {
    std::shared_ptr<const DtlsIdentity> identity;
    DtlsSettings settings;
    std::optional<Fingerprint> expected;
    Datagrams datagrams;
    std::unique_ptr<SSL_CTX, FreeTls> context;
    Ssl ssl;
    State state = State::Idle;
    std::string why;
    Instant started;

    std::string prepare();
    void step();
    void fail(std::string reason);
    [[nodiscard]] bool shows_the_expected_certificate() const;

    static int verify(X509_STORE_CTX* store, void* self);
    static unsigned next_timeout(SSL* ssl, unsigned microseconds);
};

// The chain of a certificate that somebody made for himself proves nothing; its fingerprint does.
int Dtls::Impl::verify(X509_STORE_CTX* store, void* self) {
    const auto& dtls = *static_cast<const Impl*>(self);
    const auto* certificate = X509_STORE_CTX_get0_cert(store);
    const bool right =
        certificate != nullptr &&
        (!dtls.expected || fingerprint_of(certificate, dtls.expected->hash) == dtls.expected->text);
    X509_STORE_CTX_set_error(store, right ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    return right ? 1 : 0;
}

unsigned Dtls::Impl::next_timeout(SSL* ssl, unsigned microseconds) {
    const auto& dtls = *static_cast<const Impl*>(SSL_get_app_data(ssl));
    constexpr unsigned longest = 60'000'000; // [RFC 6347 §4.2.4.1]
    const auto first = static_cast<unsigned>(dtls.settings.first_timeout.ns / 1000);
    return microseconds == 0 ? first : std::min(2 * microseconds, longest);
}

// Empty when all is well.
std::string Dtls::Impl::prepare() {
    std::string wanted;
    for (const auto number : settings.profiles) {
        const auto* profile = profile_of(number);
        if (profile == nullptr) {
            return "an SRTP protection profile that is not known";
        }
        wanted += (wanted.empty() ? "" : ":") + std::string{profile->name};
    }
    context.reset(SSL_CTX_new(DTLS_method()));
    auto* c = context.get();
    // The function returns 0 when it succeeds.
    if (c == nullptr || SSL_CTX_set_tlsext_use_srtp(c, wanted.c_str()) != 0 ||
        SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) != 1 ||
        SSL_CTX_use_certificate(c, identity->certificate_) != 1 ||
        SSL_CTX_use_PrivateKey(c, identity->key_) != 1) {
        return last_tls_error(nullptr);
    }
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(c, verify, this);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    if (settings.key_log) {
        SSL_CTX_set_keylog_callback(c, [](const SSL* of, const char* line) {
            static_cast<const Impl*>(SSL_get_app_data(of))->settings.key_log(line);
        });
    }
    ssl.reset(SSL_new(c));
    BIO* bio = BIO_new(datagram_method());
    if (ssl == nullptr || bio == nullptr) {
        BIO_free(bio);
        return "OpenSSL has no memory";
    }
    datagrams.mtu = settings.mtu;
    BIO_set_data(bio, &datagrams);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    SSL_set_app_data(ssl.get(), this);
    SSL_set_options(ssl.get(), SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
    DTLS_set_link_mtu(ssl.get(), settings.mtu);
    DTLS_set_timer_cb(ssl.get(), next_timeout);
    if (settings.client) {
        SSL_set_connect_state(ssl.get());
    } else {
        SSL_set_accept_state(ssl.get());
    }
    return {};
}

void Dtls::Impl::fail(std::string reason) {
    state = State::Failed;
    why = std::move(reason);
}

bool Dtls::Impl::shows_the_expected_certificate() const {
    const auto* certificate = SSL_get0_peer_certificate(ssl.get());
    return certificate != nullptr && expected &&
           fingerprint_of(certificate, expected->hash) == expected->text;
}

void Dtls::Impl::step() {
    ERR_clear_error();
    if (state == State::Handshaking) {
        const int done = SSL_do_handshake(ssl.get());
        if (done == 1) {
            if (SSL_get_selected_srtp_profile(ssl.get()) == nullptr) {
                fail("the peer takes none of our SRTP protection profiles");
            } else {
                state = State::Established;
            }
        } else if (SSL_get_error(ssl.get(), done) != SSL_ERROR_WANT_READ) {
            const bool refused = SSL_get_verify_result(ssl.get()) == X509_V_ERR_CERT_REJECTED;
            auto reason = last_tls_error(ssl.get());
            fail(refused ? std::string{wrong_certificate} : std::move(reason));
        }
        return;
    }
    if (state == State::Established) {
        // Nothing but SRTP goes over this association; what is read is retransmissions and alerts.
        std::array<std::uint8_t, 256> nothing{};
        const int read = SSL_read(ssl.get(), nothing.data(), static_cast<int>(nothing.size()));
        const int error = read > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl.get(), read);
        if (error == SSL_ERROR_ZERO_RETURN) {
            state = State::Closed;
        } else if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ) {
            fail(last_tls_error(ssl.get()));
        }
    }
}

Dtls::Dtls(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dtls::~Dtls() = default;
Dtls::Dtls(Dtls&&) noexcept = default;
Dtls& Dtls::operator=(Dtls&&) noexcept = default;

std::expected<Dtls, std::string> Dtls::make(std::shared_ptr<const DtlsIdentity> identity,
                                            const DtlsSettings& settings) {
    auto impl = std::make_unique<Impl>();
    impl->identity = std::move(identity);
    impl->settings = settings;
    if (!settings.peer_fingerprint.empty()) {
        impl->expected = parse_fingerprint(settings.peer_fingerprint);
        if (!impl->expected) {
            return std::unexpected(
                "a=fingerprint is not sha-256, sha-384 or sha-512 with its octets");
        }
    }
    if (auto wrong = impl->prepare(); !wrong.empty()) {
        return std::unexpected(std::move(wrong));
    }
    return Dtls{std::move(impl)};
}

void Dtls::start(Instant now) {
    if (impl_->state == State::Idle) {
        impl_->state = State::Handshaking;
        impl_->started = now;
        impl_->step();
    }
}

void Dtls::receive(Bytes datagram, Instant now) {
    start(now);
    if (impl_->state == State::Handshaking || impl_->state == State::Established) {
        impl_->datagrams.in = datagram;
        impl_->step();
        impl_->datagrams.in = {};
    }
}

void Dtls::advance(Instant now) {
    if (impl_->state != State::Handshaking) {
        return;
    }
    if (now - impl_->started >= impl_->settings.give_up) {
        impl_->fail("the DTLS handshake was not answered in time");
    } else if (DTLSv1_handle_timeout(impl_->ssl.get()) < 0) {
        impl_->fail(last_tls_error(impl_->ssl.get()));
    }
}

Instant Dtls::next_deadline(Instant now) const {
    if (impl_->state != State::Handshaking) {
        return {};
    }
    const auto end = impl_->started + impl_->settings.give_up;
    timeval left{};
    if (DTLSv1_get_timeout(impl_->ssl.get(), &left) != 1) {
        return end;
    }
    return std::min(end, now + seconds(left.tv_sec) + microseconds(left.tv_usec));
}

std::vector<std::vector<std::uint8_t>> Dtls::take() {
    return std::exchange(impl_->datagrams.out, {});
}

void Dtls::close() {
    if (impl_->state == State::Established) {
        SSL_shutdown(impl_->ssl.get());
        impl_->state = State::Closed;
    }
}

void Dtls::set_peer_fingerprint(std::string_view fingerprint) {
    impl_->expected = parse_fingerprint(fingerprint);
    if (!impl_->expected) {
        impl_->fail("a=fingerprint is not sha-256, sha-384 or sha-512 with its octets");
    } else if (impl_->state == State::Established && !impl_->shows_the_expected_certificate()) {
        impl_->fail(std::string{wrong_certificate});
    }
}

Dtls::State Dtls::state() const {
    return impl_->state;
}
const std::string& Dtls::why() const {
    return impl_->why;
}

std::string Dtls::peer_fingerprint() const {
    const auto* certificate = SSL_get0_peer_certificate(impl_->ssl.get());
    return certificate != nullptr ? fingerprint_of(certificate, FingerprintHash::Sha256) : "";
}

// [RFC 5764 §4.2] The client's key, the server's key, the client's salt, the server's salt.
std::optional<DtlsSrtpKeys> Dtls::keys() const {
    const auto* selected = SSL_get_selected_srtp_profile(impl_->ssl.get());
    if (impl_->state != State::Established || !impl_->shows_the_expected_certificate() ||
        selected == nullptr) {
        return std::nullopt;
    }
    const auto* profile = profile_of(static_cast<std::uint16_t>(selected->id));
    if (profile == nullptr) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> material(2 * (profile->key + profile->salt));
    if (SSL_export_keying_material(impl_->ssl.get(), material.data(), material.size(),
                                   exporter_label.data(), exporter_label.size(), nullptr, 0,
                                   0) != 1) {
        return std::nullopt;
    }
    const auto part = [&](bool server) {
        const Bytes all{material};
        const auto key = all.subspan(server ? profile->key : 0, profile->key);
        const auto salt =
            all.subspan(2 * profile->key + (server ? profile->salt : 0), profile->salt);
        std::vector<std::uint8_t> out(key.begin(), key.end());
        out.insert(out.end(), salt.begin(), salt.end());
        return out;
    };
    DtlsSrtpKeys out;
    out.profile = profile->number;
    out.send = part(!impl_->settings.client);
    out.receive = part(impl_->settings.client);
    wipe(material);
    return out;
}

} // namespace cw::net
