// GnuTLS 3.6.13 and newer: every session gets a key log function of ours, which hands on to the one
// that was there. Declared here rather than included, so that nothing of GnuTLS is needed to build.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "connection.hpp"
#include "loader.hpp"
#include "output.hpp"
#include "sockets.hpp"

#define CALLWRIGHT_HOOK extern "C" __attribute__((visibility("default")))

struct gnutls_session_int;
using Session = gnutls_session_int*;
struct Datum {
    unsigned char* data;
    unsigned size;
};
using SecretFunction = int(Session session, const char* label, const Datum* secret);

CALLWRIGHT_HOOK int gnutls_init(Session* session, unsigned flags);
CALLWRIGHT_HOOK void gnutls_deinit(Session session);
CALLWRIGHT_HOOK void gnutls_session_set_keylog_function(Session session, SecretFunction* function);
CALLWRIGHT_HOOK SecretFunction*
gnutls_session_get_keylog_function(const gnutls_session_int* session);

namespace cw::preload {
namespace {

constexpr const char* gnutls_libraries[] = {"libgnutls.so.30", nullptr};

struct GnuTls {
    std::atomic<bool> ready{false};
    decltype(&::gnutls_init) init = nullptr;
    decltype(&::gnutls_deinit) deinit = nullptr;
    decltype(&::gnutls_session_set_keylog_function) set_function = nullptr;
    decltype(&::gnutls_session_get_keylog_function) get_function = nullptr;
    void (*randoms)(Session, Datum*, Datum*) = nullptr;
    void (*descriptors)(Session, int*, int*) = nullptr;
    int (*version)(Session) = nullptr;
    const char* (*suite)(Session) = nullptr;     // from 3.7.4 on
    std::atomic<SecretFunction*> first{nullptr}; // GnuTLS's own, for SSLKEYLOGFILE
};
constinit GnuTls gnutls;

template <class Function>
void load_gnutls(const void* caller, Function& function, const char* name, const void* own) {
    function = reinterpret_cast<Function>(meant(caller, name, own, gnutls_libraries));
}

// All threads find the same, so that it does no harm when two look at once.
bool is_there(const void* caller) {
    if (gnutls.ready.load(std::memory_order_acquire)) {
        return true;
    }
    const Unseen unseen;
    load_gnutls(caller, gnutls.init, "gnutls_init", reinterpret_cast<void*>(&::gnutls_init));
    if (gnutls.init == nullptr) {
        return false;
    }
    const auto* beside = reinterpret_cast<const void*>(gnutls.init);
    load_gnutls(beside, gnutls.deinit, "gnutls_deinit", reinterpret_cast<void*>(&::gnutls_deinit));
    load_gnutls(beside, gnutls.set_function, "gnutls_session_set_keylog_function",
                reinterpret_cast<void*>(&::gnutls_session_set_keylog_function));
    load_gnutls(beside, gnutls.get_function, "gnutls_session_get_keylog_function",
                reinterpret_cast<void*>(&::gnutls_session_get_keylog_function));
    load_gnutls(beside, gnutls.randoms, "gnutls_session_get_random", nullptr);
    load_gnutls(beside, gnutls.descriptors, "gnutls_transport_get_int2", nullptr);
    load_gnutls(beside, gnutls.version, "gnutls_protocol_get_version", nullptr);
    load_gnutls(beside, gnutls.suite, "gnutls_ciphersuite_get", nullptr);
    gnutls.ready.store(true, std::memory_order_release);
    return true;
}

// --- the functions that programs set themselves, by session: few do

constexpr std::size_t most_own = 4096;
struct Own {
    std::atomic<Session> session{nullptr};
    std::atomic<SecretFunction*> function{nullptr};
};
constinit Own own_functions[most_own];
constinit std::atomic<bool> any_own{false};

Own* slot_of(Session session, bool make) {
    const auto start = (reinterpret_cast<std::uintptr_t>(session) >> 6) % most_own;
    for (std::size_t i = 0; i < most_own; ++i) {
        auto& slot = own_functions[(start + i) % most_own];
        Session there = slot.session.load(std::memory_order_acquire);
        if (there == session) {
            return &slot;
        }
        if (make && there == nullptr && slot.session.compare_exchange_strong(there, session)) {
            return &slot;
        }
    }
    return nullptr;
}

SecretFunction* own_function(Session session) {
    if (any_own.load(std::memory_order_acquire)) {
        if (const auto* slot = slot_of(session, false)) {
            return slot->function.load(std::memory_order_acquire);
        }
    }
    return gnutls.first.load();
}

// --- what GnuTLS tells

// The version as records have it, of GnuTLS's own numbers.
unsigned version_of(int number) {
    switch (number) {
    case 2:
    case 3:
    case 4:
    case 5:
        return 0x0300U + static_cast<unsigned>(number) - 1;
    case 201:
        return 0xfeff;
    case 202:
        return 0xfefd;
    default:
        return 0;
    }
}

int on_secret(Session session, const char* label, const Datum* secret, bool is_server) {
    int status = 0;
    if (auto* own = own_function(session)) {
        status = own(session, label, secret);
    }
    const Unseen unseen;
    Datum client_random{};
    Datum server_random{};
    gnutls.randoms(session, &client_random, &server_random);
    if (client_random.size != 32) {
        return status;
    }
    constexpr unsigned tls13 = 0x0304;
    Connection connection;
    int sending = -1;
    gnutls.descriptors(session, &connection.fd, &sending);
    if (Ends ends;
        !find_ends(connection.fd, false, ends) && !find_ends(connection.fd, true, ends)) {
        connection.fd = -1; // a pointer of the program's that was cut off
    }
    connection.is_server = is_server;
    connection.version = version_of(gnutls.version(session));
    connection.datagrams = connection.version >> 8 == 0xfe;
    const char* suite = gnutls.suite != nullptr ? gnutls.suite(session) : nullptr;
    connection.suite_name = suite != nullptr ? suite : "";
    if (connection.version != tls13 && server_random.size == 32) {
        connection.server_random = server_random.data;
    }
    Text random;
    Text digits;
    random.add_hex(client_random.data, client_random.size);
    digits.add_hex(secret->data, secret->size);
    log_secret(connection, label, {random.data(), random.size()}, {digits.data(), digits.size()});
    return status;
}

int on_secret_of_client(Session session, const char* label, const Datum* secret) {
    return on_secret(session, label, secret, false);
}
int on_secret_of_server(Session session, const char* label, const Datum* secret) {
    return on_secret(session, label, secret, true);
}

} // namespace
} // namespace cw::preload

