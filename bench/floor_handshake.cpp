// The floor of a TLS handshake: what OpenSSL needs on the server's side of a full TLS 1.3 handshake
// with an ECDSA P-256 certificate, and of one that is resumed by ticket (with a key exchange of its
// own [RFC 8446 §4.2.9] in TLS 1.3, without in TLS 1.2), in memory, no sockets. Prints
// `us_per_handshake N us_per_resumption N us_per_resumption_tls12 N`.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace {

double cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

Context make_server() {
    Context context{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context.get(), certificate);
    SSL_CTX_use_PrivateKey(context.get(), key);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1); // as ours
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

struct Session {
    SSL_SESSION* latest = nullptr;
};

// CPU time that the server's side took, its object included. `session`: to be resumed, unless it
// has none; the one that this connection is given.
double handshake(SSL_CTX* server_context, SSL_CTX* client_context, Session& session) {
    BIO* a = nullptr;
    BIO* b = nullptr;
    BIO_new_bio_pair(&a, 32'768, &b, 32'768);
    const Ssl client{SSL_new(client_context), SSL_free};
    SSL_set_bio(client.get(), b, b);
    SSL_set_connect_state(client.get());
    const bool resumes = session.latest != nullptr;
    if (resumes) {
        SSL_set_session(client.get(), session.latest);
        SSL_SESSION_free(session.latest);
        session.latest = nullptr;
    }
    auto begin = cpu_us();
    Ssl server{SSL_new(server_context), SSL_free};
    SSL_set_bio(server.get(), a, a);
    SSL_set_accept_state(server.get());
    double spent = cpu_us() - begin;
    for (int turn = 0; turn < 4; ++turn) {
        SSL_do_handshake(client.get());
        begin = cpu_us();
        SSL_do_handshake(server.get());
        spent += cpu_us() - begin;
    }
    if (resumes != (SSL_session_reused(client.get()) == 1)) {
        fmt::print(stderr, "floor_handshake: not resumed\n");
        std::exit(1);
    }
    char nothing = 0;
    SSL_read(client.get(), &nothing, 1); // takes the ticket
    session.latest = SSL_get1_session(client.get());
    SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    begin = cpu_us();
    server.reset();
    return spent + cpu_us() - begin;
}

double median_of_rounds(SSL_CTX* server, SSL_CTX* client, bool resumed) {
    std::vector<double> rounds;
    Session session;
    for (int round = 0; round < 5; ++round) {
        double total = 0;
        for (int i = 0; i < 500; ++i) {
            if (!resumed) {
                SSL_SESSION_free(std::exchange(session.latest, nullptr));
            } else if (session.latest == nullptr) {
                handshake(server, client, session);
            }
            total += handshake(server, client, session);
        }
        rounds.push_back(total / 500);
    }
    SSL_SESSION_free(session.latest);
    std::ranges::sort(rounds);
    return rounds[2];
}

} // namespace

int main() {
    const auto server = make_server();
    const Context client{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    const Context client_tls12{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    SSL_CTX_set_max_proto_version(client_tls12.get(), TLS1_2_VERSION);
    fmt::print("us_per_handshake {:.1f} us_per_resumption {:.1f} us_per_resumption_tls12 {:.1f}\n",
               median_of_rounds(server.get(), client.get(), false),
               median_of_rounds(server.get(), client.get(), true),
               median_of_rounds(server.get(), client_tls12.get(), true));
    return 0;
}
