// Answers calls for the benchmarks of load generators, over UDP and TLS, one thread, with as little
// work as can be: INVITE by 180 and 200, everything else but ACK by 200.
//   answerer --ca FILE
// Writes its certificate, self-signed, to FILE, prints `udp PORT tls PORT` and goes on until its
// standard input ends.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace {

constexpr std::string_view description =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

[[noreturn]] void stop(const char* what) {
    throw std::runtime_error(what);
}

// The value of a header, by its name at the beginning of a line; the line with its end.
std::string_view line_of(std::string_view head, std::string_view name) {
    const auto at = head.find(name);
    return at == std::string_view::npos ? std::string_view{}
                                        : head.substr(at, head.find("\r\n", at + 2) - at);
}

void answer(std::string_view head, std::string_view status, bool session, std::uint16_t port,
            std::string_view over, std::string& out) {
    out += "SIP/2.0 ";
    out += status;
    for (auto at = head.find("\r\nVia:"); at != std::string_view::npos;
         at = head.find("\r\nVia:", at + 2)) {
        out += line_of(head.substr(at), "\r\nVia:");
    }
    out += line_of(head, "\r\nFrom:");
    const auto to = line_of(head, "\r\nTo:");
    out += to;
    if (to.find(";tag=") == std::string_view::npos) {
        static std::uint32_t count = 0;
        out += ";tag=callee" + std::to_string(++count);
    }
    out += line_of(head, "\r\nCall-ID:");
    out += line_of(head, "\r\nCSeq:");
    out += "\r\nContact: <sip:bob@127.0.0.1:" + std::to_string(port);
    out += over;
    out += ">";
    if (session) {
        out += "\r\nContent-Type: application/sdp\r\nContent-Length: ";
        out += std::to_string(description.size());
        out += "\r\n\r\n";
        out += description;
    } else {
        out += "\r\nContent-Length: 0\r\n\r\n";
    }
}

// The first message of `in`, its answers appended to `out`; how long it is, 0 while it is not
// whole.
std::size_t take(std::string_view in, std::uint16_t port, std::string_view over,
                 std::array<std::string, 2>& out) {
    const auto end = in.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        return 0;
    }
    const auto head = in.substr(0, end + 2);
    const auto length = line_of(head, "\r\nContent-Length:");
    const auto body = length.empty() ? 0 : std::strtoul(length.data() + 17, nullptr, 10);
    if (in.size() < end + 4 + body) {
        return 0;
    }
    if (head.starts_with("INVITE ")) {
        answer(head, "180 Ringing", false, port, over, out[0]);
        answer(head, "200 OK", true, port, over, out[1]);
    } else if (!head.starts_with("ACK ") && !head.starts_with("SIP/")) {
        answer(head, "200 OK", false, port, over, out[0]);
    }
    return end + 4 + body;
}

int listening(int type, std::uint16_t& port) {
    const int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int room = 8 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    socklen_t size = sizeof at;
    if (bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0 ||
        (type == SOCK_STREAM && listen(fd, 4096) != 0)) {
        stop("no socket");
    }
    port = ntohs(at.sin_port);
    return fd;
}

