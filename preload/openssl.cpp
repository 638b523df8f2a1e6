// OpenSSL 1.1.1 and 3, both perhaps in one process: every context gets a key log function of ours,
// which hands on to the program's own where it has set one. Declared here rather than included:
// what is used is the same in all of these versions.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>

#include <sched.h>

#include "connection.hpp"
#include "loader.hpp"
#include "output.hpp"

#define CALLWRIGHT_HOOK extern "C" __attribute__((visibility("default")))

struct SSL;
struct SSL_CTX;
struct SSL_METHOD;
struct SSL_CIPHER;
struct OSSL_LIB_CTX;
using KeyLogFunction = void(const SSL* ssl, const char* line);

CALLWRIGHT_HOOK SSL_CTX* SSL_CTX_new(const SSL_METHOD* method);
CALLWRIGHT_HOOK SSL_CTX* SSL_CTX_new_ex(OSSL_LIB_CTX* library, const char* properties,
                                        const SSL_METHOD* method);
CALLWRIGHT_HOOK SSL* SSL_new(SSL_CTX* context);
CALLWRIGHT_HOOK void SSL_CTX_set_keylog_callback(SSL_CTX* context, KeyLogFunction* function);
CALLWRIGHT_HOOK KeyLogFunction* SSL_CTX_get_keylog_callback(const SSL_CTX* context);

namespace cw::preload {
namespace {

constexpr std::size_t most_libraries = 4;
constexpr const char* libraries[] = {"libssl.so.3", "libssl.so.1.1", nullptr};

// One OpenSSL.
struct Api {
    std::atomic<const void*> anchor{nullptr}; // its SSL_CTX_new; set last
    decltype(&::SSL_CTX_new) context_new = nullptr;
    decltype(&::SSL_CTX_new_ex) context_new_ex = nullptr; // from 3.0 on
    decltype(&::SSL_new) connection_new = nullptr;
    decltype(&::SSL_CTX_set_keylog_callback) set_function = nullptr; // from 1.1.1 on
    decltype(&::SSL_CTX_get_keylog_callback) get_function = nullptr;
    int (*set_data)(SSL_CTX*, int, void*) = nullptr;
    void* (*get_data)(const SSL_CTX*, int) = nullptr;
    int (*new_index)(int, long, void*, void*, void*, void*) = nullptr;
    SSL_CTX* (*context_of)(const SSL*) = nullptr;
    int (*descriptor)(const SSL*) = nullptr;
    int (*is_server)(const SSL*) = nullptr;
    int (*version)(const SSL*) = nullptr;
    const SSL_CIPHER* (*pending)(const SSL*) = nullptr;
    const SSL_CIPHER* (*current)(const SSL*) = nullptr;
    std::uint16_t (*number)(const SSL_CIPHER*) = nullptr;
    std::size_t (*server_random)(const SSL*, unsigned char*, std::size_t) = nullptr;
    std::atomic<int> index{-1}; // of the program's own function, in the data of its contexts
};
constinit Api apis[most_libraries];
constinit std::atomic_flag filling{};

// Who called, and what that was meant for: asking the loader takes its lock. Filled once.
struct Caller {
    std::atomic<const void*> address{nullptr};
    std::atomic<Api*> api{nullptr};
};
constinit Caller callers[64];

template <class Function>
void load(const void* caller, Function& function, const char* name) {
    function = reinterpret_cast<Function>(meant(caller, name, nullptr, libraries));
}

void fill(Api& api, void* anchor) {
    api.context_new = reinterpret_cast<decltype(api.context_new)>(anchor);
    const auto beside = static_cast<const void*>(anchor); // in the OpenSSL itself
    load(beside, api.context_new_ex, "SSL_CTX_new_ex");
    load(beside, api.connection_new, "SSL_new");
    load(beside, api.set_function, "SSL_CTX_set_keylog_callback");
    load(beside, api.get_function, "SSL_CTX_get_keylog_callback");
    load(beside, api.set_data, "SSL_CTX_set_ex_data");
    load(beside, api.get_data, "SSL_CTX_get_ex_data");
    load(beside, api.new_index, "CRYPTO_get_ex_new_index");
    load(beside, api.context_of, "SSL_get_SSL_CTX");
    load(beside, api.descriptor, "SSL_get_rfd");
    load(beside, api.is_server, "SSL_is_server");
    load(beside, api.version, "SSL_version");
    load(beside, api.pending, "SSL_get_pending_cipher");
    load(beside, api.current, "SSL_get_current_cipher");
    load(beside, api.number, "SSL_CIPHER_get_protocol_id");
    load(beside, api.server_random, "SSL_get_server_random");
    api.anchor.store(anchor, std::memory_order_release);
}

Api* look_for(const void* caller) {
    const Unseen unseen;
    void* anchor =
        meant(caller, "SSL_CTX_new", reinterpret_cast<const void*>(&::SSL_CTX_new), libraries);
    if (anchor == nullptr) {
        return nullptr;
    }
    const auto known = [&]() -> Api* {
        for (auto& api : apis) {
            if (api.anchor.load(std::memory_order_acquire) == anchor) {
                return &api;
            }
        }
        return nullptr;
    };
    if (auto* api = known()) {
        return api;
    }
    // Note: who held it when the program forked is gone; then two fill, with the same.
    for (int i = 0; i < 100000 && filling.test_and_set(std::memory_order_acquire); ++i) {
        sched_yield();
    }
    auto* api = known();
    for (auto& free : apis) {
        if (api == nullptr && free.anchor.load() == nullptr) {
            fill(free, anchor);
            api = &free;
        }
    }
    filling.clear(std::memory_order_release);
    return api;
}

// Null when no OpenSSL is there, or more than we can count.
Api* api_for(const void* caller) {
    auto& known = callers[(reinterpret_cast<std::uintptr_t>(caller) >> 2) % std::size(callers)];
    if (known.address.load(std::memory_order_acquire) == caller) {
        if (auto* api = known.api.load(std::memory_order_acquire)) {
            return api;
        }
    }
    auto* api = look_for(caller);
    const void* nobody = nullptr;
    if (api != nullptr && known.address.compare_exchange_strong(nobody, caller)) {
        known.api.store(api, std::memory_order_release);
    }
    return api;
}

KeyLogFunction* own_of_program(const Api& api, const SSL_CTX* context) {
    const int index = api.index.load();
    return index < 0 || context == nullptr
               ? nullptr
               : reinterpret_cast<KeyLogFunction*>(api.get_data(context, index));
}

// `line` has "LABEL random secret".
void on_line(const Api& api, const SSL* ssl, const char* line) {
    if (auto* own = own_of_program(api, api.context_of(ssl))) {
        own(ssl, line);
    }
    const Unseen unseen;
    const char* first = std::strchr(line, ' ');
    const char* second = first != nullptr ? std::strchr(first + 1, ' ') : nullptr;
    if (second == nullptr) {
        return;
    }
    constexpr unsigned tls13 = 0x0304;
    Connection connection;
    unsigned char random[32];
    connection.fd = api.descriptor(ssl);
    connection.is_server = api.is_server != nullptr && api.is_server(ssl) != 0;
    connection.version = static_cast<unsigned>(api.version(ssl));
    connection.datagrams = connection.version >> 8 == 0xfe;
    const auto* cipher = api.pending != nullptr ? api.pending(ssl) : nullptr;
    if (cipher == nullptr) {
        cipher = api.current(ssl);
    }
    if (cipher != nullptr && api.number != nullptr) {
        connection.suite = api.number(cipher);
    }
    if (connection.version != tls13 && api.server_random != nullptr &&
        api.server_random(ssl, random, sizeof random) == sizeof random) {
        connection.server_random = random;
    }
    log_secret(connection, {line, first}, {first + 1, second}, second + 1);
}

// A key log function is not told which OpenSSL calls it: each has its own.
template <std::size_t library>
void on_line_of(const SSL* ssl, const char* line) {
    on_line(apis[library], ssl, line);
}
constexpr KeyLogFunction* ours[most_libraries] = {on_line_of<0>, on_line_of<1>, on_line_of<2>,
                                                  on_line_of<3>};

KeyLogFunction* ours_for(const Api& api) {
    return ours[&api - apis];
}

void remember_own(Api& api, SSL_CTX* context, KeyLogFunction* own) {
    constexpr int of_contexts = 1; // CRYPTO_EX_INDEX_SSL_CTX
    if (own == nullptr && api.index.load() < 0) {
        return;
    }
    if (api.index.load() < 0) {
        int none = -1; // a second thread's index is left unused
        const int index = api.new_index(of_contexts, 0, nullptr, nullptr, nullptr, nullptr);
        (void)api.index.compare_exchange_strong(none, index);
    }
    if (api.index.load() >= 0) {
        api.set_data(context, api.index.load(), reinterpret_cast<void*>(own));
    }
}

void adopt(Api& api, SSL_CTX* context) {
    if (context == nullptr || api.set_function == nullptr) {
        return;
    }
    const Unseen unseen;
    auto* now = api.get_function(context);
    if (now != ours_for(api)) {
        remember_own(api, context, now);
        api.set_function(context, ours_for(api));
    }
}

} // namespace
} // namespace cw::preload

