#include "host/probe/wire.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/tls/hello.hpp"
#include "net/loop.hpp"
#include "net/tls_facts.hpp"

namespace cw::host {
namespace {

constexpr std::size_t most_steps = 64;
constexpr std::size_t largest_read = 65536;

std::string words_of(int error) {
    std::array<char, 128> buffer{};
    std::string text = ::strerror_r(error, buffer.data(), buffer.size());
    if (!text.empty()) {
        text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
    }
    return text;
}

// [RFC 8446 §4; RFC 5246 §7.4]
const char* name_of(std::uint8_t type) {
    switch (type) {
    case SSL3_MT_CLIENT_HELLO:
        return "ClientHello";
    case SSL3_MT_SERVER_HELLO:
        return "ServerHello";
    case SSL3_MT_NEWSESSION_TICKET:
        return "NewSessionTicket";
    case SSL3_MT_ENCRYPTED_EXTENSIONS:
        return "EncryptedExtensions";
    case SSL3_MT_CERTIFICATE:
        return "Certificate";
    case SSL3_MT_SERVER_KEY_EXCHANGE:
        return "ServerKeyExchange";
    case SSL3_MT_CERTIFICATE_REQUEST:
        return "CertificateRequest";
    case SSL3_MT_SERVER_DONE:
        return "ServerHelloDone";
    case SSL3_MT_CERTIFICATE_VERIFY:
        return "CertificateVerify";
    case SSL3_MT_CLIENT_KEY_EXCHANGE:
        return "ClientKeyExchange";
    case SSL3_MT_FINISHED:
        return "Finished";
    case SSL3_MT_CERTIFICATE_STATUS:
        return "CertificateStatus";
    case SSL3_MT_KEY_UPDATE:
        return "KeyUpdate";
    default:
        return "handshake message";
    }
}

// OpenSSL's names of alerts have blanks; the model has those of the RFCs.
std::string_view alert_name(std::uint8_t number) {
    switch (number) {
    case 0:
        return "close_notify";
    case 10:
        return "unexpected_message";
    case 20:
        return "bad_record_mac";
    case 40:
        return "handshake_failure";
    case 42:
        return "bad_certificate";
    case 43:
        return "unsupported_certificate";
    case 44:
        return "certificate_revoked";
    case 45:
        return "certificate_expired";
    case 46:
        return "certificate_unknown";
    case 47:
        return "illegal_parameter";
    case 48:
        return "unknown_ca";
    case 49:
        return "access_denied";
    case 50:
        return "decode_error";
    case 51:
        return "decrypt_error";
    case 70:
        return "protocol_version";
    case 71:
        return "insufficient_security";
    case 80:
        return "internal_error";
    case 90:
        return "user_canceled";
    case 109:
        return "missing_extension";
    case 110:
        return "unsupported_extension";
    case 112:
        return "unrecognized_name";
    case 116:
        return "certificate_required";
    case 120:
        return "no_application_protocol";
    default:
        return {};
    }
}

void on_message(int written, int, int type, const void* data, std::size_t size, SSL*, void* log) {
    auto& to = *static_cast<HandshakeLog*>(log);
    const Bytes bytes{static_cast<const std::uint8_t*>(data), size};
    if (type == SSL3_RT_HANDSHAKE) {
        to.on_handshake(written != 0, bytes, net::Loop::now());
    } else if (type == SSL3_RT_ALERT) {
        to.on_alert(written != 0, bytes, net::Loop::now());
    }
}

std::string short_version(std::string_view version) { // "TLSv1.3" → "1.3"
    return std::string{version.starts_with("TLSv") ? version.substr(4) : version};
}

} // namespace

void HandshakeLog::on_handshake(bool from_client, Bytes message, Instant now) {
    if (message.size() < 4 || steps.size() >= most_steps) {
        return;
    }
    flow::HandshakeStep step{
        .time = now, .from_client = from_client, .name = name_of(message[0]), .detail = {}};
    const auto body = message.subspan(4);
    if (message[0] == SSL3_MT_CLIENT_HELLO) {
        if (const auto hello = capture::tls::parse_client_hello(body)) {
            offered = hello->offered;
            step.detail = hello->sni.empty() ? "without a name" : "for " + hello->sni;
            step.detail += hello->psk || !hello->ticket.empty() ? ", to resume" : "";
        }
    } else if (message[0] == SSL3_MT_SERVER_HELLO) {
        const auto hello = capture::tls::parse_server_hello(body);
        if (hello && hello->retry) {
            hello_retry = true;
            step.name = "HelloRetryRequest"; // [RFC 8446 §4.1.4]
        }
    } else if (message[0] == SSL3_MT_CERTIFICATE) {
        step.detail = fmt::format("{} bytes", body.size());
    } else if (message[0] == SSL3_MT_CERTIFICATE_REQUEST) {
        certificate_asked = true;
    } else if (message[0] == SSL3_MT_NEWSESSION_TICKET) {
        ticket = true;
    }
    steps.push_back(std::move(step));
}

void HandshakeLog::on_alert(bool from_client, Bytes alert, Instant now) {
    if (alert.size() != 2 || alerts.size() >= most_steps) {
        return;
    }
    constexpr std::uint8_t fatal = 2;
    alerts.push_back({.time = now,
                      .from_client = from_client,
                      .fatal = alert[0] == fatal,
                      .number = alert[1],
                      .name = alert_name(alert[1])});
}

Wire::Outcome Wire::wait(short events, Instant deadline) const {
    while (true) {
        const auto left = deadline - net::Loop::now();
        const auto ms = std::clamp<std::int64_t>(left.ns / 1'000'000 + 1, 0, 3'600'000);
        if (left <= Duration{}) {
            return {End::TimedOut, "no answer in time"};
        }
        pollfd entry{.fd = fd_.get(), .events = events, .revents = 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(ms));
        if (ready > 0) {
            return {};
        }
        if (ready < 0 && errno != EINTR) {
            return {End::Failed, words_of(errno)};
        }
    }
}

Wire::Outcome Wire::connect(const Endpoint& to, Instant deadline) {
    auto opened = net::connect_stream(to);
    remote_ = to;
    if (!opened) {
        return {End::Failed, opened.error()};
    }
    fd_ = std::move(*opened);
    local_ = net::local_endpoint(fd_.get());
    if (auto ready = wait(POLLOUT, deadline); !ready.good()) {
        return ready;
    }
    if (const int error = net::connect_result(fd_.get()); error != 0) {
        return {End::Failed, words_of(error)};
    }
    local_ = net::local_endpoint(fd_.get());
    connected_ = true;
    return {};
}

Wire::Outcome Wire::connect_datagrams(const Endpoint& to) {
    sockaddr_storage address{};
    const auto size = net::to_sockaddr(to, address);
    remote_ = to;
    fd_ =
        net::Descriptor{::socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd_.open() ||
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
        return {End::Failed, words_of(errno)};
    }
    local_ = net::local_endpoint(fd_.get());
    connected_ = true;
    return {};
}

// What an unfinished call of OpenSSL needs; good() when it is to be called again.
Wire::Outcome Wire::tls_outcome(int result, Instant deadline) {
    const int saved = errno;
    switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
        return wait(POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
        return wait(POLLOUT, deadline);
    case SSL_ERROR_ZERO_RETURN:
        return {End::Closed, "closed by the peer"};
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return saved == 0 ? Outcome{End::Closed, "closed by the peer"}
                          : Outcome{End::Failed, words_of(saved)};
    default:
        break;
    }
    const auto facts = net::tls_facts(ssl_.get());
    const auto code = ERR_peek_error();
    const bool eof = ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    const char* reason = ERR_reason_error_string(code);
    std::string why = reason != nullptr ? reason : "TLS failed";
    ERR_clear_error();
    if (eof) {
        return {End::Closed, "closed by the peer without a word"};
    }
    if (facts.alert_received.value_or(0) != 0) {
        why = "the peer sent the alert \"" + net::alert_text(*facts.alert_received) + "\"";
    }
    return {End::Failed, std::move(why)};
}

Wire::Outcome Wire::secure(SSL_CTX* context, const std::string& name, SSL_SESSION* session,
                           HandshakeLog& log, Instant deadline) {
    ssl_.reset(SSL_new(context));
    if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd_.get()) != 1) {
        return {End::Failed, "no memory for TLS"};
    }
    SSL_set_msg_callback(ssl_.get(), on_message);
    SSL_set_msg_callback_arg(ssl_.get(), &log);
    // [RFC 6066 §3] "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
    if (!name.empty() && !IpAddress::parse(name)) {
        SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
    }
    if (session != nullptr) {
        SSL_set_session(ssl_.get(), session);
    }
    while (true) {
        ERR_clear_error();
        errno = 0;
        const int result = SSL_connect(ssl_.get());
        if (result == 1) {
            break;
        }
        if (auto outcome = tls_outcome(result, deadline); !outcome.good()) {
            return outcome;
        }
    }
    const auto facts = net::tls_facts(ssl_.get());
    for (auto& step : log.steps) {
        if (step.name == "ServerHello") {
            step.detail = fmt::format("TLS {}{}", short_version(facts.version),
                                      facts.resumed ? ", resumed" : "");
        }
    }
    return {};
}