SSL_CTX* make_context(const char* ca_file) {
    auto* key = EVP_EC_gen("P-256");
    auto* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    auto* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    for (const auto& [nid, text] : {std::pair{NID_basic_constraints, "critical,CA:TRUE"},
                                    std::pair{NID_subject_alt_name, "DNS:localhost"}}) {
        auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, text);
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
    auto* file = std::fopen(ca_file, "w");
    if (file == nullptr || PEM_write_X509(file, certificate) != 1) {
        stop("the certificate cannot be written");
    }
    std::fclose(file);
    auto* context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

class Answerer {
  public:
    explicit Answerer(const char* ca_file)
        : context_(make_context(ca_file)), udp_(listening(SOCK_DGRAM, udp_port_)),
          tls_(listening(SOCK_STREAM, tls_port_)), epoll_(epoll_create1(0)) {
        for (const int fd : {udp_, tls_, STDIN_FILENO}) {
            watch(fd, EPOLLIN, EPOLL_CTL_ADD);
        }
        std::printf("udp %u tls %u\n", unsigned{udp_port_}, unsigned{tls_port_});
        std::fflush(stdout);
    }

    void run() {
        for (;;) {
            std::array<epoll_event, 256> events{};
            const int count = epoll_wait(epoll_, events.data(), int{events.size()}, -1);
            for (int i = 0; i < count; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == STDIN_FILENO) {
                    std::array<char, 64> rest{};
                    if (read(fd, rest.data(), rest.size()) <= 0) {
                        return;
                    }
                } else if (fd == udp_) {
                    read_datagrams();
                } else if (fd == tls_) {
                    accept_all();
                } else {
                    serve(fd);
                }
            }
        }
    }

  private:
    struct Peer {
        SSL* ssl = nullptr;
        std::string in, out;
    };

    void watch(int fd, std::uint32_t events, int how) const {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        epoll_ctl(epoll_, how, fd, &event);
    }

    void read_datagrams() {
        std::array<char, 65536> bytes;
        sockaddr_in from{};
        for (int i = 0; i < 64; ++i) {
            socklen_t size = sizeof from;
            const auto length = recvfrom(udp_, bytes.data(), bytes.size(), 0,
                                         reinterpret_cast<sockaddr*>(&from), &size);
            if (length <= 0) {
                return;
            }
            std::array<std::string, 2> out;
            take({bytes.data(), static_cast<std::size_t>(length)}, udp_port_, "", out);
            for (const auto& one : out) {
                if (!one.empty()) {
                    sendto(udp_, one.data(), one.size(), 0, reinterpret_cast<sockaddr*>(&from),
                           size);
                }
            }
        }
    }

    void accept_all() {
        for (;;) {
            const int fd = accept4(tls_, nullptr, nullptr, SOCK_NONBLOCK);
            if (fd < 0) {
                return;
            }
            const int yes = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            auto& peer = peers_[fd];
            peer.ssl = SSL_new(context_);
            SSL_set_fd(peer.ssl, fd);
            SSL_set_accept_state(peer.ssl);
            watch(fd, EPOLLIN, EPOLL_CTL_ADD);
        }
    }

    void serve(int fd) {
        auto& peer = peers_[fd];
        std::array<char, 16384> bytes;
        int got = 0;
        while ((got = SSL_read(peer.ssl, bytes.data(), int{bytes.size()})) > 0) {
            peer.in.append(bytes.data(), static_cast<std::size_t>(got));
        }
        const bool open = SSL_get_error(peer.ssl, got) == SSL_ERROR_WANT_READ;
        std::array<std::string, 2> out;
        std::size_t done = 0;
        while (const auto length =
                   take(std::string_view{peer.in}.substr(done), tls_port_, ";transport=tls", out)) {
            done += length;
            peer.out += out[0] + out[1];
            out = {};
        }
        peer.in.erase(0, done);
        while (!peer.out.empty()) {
            const int sent =
                SSL_write(peer.ssl, peer.out.data(), static_cast<int>(peer.out.size()));
            if (sent <= 0) {
                break;
            }
            peer.out.erase(0, static_cast<std::size_t>(sent));
        }
        if (!open) {
            SSL_free(peer.ssl);
            peers_.erase(fd);
            close(fd);
            return;
        }
        watch(fd, peer.out.empty() ? std::uint32_t{EPOLLIN} : EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }

    SSL_CTX* context_;
    std::uint16_t udp_port_ = 0;
    std::uint16_t tls_port_ = 0;
    int udp_;
    int tls_;
    int epoll_;
    std::map<int, Peer> peers_;
};

} // namespace

int main(int argc, char** argv) {
    try {
        if (argc != 3 || std::string_view{argv[1]} != "--ca") {
            stop("usage: answerer --ca FILE");
        }
        std::signal(SIGPIPE, SIG_IGN);
        rlimit files{};
        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        Answerer{argv[2]}.run();
        return 0;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "answerer: %s\n", problem.what());
        return 1;
    }
}
