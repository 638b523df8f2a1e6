// A phone for tests: one blocking connection to a server on loopback, by TCP or TLS. Says what it
// is told to, and gives back whole messages. Every wait ends after ten seconds.
#pragma once

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/time.h>

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "net/socket.hpp"
#include "sip/frame.hpp"
#include "sip/message.hpp"

namespace cw::host::test {

class Phone {
  public:
    // `ca` empty: TCP.
    Phone(std::string name, const Endpoint& server, const std::string& ca)
        : name_(std::move(name)) {
        fd_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const timeval patience{10, 0};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_storage address{};
        const auto length = net::to_sockaddr(server, address);
        connected_ = connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
        local_ = net::local_endpoint(fd_.get());
        if (connected_ && !ca.empty()) {
            start_tls(ca);
        }
    }
    [[nodiscard]] bool connected() const { return connected_; }
    [[nodiscard]] bool encrypted() const { return ssl_ != nullptr; }

    bool write(std::string_view bytes) {
        if (ssl_ != nullptr) {
            return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
        }
        return send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size());
    }
    // Whatever comes next; empty when the connection has ended.
    std::string read_some() {
        std::string buffer(65'536, '\0');
        const auto got = ssl_ != nullptr
                             ? SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()))
                             : recv(fd_.get(), buffer.data(), buffer.size(), 0);
        buffer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return buffer;
    }
    // The next message; empty when the connection has ended.
    std::string read() {
        for (;;) {
            const auto framed = sip::frame(as_bytes(std::string_view{in_}), policy());
            if (const auto* frame = std::get_if<sip::Frame>(&framed)) {
                auto text = in_.substr(0, frame->size());
                in_.erase(0, frame->size());
                if (frame->kind == sip::Frame::Kind::Message) {
                    return text;
                }
                continue;
            }
            const auto more = read_some();
            if (more.empty()) {
                return {};
            }
            in_ += more;
        }
    }
    // The next response that is final, or the next request.
    std::string read_final() {
        auto text = read();
        while (text.starts_with("SIP/2.0 1")) {
            text = read();
        }
        return text;
    }

    std::string request(std::string_view method, std::string_view uri, std::string_view to,
                        std::string_view more = {}, int cseq = 0) {
        cseq_ = cseq != 0 ? cseq : cseq_ + 1;
        return fmt::format(
            "{0} {1} SIP/2.0\r\nVia: SIP/2.0/{2} {3};rport;branch=z9hG4bK{4}-{5}-{0}\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:{4}@localhost>;tag=from-{4}\r\nTo: {6}\r\n"
            "Call-ID: call-of-{4}\r\nCSeq: {5} {0}\r\nContact: {7}\r\n"
            "{8}Content-Length: 0\r\n\r\n",
            method, uri, ssl_ != nullptr ? "TLS" : "TCP", to_string(local_), name_, cseq_, to,
            contact(), more);
    }
    [[nodiscard]] std::string contact() const {
        return fmt::format("<sip:{}@{};transport={}>", name_, to_string(local_),
                           ssl_ != nullptr ? "tls" : "tcp");
    }
    std::string do_register() {
        write(request("REGISTER", "sip:localhost", aor(), "Expires: 600\r\n"));
        return status_of(read());
    }
    [[nodiscard]] std::string aor() const { return "<sip:" + name_ + "@localhost>"; }

    // A response to `text`, with our tag.
    std::string response(std::string_view text, std::string_view status) const {
        sip::HeaderIndex index;
        const auto message = sip::index(text, index);
        std::string out = fmt::format("SIP/2.0 {}\r\n", status);
        for (const auto& header : message->headers()) {
            using enum sip::HeaderId;
            if (header.id == Via || header.id == RecordRoute || header.id == From ||
                header.id == CallId || header.id == CSeq) {
                out += fmt::format("{}: {}\r\n", header.name, header.value);
            } else if (header.id == To) {
                out += fmt::format("To: {}{}\r\n", header.value,
                                   header.value.contains(";tag=") ? "" : ";tag=to-" + name_);
            }
        }
        return out + fmt::format("Contact: {}\r\nContent-Length: 0\r\n\r\n", contact());
    }
    static std::string status_of(std::string_view text) {
        return std::string{text.substr(0, text.find('\r'))};
    }
    static std::string value_of(std::string_view text, sip::HeaderId id) {
        sip::HeaderIndex index;
        const auto message = sip::index(text, index);
        return message ? std::string{message->value(id)} : "";
    }
    // "Route: …" lines, for who has got `response`.
    static std::string routes_of(std::string_view response) {
        sip::HeaderIndex index;
        const auto message = sip::index(response, index);
        std::string routes;
        for (const auto& header : message->headers()) {
            if (header.id == sip::HeaderId::RecordRoute) {
                routes = fmt::format("Route: {}\r\n", header.value) + routes;
            }
        }
        return routes;
    }

  private:
    static const sip::Policy& policy() {
        static constexpr sip::Policy strict = sip::Policy::strict();
        return strict;
    }
    void start_tls(const std::string& ca) {
        context_.reset(SSL_CTX_new(TLS_client_method()));
        EXPECT_EQ(SSL_CTX_load_verify_file(context_.get(), ca.c_str()), 1);
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_fd(ssl_.get(), fd_.get());
        SSL_set_tlsext_host_name(ssl_.get(), "localhost");
        SSL_set1_host(ssl_.get(), "localhost");
        connected_ = SSL_connect(ssl_.get()) == 1;
    }

    std::string name_;
    net::Descriptor fd_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, SSL_CTX_free};
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
    Endpoint local_;
    bool connected_ = false;
    std::string in_;
    int cseq_ = 0;
};

} // namespace cw::host::test