using cw::preload::any_own;
using cw::preload::gnutls;
using cw::preload::is_there;
using cw::preload::on_secret_of_client;
using cw::preload::on_secret_of_server;

int gnutls_init(Session* session, unsigned flags) {
    constexpr int internal_error = -59; // GNUTLS_E_INTERNAL_ERROR
    constexpr unsigned server = 1;      // GNUTLS_SERVER
    if (!is_there(__builtin_return_address(0))) {
        return internal_error;
    }
    const int status = gnutls.init(session, flags);
    if (status == 0 && gnutls.set_function != nullptr) {
        if (gnutls.get_function != nullptr) {
            gnutls.first.store(gnutls.get_function(*session));
        }
        gnutls.set_function(*session,
                            (flags & server) != 0 ? on_secret_of_server : on_secret_of_client);
    }
    return status;
}

void gnutls_deinit(Session session) {
    if (!is_there(__builtin_return_address(0))) {
        return;
    }
    if (any_own.load()) {
        if (auto* slot = cw::preload::slot_of(session, false)) {
            slot->function.store(gnutls.first.load()); // for who is next at this address
        }
    }
    gnutls.deinit(session);
}

void gnutls_session_set_keylog_function(Session session, SecretFunction* function) {
    if (!is_there(__builtin_return_address(0)) || gnutls.set_function == nullptr) {
        return;
    }
    any_own.store(true);
    if (auto* slot = cw::preload::slot_of(session, true)) {
        slot->function.store(function);
    }
}

SecretFunction* gnutls_session_get_keylog_function(const gnutls_session_int* session) {
    if (!is_there(__builtin_return_address(0))) {
        return nullptr;
    }
    return cw::preload::own_function(const_cast<Session>(session));
}