using cw::preload::adopt;
using cw::preload::api_for;

SSL_CTX* SSL_CTX_new(const SSL_METHOD* method) {
    auto* api = api_for(__builtin_return_address(0));
    auto* context = api != nullptr ? api->context_new(method) : nullptr;
    if (context != nullptr) {
        adopt(*api, context);
    }
    return context;
}

SSL_CTX* SSL_CTX_new_ex(OSSL_LIB_CTX* library, const char* properties, const SSL_METHOD* method) {
    auto* api = api_for(__builtin_return_address(0));
    auto* context = api != nullptr && api->context_new_ex != nullptr
                        ? api->context_new_ex(library, properties, method)
                        : nullptr;
    if (context != nullptr) {
        adopt(*api, context);
    }
    return context;
}

// Contexts that were made before us, or where the loader passed us by.
SSL* SSL_new(SSL_CTX* context) {
    auto* api = api_for(__builtin_return_address(0));
    if (api == nullptr) {
        return nullptr;
    }
    adopt(*api, context);
    return api->connection_new(context);
}

void SSL_CTX_set_keylog_callback(SSL_CTX* context, KeyLogFunction* function) {
    auto* api = api_for(__builtin_return_address(0));
    if (api == nullptr || api->set_function == nullptr || context == nullptr) {
        return;
    }
    cw::preload::remember_own(*api, context, function);
    api->set_function(context, cw::preload::ours_for(*api));
}

KeyLogFunction* SSL_CTX_get_keylog_callback(const SSL_CTX* context) {
    auto* api = api_for(__builtin_return_address(0));
    if (api == nullptr || context == nullptr) {
        return nullptr;
    }
    return cw::preload::own_of_program(*api, context);
}