Wire::Outcome Wire::write(std::string_view bytes, Instant deadline) {
    while (!bytes.empty()) {
        long n = 0;
        Outcome outcome;
        if (ssl_ != nullptr) {
            ERR_clear_error();
            errno = 0;
            n = SSL_write(ssl_.get(), bytes.data(),
                          static_cast<int>(std::min<std::size_t>(bytes.size(), 16384)));
            outcome = n > 0 ? Outcome{} : tls_outcome(static_cast<int>(n), deadline);
        } else {
            n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0) {
                outcome = errno == EAGAIN || errno == EINTR ? wait(POLLOUT, deadline)
                                                            : Outcome{End::Failed, words_of(errno)};
            }
        }
        if (!outcome.good()) {
            return outcome;
        }
        if (n > 0) {
            bytes_ += static_cast<std::uint64_t>(n);
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    return {};
}

Wire::Outcome Wire::read(std::string& into, Instant deadline) {
    std::array<char, 16384> block; // filled by the read
    if (into.size() > largest_read) {
        return {End::Failed, "it sends more than can be an answer"};
    }
    while (true) {
        long n = 0;
        Outcome outcome;
        if (ssl_ != nullptr) {
            ERR_clear_error();
            errno = 0;
            n = SSL_read(ssl_.get(), block.data(), static_cast<int>(block.size()));
            outcome = n > 0 ? Outcome{} : tls_outcome(static_cast<int>(n), deadline);
        } else {
            n = ::recv(fd_.get(), block.data(), block.size(), 0);
            if (n < 0) {
                outcome = errno == EAGAIN || errno == EINTR ? wait(POLLIN, deadline)
                                                            : Outcome{End::Failed, words_of(errno)};
            } else if (n == 0) {
                outcome = {End::Closed, "closed by the peer"};
            }
        }
        if (!outcome.good()) {
            return outcome;
        }
        if (n > 0) {
            bytes_ += static_cast<std::uint64_t>(n);
            into.append(block.data(), static_cast<std::size_t>(n));
            return {};
        }
    }
}

void Wire::close() {
    if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) {
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }
    fd_.reset();
}

} // namespace cw::host
